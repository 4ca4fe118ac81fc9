"""Decode the pages of a TIFF: through Pillow, or where that has no mode through tifffile.

Pillow drops the low byte of 16-bit colour and opens neither further bands nor the newer
codings; tifffile, with imagecodecs, reads them.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from srgan_cli.errors import InputError
from srgan_cli.imaging.containers import jpeg
from srgan_cli.imaging.containers import pages as tags
from srgan_cli.imaging.containers.pages import Pages
from srgan_cli.imaging.files.admission import embedded_size
from srgan_cli.imaging.files.deep import split
from srgan_cli.imaging.types import ImageArray

_ASSOCIATED, _UNASSOCIATED = 1, 2  # TIFF 6.0, ExtraSamples
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_COLOURS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4, _YCBCR: 3}
_SIGNED, _FLOAT = 2, 3
_ORIENTATION, _YCBCR_COEFFICIENTS, _RATIONAL = 274, 529, 5
_BT601 = (0.299, 0.587, 0.114)
_SOF = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}


@dataclass(frozen=True, slots=True)
class PageKind:
    """What the tags of a page say of its pixels."""

    bits: int
    """Of its deepest channel."""
    format: int
    """1: whole numbers; by TIFF 6.0's SampleFormat."""
    photometric: int
    samples: int
    extras: tuple[int, ...]
    """Kinds of the channels beyond the colours."""
    equal_bits: bool
    compression: int

    @property
    def alpha(self) -> int | None:
        """Place of the alpha channel among the extra ones."""
        return next(
            (n for n, k in enumerate(self.extras) if k in (_ASSOCIATED, _UNASSOCIATED)), None
        )

    @property
    def further(self) -> int:
        """Channels that are neither colour nor alpha."""
        return max(0, len(self.extras) - (self.alpha is not None))

    @property
    def deep(self) -> bool:
        """Whether the page is grey or RGB of 9 to 16 bits."""
        simple = self.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB) and self.equal_bits
        return simple and 8 < self.bits <= 16 and self.format == 1


def page_kind(pages: Pages, number: int) -> PageKind:
    """Read what the tags of a page say."""
    tiff, page = pages.tiff, pages.pages[number]
    bits = tiff.numbers(page, tags.BITS) or (1,)
    samples = tiff.number(page, tags.SAMPLES, 1)
    photometric = tiff.number(page, tags.PHOTOMETRIC, _BLACK_IS_ZERO)
    count = max(0, samples - _COLOURS.get(photometric, samples))
    # A fourth channel that nobody explains is alpha to all readers.
    extras = tiff.numbers(page, tags.EXTRA_SAMPLES)[:count] or (_UNASSOCIATED,) * min(1, count)
    extras += (0,) * (count - len(extras))
    format_ = max(tiff.numbers(page, tags.SAMPLE_FORMAT) or (1,))
    format_ = 1 if format_ == 4 else format_  # 4: undefined.
    coding = tiff.number(page, tags.COMPRESSION, 1)
    equal = len(set(bits)) == 1
    return PageKind(max(bits), format_, photometric, samples, extras, equal, coding)


def page_orientation(pages: Pages, number: int) -> int:
    """Return the orientation of a page, 1 to 8."""
    value = pages.tiff.number(pages.pages[number], _ORIENTATION, 1)
    return value if value in range(1, 9) else 1


def luma_coefficients(pages: Pages, number: int) -> tuple[float, float, float]:
    """Return the shares of red, green and blue in the luma of a page; BT.601's by default."""
    page = pages.pages[number]
    stated = page.fields.get(_YCBCR_COEFFICIENTS)
    if stated is None or (stated.kind, stated.count) != (_RATIONAL, 3):
        return _BT601
    parts = struct.unpack(pages.tiff.order + "6I", pages.tiff.value(stated))
    if not all(parts):
        return _BT601
    red, green, blue = (parts[n] / parts[n + 1] for n in (0, 2, 4))
    return (red, green, blue) if abs(red + green + blue - 1) < 0.01 else _BT601


def require_readable(path: Path, kind: PageKind) -> None:
    """Refuse pixels whose meaning the file does not state.

    Raises:
        InputError: They are float, signed, of more than 16 bits, or of bands without names.
    """
    name = ""
    if kind.format == _FLOAT:
        name = "float"
    elif kind.format not in (1, _SIGNED):
        name = "complex"
    elif kind.bits > 16:
        name = f"{kind.bits}-bit"
    elif kind.format == _SIGNED:
        name = "signed"
    if name:
        raise InputError(
            f"{path}: {name} pixels without a known range from black to white",
            hint="convert it to 16 bits per channel first",
        )
    if kind.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO) and kind.samples > 2:
        raise InputError(
            f"{path}: {kind.samples} bands, none of them labelled red, green or blue",
            hint="write three of the bands as an RGB image, with gdal_translate -b",
        )


