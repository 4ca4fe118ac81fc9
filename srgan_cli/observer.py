"""How long-running work reports its progress without knowing who watches."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Bar(Protocol):
    """One running job."""

    def advance(self, amount: float = 1, **figures: str) -> None:
        """Count ``amount`` more units as done; ``figures`` are shown beside the bar."""


class Observer(Protocol):
    """What the engine tells its caller while it works."""

    def say(self, message: str) -> None:
        """State a fact, such as which weights were taken and why."""

    def warn(self, message: str) -> None:
        """State something that the user should know and that does not stop the work."""

    @contextmanager
    def bar(self, title: str, *, total: float, unit: str) -> Iterator[Bar]:
        """Open a bar of ``total`` units for the length of a ``with`` block."""
        ...


class SilentObserver:
    """An observer for library use and tests: it shows nothing."""

    def say(self, message: str) -> None:
        """Drop the message."""

    def warn(self, message: str) -> None:
        """Drop the message."""

    @contextmanager
    def bar(self, title: str, *, total: float, unit: str) -> Iterator[Bar]:
        """Open a bar that nobody sees."""
        yield SilentBar()


class SilentBar:
    """A bar that nobody sees."""

    def advance(self, amount: float = 1, **figures: str) -> None:
        """Count nothing."""
