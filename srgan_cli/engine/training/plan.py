"""Say before a run's first step how long it will take, and fit its length to a given time."""

import math
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from srgan_cli.config import TrainConfig
from srgan_cli.engine.training.forecast import (
    DAY,
    Costs,
    duration,
    interval,
    num_validations,
    steps_within,
)
from srgan_cli.engine.training.measure import Measured
from srgan_cli.engine.training.schedule import Phase, PhaseName, plan_phases
from srgan_cli.errors import UsageError
from srgan_cli.observer import Observer

OPEN_END = 10**9
"""Steps of a run whose length is still to be found, so that it has all its phases."""

_FEW_STEPS = 100
"""With fewer, a new network has hardly begun to learn."""
_MOST_LATE = 0.1
_SHEET_BYTES = 400_000
"""Most that the image sheet of a validation takes."""
_SPARE_CHECKPOINTS = 2
"""The best one, and the one that is being written beside the others."""


@dataclass(frozen=True, slots=True)
class PhasePlan:
    """What one phase of a run takes."""

    name: PhaseName
    steps: int
    seconds_per_step: float
    validations: int
    seconds: float
    """Its steps and validations together."""


@dataclass(frozen=True, slots=True)
class TrainPlan:
    """What a run takes, as measured on this machine before its first step."""

    phases: tuple[PhasePlan, ...]
    batch: int
    """Patches per step."""
    spent: float
    """Seconds from the start of the command to the end of the measurement."""
    closing: float
    """Seconds after the last step: the run is scored beside the bundled model."""
    seconds: float
    """From the start of the command to its end."""
    ends: str
    """When that is, in ISO 8601 and local time."""
    num_bytes: int
    """Most that the run's folder takes on disk."""
    warning: str
    """That it takes more than a day, or has too few steps; else empty."""
    advice: str
    """What to do instead; empty without a warning."""
    leads: bool = True
    """Whether this process is to report it; False in the others of ``torchrun``."""

    def __str__(self) -> str:
        """Say it in one line."""
        phases = ", ".join(
            f"{phase.name} {phase.steps:,} steps of {phase.seconds_per_step:.3g} s"
            for phase in self.phases
        )
        validations = sum(phase.validations for phase in self.phases)
        return (
            f"plan: {phases}, {validations:,} validation{'s' * (validations != 1)}; "
            f"{duration(self.seconds)} in all, done about {clock_time(self.ends)}; "
            f"up to {self.num_bytes / 1e6:,.0f} MB on disk"
        )


def planned(
    config: TrainConfig,
    measured: Measured,
    steps_of: Callable[[int], int],
    weights_bytes: int,
    spent: float,
) -> tuple[TrainConfig, TrainPlan]:
    """Plan a run, once: its number of steps, where it was given a time, and what it takes.

    Args:
        config: The options.
        measured: What the parts of the run take.
        steps_of: Says how many steps a number of epochs has.
        weights_bytes: Size of a file of weights.
        spent: Seconds since the command started.

    Returns:
        The options with a number of steps in the place of a time, and the plan.

    Raises:
        UsageError: The time is too short for a step of each phase.
    """
    costs, timed = measured.costs, config.seconds is not None
    if config.seconds is not None:
        config = _fitted(config, config.seconds - spent, costs, steps_of, spent)
    phases = plan_phases(config, steps_of)
    every = interval(config.validate_every, phases[-1].stop)
    config = replace(config, validate_every=every)
    total = spent + costs.opening(phases) + costs.seconds_left(phases, 0, every)
    ends = datetime.now().astimezone() + timedelta(seconds=total - spent)
    return config, TrainPlan(
        tuple(_phase_plan(phase, costs, every) for phase in phases),
        config.batch,
        spent,
        costs.closing,
        total,
        ends.isoformat(timespec="seconds"),
        _num_bytes(config, measured.checkpoint_bytes, weights_bytes, phases),
        *_warning(config, sum(phase.steps for phase in phases), total, timed=timed),
    )


def _phase_plan(phase: Phase, costs: Costs, every: int) -> PhasePlan:
    validations, own = num_validations(phase, 0, every), costs.phases[phase.name]
    seconds = phase.steps * own.step + validations * own.validation
    return PhasePlan(phase.name, phase.steps, own.step, validations, seconds)


