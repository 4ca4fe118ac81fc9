"""16-bit PNG.

Pillow has no mode for 16-bit colour: it drops the low byte of 16-bit RGB and RGBA.
Here imagecodecs reads and writes the pixels.
"""

from pathlib import Path
from typing import IO

import imagecodecs
import numpy as np
from PIL import Image, TiffImagePlugin

from srgan_cli.imaging.types import ImageArray, Uint16Image

# Pillow does not open 16-bit grey with alpha. Told the layout, it reads the header and the
# metadata; the pixels are decoded by tifffile.
for _order in (TiffImagePlugin.II, TiffImagePlugin.MM):
    for _kind in (1, 2):
        _layout = (_order, 1, (1,), 1, (16, 16), (_kind,))
        TiffImagePlugin.OPEN_INFO.setdefault(_layout, ("LA", "LA;16B"))


def is_deep_png(image: Image.Image) -> bool:
    """Say whether an opened, not yet decoded PNG has 16 bits per channel."""
    tiles = getattr(image, "tile", [])
    return any("16" in str(tile.args) for tile in tiles)


def read_png(path: Path) -> tuple[ImageArray, ImageArray | None]:
    """Decode a 16-bit PNG to its colour (H, W or H, W, 3) and alpha (H, W)."""
    colour, alpha = split(imagecodecs.png_decode(path.read_bytes()))
    if colour.dtype != np.uint16:
        raise ValueError(f"expected 16 bits per channel, found {colour.dtype}")
    return colour, alpha


def split(samples: ImageArray) -> tuple[ImageArray, ImageArray | None]:
    """Part H, W, C samples into colour (H, W or H, W, 3) and alpha (H, W).

    Raises:
        ValueError: There are more than four channels.
    """
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    if channels not in (1, 2, 3, 4):
        raise ValueError(f"{channels} channels")
    if channels == 1:
        return samples.reshape(samples.shape[:2]), None
    has_alpha = channels in (2, 4)
    colour = samples[..., :-1] if has_alpha else samples
    if channels == 2:
        colour = colour[..., 0]
    return np.ascontiguousarray(colour), samples[..., -1].copy() if has_alpha else None


def write_png(file: IO[bytes], samples: Uint16Image) -> None:
    """Write a 16-bit PNG without metadata.

    Args:
        file: Open for writing.
        samples: H, W (grey) or H, W, 2..4 (grey + alpha, RGB, RGBA).
    """
    # As for 8 bits (``encode.py``), repetitions are not looked for, and one filter does for all.
    options = {"strategy": imagecodecs.PNG.STRATEGY.RLE, "filter": imagecodecs.PNG.FILTER.PAETH}
    file.write(imagecodecs.png_encode(samples, **options))
