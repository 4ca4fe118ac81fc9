"""Compare two models by a paired bootstrap over images, with a plain verdict."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from srgan_cli.imaging.types import Float64Array

ComparisonVerdict = Literal["better", "worse", "no difference shown", "too few images"]

FEWEST_IMAGES = 5
_RESAMPLES = 10_000
_CHUNK = 500
_SEED = 0


@dataclass(frozen=True, slots=True)
class Metric:
    """What a figure measures, and how it is printed."""

    name: str
    """Key of the JSON."""
    label: str
    """Heading of a table."""
    digits: int
    """Decimals that are printed; a smaller difference is never called one."""
    higher_is_better: bool
    meaning: str
    """One line for people."""


PSNR = Metric("psnr", "PSNR (dB)", 2, True, "peak signal-to-noise ratio for a peak of 255")
SSIM = Metric(
    "ssim", "SSIM", 4, True, "structural similarity, 11×11 Gaussian σ 1.5, K 0.01 and 0.03, valid"
)


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean difference of two contenders on the same images."""

    mean: float
    """In the metric's unit; above 0 when the first has the higher figure."""
    low: float | None
    """Lower end of the 95 % interval; None with fewer than 5 images."""
    high: float | None
    """Upper end of the 95 % interval."""
    verdict: ComparisonVerdict
    """Of the first contender."""


def compare(first: Sequence[float], second: Sequence[float], metric: Metric) -> Difference:
    """Compare two contenders' figures image by image.

    The interval is the percentile bootstrap of the mean difference (Efron and
    Tibshirani 1993, chapter 13): 10,000 resamples of the images, seed 0, so that the
    same figures give the same interval. It says how much the mean depends on which
    images happen to be in the set. A difference is shown when the interval leaves out
    zero and the mean would not vanish when printed with the metric's digits.

    Args:
        first: One figure per image.
        second: The same images' figures of the other contender.
        metric: Says which direction is better.

    Returns:
        The difference over the images for which both figures are finite.
    """
    both = [
        a - b for a, b in zip(first, second, strict=True) if math.isfinite(a) and math.isfinite(b)
    ]
    differences = np.array(both)
    mean = float(differences.mean()) if both else math.nan
    if len(both) < FEWEST_IMAGES:
        return Difference(mean, None, None, "too few images")
    low, high = _interval(differences)
    shown = (low > 0 or high < 0) and abs(mean) >= 0.5 * 10**-metric.digits
    if not shown:
        return Difference(mean, low, high, "no difference shown")
    better = (mean > 0) == metric.higher_is_better
    return Difference(mean, low, high, "better" if better else "worse")


def _interval(differences: Float64Array) -> tuple[float, float]:
    generator = np.random.default_rng(_SEED)
    means = []
    for _ in range(0, _RESAMPLES, _CHUNK):  # A chunk at a time bounds the memory.
        chosen = generator.integers(0, len(differences), (_CHUNK, len(differences)))
        means.append(differences[chosen].mean(axis=1))
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return float(low), float(high)
