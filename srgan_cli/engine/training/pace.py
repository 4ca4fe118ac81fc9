"""Measure a run's speed and its waiting for data, which tells the time left."""

from collections import deque
from dataclasses import replace
from statistics import fmean

from srgan_cli.engine.training.forecast import Costs

_REMEMBERED = 50
_ENOUGH = 10


class Pace:
    """What the last steps and the last validation of each phase took.

    Args:
        costs: What they are expected to take; counts like steps until there are enough.
    """

    def __init__(self, costs: Costs) -> None:
        self._costs = costs
        self._steps: dict[str, deque[tuple[float, float]]] = {}

    def add(self, phase: str, seconds: float, waited: float) -> None:
        """Take down one step.

        Args:
            phase: The phase's name.
            seconds: All of the step, without a validation after it.
            waited: The part of it spent waiting for patches.
        """
        self._steps.setdefault(phase, deque(maxlen=_REMEMBERED)).append((seconds, waited))

    def validated(self, phase: str, seconds: float) -> None:
        """Take down what a validation took, with what is saved after it."""
        phases = self._costs.phases
        new = replace(phases[phase], validation=seconds)
        self._costs = replace(self._costs, phases={**phases, phase: new})

    def seconds_per_step(self, phase: str) -> float:
        """Return the mean of the last steps of a phase; the first few are filled up to enough."""
        taken = [seconds for seconds, _ in self._steps.get(phase, ())]
        expected = self._costs.phases[phase].step
        if expected or not taken:
            taken += [expected] * max(1 - len(taken), _ENOUGH - len(taken))
        return fmean(taken)

    def waiting(self, phase: str) -> float:
        """Return the share of a phase's last steps that was spent waiting."""
        steps = self._steps.get(phase, ())
        return sum(waited for _, waited in steps) / max(1e-9, sum(seconds for seconds, _ in steps))

    @property
    def costs(self) -> Costs:
        """What the parts of the rest of the run are expected to take now."""
        phases = {
            name: replace(costs, step=self.seconds_per_step(name))
            for name, costs in self._costs.phases.items()
        }
        return replace(self._costs, phases=phases)