def read_page(
    path: Path, pages: Pages, number: int, max_pixels: float
) -> tuple[ImageArray, ImageArray | None]:
    """Decode one page of whole numbers through tifffile to its colour and alpha.

    Fewer than 16 bits are widened to the full range of 8 or 16, premultiplied colour is
    divided by its alpha, and "white is zero" is inverted.

    Raises:
        ValueError: Its kind or its coding is not supported.
    """
    kind = page_kind(pages, number)
    with tifffile.TiffFile(path) as file:
        page = file.pages[pages.indices[number]].aspage()
        _require_segments(file, page, max_pixels)
        samples = page.asarray()
        if page.axes.startswith("S"):
            samples = np.moveaxis(samples, 0, -1)
        if kind.photometric == _PALETTE and page.colormap is not None:
            samples = (np.moveaxis(page.colormap, 0, -1)[samples] >> 8).astype(np.uint8)
    if samples.ndim not in (2, 3) or samples.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"a TIFF page of shape {samples.shape}, {samples.dtype}")
    colours = 1 if samples.ndim == 2 else 3
    if kind.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO):
        colours = 1
    elif kind.photometric not in (_RGB, _PALETTE, _YCBCR):
        raise ValueError(f"photometric interpretation {kind.photometric} in this coding")
    if samples.ndim == 3 and samples.shape[2] < colours:
        raise ValueError("an RGB page with fewer than three channels")
    wide = _widened(samples, 8 if kind.photometric == _PALETTE else kind.bits)
    colour, alpha = split(_with_alpha(wide, colours, kind))
    if kind.photometric == _WHITE_IS_ZERO:
        colour = np.iinfo(colour.dtype).max - colour
    return colour, alpha


def _require_segments(file: tifffile.TiffFile, page: tifffile.TiffPage, max_pixels: float) -> None:
    """Refuse strips and tiles whose own headers promise more pixels than allowed."""
    for offset, length in zip(page.dataoffsets, page.databytecounts, strict=True):
        file.filehandle.seek(offset)
        head = file.filehandle.read(min(length, 4096))
        found = embedded_size(head) or _lerc_size(head) or _jpeg_size(head)
        if found is not None and found[0] * found[1] > max_pixels:
            raise ValueError("a strip or tile that is larger than the image")


def _lerc_size(head: bytes) -> tuple[int, int] | None:
    if head[:6] != b"Lerc2 " or len(head) < 22:
        return None
    (version,) = struct.unpack_from("<i", head, 6)
    height, width = struct.unpack_from("<ii", head, 14 if version >= 3 else 10)
    return (width, height) if width > 0 and height > 0 else None


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    if head[:2] != b"\xff\xd8":
        return None
    for segment in jpeg.segments(head):
        if segment.marker in _SOF and len(segment.data) >= 5:
            height, width = struct.unpack_from(">HH", segment.data, 1)
            return width, height
    return None


def _widened(samples: ImageArray, bits: int) -> ImageArray:
    """Stretch samples of fewer bits to the range of their type."""
    full = 255 if samples.dtype == np.uint8 else 65535
    largest = 2**bits - 1
    if largest == full:
        return samples
    wide = samples.astype(np.uint32)
    widened: ImageArray = ((wide * full + largest // 2) // largest).astype(samples.dtype)
    return widened


def _with_alpha(samples: ImageArray, colours: int, kind: PageKind) -> ImageArray:
    """Reduce the channels of a page to its colours and, where there is one, straight alpha."""
    if samples.ndim == 2 or samples.shape[2] == colours:
        return samples
    place = kind.alpha
    if place is None or samples.shape[2] <= colours + place:
        return samples[..., :colours]
    full = np.iinfo(samples.dtype).max
    alpha = samples[..., colours + place, None]
    colour = samples[..., :colours]
    if kind.extras[place] == _ASSOCIATED:
        divisor = np.maximum(alpha, 1).astype(np.uint64)
        straight = (colour * np.uint64(full) + divisor // 2) // divisor
        colour = np.minimum(straight, full).astype(samples.dtype)
    return np.concatenate([colour, alpha], axis=2)
