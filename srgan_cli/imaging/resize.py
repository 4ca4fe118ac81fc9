"""Bicubic and Lanczos resizing that equals MATLAB's ``imresize`` bit for bit.

Published super-resolution scores are computed on low-resolution pictures made
by that function, so training pairs, the evaluation protocol and its bicubic
baseline all use this one module.
"""

from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from srgan_cli.imaging.levels import FloatArray, Levels, Uint8Image, to_levels

Kernel = Literal["bicubic", "lanczos"]


def _cubic(x: FloatArray) -> FloatArray:
    """Keys' cubic convolution kernel with a = -0.5 (Keys 1981, eq. 15)."""
    distance = np.abs(x)
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    return np.where(distance <= 1, near, np.where(distance <= 2, far, 0.0))


def _lanczos(x: FloatArray) -> FloatArray:
    """Lanczos' kernel with three lobes, MATLAB's ``lanczos3`` (Duchon 1979)."""
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


_KERNELS = {"bicubic": (_cubic, 2), "lanczos": (_lanczos, 3)}

_ROWS, _COLUMNS = 16, 8
"""LR rows and columns that one matrix product makes: more would multiply more zeros."""


def kernel_taps(
    length: int, new_length: int, kernel: Kernel = "bicubic"
) -> tuple[npt.NDArray[np.intp], FloatArray]:
    """Return which pixels, with which weights, make each pixel of a resized axis.

    When the axis shrinks, the kernel widens by the same factor (antialiasing).
    The picture continues beyond its edges as its own mirror image.

    Args:
        length: Pixels along the axis now.
        new_length: Pixels along the axis afterwards.
        kernel: What weighs the pixels.

    Returns:
        Indices and weights, both of shape ``(new_length, num_taps)``; each row of
        weights sums to 1.
    """
    scale = new_length / length
    stretch = max(1.0, 1.0 / scale)
    weigh, radius = _KERNELS[kernel]
    centres = (np.arange(new_length) + 0.5) / scale - 0.5
    first = np.floor(centres - radius * stretch).astype(np.intp)
    indices = first[:, None] + np.arange(int(np.ceil(2 * radius * stretch)) + 2)
    weights = weigh((centres[:, None] - indices) / stretch)
    weights /= weights.sum(axis=1, keepdims=True)
    used = np.any(weights != 0, axis=0)
    indices, weights = indices[:, used], weights[:, used]
    return _mirrored(indices, length), weights


def _resize_rows(image: Levels, new_height: int, kernel: Kernel = "bicubic") -> FloatArray:
    indices, weights = kernel_taps(image.shape[0], new_height, kernel)
    shape = (new_height, *(1,) * (image.ndim - 1))
    total = np.zeros((new_height, *image.shape[1:]))
    for tap in range(indices.shape[1]):
        total += weights[:, tap].reshape(shape) * image[indices[:, tap]]
    return total


def _resize_columns(image: Levels, new_width: int, kernel: Kernel = "bicubic") -> FloatArray:
    return np.swapaxes(_resize_rows(np.swapaxes(image, 0, 1), new_width, kernel), 0, 1)


def resample(image: Levels, height: int, width: int, kernel: Kernel = "bicubic") -> FloatArray:
    """Resize rows, then columns, in floating point, neither rounded nor clipped."""
    return _resize_columns(_resize_rows(image, height, kernel), width, kernel)


