"""Compare half precision with fp32 on a part of the image at hand, before it is trusted."""

from itertools import product

import numpy as np

from srgan_cli.imaging.metrics import psnr
from srgan_cli.imaging.types import ImageArray, Uint8Image

LEAST_PSNR = 55.0
"""In dB, of 8-bit results in half precision beside those in fp32."""
MOST_LEVELS = 3
"""By which a value may differ."""
_SIDES = (32, 64)  # Of the part, at least and at most.
_SHARE = 8  # Of the image's longer side, so that a small image is not computed twice.
_PLACES = 4  # For each direction.


def telling_part(pixels: ImageArray) -> ImageArray:
    """Cut out the square with the strongest contrast, among 16 places.

    Its sides are an eighth of the image's longer side, but 32 to 64 pixels.

    Args:
        pixels: H, W or H, W, 3.
    """
    height, width = pixels.shape[:2]
    least, most = _SIDES
    side = min(max(max(height, width) // _SHARE, least), most)
    tops, lefts = (
        sorted({int(i) for i in np.linspace(0, max(whole - side, 0), _PLACES)})
        for whole in (height, width)
    )
    parts = [pixels[top : top + side, left : left + side] for top, left in product(tops, lefts)]
    return max(parts, key=lambda part: float(part.std()))


def is_accurate(half: Uint8Image, full: Uint8Image) -> bool:
    """Say whether a result in half precision can stand for one in fp32.

    Args:
        half: H, W, 3, in half precision.
        full: The same in fp32.
    """
    furthest = np.abs(half.astype(np.int16) - full).max()
    return bool(furthest <= MOST_LEVELS) and psnr(half, full) >= LEAST_PSNR
