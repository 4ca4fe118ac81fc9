"""Measure a generator on a data set's validation pictures while it trains."""

from dataclasses import dataclass
from statistics import fmean

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from srgan_cli.data.store import Store
from srgan_cli.engine.models import Generator
from srgan_cli.imaging.metrics import crop_border, luma, psnr
from srgan_cli.imaging.resize import upscale_bicubic
from srgan_cli.imaging.tensors import from_picture, to_pixels

_CROP = 128


@dataclass(frozen=True, slots=True)
class Scores:
    """Means over the validation crops, in dB on the Y channel, border = scale."""

    psnr: float
    bicubic_psnr: float


class Validator:
    """Scores generators on the centre of each validation picture.

    Args:
        store: The data set; the centre 128×128 LR pixels of each picture are used.
    """

    def __init__(self, store: Store) -> None:
        self._scale = store.scale
        self._pairs = [
            (_centre(lr, 1), _centre(hr, self._scale))
            for lr, hr in map(store.pair, store.entries("validation"))
        ]
        self._bicubic = fmean(
            self._psnr(upscale_bicubic(lr, self._scale), hr) for lr, hr in self._pairs
        )

    @torch.inference_mode()
    def score(self, generator: Generator, device: torch.device) -> Scores:
        """Return the generator's mean PSNR in fp32, beside bicubic's."""
        values = [
            self._psnr(to_pixels(generator(from_picture(lr).to(device))), hr)
            for lr, hr in self._pairs
        ]
        return Scores(fmean(values), self._bicubic)

    def _psnr(self, sr: npt.NDArray[np.uint8], hr: npt.NDArray[np.uint8]) -> float:
        return psnr(*(crop_border(luma(image), self._scale) for image in (sr, hr)))


def _centre(image: Tensor, scale: int) -> npt.NDArray[np.uint8]:
    """Cut the same middle out of an LR picture and, ``scale`` times as large, its HR twin."""
    height, width = (side // scale for side in image.shape[:2])
    top, left = max(0, height - _CROP) // 2, max(0, width - _CROP) // 2
    rows = slice(top * scale, min(top + _CROP, height) * scale)
    columns = slice(left * scale, min(left + _CROP, width) * scale)
    return image[rows, columns].numpy().copy()
