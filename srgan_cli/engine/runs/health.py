"""Judge the health of a run from its logged metrics; docs/training.md has the rules."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

Record = Mapping[str, Any]
"""One line of ``metrics.jsonl``."""

Word = Literal[
    "healthy", "below bicubic", "discriminator overpowers", "generator collapsed", "diverging"
]

WINDOW = 10
"""Number of records in a running mean: 100 steps."""
PSNR_DROP = 6.0
"""Validation PSNR may fall this far below the run's best, in dB; texture costs 1 to 3."""
PIXEL_RISE = 4.0
"""The pixel loss may rise to this many times its lowest running mean of the phase, at any time
since the last validation."""
DETAIL_SHARE = 0.5
"""Share of bicubic's detail below which a generator counts as collapsed."""
ACCURACY = 0.95
"""Accuracy of a discriminator that overpowers the generator, if it lasts."""
DISTANCE_GROWTH = 1.5
"""Growth of a critic's distance from one running mean to the next that is too fast."""


@dataclass(frozen=True, slots=True)
class HealthVerdict:
    """How a run is doing."""

    word: Word
    reason: str
    """The numbers behind it."""

    @property
    def bad(self) -> bool:
        """Whether going on from here would not help."""
        return self.word == "diverging"


def judge(records: Sequence[Record]) -> HealthVerdict:
    """Judge a run at a validation.

    Args:
        records: Everything logged so far; the last validation is part of it.
    """
    phase = records[-1]["phase"]
    scores = [record for record in records if "validation_psnr" in record]
    losses = _losses(records, phase)
    places = [i for i, record in enumerate(records) if "validation_psnr" in record]
    recent = _losses(records[places[-2] :] if len(places) > 1 else records, phase)
    verdict = _diverging(scores, losses, recent)
    if verdict is None and phase == "adversarial":
        verdict = _collapsed(scores[-1]) or _overpowered(losses)
    if verdict is None:
        last = scores[-1]
        below = last["validation_psnr"] < last.get("bicubic_psnr", -math.inf)
        verdict = HealthVerdict("below bicubic" if below else "healthy", _numbers(scores, losses))
    return verdict


def _losses(records: Sequence[Record], phase: str) -> Sequence[Record]:
    return [record for record in records if "pixel" in record and record.get("phase") == phase]


def _diverging(
    scores: Sequence[Record], losses: Sequence[Record], recent: Sequence[Record]
) -> HealthVerdict | None:
    best, last = max(record["validation_psnr"] for record in scores), scores[-1]["validation_psnr"]
    if not best - last <= PSNR_DROP:
        return HealthVerdict(
            "diverging", f"validation PSNR is {last:.2f} dB, {best - last:.1f} below its best"
        )
    if len(losses) < 2 * WINDOW:
        return None
    means = _window_means(losses, "pixel")
    # One that has burst and is low again has lost what it had learnt all the same.
    worst = max(_window_means(recent, "pixel") or means[-1:])
    if not worst <= PIXEL_RISE * min(means):
        return HealthVerdict(
            "diverging",
            f"the pixel loss was {worst:.4g}, {worst / min(means):.1f} times its lowest",
        )
    return None


def _collapsed(score: Record) -> HealthVerdict | None:
    if score["detail"] >= DETAIL_SHARE * score["bicubic_detail"]:
        return None
    return HealthVerdict(
        "generator collapsed",
        f"its images hold {score['detail']:.0%} of the detail of real ones, "
        f"bicubic {score['bicubic_detail']:.0%}",
    )


def _overpowered(losses: Sequence[Record]) -> HealthVerdict | None:
    if len(losses) < 2 * WINDOW:
        return None
    accuracies = _window_means(losses, "accuracy")
    if not accuracies or accuracies[-1] < ACCURACY:
        return None
    told = f"the discriminator is right on {accuracies[-1]:.0%} of the images"
    if "wasserstein" not in losses[-1]:
        return HealthVerdict("discriminator overpowers", told)
    distances = [-mean for mean in _window_means(losses, "wasserstein")]
    before, now = distances[-1 - WINDOW], distances[-1]
    # A critic may tell all apart, for its gradient does not vanish; its distance must level out.
    if 0 < before * DISTANCE_GROWTH < now:
        return HealthVerdict(
            "discriminator overpowers",
            f"{told}, and its distance grew from {before:.3g} to {now:.3g} in {WINDOW * 10} steps",
        )
    return None


def _window_means(losses: Sequence[Record], term: str) -> list[float]:
    """Return the running means over a window; lines without the term, or a number, are skipped."""
    values = [record[term] for record in losses if record.get(term) is not None]
    return [fmean(values[i : i + WINDOW]) for i in range(len(values) - WINDOW + 1)]


def _numbers(scores: Sequence[Record], losses: Sequence[Record]) -> str:
    last, best = scores[-1], max(record["validation_psnr"] for record in scores)
    parts = [f"PSNR {last['validation_psnr']:.2f} dB, best {best:.2f}"]
    if losses and losses[-1]["pixel"] is not None:
        parts.append(f"pixel {losses[-1]['pixel']:.4g}")
    if "bicubic_psnr" in last:
        parts[0] += f" (bicubic {last['bicubic_psnr']:.2f})"
    if last["phase"] == "adversarial":
        parts.append(f"detail {last['detail']:.0%}")
        if accuracies := _window_means(losses, "accuracy"):
            parts.append(f"accuracy {accuracies[-1]:.0%}")
    return ", ".join(parts)