def mod_crop(image: Uint8Image, scale: int) -> Uint8Image:
    """Cut rows and columns off the lower right so that both sides divide by ``scale``."""
    return image[: image.shape[0] // scale * scale, : image.shape[1] // scale * scale]


def downscale(image: Uint8Image, scale: int) -> Uint8Image:
    """Make the LR counterpart of an HR picture, as ``imresize(image, 1/scale)`` does.

    Rows are resized first, and the result of each pass is rounded half up to
    uint8; both are needed to reproduce MATLAB's pixels.

    Args:
        image: HR picture, H, W or H, W, C, uint8; both sides divide by ``scale``.
        scale: Factor per side.

    Raises:
        ValueError: A side does not divide by ``scale``; apply :func:`mod_crop` first.
    """
    height, width = image.shape[:2]
    if height % scale or width % scale:
        raise ValueError(f"{width}x{height} does not divide by {scale}")
    if scale & (scale - 1) == 0:
        return _downscale_by_products(image, scale)
    rows = to_levels(_resize_rows(image, height // scale))
    return to_levels(_resize_columns(rows, width // scale))


def enlarge(image: Uint8Image, scale: int, kernel: Kernel) -> FloatArray:
    """Enlarge an LR picture ``scale`` times per side, in floating point throughout.

    Args:
        image: LR picture, H, W or H, W, C, uint8.
        scale: Factor per side.
        kernel: ``bicubic`` or ``lanczos``.

    Returns:
        H * scale, W * scale (, C) levels, clipped to 0..255 and not rounded.
    """
    height, width = (length * scale for length in image.shape[:2])
    return np.clip(resample(image, height, width, kernel), 0, 255)


def _downscale_by_products(image: Uint8Image, scale: int) -> Uint8Image:
    """Reduce by a power of two, several times faster than tap by tap.

    The weights are then small multiples of a negative power of two. With levels
    around 0 all their sums fit into 24 bits, so float32 holds them without error,
    in whatever order a matrix product adds them up.
    """
    height, width = (side // scale for side in image.shape[:2])
    pixels = image.reshape(*image.shape[:2], -1)
    margin = 2 * scale
    reach = scale * _COLUMNS * -(-width // _COLUMNS) + 2 * margin
    strip = np.empty((scale * _ROWS + 2 * margin, reach, pixels.shape[2]), np.float32)
    reduced = np.empty((height, width, pixels.shape[2]), np.uint8)
    for top in range(0, height, _ROWS):
        rows = _mirrored(np.arange(len(strip)) + scale * top - margin, len(pixels))
        _fill(strip, pixels[rows], margin)
        reduced[top : top + _ROWS] = _reduced(strip, scale)[: height - top, :width]
    return reduced.reshape(height, width, *image.shape[2:])


def _fill(strip: npt.NDArray[np.float32], rows: Uint8Image, margin: int) -> None:
    """Copy rows to the middle of a strip, mirrored at both ends, with levels around 0."""
    width = rows.shape[1]
    end = margin + width
    strip[:, margin:end] = rows
    strip[:, :margin] = rows[:, _mirrored(np.arange(-margin, 0), width)]
    strip[:, end:] = rows[:, _mirrored(np.arange(width, strip.shape[1] - margin), width)]
    strip -= 128


def _reduced(strip: npt.NDArray[np.float32], scale: int) -> npt.NDArray[np.float32]:
    """Reduce the rows of a strip, then its columns; levels from 0."""
    channels = strip.shape[2]
    narrow = _band(scale, _ROWS, 1) @ strip.reshape(len(strip), -1)
    _round(narrow)
    across = _band(scale, _COLUMNS, channels)
    windows = np.lib.stride_tricks.sliding_window_view(narrow, across.shape[1], axis=1)
    groups = windows[:, :: channels * scale * _COLUMNS].swapaxes(0, 1) @ across.T
    _round(groups)
    groups += 128
    return groups.swapaxes(0, 1).reshape(_ROWS, -1, channels)


def _mirrored(places: npt.NDArray[np.intp], length: int) -> npt.NDArray[np.intp]:
    """Return which pixels lie at places of an axis that goes on as its own mirror image."""
    phase = np.mod(places, 2 * length)
    return np.where(phase < length, phase, 2 * length - 1 - phase)


@cache
def _band(scale: int, count: int, channels: int) -> npt.NDArray[np.float32]:
    """Return the matrix that makes ``count`` neighbours of the pixels that they reach."""
    indices, weights = kernel_taps(8 * scale, 8)  # The fifth of eight is far from the edges.
    reach = scale * count + 4 * scale
    band = np.zeros((count, reach), np.float32)
    for i in range(count):
        band[i, indices[4] + scale * (i - 2)] = weights[4]
    return np.kron(band, np.eye(channels, dtype=np.float32))


def _round(levels: npt.NDArray[np.float32]) -> None:
    """Round levels around 0 half up and clip them to what uint8 holds, in place."""
    levels += 0.5
    np.floor(levels, out=levels)
    np.clip(levels, -128, 127, out=levels)


def upscale_bicubic(image: Uint8Image, scale: int) -> Uint8Image:
    """Enlarge an LR picture as :func:`enlarge` does, and round the result once.

    Args:
        image: LR picture, H, W or H, W, C, uint8.
        scale: Factor per side.
    """
    return to_levels(enlarge(image, scale, "bicubic"))
