"""Prepare transparent images for upscaling, so that edges get no halos."""

import numpy as np

from srgan_cli.imaging.types import Float32Array, ImageArray


def bleed(colour: ImageArray, alpha: ImageArray) -> ImageArray:
    """Continue the visible colours into the fully transparent parts of an image.

    What stands there is arbitrary, most often black, and an upscaling would mix it
    into the visible edge as a halo. Each transparent pixel gets the mean of the
    visible ones nearby, weighted by their alpha, from the finest level of a 2x2
    pyramid that has any (push-pull, Gortler et al. 1996, section 3.2).

    Args:
        colour: H, W or H, W, 3.
        alpha: H, W; 0 where ``colour`` means nothing.

    Returns:
        As ``colour``, unchanged wherever alpha is not 0.
    """
    hidden = alpha == 0
    if not hidden.any() or hidden.all():
        return colour
    channels = colour[..., None] if colour.ndim == 2 else colour
    weight: Float32Array = alpha.astype(np.float32)[..., None]
    filled = _fill(channels.astype(np.float32) * weight, weight).reshape(colour.shape)
    mask = hidden if colour.ndim == 2 else hidden[..., None]
    return np.where(mask, np.round(filled).astype(colour.dtype), colour)


def _fill(total: Float32Array, weight: Float32Array) -> Float32Array:
    """Divide sums by weights, taking the next coarser level where the weight is nothing."""
    mean: Float32Array = np.divide(total, np.maximum(weight, np.float32(1e-6)), dtype=np.float32)
    empty = weight == 0
    if not empty.any():
        return mean
    coarse = _fill(_halve(total), _halve(weight))
    finer = coarse.repeat(2, axis=0).repeat(2, axis=1)[: total.shape[0], : total.shape[1]]
    return np.where(empty, finer, mean)


def _halve(values: Float32Array) -> Float32Array:
    height, width, channels = values.shape
    padded = np.pad(values, ((0, height % 2), (0, width % 2), (0, 0)))
    blocks = padded.reshape((height + 1) // 2, 2, (width + 1) // 2, 2, channels)
    halved: Float32Array = blocks.sum(axis=(1, 3), dtype=np.float32)
    return halved


def within_neighbours(band: ImageArray, alpha: ImageArray, *, top: int, scale: int) -> ImageArray:
    """Keep upscaled alpha between the extremes of the 3x3 pixels around its source.

    So what was fully opaque or fully transparent stays exactly that.

    Args:
        band: Rows of the upscaled alpha, all columns.
        alpha: The whole source, H, W.
        top: Row of the result that ``band`` starts at; a multiple of ``scale``.
        scale: Factor per side.
    """
    first, count = top // scale, band.shape[0] // scale
    padded = np.pad(alpha, 1, mode="edge")[first : first + count + 2]
    rows = [padded[dy : dy + count] for dy in range(3)]
    low, high = np.minimum.reduce(rows), np.maximum.reduce(rows)
    width = alpha.shape[1]
    low = np.minimum.reduce([low[:, dx : dx + width] for dx in range(3)])
    high = np.maximum.reduce([high[:, dx : dx + width] for dx in range(3)])
    low, high = (edge.repeat(scale, axis=0).repeat(scale, axis=1) for edge in (low, high))
    return np.clip(band, low, high)
