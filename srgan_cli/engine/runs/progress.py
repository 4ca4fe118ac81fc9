"""The progress of a run, and its answer to losses that are not finite: skip, roll back or stop."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

RATE_FACTORS = (1.0, 0.5, 0.05, 0.001)
"""Factors on the learning rate after the first, second and third roll-back. After a chance event a
slightly lower rate is enough; a rate that was set wrong is usually wrong by powers of ten."""

_LEAST_SKIPPED = 5


@dataclass(frozen=True, slots=True)
class RollBack:
    """One return to an earlier state."""

    step: int
    """Where the run was."""
    to: int
    """The step that it went back to."""
    reason: str
    """What was wrong."""


@dataclass(frozen=True, slots=True)
class Best:
    """The best validation of a phase."""

    phase: str
    step: int
    score: float
    """Higher is better: PSNR in dB, or minus the perceptual distance."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands, besides its networks: the part of a checkpoint that people can read."""

    step: int = 0
    """Steps done."""
    seconds: float = 0.0
    """Time spent in steps, over all sessions."""
    good: bool = True
    """Whether a validation passed at this step, so that one can go back to it."""
    best: Best | None = None
    rollbacks: tuple[RollBack, ...] = ()
    skipped_before: int = 0
    """Updates skipped in stretches that were rolled back."""
    skipped_recorded: int = 0
    """Skipped updates of the generator at the last record."""
    pending: tuple[Mapping[str, float], ...] = ()
    """Loss terms of the steps since the last record."""
    costs: Mapping[str, Any] | None = None
    """What the parts of the run took when it was planned."""

    @property
    def rate_factor(self) -> float:
        """What the planned learning rate is multiplied by."""
        return RATE_FACTORS[len(self.rollbacks)]

    def rolled_back(self, to: "Progress", reason: str, skipped: int) -> "Progress | None":
        """Return the progress after going back, or None if there is no lower rate left to try.

        Args:
            to: The progress of the state that is gone back to.
            reason: What is wrong with this one.
            skipped: Updates skipped since that state.
        """
        if len(self.rollbacks) + 1 == len(RATE_FACTORS):
            return None
        return replace(
            to,
            seconds=self.seconds,
            rollbacks=(*self.rollbacks, RollBack(self.step, to.step, reason)),
            skipped_before=self.skipped_before + skipped,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild it from its JSON form, among whose keys may be others."""
        own = {field.name: values[field.name] for field in fields(cls) if field.name != "costs"}
        own["costs"] = values.get("costs")  # Checkpoints of earlier versions have none.
        own["best"] = None if own["best"] is None else Best(**own["best"])
        own["rollbacks"] = tuple(RollBack(**one) for one in own["rollbacks"])
        own["pending"] = tuple(own["pending"])
        return cls(**own)


def every_step_skipped(skipped: int, steps: int) -> bool:
    """Say whether the steps of a record brought nothing, because no gradient was finite.

    Single steps are skipped for good reasons: fp16's loss scaling finds its scale that way.
    """
    return skipped >= max(steps, _LEAST_SKIPPED)
