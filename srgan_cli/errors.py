"""Expected failures: each carries a message that says what is wrong and a hint what to do.

Lower layers raise these; only ``srgan_cli.cli`` knows exit codes.
"""

from functools import partial
from typing import Any


class SrganError(Exception):
    """A failure that the user can do something about.

    Args:
        message: One line that names the thing and says what is wrong with it.
        hint: One line that says what to do next.
    """

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.add_note(f"hint: {hint}")  # For tracebacks in other people's programs.

    def __reduce__(self) -> tuple[Any, ...]:
        """Let worker processes hand errors over, with their hints."""
        return partial(type(self), hint=self.hint), (self.message,)


class UsageError(SrganError):
    """Options that contradict each other or lie out of range."""


class InputError(SrganError):
    """Images, folders or data sets that cannot be used."""


class WeightsError(SrganError):
    """Weights or checkpoints that cannot be used."""


class ResourceError(SrganError):
    """A device, memory, disk or network that is lacking."""


class DivergedError(SrganError):
    """A training run whose losses stopped being finite."""
