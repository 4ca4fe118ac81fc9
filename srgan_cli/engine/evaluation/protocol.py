"""The protocol of scores (channel, border, LR), and what scores of images and sets hold."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from srgan_cli.config import Channel
from srgan_cli.imaging.comparison import PSNR, SSIM
from srgan_cli.imaging.levels import to_levels
from srgan_cli.imaging.metrics import crop_border, luma, luma_unrounded, psnr, ssim
from srgan_cli.imaging.types import Levels

_CHANNELS: Mapping[Channel, str] = {
    "y": "Y channel (BT.601, 16-235, rounded to 8 bits; grey values of grey images)",
    "y-float": "Y channel (BT.601, 16-235, not rounded; grey values of grey images)",
    "rgb": "R, G and B (grey values of grey images)",
}


@dataclass(frozen=True, slots=True)
class Protocol:
    """What PSNR and SSIM depend on besides the images."""

    scale: int
    """Factor per side."""
    channel: Channel
    """``y``, ``y-float`` or ``rgb``."""
    border: int
    """HR pixels cut off every side."""
    lr: str
    """Where the LR images come from, in words."""

    @property
    def text(self) -> str:
        """The protocol in one line."""
        return (
            f"{_CHANNELS[self.channel]}, border {self.border} px, ×{self.scale}; {self.lr}; "
            "HR cut to a multiple of the scale; SSIM 11×11 Gaussian σ 1.5, K 0.01 and 0.03, "
            "valid region; bicubic and Lanczos upscaled from the same LR in floating point and "
            "rounded once; models and folders scored as 8-bit images"
        )

    def plane(self, image: Levels) -> Levels:
        """Return what of an image is scored: H, W, 1 or H, W, 3, without the border."""
        match self.channel:
            case "y":
                channel: Levels = luma(image)
            case "y-float":
                channel = luma_unrounded(image)
            case "rgb":
                channel = to_levels(image)
        cropped = crop_border(channel, self.border)
        return cropped[..., None] if cropped.ndim == 2 else cropped

    def score(self, sr: Levels, hr: Levels) -> dict[str, float]:
        """Return the PSNR and SSIM of an image of HR's size and number of channels."""
        a, b = self.plane(sr), self.plane(hr)
        similarity = fmean(ssim(a[..., c], b[..., c]) for c in range(a.shape[2]))
        return {PSNR.name: psnr(a, b), SSIM.name: similarity}


MetricScores = Mapping[str, float]


"""Figures by metric name; NaN where a metric is not defined for an image."""


@dataclass(frozen=True, slots=True)
class ImageScores:
    """Figures of one image."""

    name: str
    width: int
    """HR columns, before the border is cut."""
    height: int
    """HR rows."""
    scores: Mapping[str, MetricScores]
    """By contender."""


@dataclass(frozen=True, slots=True)
class SetScores:
    """Figures of one set of images."""

    name: str
    means: Mapping[str, MetricScores]
    """By contender: means over the images with a finite figure; infinite if none has one."""
    equal_to_hr: Mapping[str, tuple[str, ...]]
    """By contender: its images that are equal to HR, whose infinite PSNR is in no mean."""
    images: tuple[ImageScores, ...]
    failed: tuple[str, ...]
    """Images that could not be scored, each with the reason; no contender has them."""
    notes: tuple[str, ...]
    """What a reader of the figures should know: images equal to HR, ignored alpha channels."""


def means(scores: Sequence[MetricScores]) -> dict[str, float]:
    """Return the mean of every metric over the images for which it is finite.

    A metric that is finite for none is infinite where one is, and NaN where it is not defined.
    """
    return {metric: _mean([score[metric] for score in scores]) for metric in scores[0]}


def _mean(figures: Sequence[float]) -> float:
    finite = [figure for figure in figures if math.isfinite(figure)]
    if finite:
        return fmean(finite)
    return max((figure for figure in figures if math.isinf(figure)), default=math.nan)
