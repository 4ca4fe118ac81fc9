"""Degrade LR images as real ones are: blur, noise, resizing and JPEG compression.

The chain is that of Real-ESRGAN (Wang et al. 2021, section 3 and table 1); ``strong`` applies it
twice (second order). All random numbers come from a generator that the caller seeds.
"""

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count

import numpy as np
from PIL import Image

from srgan_cli.imaging.levels import to_levels
from srgan_cli.imaging.resize import downscale
from srgan_cli.imaging.types import Float64Array, Uint8Image

Range = tuple[float, float]

_FILTERS = (Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)
_SINC_CHANCE = 0.1


@dataclass(frozen=True, slots=True)
class Order:
    """One pass through the chain, as the ranges that its values are drawn from."""

    blur: float
    """Chance of a blur."""
    sigma: Range
    """Standard deviation of the blur along each axis of its ellipse, in pixels."""
    resized: float
    """Chance of a resizing on the way."""
    resize: Range
    """Its factor per side."""
    noisy: float
    """Chance of noise."""
    noise: Range
    """Its standard deviation, in levels of 255."""
    compressed: float
    """Chance of JPEG where there is noise; without noise there always is."""
    quality: Range
    """JPEG quality."""


ORDERS: Mapping[str, tuple[Order, ...]] = {
    "none": (),
    "mild": (Order(0.25, (0.6, 1.6), 0.25, (0.6, 0.9), 0.2, (2, 15), 0.5, (40, 92)),),
    "strong": (
        Order(1.0, (0.2, 3.0), 1.0, (0.15, 1.5), 1.0, (1, 30), 1.0, (30, 95)),
        Order(0.8, (0.2, 1.5), 1.0, (0.3, 1.2), 1.0, (1, 25), 1.0, (30, 95)),
    ),
}
"""The passes of each strength. Most images of the web have no other damage than JPEG, so ``mild``
skips the other steps more often than not. None of them is so weak that the input could be clean,
since a generator could then never be sure of clean input."""


def degrade(hr: Uint8Image, scale: int, strength: str, random: np.random.Generator) -> Uint8Image:
    """Make the LR counterpart of an HR patch as a camera and the web would have.

    Args:
        hr: H, W, 3, uint8; both sides divide by ``scale``.
        scale: Factor per side.
        strength: ``mild``, ``strong``, or ``mixed``: one of the two, equally often.
        random: Fixes all that is drawn.

    Returns:
        H / scale, W / scale, 3, uint8.
    """
    if strength == "mixed":
        strength = ("mild", "strong")[int(random.integers(2))]
    height, width = (side // scale for side in hr.shape[:2])
    image = hr
    orders = ORDERS[strength]
    for order in orders:
        if random.random() < order.blur:
            image = _blurred(image, _kernel(order.sigma, random))
        if random.random() < order.resized:
            factor = random.uniform(*order.resize)
            size = tuple(max(8, round(side * factor)) for side in (image.shape[1], image.shape[0]))
            image = _resized(image, (size[0], size[1]), random)
        if order is orders[-1]:  # Its noise and JPEG are of the LR pixels.
            if image is hr:
                image = downscale(hr, scale)
            else:
                image = _resized(image, (width, height), random)
        noisy = random.random() < order.noisy
        if noisy:
            image = _noisy(image, random.uniform(*order.noise), random)
        if not noisy or random.random() < order.compressed:
            image = _compressed(image, random.uniform(*order.quality))
    return image


def _kernel(sigma: Range, random: np.random.Generator) -> Float64Array:
    """Return a Gaussian of random width, length and direction, or now and then a sinc filter."""
    radius = int(random.integers(3, 11))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float64)
    if random.random() < _SINC_CHANCE:  # Ringing, as of sharpened or over-compressed images.
        cutoff = random.uniform(1 / 3, 1)
        kernel = np.sinc(cutoff * x) * np.sinc(cutoff * y)
    else:
        angle = random.uniform(0, np.pi)
        long, short = random.uniform(*sigma), random.uniform(*sigma)
        u = (x * np.cos(angle) + y * np.sin(angle)) / long
        v = (y * np.cos(angle) - x * np.sin(angle)) / short
        kernel = np.exp(-(u**2 + v**2) / 2)
    normalised: Float64Array = kernel / kernel.sum()
    return normalised


def _blurred(image: Uint8Image, kernel: Float64Array) -> Uint8Image:
    radius = len(kernel) // 2
    margin = (radius, radius)
    padded = np.pad(image.transpose(2, 0, 1), ((0, 0), margin, margin), mode="symmetric")
    # A product of spectra is a convolution; at these lengths nothing wraps round.
    lengths = [_fast_length(side + 2 * radius) for side in padded.shape[1:]]
    spectra = np.fft.rfft2(padded, lengths) * np.fft.rfft2(kernel, lengths)
    whole = np.fft.irfft2(spectra, lengths, norm="forward") * (1 / math.prod(lengths))
    rows, columns = (slice(2 * radius, 2 * radius + side) for side in image.shape[:2])
    return to_levels(whole[:, rows, columns].transpose(1, 2, 0))


def _fast_length(least: int) -> int:
    """Return the next length that has no prime factor above 5, for which transforms are fast."""
    return next(n for n in count(least) if 30 ** n.bit_length() % n == 0)


def _resized(image: Uint8Image, size: tuple[int, int], random: np.random.Generator) -> Uint8Image:
    kernel = _FILTERS[int(random.integers(len(_FILTERS)))]
    return np.asarray(Image.fromarray(image).resize(size, kernel))


def _noisy(image: Uint8Image, sigma: float, random: np.random.Generator) -> Uint8Image:
    """Add noise: of the sensor (grey or colour), or of the light, which grows with brightness."""
    kind = int(random.integers(3))
    channels = 1 if kind == 0 else 3
    noise = random.normal(0, sigma, (*image.shape[:2], channels))
    if kind == 2:  # Poisson noise, near enough: as strong as the others at middle grey.
        noise *= np.sqrt(image / 128)
    return to_levels(image + noise)


def _compressed(image: Uint8Image, quality: float) -> Uint8Image:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=round(quality))
    return np.asarray(Image.open(buffer))
