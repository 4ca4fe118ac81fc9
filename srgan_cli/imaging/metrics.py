"""PSNR and SSIM as the super-resolution literature reports them."""

import math

import numpy as np

from srgan_cli.imaging.levels import to_levels
from srgan_cli.imaging.types import Float64Array, Levels, Uint8Image

_GAUSSIAN_SIGMA = 1.5
SSIM_WINDOW = 11


def luma(image: Levels) -> Uint8Image:
    """Return the Y channel that papers score: BT.601, studio range, rounded.

    This is MATLAB's ``rgb2ycbcr``. A grey image is scored on its grey values as
    they are.

    Args:
        image: H, W (grey) or H, W, 3 (RGB), 0..255.

    Returns:
        H, W, uint8: 16..235 for RGB input, the (rounded) input itself for grey.
    """
    return to_levels(luma_unrounded(image))


def luma_unrounded(image: Levels) -> Float64Array:
    """Return Y as :func:`luma` does, without the rounding: what BasicSR's scripts score.

    ``16 + (65.481 R + 128.553 G + 24.966 B) / 255`` for R, G, B in 0..255.
    """
    values = image.astype(np.float64)
    return values if image.ndim == 2 else 16 + values @ np.array([65.481, 128.553, 24.966]) / 255


def crop_border(image: Levels, border: int) -> Levels:
    """Cut ``border`` HR pixels off every side: they depend on how the edge was padded."""
    return image[border : image.shape[0] - border, border : image.shape[1] - border]


def psnr(a: Levels, b: Levels) -> float:
    """Return the peak signal-to-noise ratio in dB for a peak of 255.

    Args:
        a: Of any shape, 0..255.
        b: Of the same shape.

    Returns:
        ``10 log10(255² / MSE)``; infinity when both are equal.

    Raises:
        ValueError: The shapes differ.
    """
    _require_same_shape(a, b)
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def ssim(a: Levels, b: Levels) -> float:
    """Return the mean structural similarity of two one-channel images.

    Wang et al. 2004, with the reference implementation's constants: an 11x11
    Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03, peak 255, over the region
    where the window fits.

    Args:
        a: H, W, 0..255; both sides at least 11.
        b: Of the same shape.

    Returns:
        At most 1, reached when both are equal.

    Raises:
        ValueError: The shapes differ, or an image is smaller than the window.
    """
    _require_same_shape(a, b)
    if a.ndim != 2 or min(a.shape) < SSIM_WINDOW:
        raise ValueError(f"SSIM needs one channel of at least 11x11 pixels, not {a.shape}")
    x, y = a.astype(np.float64), b.astype(np.float64)
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x**2
    variance_y = _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return float(np.mean(luminance * structure))


def _blur(x: Float64Array) -> Float64Array:
    """Filter with the Gaussian window, keeping only where it fits."""
    offsets = np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2
    window = np.exp(-(offsets**2) / (2 * _GAUSSIAN_SIGMA**2))
    window /= window.sum()
    for _ in range(2):
        kept = x.shape[0] - SSIM_WINDOW + 1
        filtered = window[0] * x[:kept]
        for offset, weight in enumerate(window[1:], start=1):
            filtered += weight * x[offset : offset + kept]
        x = filtered.T
    return x


def _require_same_shape(a: Levels, b: Levels) -> None:
    if a.shape != b.shape:
        raise ValueError(f"images differ in shape: {a.shape} and {b.shape}")
