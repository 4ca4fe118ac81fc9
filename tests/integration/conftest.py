"""An observer that remembers, and a home in which something has been made already."""

import shutil
from contextlib import contextmanager

import pytest

from srgan_cli import engine
from srgan_cli.config import PrepareConfig, TrainConfig
from srgan_cli.observer import SilentBar, SilentObserver, TrainingStatus


class Count(SilentBar):
    """Counts what is done."""

    done = 0.0

    def advance(self, amount=1, **figures):  # noqa: ARG002 - the interface's
        self.done += amount


class Recorder(SilentObserver):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []
        self.bars: list[tuple[str, float]] = []
        self.counts: list[Count] = []
        self.statuses: list[TrainingStatus] = []

    def say(self, message: str) -> None:
        self.said.append(message)

    def warn(self, message: str, hint: str = "") -> None:  # noqa: ARG002 - the interface's
        self.warned.append(message)

    @contextmanager
    def bar(self, title, *, total, unit):  # noqa: ARG002 - the interface's
        self.bars.append((title, total))
        self.counts.append(Count())
        yield self.counts[-1]

    @contextmanager
    def watch(self):
        yield self.statuses.append


@pytest.fixture
def observer() -> Recorder:
    """Return an observer that remembers."""
    return Recorder()


def tiny(**options) -> TrainConfig:
    """Return the options of a run of a few quick steps, half of them adversarial."""
    return TrainConfig(
        **{
            "steps": 6,
            "batch": 2,
            "patch": 16,
            "discriminator_width": 4,
            "perceptual": "none",
            "device": "cpu",
            "precision": "fp32",
            "warmup": 2,
            "validate_every": 100,
        }
        | options
    )


@pytest.fixture(scope="session")
def photographs(tmp_path_factory, make_photographs):
    """Make a folder of twelve small photographs."""
    folder = tmp_path_factory.mktemp("photographs") / "photos"
    make_photographs(folder, count=12, size=(136, 128))
    return folder


@pytest.fixture(scope="session")
def prepared_once(tmp_path_factory, photographs):
    folder = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRGAN_HOME", str(folder))
        engine.prepare(PrepareConfig(photographs), SilentObserver())
    return folder


@pytest.fixture
def prepared(home, prepared_once):
    """Fill this test's home with the data set ``photos-x2``."""
    shutil.copytree(prepared_once, home)
    return home / "datasets" / "photos-x2"
