"""A base class for context managers."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Managed(ABC):
    """Something that is closed at the end of a ``with`` block."""

    def __enter__(self) -> Self:
        """Start the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the block."""
        self._close(failed=kind is not None)

    @abstractmethod
    def _close(self, *, failed: bool) -> None:
        """Release what is held; ``failed`` says whether the block ended with an exception."""
