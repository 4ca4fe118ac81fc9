"""The phases of a run and their learning rates: closed forms of the step."""

import math
from dataclasses import dataclass
from typing import Literal

PhaseName = Literal["pretrain", "adversarial"]


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

    @property
    def stop(self) -> int:
        """One past the last step."""
        return self.start + self.steps

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of one step: linear rise, then a cosine to zero.

        Args:
            step: Counted over the whole run, within this phase.
        """
        done = step - self.start
        rise = min(1.0, (done + 1) / max(1, self.warmup))
        return self.peak * rise * 0.5 * (1 + math.cos(math.pi * done / self.steps))


def plan_phases(
    steps: int,
    *,
    pretrain: float,
    learning_rate: float,
    adversarial_learning_rate: float,
    warmup: int,
) -> list[Phase]:
    """Divide a run into its phases; one that would have no steps is left out."""
    first = round(steps * pretrain)
    phases = [
        Phase("pretrain", 0, first, learning_rate, warmup),
        Phase("adversarial", first, steps - first, adversarial_learning_rate, warmup),
    ]
    return [phase for phase in phases if phase.steps]
