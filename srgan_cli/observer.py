"""The interface by which long-running work reports messages and progress to its caller."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Bar(Protocol):
    """One running job."""

    def advance(self, amount: float = 1, **figures: str) -> None:
        """Count ``amount`` more units as done; ``figures`` are shown beside the bar."""


@dataclass(frozen=True, slots=True)
class TrainingStatus:
    """How far a training run is, and how it is doing."""

    run: Path
    """Its folder."""
    phase: str
    step: int
    """Steps done, over the whole run."""
    steps: int
    epoch: int
    """The pass over the photographs that it is in, from 1."""
    epochs: int
    losses: Mapping[str, float]
    """Means of the last record by name."""
    learning_rate: float
    psnr: tuple[float, ...]
    """Of all validations so far, in dB."""
    ssim: tuple[float, ...]
    bicubic_psnr: float
    verdict: str
    """How the run is doing, in a word or two."""
    reason: str
    """The numbers behind that."""
    skipped: int
    """Updates skipped because a gradient was not finite."""
    rollbacks: int
    rate: float
    """Patches per second, over all processes."""
    waiting: float
    """Share of the time spent waiting for patches."""
    seconds_left: float
    """Until the end of the run: both phases, validations and the comparison at the end."""
    memory: int
    """Most bytes taken so far, on the device where it keeps count."""


class Observer(Protocol):
    """What the engine tells its caller while it works."""

    def say(self, message: str) -> None:
        """State a fact, such as which weights were taken and why."""

    def warn(self, message: str, hint: str = "") -> None:
        """State what the user should know and what does not stop the work, and what to do."""

    @contextmanager
    def bar(self, title: str, *, total: float, unit: str) -> Iterator[Bar]:
        """Open a bar of ``total`` units for the length of a ``with`` block."""
        ...


class TrainObserver(Observer, Protocol):
    """What a training run tells besides."""

    @contextmanager
    def watch(self) -> Iterator[Callable[[TrainingStatus], None]]:
        """Follow the run for the length of a ``with`` block: called after each step."""
        ...


class SilentObserver:
    """An observer for library use and tests: it shows nothing."""

    def say(self, message: str) -> None:
        """Drop the message."""

    def warn(self, message: str, hint: str = "") -> None:
        """Drop the message."""

    @contextmanager
    def bar(self, title: str, *, total: float, unit: str) -> Iterator[Bar]:
        """Open a bar that nobody sees."""
        yield SilentBar()

    @contextmanager
    def watch(self) -> Iterator[Callable[[TrainingStatus], None]]:
        """Follow nothing."""
        yield lambda _: None


class SilentBar:
    """A bar that nobody sees."""

    def advance(self, amount: float = 1, **figures: str) -> None:
        """Count nothing."""
