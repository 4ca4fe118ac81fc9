"""How long a run takes, from what its parts cost, and how many steps fit into a given time."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from srgan_cli.engine.training.schedule import Phase
from srgan_cli.typed import build

DAY = 86400.0
"""In seconds."""
_MOST_STEPS = 2**32


@dataclass(frozen=True, slots=True)
class PhaseCosts:
    """What a phase takes on this machine, in seconds."""

    step: float
    """One step, with the wait for its patches."""
    validation: float
    """Scoring the validation images once, and copying what is saved then."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What the parts of a run take on this machine, in seconds."""

    phases: dict[str, PhaseCosts]
    """By the name of the phase."""
    closing: float
    """What comes after the last step: scoring the run beside the bundled model, the report."""

    def seconds_left(self, phases: Sequence[Phase], step: int, every: int) -> float:
        """Return the time from a step to the end of the run.

        Args:
            phases: All phases.
            step: Steps done.
            every: Steps from one validation to the next.
        """
        left = self.closing
        for phase in phases:
            costs = self.phases[phase.name]
            left += costs.step * max(0, phase.stop - max(step, phase.start))
            left += costs.validation * num_validations(phase, step, every)
        return left

    def opening(self, phases: Sequence[Phase]) -> float:
        """Return the time of the validation before the first step."""
        return self.phases[phases[0].name].validation

    @classmethod
    def unknown(cls, phases: Sequence[Phase]) -> Self:
        """Return the costs of a run whose parts were never measured: nothing."""
        return cls({phase.name: PhaseCosts(0.0, 0.0) for phase in phases}, 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, which :meth:`from_dict` reads back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: object) -> Self:
        """Rebuild them from their JSON form.

        Raises:
            RecordError: A value is missing or of another type.
        """
        return build(cls, values)


def interval(asked: int | None, steps: int) -> int:
    """Return the steps from one validation to the next in a run of so many.

    Unless asked otherwise: an eighth of the run, at most 500.
    """
    return asked or min(500, max(1, steps // 8))


def num_validations(phase: Phase, step: int, every: int) -> int:
    """Return how many validations a phase still has: every so many steps, and at its end."""
    first = max(step, phase.start)
    if first >= phase.stop:
        return 0
    return phase.stop // every - first // every + (phase.stop % every != 0)


def steps_within(
    seconds: float,
    costs: Costs,
    phases_of: Callable[[int], Sequence[Phase]],
    every: Callable[[int], int],
) -> int:
    """Return the length, in steps, of the longest run that takes no longer than a given time.

    Args:
        seconds: From the validation before the first step to the end of the command.
        costs: What the parts of the run take.
        phases_of: The phases of a run of so many steps, at least 1.
        every: Steps from one validation to the next, in a run of so many.

    Returns:
        0 if not even one step fits.
    """

    def fits(steps: int) -> bool:
        phases = phases_of(steps)
        return costs.opening(phases) + costs.seconds_left(phases, 0, every(steps)) <= seconds

    fitting, beyond = 0, 1
    while beyond < _MOST_STEPS and fits(beyond):
        fitting, beyond = beyond, 2 * beyond
    while beyond - fitting > 1:
        middle = (fitting + beyond) // 2
        if fits(middle):
            fitting = middle
        else:
            beyond = middle
    return fitting


def duration(seconds: float) -> str:
    """Return a time in words, in two units at most."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if seconds < DAY:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{seconds / DAY:.1f} days"
