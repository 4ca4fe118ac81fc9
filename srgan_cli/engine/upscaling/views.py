"""Cut and encode what the page of ``srgan compare`` shows of one image."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from srgan_cli.imaging.crops import Window, encode_webp, extreme_windows
from srgan_cli.imaging.levels import LUMA, to_levels
from srgan_cli.imaging.types import Float64Array, Uint8Image

INPUT = "input"
_RUNGS = ((384, 95), (384, 88), (256, 85), (192, 80), (128, 75), (96, 70), (64, 60))
"""Side of a crop in pixels of the result, and WebP quality, from the best on."""
_WHOLE = 3
"""Sides of a crop that the view of the whole image has."""
FULL_COLOUR = 16
"""Levels of difference that are shown in full colour."""
_BRIGHTER, _DARKER = np.array([255.0, 140.0, 0.0]), np.array([70.0, 130.0, 255.0])


@dataclass(frozen=True, slots=True)
class View:
    """A part of an image, or all of it, as every version shows it."""

    kind: str
    """Why it is shown, in words."""
    x: int
    y: int
    width: int
    height: int
    """In pixels of the result."""
    layers: Mapping[str, bytes]
    """WebP files by version, besides ``input``, whose pixels are repeated."""
    differences: Mapping[str, bytes]
    """WebP files by version: how its brightness differs from that of the reference."""


def make_views(
    versions: Mapping[str, Uint8Image],
    reference: Uint8Image,
    *,
    num_crops: int,
    most_bytes: float,
) -> tuple[View, ...]:
    """Encode the whole image, and the crops where versions differ most.

    Args:
        versions: H, W, 3 pixels by name, all of one size; the first is ``input``.
        reference: What differences are shown from.
        num_crops: Crops besides the whole image, which may be fewer.
        most_bytes: Views become smaller, then coarser, until they fit.

    Returns:
        The views, the whole image last; none where nothing fits.
    """
    shown = [name for name in versions if name != INPUT]
    overlays = {
        name: _difference(versions[name], reference)
        for name in shown
        if not np.array_equal(versions[name], reference)
    }
    spread = _spread([versions[name] for name in shown])
    for side, quality in _RUNGS:
        views = tuple(_views(versions, overlays, spread, side, quality, num_crops))
        sizes = [len(one) for view in views for one in view.layers.values()]
        sizes += [len(one) for view in views for one in view.differences.values()]
        if sum(sizes) <= most_bytes:
            return views
    return ()


def _views(
    versions: Mapping[str, Uint8Image],
    overlays: Mapping[str, Uint8Image],
    spread: Float64Array,
    side: int,
    quality: int,
    num_crops: int,
) -> Iterator[View]:
    height, width = spread.shape
    most = side * _WHOLE
    crops = num_crops if max(height, width) > side * 1.25 else 0
    for number, window in enumerate(_windows(spread, side, crops), start=1):
        yield View(
            f"crop {number}",
            *(window.x, window.y, window.width, window.height),
            {name: encode_webp(window.of(one), quality) for name, one in versions.items()},
            {name: encode_webp(window.of(one), quality) for name, one in overlays.items()},
        )
    kind = "whole image"
    if max(height, width) > most:
        kind = f"whole image, reduced to {100 * most / max(height, width):.0f} %"
    yield View(
        kind,
        *(0, 0, width, height),
        {name: encode_webp(_reduced(one, most), quality) for name, one in versions.items()},
        {name: encode_webp(_reduced(one, most), quality) for name, one in overlays.items()},
    )


def _windows(spread: Float64Array, side: int, count: int) -> Iterator[Window]:
    """Yield where versions differ most; no two windows overlap by much."""
    left = spread.copy()
    for _ in range(count):
        window, _ = extreme_windows(left, side, 1)
        area = left[window.y : window.y + window.height, window.x : window.x + window.width]
        if not area.any():
            return
        area[:] = 0
        yield window


def _spread(versions: list[Uint8Image]) -> Float64Array:
    """Return H, W: how far versions lie apart in each pixel, as the variance of their luma."""
    spread: Float64Array = np.var(np.stack([one @ LUMA for one in versions]), axis=0)
    return spread


def _difference(image: Uint8Image, reference: Uint8Image) -> Uint8Image:
    """Return a dim grey image with orange where it is brighter than the reference, else blue."""
    grey = image @ LUMA
    difference = grey - reference @ LUMA
    strength = np.minimum(np.abs(difference) / FULL_COLOUR, 1)[..., None]
    colour = np.where(difference[..., None] > 0, _BRIGHTER, _DARKER)
    return to_levels((1 - strength) * (0.45 * grey)[..., None] + strength * colour)


def _reduced(image: Uint8Image, most: int) -> Uint8Image:
    shown = Image.fromarray(image)
    shown.thumbnail((most, most), Image.Resampling.LANCZOS)
    return np.asarray(shown)
