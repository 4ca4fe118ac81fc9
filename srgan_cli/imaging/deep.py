"""16-bit PNG, and reading 16-bit TIFF.

Pillow has no mode for 16-bit colour: it drops the low byte of 16-bit RGB and RGBA.
Here tifffile and its codec library imagecodecs read and write the pixels; what
accompanies them is still Pillow's.
"""

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image, TiffImagePlugin

from srgan_cli.imaging.metadata import Metadata, save_options
from srgan_cli.imaging.types import Uint16Image

# Pillow does not open 16-bit grey with alpha. Told the layout, it reads the header and the
# metadata; the pixels are decoded here.
for _order in (TiffImagePlugin.II, TiffImagePlugin.MM):
    for _kind in (1, 2):
        _layout = (_order, 1, (1,), 1, (16, 16), (_kind,))
        TiffImagePlugin.OPEN_INFO.setdefault(_layout, ("LA", "LA;16B"))

_ASSOCIATED, _UNASSOCIATED = 1, 2  # TIFF 6.0, ExtraSamples


def is_deep_png(image: Image.Image) -> bool:
    """Say whether an opened, not yet decoded PNG has 16 bits per channel."""
    tiles = getattr(image, "tile", [])
    return any("16" in str(tile.args) for tile in tiles)


def is_deep_tiff(image: Image.Image) -> bool:
    """Say whether the current page of an opened TIFF is grey or RGB of 9 to 16 bits."""
    tags = getattr(image, "tag_v2", {})
    bits = set(tags.get(258, (1,)))
    whole_numbers = set(tags.get(339, (1,))) <= {1}
    grey_or_rgb = tags.get(262) in (0, 1, 2)
    return len(bits) == 1 and 8 < bits.pop() <= 16 and whole_numbers and grey_or_rgb


def read_png(path: Path) -> tuple[Uint16Image, Uint16Image | None]:
    """Decode a 16-bit PNG to its colour (H, W or H, W, 3) and alpha (H, W)."""
    return _split(imagecodecs.png_decode(path.read_bytes()))


def read_tiff_page(path: Path, index: int) -> tuple[Uint16Image, Uint16Image | None]:
    """Decode one page of a TIFF of 9 to 16 bits to its colour and alpha.

    Fewer than 16 bits are widened to the full range, premultiplied colour is
    divided by its alpha, and "white is zero" is inverted.
    """
    with tifffile.TiffFile(path) as file:
        page = file.pages[index].aspage()
        samples = page.asarray()
        if page.axes.startswith("S"):
            samples = np.moveaxis(samples, 0, -1)
    if samples.ndim not in (2, 3) or samples.dtype != np.uint16:
        raise ValueError(f"a TIFF page of shape {samples.shape}, {samples.dtype}")
    if page.bitspersample < 16:
        largest = 2**page.bitspersample - 1
        wide = samples.astype(np.uint32)
        samples = ((wide * 65535 + largest // 2) // largest).astype(np.uint16)
    colours = 3 if page.photometric == tifffile.PHOTOMETRIC.RGB else 1
    if samples.ndim == 3 and samples.shape[2] < colours:
        raise ValueError("an RGB page with fewer than three channels")
    kinds = page.extrasamples or (_UNASSOCIATED,)
    colour, alpha = _split(_with_alpha(samples, colours, tuple(map(int, kinds))))
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        colour = 65535 - colour
    return colour, alpha


def _with_alpha(samples: Uint16Image, colours: int, kinds: tuple[int, ...]) -> Uint16Image:
    """Reduce the channels of a page to its colours and, where there is one, straight alpha."""
    if samples.ndim == 2 or samples.shape[2] == colours:
        return samples
    for offset, kind in enumerate(kinds[: samples.shape[2] - colours]):
        if kind in (_ASSOCIATED, _UNASSOCIATED):
            alpha = samples[..., colours + offset, None]
            colour = samples[..., :colours]
            if kind == _ASSOCIATED:
                full = np.maximum(alpha, 1).astype(np.uint64)
                colour = np.minimum((colour * np.uint64(65535) + full // 2) // full, 65535)
            return np.concatenate([colour.astype(np.uint16), alpha], axis=2)
    return samples[..., :colours]


def _split(samples: npt.NDArray[Any]) -> tuple[Uint16Image, Uint16Image | None]:
    if samples.dtype != np.uint16:
        raise ValueError(f"expected 16 bits per channel, found {samples.dtype}")
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


def write_png(path: Path, samples: Uint16Image, metadata: Metadata) -> None:
    """Write a 16-bit PNG.

    Args:
        path: Replaced if it exists.
        samples: H, W (grey) or H, W, 2..4 (grey + alpha, RGB, RGBA).
        metadata: Written in the same chunks as Pillow writes for 8 bits.
    """
    encoded = imagecodecs.png_encode(samples)
    header = 8 + 25  # Signature and IHDR.
    with path.open("wb") as file:
        file.write(encoded[:header])
        file.writelines(_ancillary_chunks(metadata, (samples.shape[1], samples.shape[0])))
        file.write(memoryview(encoded)[header:])


def _ancillary_chunks(metadata: Metadata, size: tuple[int, int]) -> Iterable[bytes]:
    """Let Pillow write the metadata into an image of one pixel, and cut them out of it."""
    buffer = BytesIO()
    Image.new("L", (1, 1)).save(buffer, "PNG", **save_options("PNG", metadata, size))
    data = buffer.getvalue()
    position = 8
    while position < len(data):
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        if data[position + 4 : position + 8] not in (b"IHDR", b"IDAT", b"IEND"):
            yield data[position:end]
        position = end
