"""Measuring a run before its first step, on a clock and with networks that are made up."""

from types import SimpleNamespace

import pytest
import torch

from srgan_cli.engine.devices.ranks import Ranks
from srgan_cli.engine.training import measure as measuring
from srgan_cli.engine.training.measure import larger_batch, measure
from srgan_cli.engine.training.preflight import PROBE
from srgan_cli.engine.training.schedule import Phase


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class MadeUp:
    """A trainer whose steps take the seconds that it is given, one after the other."""

    def __init__(self, clock, seconds, device="cpu"):
        self.amp = SimpleNamespace(device=torch.device(device))
        self.ema, self.generator = SimpleNamespace(scale=2), SimpleNamespace(scale=2)
        self.config = SimpleNamespace(patch=16)
        self._clock, self._seconds = clock, seconds
        self.made, self.begun = [], []

    def begin(self, phase):
        self.begun.append(phase.name)

    def step(self, phase, number, batch):
        assert number == PROBE
        assert phase.learning_rate(number) == 0
        self._clock.now += self._seconds(phase.name, len(self.made), batch)
        self.made.append(phase.name)

    def snapshot(self, _progress):
        self._clock.now += 0.25
        return SimpleNamespace(tensors={"weights": torch.zeros(1000)})


class MadeUpValidator:
    def seconds(self, _generator, _device, *, perceptual):
        return 9.0 if perceptual else 4.0


def measured(seconds_of_step, phases, monkeypatch, **options):
    clock = Clock()
    trainer = MadeUp(clock, seconds_of_step)
    batches = SimpleNamespace(batch=lambda number: number)
    monkeypatch.setattr(measuring, "scoring_seconds", lambda *_, **__: 20.0)
    found = measure(trainer, batches, MadeUpValidator(), phases, Ranks(), clock=clock, **options)
    return found, trainer


PHASES = [
    Phase("pretrain", 0, 500, 1e-3, 50),
    Phase("adversarial", 500, 500, 1e-4, 50, perceptual=True),
]


def test_every_part_is_measured_for_each_phase(monkeypatch):
    def seconds(name, *_):
        return {"pretrain": 0.5, "adversarial": 2.0}[name]

    found, trainer = measured(seconds, PHASES, monkeypatch)
    pretrain, adversarial = (found.costs.phases[phase.name] for phase in PHASES)
    assert (pretrain.step, pretrain.validation) == (0.5, 4.25)
    assert (adversarial.step, adversarial.validation) == (2.0, 9.25)
    assert found.costs.closing == 21
    assert found.checkpoint_bytes == 4000
    assert trainer.begun == ["pretrain", "adversarial"]


def test_neither_the_first_step_nor_one_that_was_disturbed_counts(monkeypatch):
    def seconds(_name, number, _batch):
        return {0: 30.0, 3: 8.0}.get(number, 0.5)

    found, _ = measured(seconds, PHASES[:1], monkeypatch)
    assert found.costs.phases["pretrain"].step == 0.5


@pytest.mark.parametrize(
    ("steps", "each", "options", "made"),
    [
        (6, 0.01, {}, 3),  # Two, and the first one.
        (500, 0.01, {}, 11),
        (10**6, 0.01, {}, 21),
        (10**6, 60.0, {}, 3),
        (10**6, 3.0, {}, 5),  # No longer than ten seconds.
        (10**9, 1.0, {"seconds": 60}, 3),  # No more than a fiftieth of the time.
        (10**9, 1.0, {"seconds": 180}, 5),
    ],
)
def test_measuring_takes_a_small_share_of_the_run(monkeypatch, steps, each, options, made):
    phases = [Phase("pretrain", 0, steps, 1e-3, 50)]
    _, trainer = measured(lambda *_: each, phases, monkeypatch, **options)
    assert len(trainer.made) == made


@pytest.mark.parametrize(
    ("seconds", "most", "found"),
    [
        (lambda _: 1.0, 64, 64),  # The GPU waits for its kernels, whatever their size.
        (lambda patches: max(1.0, patches / 32), 64, 32),
        (lambda patches: patches / 16, 64, None),
        (lambda _: 1.0, 16, None),
    ],
)
def test_a_larger_batch_is_proposed_only_where_it_takes_little_more_time(seconds, most, found):
    clock = Clock()
    trainer = MadeUp(clock, lambda _name, _number, batch: seconds(len(batch.lr)))
    assert larger_batch(trainer, PHASES[1], 16, most, clock) == found


def test_a_batch_that_does_not_fit_is_not_proposed():
    clock = Clock()

    def seconds(_name, _number, batch):
        if len(batch.lr) > 32:
            raise torch.OutOfMemoryError
        return 1.0

    assert larger_batch(MadeUp(clock, seconds), PHASES[1], 8, 64, clock) == 32
