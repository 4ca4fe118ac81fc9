"""Score a generator on the validation images of its data set during training."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import fmean, median
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from srgan_cli.data.store import Store
from srgan_cli.engine.devices.ranks import Ranks
from srgan_cli.engine.losses.content import perceptual_loss
from srgan_cli.engine.networks.base import Network
from srgan_cli.engine.networks.vgg import VggFeatures
from srgan_cli.imaging.metrics import crop_border, luma, psnr, ssim
from srgan_cli.imaging.resize import upscale_bicubic
from srgan_cli.imaging.tensors import from_image, to_pixels
from srgan_cli.imaging.types import Levels, Uint8Image

_CROP = 128
_FEATURES_CROP = 64
_NUM_SHOWN = 4
_NUM_TIMED = 3
_MOST_PSNR = 100.0  # Equal images would make every mean infinite.


@dataclass(frozen=True, slots=True)
class ValidationScores:
    """Means over the validation crops, on the Y channel, border = scale."""

    psnr: float
    """In dB."""
    ssim: float
    detail: float
    """Mean step from pixel to pixel, as a share of the real image's."""
    bicubic_psnr: float
    bicubic_ssim: float
    bicubic_detail: float
    perceptual: float | None
    """The loss term of that name on the middle 64 LR pixels, in the adversarial phase."""

    def to_record(self) -> dict[str, float | None]:
        """Return them by the names that ``metrics.jsonl`` has for them."""
        return {_IN_RECORDS.get(name, name): value for name, value in asdict(self).items()}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Read them back; other keys are left alone."""
        names = [field.name for field in fields(cls)]
        return cls(*(record[_IN_RECORDS.get(name, name)] for name in names))


_IN_RECORDS = {
    "psnr": "validation_psnr",
    "ssim": "validation_ssim",
    "perceptual": "validation_perceptual",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """One validation crop for the image sheet: uint8, H, W, 3."""

    lr: Uint8Image
    bicubic: Uint8Image
    sr: Uint8Image
    hr: Uint8Image


class Validator:
    """Scores generators on the centre of each validation image.

    Args:
        store: The data set; the centre 128×128 LR pixels of each image are used.
        features: Network of the perceptual distance; None leaves that out.
        ranks: The processes that share the images.
    """

    def __init__(
        self, store: Store, features: VggFeatures | None = None, ranks: Ranks | None = None
    ) -> None:
        self._scale, self._features, self._ranks = store.scale, features, ranks or Ranks()
        self._pairs = [
            (_centre(lr, 1), _centre(hr, self._scale))
            for lr, hr in map(store.pair, store.entries("validation"))
        ]
        self._mine = [
            i for i in range(len(self._pairs)) if i % self._ranks.size == self._ranks.rank
        ]
        self._bicubic = {
            i: self._measure(upscale_bicubic(self._pairs[i][0], self._scale), self._pairs[i][1])
            for i in self._mine
        }
        self.shown: Sequence[Shown] = ()

    def score(
        self, generator: Network, device: torch.device, *, perceptual: bool = False
    ) -> ValidationScores:
        """Return the generator's mean scores in fp32, beside bicubic's.

        Args:
            generator: Best in its averaged weights.
            device: Where it is.
            perceptual: Also measure the perceptual distance, which takes longer.
        """
        return _mean(self.score_each(generator, device, perceptual=perceptual))

    @torch.inference_mode()
    def score_each(
        self, generator: Network, device: torch.device, *, perceptual: bool = False
    ) -> list[ValidationScores]:
        """Return the scores of every image, as :meth:`score` does; the same order each time."""
        rows, self.shown = [], []
        for i in self._mine:
            lr, hr = self._pairs[i]
            sr, scores = self._scored(i, generator, device, perceptual=perceptual)
            rows.append(scores)
            if len(self.shown) < _NUM_SHOWN:
                bicubic = upscale_bicubic(lr, self._scale)
                self.shown = [*self.shown, Shown(lr, bicubic, sr, hr)]
        return [row for share in self._ranks.gather(rows) for row in share]

    @torch.inference_mode()
    def seconds(self, generator: Network, device: torch.device, *, perceptual: bool) -> float:
        """Estimate how long :meth:`score` takes in this process, from one of its images."""
        pixels = [self._pairs[i][0].size for i in self._mine]
        if not pixels:
            return 0.0
        taken = []
        for _ in range(_NUM_TIMED):
            started = time.perf_counter()
            self._scored(self._mine[0], generator, device, perceptual=perceptual)
            taken.append(time.perf_counter() - started)
        return median(taken) * sum(pixels) / pixels[0]

    def _scored(
        self, i: int, generator: Network, device: torch.device, *, perceptual: bool
    ) -> tuple[Uint8Image, ValidationScores]:
        """Upscale one image; return the result and its scores."""
        lr, hr = self._pairs[i]
        sr = to_pixels(generator(from_image(lr).to(device)))
        distance = self._distance(sr, hr, device) if perceptual else None
        return sr, ValidationScores(*self._measure(sr, hr), *self._bicubic[i], distance)

    def _measure(self, sr: Uint8Image, hr: Uint8Image) -> tuple[float, float, float]:
        a, b = (crop_border(luma(image), self._scale) for image in (sr, hr))
        return min(psnr(a, b), _MOST_PSNR), ssim(a, b), _steps(a) / max(_steps(b), 1e-6)

    def _distance(self, sr: Uint8Image, hr: Uint8Image, device: torch.device) -> float | None:
        if self._features is None:
            return None
        side = _FEATURES_CROP * self._scale
        a, b = (from_image(_middle(image, side)).to(device) for image in (sr, hr))
        return float(perceptual_loss(self._features, a, b))


def _mean(rows: Sequence[ValidationScores]) -> ValidationScores:
    means: dict[str, Any] = {}
    for field in fields(ValidationScores):
        values = [getattr(row, field.name) for row in rows]
        means[field.name] = None if None in values else fmean(values)
    return ValidationScores(**means)


def _steps(y: Levels) -> float:
    """Return the mean absolute step from a pixel to its neighbours."""
    values = y.astype(np.float32)
    return float(sum(np.abs(np.diff(values, axis=axis)).mean() for axis in (0, 1)))


def _middle(image: Uint8Image, side: int) -> Uint8Image:
    height, width = image.shape[:2]
    top, left = max(0, height - side) // 2, max(0, width - side) // 2
    return image[top : top + side, left : left + side]


def _centre(image: Tensor, scale: int) -> Uint8Image:
    """Cut the same middle out of an LR image and, ``scale`` times as large, its HR twin."""
    height, width = (side // scale for side in image.shape[:2])
    top, left = max(0, height - _CROP) // 2, max(0, width - _CROP) // 2
    rows = slice(top * scale, min(top + _CROP, height) * scale)
    columns = slice(left * scale, min(left + _CROP, width) * scale)
    return image[rows, columns].numpy().copy()
