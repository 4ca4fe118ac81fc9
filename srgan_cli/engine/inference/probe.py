"""Compare half precision with fp32 on a part of the image at hand, before it is trusted."""

from itertools import product

import numpy as np

from srgan_cli.imaging.metrics import psnr
from srgan_cli.imaging.types import ImageArray, Uint8Image

LEAST_PSNR = 55.0
"""In dB, of 8-bit results in half precision beside those in fp32."""
MOST_LEVELS = 3
"""By which a value may differ."""
_SIDE = 64
_PLACES = 4  # For each direction.


def telling_part(pixels: ImageArray) -> ImageArray:
    """Cut out the square of at most 64 pixels with the strongest contrast, among 16 places.

    Args:
        pixels: H, W or H, W, 3.
    """
    height, width = pixels.shape[:2]
    tops, lefts = (
        sorted({int(i) for i in np.linspace(0, max(side - _SIDE, 0), _PLACES)})
        for side in (height, width)
    )
    parts = [pixels[top : top + _SIDE, left : left + _SIDE] for top, left in product(tops, lefts)]
    return max(parts, key=lambda part: float(part.std()))


def is_accurate(half: Uint8Image, full: Uint8Image) -> bool:
    """Say whether a result in half precision can stand for one in fp32.

    Args:
        half: H, W, 3, in half precision.
        full: The same in fp32.
    """
    furthest = np.abs(half.astype(np.int16) - full).max()
    return bool(furthest <= MOST_LEVELS) and psnr(half, full) >= LEAST_PSNR