def _fitted(
    config: TrainConfig,
    seconds: float,
    costs: Costs,
    steps_of: Callable[[int], int],
    spent: float,
) -> TrainConfig:
    """Replace the time that a run is to take by the number of steps that fit into it."""

    def of_length(steps: int) -> TrainConfig:
        return replace(config, steps=steps, minutes=None, hours=None)

    def phases_of(steps: int) -> list[Phase]:
        return plan_phases(of_length(steps), steps_of)

    steps = steps_within(seconds, costs, phases_of, partial(interval, config.validate_every))
    if steps and len(phases_of(steps)) == len(costs.phases):
        return of_length(steps)
    fewest = 1 + bisect_left(
        range(1, OPEN_END), True, key=lambda steps: len(phases_of(steps)) == len(costs.phases)
    )
    phases = phases_of(fewest)
    needed = (
        spent
        + costs.opening(phases)
        + costs.seconds_left(phases, 0, interval(config.validate_every, fewest))
    )
    asked = f"--hours {config.hours:g}" if config.hours is not None else ""
    raise UsageError(
        f"{asked or f'--minutes {config.minutes:g}'} is too short: {duration(spent)} have passed, "
        f"and one step of each phase with its validation takes {duration(needed - spent)}",
        hint=f"pass at least --minutes {math.ceil(needed / 60 + 0.5)}, or a number of --steps",
    )


def _num_bytes(config: TrainConfig, checkpoint: int, weights: int, phases: Sequence[Phase]) -> int:
    every = interval(config.validate_every, phases[-1].stop)
    validations = 1 + sum(num_validations(phase, 0, every) for phase in phases)
    checkpoints = min(validations, config.keep) + _SPARE_CHECKPOINTS
    return checkpoints * checkpoint + 3 * weights + validations * _SHEET_BYTES


def _warning(config: TrainConfig, steps: int, seconds: float, *, timed: bool) -> tuple[str, str]:
    """Return what is wrong with the length of a run, and what to do instead."""
    if seconds > DAY:
        return "that is more than a day", _advice(config)
    if timed and config.init is None and steps < _FEW_STEPS:
        return (
            f"{steps} steps are too few for a network that starts from nothing",
            "give it more time, or fine-tune a bundled model: --init fidelity",
        )
    return "", ""


def _advice(config: TrainConfig) -> str:
    ways = ["pass fewer steps, such as --hours 8"]
    if config.init is None:
        ways.append("fine-tune a bundled model (--init fidelity --minutes 20)")
    if not config.device.startswith("cuda"):
        ways.append("train on a GPU")
    *others, last = ways
    return f"{', '.join(others)}, or {last}" if others else last


class Deadline:
    """The time at which a run is to end; says once that it will be missed.

    The number of steps stays as planned, however fast the machine turns out to be: the
    learning rates follow from it, and a resumed run has to repeat them to the bit.

    Args:
        due: When the run is to end, by ``clock``.
        seconds: Time that the whole run was given.
        clock: Tells the time in seconds.
    """

    def __init__(
        self, due: float, seconds: float, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._due, self._seconds, self._clock = due, seconds, clock
        self._told = False

    def check(self, left: float, observer: Observer) -> None:
        """Warn if a run that still takes this many seconds ends more than a tenth too late."""
        late = self._clock() + left - self._due
        if self._told or late <= _MOST_LATE * self._seconds:
            return
        self._told = True
        ends = datetime.now().astimezone() + timedelta(seconds=left)
        observer.warn(
            f"steps take longer than was measured: done about {clock_time(ends.isoformat())}, "
            f"{duration(late)} late",
            hint="the run keeps its number of steps; Ctrl-C saves it, --resume continues it",
        )


def clock_time(moment: str) -> str:
    """Return the time of day of a moment in ISO 8601, with the date unless it is today's."""
    then = datetime.fromisoformat(moment)
    today = then.date() == datetime.now(then.tzinfo).date()
    return f"{then:%H:%M}" if today else f"{then:%a %-d %b %H:%M}"
