"""Measure what the parts of a run take on this machine, before its first step."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

import torch

from srgan_cli.engine.devices.ranks import Ranks
from srgan_cli.engine.training.forecast import Costs, PhaseCosts
from srgan_cli.engine.training.patches import Batch
from srgan_cli.engine.training.preflight import grey, probe
from srgan_cli.engine.training.qualify import scoring_seconds
from srgan_cli.engine.training.schedule import Phase
from srgan_cli.engine.training.trainer import Trainer
from srgan_cli.engine.training.validation import Validator

_MOST_STEPS, _LEAST_STEPS = 20, 2
_WARMUP_STEPS = 1
_PATIENCE = 10.0
_SHARE = 0.02
"""Most of a run that measuring a phase may take, in time or in steps."""
_REPORT_SECONDS = 1.0
"""What is left after the scoring: the last files, the report, the end of the program."""
_WORTHWHILE = 1.5
"""A larger batch is proposed if it takes this many times as many patches in the same time."""


class _Batches(Protocol):
    def batch(self, step: int) -> Batch:
        """Return the patches of one step."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured."""

    costs: Costs
    checkpoint_bytes: int
    """Size of the largest checkpoint."""


def measure(
    trainer: Trainer,
    batches: _Batches,
    validator: Validator,
    phases: Sequence[Phase],
    ranks: Ranks,
    *,
    seconds: float | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Measured:
    """Time steps of each phase, a validation, and the comparison at the end.

    The steps are real ones, on the run's own patches, but with a learning rate of 0. Medians
    are taken, so that what else the machine does for a moment does not count.

    Args:
        trainer: Networks that can be thrown away; all processes need theirs.
        batches: The run's patches.
        validator: Scores as the run does.
        phases: Phases of the run; for a run of a given time, of any length.
        ranks: The processes that train together; all of them get the leader's figures.
        seconds: Time that the run is to take, if that is given instead of its length.
        clock: Tells the time in seconds.
    """
    found: dict[str, PhaseCosts] = {}
    for phase in phases:
        most = _MOST_STEPS
        if seconds is None:
            most = min(max(int(_SHARE * phase.steps), _LEAST_STEPS), most)
        patience = _PATIENCE if seconds is None else min(_PATIENCE, _SHARE * seconds)
        step = _step_seconds(trainer, batches, phase, ranks, most, patience, clock)
        score = validator.seconds(trainer.ema, trainer.amp.device, perceptual=phase.perceptual)
        started = clock()
        checkpoint = trainer.snapshot({})
        found[phase.name] = PhaseCosts(step, score + clock() - started)
    closing = scoring_seconds(trainer, validator, perceptual=phases[-1].perceptual)
    num_bytes = sum(tensor.nbytes for tensor in checkpoint.tensors.values())
    costs: Costs = ranks.agreed(Costs(found, closing + _REPORT_SECONDS))
    return Measured(costs, num_bytes)


def _step_seconds(
    trainer: Trainer,
    batches: _Batches,
    phase: Phase,
    ranks: Ranks,
    most: int,
    patience: float,
    clock: Callable[[], float],
) -> float:
    """Return the median time of a step, of as many as may be made and the patience allows."""
    trainer.begin(phase)
    taken: list[float] = []
    number = 0
    while not ranks.agreed(
        len(taken) >= most or (len(taken) >= _LEAST_STEPS and sum(taken) >= patience)
    ):
        started = clock()
        batch = batches.batch(number)
        probe(trainer, phase.name, batch)
        synchronise(trainer.amp.device)
        number += 1
        if number > _WARMUP_STEPS:
            taken.append(clock() - started)
    return median(taken)


def synchronise(device: torch.device) -> None:
    """Wait until a device has done what it was given; a CPU has."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def larger_batch(
    trainer: Trainer,
    phase: Phase,
    patches: int,
    most: int,
    clock: Callable[[], float] = time.perf_counter,
) -> int | None:
    """Return a larger batch that a GPU which idles takes in little more time.

    A GPU that waits for its next kernels takes as long for twice the batch.

    Args:
        trainer: Networks that can be thrown away.
        phase: The phase to try.
        patches: Patches in a step of this process.
        most: The most to try.
        clock: Tells the time in seconds.

    Returns:
        The batch, in patches of this process, or None if the GPU has enough to do.
    """

    def pace(number: int) -> float:
        batch = grey(trainer, number)
        probe(trainer, phase.name, batch)
        synchronise(trainer.amp.device)
        started = clock()
        for _ in range(_LEAST_STEPS):
            probe(trainer, phase.name, batch)
        synchronise(trainer.amp.device)
        return _LEAST_STEPS * number / max(clock() - started, 1e-9)

    best, before = patches, pace(patches)
    while 2 * best <= most:
        try:
            after = pace(2 * best)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            break
        if after < _WORTHWHILE * before:
            break
        best, before = 2 * best, after
    return best if best > patches else None
