"""Between uint8 pictures and the float batches that networks take."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def to_unit(batch: Tensor) -> Tensor:
    """Turn uint8 B, H, W, C pixels into B, C, H, W floats in [0, 1], channels last in memory.

    The permuted view already has channels-last strides, so nothing is copied but
    the conversion itself.
    """
    return batch.permute(0, 3, 1, 2).to(torch.float32).div_(255)


def from_picture(pixels: npt.NDArray[np.uint8]) -> Tensor:
    """Turn H, W or H, W, 3 pixels into 1, 3, H, W floats in [0, 1]; grey is repeated."""
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    return to_unit(torch.tensor(pixels)[None])  # A copy: pixels may be read-only.


def to_pixels(batch: Tensor) -> npt.NDArray[np.uint8]:
    """Turn 1, 3, H, W floats into H, W, 3 uint8: clipped to [0, 1] and rounded."""
    levels = batch[0].float().clamp(0, 1).mul(255).round().to(torch.uint8)
    return levels.permute(1, 2, 0).cpu().numpy()


def to_grey(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Turn H, W, 3 pixels of a grey picture's result back to H, W by full-range BT.601 luma."""
    weights = np.array([0.299, 0.587, 0.114])
    grey: npt.NDArray[np.uint8] = np.floor(pixels.astype(np.float64) @ weights + 0.5).astype(
        np.uint8
    )
    return grey
