"""Bicubic and Lanczos resizing that equals MATLAB's ``imresize`` bit for bit.

Published super-resolution scores are computed on low-resolution pictures made
by that function, so training pairs, the evaluation protocol and its bicubic
baseline all use this one module.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

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
    phase = np.mod(indices, 2 * length)
    return np.where(phase < length, phase, 2 * length - 1 - phase), weights


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
        return _downscale_by_pillow(image, scale)
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


def _downscale_by_pillow(image: Uint8Image, scale: int) -> Uint8Image:
    """Reduce by a power of two, several times faster than in floating point.

    The kernel's weights are then multiples of a power of two, which Pillow's
    fixed-point arithmetic holds without error, and it rounds half up. What it
    does otherwise at the edges is settled by mirroring the picture there first.
    """
    margin = 2 * scale
    height, width = (side // scale for side in image.shape[:2])
    rows = Image.fromarray(_mirrored(image, margin, axis=0)).resize(
        (width * scale, height),
        Image.Resampling.BICUBIC,
        box=(0, margin, width * scale, margin + height * scale),
    )
    columns = Image.fromarray(_mirrored(np.asarray(rows), margin, axis=1)).resize(
        (width, height),
        Image.Resampling.BICUBIC,
        box=(margin, 0, margin + width * scale, height),
    )
    return np.array(columns)  # A copy that can be written to.


def _mirrored(image: Uint8Image, margin: int, *, axis: int) -> Uint8Image:
    widths = [(margin, margin) if i == axis else (0, 0) for i in range(image.ndim)]
    return np.pad(image, widths, mode="symmetric")


def upscale_bicubic(image: Uint8Image, scale: int) -> Uint8Image:
    """Enlarge an LR picture as :func:`enlarge` does, and round the result once.

    Args:
        image: LR picture, H, W or H, W, C, uint8.
        scale: Factor per side.
    """
    return to_levels(enlarge(image, scale, "bicubic"))
