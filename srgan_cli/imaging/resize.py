"""Bicubic and Lanczos resizing, bit-identical to MATLAB's ``imresize``.

Published super-resolution scores are computed on low-resolution images made
by that function, so training pairs, the evaluation protocol and its bicubic
baseline all use this one module.
"""

from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from srgan_cli.imaging.levels import to_levels
from srgan_cli.imaging.types import Float64Array, IndexArray, Levels, Uint8Image

Kernel = Literal["bicubic", "lanczos"]
Integers = npt.NDArray[np.int16] | npt.NDArray[np.int32]


def _cubic(x: Float64Array) -> Float64Array:
    """Keys' cubic convolution kernel with a = -0.5 (Keys 1981, eq. 15)."""
    distance = np.abs(x)
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    return np.where(distance <= 1, near, np.where(distance <= 2, far, 0.0))


def _lanczos(x: Float64Array) -> Float64Array:
    """Lanczos' kernel with three lobes, MATLAB's ``lanczos3`` (Duchon 1979)."""
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


_KERNELS = {"bicubic": (_cubic, 2), "lanczos": (_lanczos, 3)}

_BLOCK = 2**18
"""Levels that are reduced at a time: few calls, and what they work on stays in the cache."""


def kernel_taps(
    length: int, new_length: int, kernel: Kernel = "bicubic"
) -> tuple[IndexArray, Float64Array]:
    """Return which pixels, with which weights, make each pixel of a resized axis.

    When the axis shrinks, the kernel widens by the same factor (antialiasing).
    The image continues beyond its edges as its own mirror image.

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


def _resize_rows(image: Levels, new_height: int, kernel: Kernel = "bicubic") -> Float64Array:
    indices, weights = kernel_taps(image.shape[0], new_height, kernel)
    shape = (new_height, *(1,) * (image.ndim - 1))
    total = np.zeros((new_height, *image.shape[1:]))
    for tap in range(indices.shape[1]):
        total += weights[:, tap].reshape(shape) * image[indices[:, tap]]
    return total


def _resize_columns(image: Levels, new_width: int, kernel: Kernel = "bicubic") -> Float64Array:
    return np.swapaxes(_resize_rows(np.swapaxes(image, 0, 1), new_width, kernel), 0, 1)


def resample(image: Levels, height: int, width: int, kernel: Kernel = "bicubic") -> Float64Array:
    """Resize rows, then columns, in floating point, neither rounded nor clipped."""
    return _resize_columns(_resize_rows(image, height, kernel), width, kernel)


def mod_crop(image: Uint8Image, scale: int) -> Uint8Image:
    """Cut rows and columns off the lower right so that both sides divide by ``scale``."""
    return image[: image.shape[0] // scale * scale, : image.shape[1] // scale * scale]


def downscale(image: Uint8Image, scale: int) -> Uint8Image:
    """Make the LR counterpart of an HR image, as ``imresize(image, 1/scale)`` does.

    Rows are resized first, and the result of each pass is rounded half up to
    uint8; both are needed to reproduce MATLAB's pixels.

    Args:
        image: HR image, H, W or H, W, C, uint8; both sides divide by ``scale``.
        scale: Factor per side.

    Raises:
        ValueError: A side does not divide by ``scale``; apply :func:`mod_crop` first.
    """
    height, width = image.shape[:2]
    if height % scale or width % scale:
        raise ValueError(f"{width}x{height} does not divide by {scale}")
    if scale & (scale - 1) == 0:
        return _downscale_in_integers(image, scale)
    rows = to_levels(_resize_rows(image, height // scale))
    return to_levels(_resize_columns(rows, width // scale))


def upscale(image: Uint8Image, scale: int, kernel: Kernel) -> Float64Array:
    """Upscale an LR image ``scale`` times per side, in floating point throughout.

    Args:
        image: LR image, H, W or H, W, C, uint8.
        scale: Factor per side.
        kernel: ``bicubic`` or ``lanczos``.

    Returns:
        H * scale, W * scale (, C) levels, clipped to 0..255 and not rounded.
    """
    height, width = (length * scale for length in image.shape[:2])
    return np.clip(resample(image, height, width, kernel), 0, 255)


def _downscale_in_integers(image: Uint8Image, scale: int) -> Uint8Image:
    """Reduce by a power of two, several times faster than tap by tap.

    The weights are then small multiples of a negative power of two, so that sums of
    integers hold all that floating point would.
    """
    height, width = (side // scale for side in image.shape[:2])
    rows = image.reshape(len(image), -1)
    num_channels = rows.shape[1] // (width * scale)
    count = min(height, max(1, _BLOCK // rows.shape[1]))
    dtype = np.int16 if scale == 2 else np.int32
    # Pixels lie apart by phase, that is by what their place leaves when divided by the
    # scale, so that what is added up lies side by side.
    across = np.empty((scale, count + 4, rows.shape[1]), dtype)
    along = np.zeros((scale, num_channels, count, width + 4), dtype)
    room = np.empty((3, max(across[0].size, along[0].size)), dtype)
    reduced = np.empty((height, width, num_channels), np.uint8)
    for top in range(0, height, count):
        places = _mirrored(np.arange(scale * (count + 4)) + scale * (top - 2), len(rows))
        across[:] = rows[places].reshape(count + 4, scale, -1).swapaxes(0, 1)
        narrow = _weighed(across, rows.shape[1], room)[: count * rows.shape[1]]
        pixels = narrow.reshape(count, width, scale, num_channels)
        along[..., 2:-2] = pixels.transpose(2, 3, 0, 1)
        _mirror_ends(along)
        small = _weighed(along, 1, room)[: along[0].size].reshape(along.shape[1:])
        for channel in range(num_channels):
            reduced[top : top + count, :, channel] = small[channel, : height - top, :width]
    return reduced.reshape(height, width, *image.shape[2:])


def _weighed(phases: Integers, step: int, room: Integers) -> Integers:
    """Add up the weighted levels around each place; round half up, clip to 0..255.

    Args:
        phases: Levels by phase, with two of each phase before the first place and after
            the last; the first axis is the scale.
        step: How far apart neighbours of one phase are.
        room: Three rows, the last of which takes the result.
    """
    scale = len(phases)
    weights, bits = _integer_weights(scale)
    levels = phases.reshape(scale, -1)
    size = levels.shape[1] - 4 * step
    nearest, total, pair = room[:, :size]

    def add_pair(k: int, out: Integers) -> None:
        left, right = (
            levels[place % scale, (2 + place // scale) * step :][:size]
            for place in (scale // 2 - 1 - k, scale // 2 + k)
        )
        np.add(left, right, out=out)

    # Of n / 2^bits the nearest pair makes one half by itself; the rest, halved, fits into
    # 16 bits for scale 2. Sums on the way may overflow, which the end undoes.
    add_pair(0, nearest)
    np.multiply(nearest, weights[0] - 2 ** (bits - 1), out=total)
    for k, weight in enumerate(weights[1:], start=1):
        add_pair(k, pair)
        pair *= weight
        total += pair
    total >>= bits - 1
    total += nearest
    total += 1
    total >>= 1
    np.clip(total, 0, 255, out=pair)
    result: Integers = room[2]
    return result


@cache
def _integer_weights(scale: int) -> tuple[tuple[int, ...], int]:
    """Return the weights of pixels at growing distance, times a power of two, and its logarithm."""
    bits = 4 * scale.bit_length()
    _, weights = kernel_taps(8 * scale, 8)  # The fifth of eight is far from the edges.
    return tuple(round(weight * 2**bits) for weight in weights[4, 2 * scale :]), bits


def _mirror_ends(phases: Integers) -> None:
    """Continue the last axis by its mirror image, two places of every phase at both ends."""
    for inner, outer in ((2, 1), (3, 0)):
        phases[..., outer] = phases[::-1, ..., inner]
        phases[..., -1 - outer] = phases[::-1, ..., -1 - inner]


def _mirrored(places: IndexArray, length: int) -> IndexArray:
    """Return which pixels lie at places of an axis that goes on as its own mirror image."""
    phase = np.mod(places, 2 * length)
    return np.where(phase < length, phase, 2 * length - 1 - phase)


def upscale_bicubic(image: Uint8Image, scale: int) -> Uint8Image:
    """Upscale an LR image as :func:`upscale` does, and round the result once.

    Args:
        image: LR image, H, W or H, W, C, uint8.
        scale: Factor per side.
    """
    return to_levels(upscale(image, scale, "bicubic"))
