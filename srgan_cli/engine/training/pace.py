"""Measure a run's speed, its waiting for data, and the time left."""

from collections import deque
from collections.abc import Sequence

from srgan_cli.engine.training.schedule import Phase

_REMEMBERED = 50


class Pace:
    """Times of the last steps of each phase."""

    def __init__(self) -> None:
        self._steps: dict[str, deque[tuple[float, float]]] = {}

    def add(self, phase: str, seconds: float, waited: float) -> None:
        """Take down one step.

        Args:
            phase: The phase's name.
            seconds: All of the step, and what came with it: records, validations.
            waited: The part of it spent waiting for patches.
        """
        self._steps.setdefault(phase, deque(maxlen=_REMEMBERED)).append((seconds, waited))

    def seconds_per_step(self, phase: str) -> float | None:
        """Return the mean of the last steps of a phase, or None before its first."""
        steps = self._steps.get(phase)
        return sum(seconds for seconds, _ in steps) / len(steps) if steps else None

    def waiting(self, phase: str) -> float:
        """Return the share of a phase's last steps that was spent waiting."""
        steps = self._steps.get(phase, ())
        return sum(waited for _, waited in steps) / max(1e-9, sum(seconds for seconds, _ in steps))

    def seconds_left(self, phases: Sequence[Phase], step: int) -> tuple[float, str | None]:
        """Return the time to the end of the run, and a phase that this leaves out.

        Args:
            phases: All phases.
            step: Steps done.
        """
        left = 0.0
        for phase in phases:
            steps = phase.stop - max(step, phase.start)
            if steps <= 0:
                continue
            pace = self.seconds_per_step(phase.name)
            if pace is None:
                return left, phase.name
            left += steps * pace
        return left, None
