"""The decoded form of an image file: frames of pixels and alpha."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from srgan_cli.imaging.types import ImageArray, Uint8Image


@dataclass(frozen=True, slots=True)
class Frame:
    """One image of a file: a still, a page, or a frame of an animation; upright."""

    pixels: ImageArray
    """H, W (grey) or H, W, 3 (RGB); uint8 in 0..255 or uint16 in 0..65535."""
    alpha: ImageArray | None = None
    """H, W of the same type, 0 for transparent; straight, not premultiplied. None: opaque."""
    duration: float | None = None
    """Milliseconds that an animation shows it."""

    def equals(self, other: "Frame") -> bool:
        """Say whether another frame shows the same."""
        if self.alpha is None or other.alpha is None:
            same = self.alpha is other.alpha
        else:
            same = np.array_equal(self.alpha, other.alpha)
        return same and np.array_equal(self.pixels, other.pixels)

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])

    @property
    def grey(self) -> bool:
        """Whether there is one channel of colour instead of three."""
        return self.pixels.ndim == 2

    @property
    def deep(self) -> bool:
        """Whether there are 16 bits per channel."""
        return self.pixels.dtype == np.uint16


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a file before its pixels are decoded."""

    format: str
    """Pillow's name."""
    width: int
    """Columns of the first frame, upright."""
    height: int
    """Rows of the first frame, upright."""
    num_frames: int
    """Frames or pages that are read."""
    has_alpha: bool
    """Whether there may be transparency."""
    left_out: int = 0
    """Further images in the file (layers, previews, sizes) that are not read."""

    @property
    def megapixels(self) -> float:
        """Size of all frames, taking each to be as large as the first."""
        return self.width * self.height * self.num_frames / 1e6


def peak(pixels: npt.NDArray[Any]) -> int:
    """Return the largest level of an image's type: 255 or 65535."""
    return 65535 if pixels.dtype == np.uint16 else 255


def shallow(pixels: ImageArray) -> Uint8Image:
    """Return pixels with 8 bits per channel.

    16 bits are divided by 257, which is exact for what was widened from 8, and rounded.
    """
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return pixels.astype(np.uint8, copy=False)
