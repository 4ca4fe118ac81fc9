"""Figures of pictures and sets: what an evaluation is made of."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

Scores = Mapping[str, float]
"""Figures by metric name; NaN where a metric is not defined for a picture."""


@dataclass(frozen=True, slots=True)
class PictureScores:
    """Figures of one picture."""

    name: str
    width: int
    """HR columns, before the border is cut."""
    height: int
    """HR rows."""
    scores: Mapping[str, Scores]
    """By contender."""


@dataclass(frozen=True, slots=True)
class SetScores:
    """Figures of one set of pictures."""

    name: str
    means: Mapping[str, Scores]
    """Means over the pictures, by contender."""
    pictures: tuple[PictureScores, ...]
    failed: tuple[str, ...]
    """Pictures that could not be scored, each with the reason; no contender has them."""


def means(scores: Sequence[Scores]) -> dict[str, float]:
    """Return the mean of every metric over the pictures for which it is defined."""
    return {metric: _mean([score[metric] for score in scores]) for metric in scores[0]}


def _mean(figures: Sequence[float]) -> float:
    defined = [figure for figure in figures if not math.isnan(figure)]
    return fmean(defined) if defined else math.nan
