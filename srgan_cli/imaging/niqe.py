"""NIQE: how far an image's local statistics are from those of natural photographs.

A. Mittal, R. Soundararajan and A. C. Bovik, "Making a 'Completely Blind' Image Quality
Analyzer", IEEE Signal Processing Letters 20 (3), 2013. Equation numbers are the paper's.
The statistics of undistorted photographs are the authors' own (see NOTICE).
"""

import math
from functools import cache
from importlib.resources import files

import numpy as np
from safetensors.numpy import load

from srgan_cli.imaging.resize import resample
from srgan_cli.imaging.types import Float64Array, Uint8Image

_PRISTINE = "niqe-pristine.safetensors"
_BLOCK = 96
_WINDOW = 7
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
_FEWEST_BLOCKS = 2


def niqe(y: Uint8Image) -> float:
    """Return the NIQE of one channel; lower is more natural, undistorted photographs have 2 to 5.

    Args:
        y: H, W, the Y channel.

    Returns:
        The distance of eq. 10, or NaN when fewer than two 96x96 blocks fit or have any
        contrast: it is not defined for small or flat images.
    """
    rows, columns = y.shape[0] // _BLOCK, y.shape[1] // _BLOCK
    if rows * columns < _FEWEST_BLOCKS:
        return math.nan
    image = y[: rows * _BLOCK, : columns * _BLOCK].astype(np.float64)
    half = resample(image, image.shape[0] // 2, image.shape[1] // 2)
    features = np.concatenate(
        [_features(_blocks(_normalised(image), _BLOCK)), _features(_blocks(_normalised(half), 48))],
        axis=1,
    )
    usable = features[~np.isnan(features).any(axis=1)]
    if len(usable) < _FEWEST_BLOCKS:
        return math.nan
    pristine = _pristine()
    away = pristine["mean"] - np.nanmean(features, axis=0)
    covariance = (pristine["covariance"] + np.cov(usable, rowvar=False)) / 2
    return float(np.sqrt(away @ np.linalg.pinv(covariance) @ away))


@cache
def _pristine() -> dict[str, Float64Array]:
    """Return the mean (36) and the covariance (36, 36) of undistorted photographs' features."""
    content = (files("srgan_cli") / "weights" / _PRISTINE).read_bytes()
    return {name: tensor.astype(np.float64) for name, tensor in load(content).items()}


def _normalised(image: Float64Array) -> Float64Array:
    """Take away the local mean and divide by the local contrast (eq. 1 to 3)."""
    mean = _blur(image)
    deviation = np.sqrt(np.abs(_blur(image * image) - mean * mean))
    normalised: Float64Array = (image - mean) / (deviation + 1)
    return normalised


def _blur(image: Float64Array) -> Float64Array:
    """Filter with a 7x7 Gaussian of sigma 7/6; edges are continued by their last pixel."""
    offsets = np.arange(_WINDOW) - _WINDOW // 2
    window = np.exp(-(offsets**2) / (2 * (_WINDOW / 6) ** 2))
    window /= window.sum()
    for _ in range(2):
        padded = np.pad(image, ((_WINDOW // 2, _WINDOW // 2), (0, 0)), mode="edge")
        filtered = np.zeros_like(image)
        for offset, weight in enumerate(window):
            filtered += weight * padded[offset : offset + len(image)]
        image = filtered.T
    return image


def _blocks(image: Float64Array, side: int) -> Float64Array:
    """Cut H, W into blocks: N, side, side."""
    rows, columns = image.shape[0] // side, image.shape[1] // side
    return (
        image.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(rows * columns, side, side)
    )


def _features(blocks: Float64Array) -> Float64Array:
    """Return the 18 parameters that describe each block: N, 18.

    Two of the distribution of its values, and four for the products of neighbours in
    each of four directions (eq. 4 to 8). Blocks are continued by their opposite edge.
    """
    shape, left, right = _fit(blocks)
    columns = [shape, (left + right) / 2]
    for neighbour in _NEIGHBOURS:
        shape, left, right = _fit(blocks * np.roll(blocks, neighbour, axis=(1, 2)))
        mean = (right - left) * _gamma(2 / shape) / _gamma(1 / shape)
        columns += [shape, mean, left, right]
    return np.stack(columns, axis=1)


def _fit(blocks: Float64Array) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Fit an asymmetric generalised Gaussian to each block: shape, left and right scale.

    The moment matching of N. E. Lasmar, Y. Stitou and Y. Berthoumieu, ICIP 2009; NaN
    where a block has no values on one side of zero.
    """
    values = blocks.reshape(len(blocks), -1)
    with np.errstate(invalid="ignore", divide="ignore"):
        left, right = (
            np.sqrt((values**2 * side).sum(axis=1) / side.sum(axis=1))
            for side in (values < 0, values > 0)
        )
        skew = left / right
        ratio = np.abs(values).mean(axis=1) ** 2 / (values**2).mean(axis=1)
        ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    shapes, ratios = _shape_table()
    # Ratios rise with the shape: the nearest of the two entries around each is the best.
    after = np.searchsorted(ratios, ratio).clip(1, len(ratios) - 1)
    nearest = after - (ratio - ratios[after - 1] <= ratios[after] - ratio)
    shape = np.where(np.isnan(ratio), np.nan, shapes[nearest])
    width = np.sqrt(_gamma(1 / shape) / _gamma(3 / shape))
    return shape, left * width, right * width


@cache
def _shape_table() -> tuple[Float64Array, Float64Array]:
    """Return shapes from 0.2 to 10 and the ratio of moments that each one has."""
    shapes = np.arange(0.2, 10.001, 0.001)
    inverse = 1 / shapes
    return shapes, _gamma(2 * inverse) ** 2 / (_gamma(inverse) * _gamma(3 * inverse))


def _gamma(x: Float64Array) -> Float64Array:
    return np.array([math.gamma(value) for value in x])
