"""The phases of a run and their learning-rate schedules, as functions of the step."""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from srgan_cli.config import Schedule, TrainConfig

PhaseName = Literal["pretrain", "adversarial"]


@dataclass(frozen=True, slots=True)
class Decay:
    """How a learning rate falls over a phase."""

    kind: Schedule = "cosine"
    """``cosine`` to zero (Loshchilov and Hutter 2017), ``multistep``, ``constant``, or
    ``trapezoid``: constant, then to zero at the end as 1 minus the square root of what is
    done of the fall (Hägele et al. 2024, "Scaling laws and compute-optimal training beyond
    fixed training durations", section 3). Until it falls, the length of the phase is open."""
    milestones: tuple[float, ...] = ()
    """Shares of the phase after each of which ``multistep`` falls."""
    gamma: float = 0.5
    """What a milestone multiplies the rate by."""
    cooldown: float = 0.2
    """Share of the phase over which ``trapezoid`` falls."""

    def factor(self, done: float) -> float:
        """Return the share of the peak when this share of the phase is done."""
        match self.kind:
            case "cosine":
                return 0.5 * (1 + math.cos(math.pi * done))
            case "multistep":
                return self.gamma ** bisect_right(self.milestones, done)
            case "trapezoid":
                fallen = max(0.0, 1 - (1 - done) / self.cooldown)
                return 1 - math.sqrt(fallen)
            case "constant":
                return 1.0


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of steps with one kind of loss."""

    name: PhaseName
    start: int
    """First step, counted from 0 over the whole run."""
    steps: int
    """Length in steps."""
    peak: float
    """Highest learning rate."""
    warmup: int
    """Steps of linear rise to the peak."""
    decay: Decay = Decay()
    """Fall of the learning rate from the peak."""
    perceptual: bool = False
    """Whether its loss compares VGG features, and its validations too."""

    @property
    def stop(self) -> int:
        """One past the last step."""
        return self.start + self.steps

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of one step: a linear rise, then the decay.

        Args:
            step: Counted over the whole run, within this phase.
        """
        done = step - self.start
        rise = min(1.0, (done + 1) / max(1, self.warmup))
        return self.peak * rise * self.decay.factor(done / self.steps)


def phase_of(step: int, phases: Sequence[Phase]) -> Phase:
    """Return the phase that the step before this one, if there is one, belongs to."""
    return next(phase for phase in phases if max(1, step) <= phase.stop)


def same_until(step: int, one: Sequence[Phase], other: Sequence[Phase]) -> bool:
    """Say whether two plans are the same for all steps before one of them."""
    return _rates(step, one) == _rates(step, other)


def _rates(steps: int, phases: Sequence[Phase]) -> list[tuple[PhaseName, float]]:
    return [
        (phase.name, phase.learning_rate(step))
        for phase in phases
        for step in range(phase.start, min(phase.stop, steps))
    ]


def plan_phases(config: TrainConfig, steps_of: Callable[[int], int]) -> list[Phase]:
    """Divide a run into its phases; one that would have no steps is skipped.

    Args:
        config: The run's options.
        steps_of: Says how many steps a number of epochs has.
    """
    steps = config.steps or steps_of(config.epochs)
    first = round(steps * config.pretrain)
    if config.pretrain_epochs is not None:
        first = steps_of(config.pretrain_epochs)
    if config.pretrain_steps is not None:
        first = config.pretrain_steps
    first = min(first, steps)
    decay = Decay(config.schedule, config.milestones, config.gamma, config.cooldown)
    lasts, looks = steps - first, config.weights.pretrain_perceptual > 0
    rates = config.learning_rate, config.adversarial_learning_rate
    phases = [
        Phase("pretrain", 0, first, rates[0], config.warmup, decay, perceptual=looks),
        Phase("adversarial", first, lasts, rates[1], config.warmup, decay, perceptual=True),
    ]
    return [phase for phase in phases if phase.steps]
