"""Convert images of 8 or 16 bits to the float batches of networks, and back."""

import numpy as np
import torch
from torch import Tensor

from srgan_cli.imaging.frames import peak
from srgan_cli.imaging.levels import LUMA
from srgan_cli.imaging.types import ImageArray, Uint8Image


def to_unit(batch: Tensor) -> Tensor:
    """Turn uint8 B, H, W, C pixels into B, C, H, W floats in [0, 1], channels last in memory.

    The permuted view already has channels-last strides, so nothing is copied but
    the conversion itself.
    """
    return batch.permute(0, 3, 1, 2).to(torch.float32).div_(255)


def from_image(pixels: ImageArray) -> Tensor:
    """Turn H, W or H, W, 3 pixels of 8 or 16 bits into 1, 3, H, W floats in [0, 1].

    Grey is repeated. All of 16 bits fit into the 24 of a float's mantissa.
    """
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    # Torch knows little of uint16, so the conversion is NumPy's.
    floats = torch.from_numpy(pixels.astype(np.float32))[None]
    return floats.permute(0, 3, 1, 2).div_(peak(pixels))


def to_pixels(batch: Tensor) -> Uint8Image:
    """Turn 1, 3, H, W floats into H, W, 3 uint8: clipped to [0, 1] and rounded."""
    levels = batch[0].float().mul(255).round_().clamp_(0, 255).to(torch.uint8)
    return np.stack(tuple(levels.cpu().numpy()), axis=2)  # Faster than a permuted copy.


def to_image(batch: Tensor, *, grey: bool, deep: bool) -> ImageArray:
    """Turn 1, 3, H, W floats into pixels: clipped to [0, 1] and rounded once.

    Args:
        batch: A network's result.
        grey: Return H, W by full-range BT.601 luma instead of H, W, 3.
        deep: Return uint16 in 0..65535 instead of uint8 in 0..255.
    """
    if not grey and not deep:
        return to_pixels(batch)
    values = batch[0].float().clamp(0, 1).cpu().numpy().transpose(1, 2, 0).astype(np.float64)
    if grey:
        values = values @ LUMA
    levels = np.floor(values * (65535 if deep else 255) + 0.5)
    return levels.astype(np.uint16 if deep else np.uint8)
