"""Round images to levels of 0 to 255, and compute luma."""

import numpy as np

from srgan_cli.imaging.types import Levels, Uint8Image

LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in full-range luma (ITU-R BT.601)."""


def to_levels(values: Levels) -> Uint8Image:
    """Round half up and clip to 0..255, as MATLAB does; uint8 input is returned as it is."""
    if values.dtype == np.uint8:
        return values.astype(np.uint8, copy=False)
    return np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8)


def to_grey(image: Uint8Image) -> Uint8Image:
    """Turn H, W, 3 pixels to H, W by full-range BT.601 luma."""
    return to_levels(image.astype(np.float64) @ LUMA)
