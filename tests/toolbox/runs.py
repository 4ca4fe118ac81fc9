"""Small training runs, stopping them, and what they leave behind."""

import json
from contextlib import contextmanager

from safetensors import safe_open
from safetensors.torch import load_file

from srgan_cli.config import TrainConfig
from srgan_cli.engine.runs.journal import METRICS_FILE
from srgan_cli.engine.training.trainer import Trainer
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
        | ({} if "init" in options else {"pretrain": 0.5})
        | options
    )


class Killed(BaseException):
    """Ends a run without any chance to save, as SIGKILL does."""


def bits(run, file="weights.safetensors"):
    with safe_open(run / file, framework="pt") as opened:
        keys = list(opened.keys())
    tensors = load_file(run / file)
    return {key: tensors[key].numpy().tobytes() for key in keys}


def last_checkpoint(run):
    return max((run / "checkpoints").iterdir()).relative_to(run)


def steps_logged(run, kind="pixel"):
    records = [json.loads(line) for line in (run / METRICS_FILE).read_text().splitlines()]
    return [record["step"] for record in records if kind in record]


def stop_before(monkeypatch, number, error):
    intact = Trainer.step

    def step(self, phase, at, batch):
        if at == number:
            raise error
        return intact(self, phase, at, batch)

    monkeypatch.setattr(Trainer, "step", step)
