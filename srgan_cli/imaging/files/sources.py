"""Decoders for each kind of file, which yield its frames one after the other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import imagecodecs
import numpy as np
from PIL import Image

from srgan_cli.errors import InputError
from srgan_cli.imaging.containers import heif, jpeg2000
from srgan_cli.imaging.containers.blocks import Blocks, Resolution, mapped, resolution
from srgan_cli.imaging.files import bmp, deep, gif_frames
from srgan_cli.imaging.files.admission import require_size
from srgan_cli.imaging.files.colour import is_converted, to_grey_or_rgb
from srgan_cli.imaging.frames import Header
from srgan_cli.imaging.metadata.transfer import checked, read_blocks, stated_orientation
from srgan_cli.imaging.types import ImageArray

# In the other formats that Pillow counts frames of, they are layers, thumbnails or sizes.
_MULTIPLE = {"PNG", "WEBP", "AVIF", "FLI"}
# HEIC and JPEG XL are turned by their decoders, and elsewhere EXIF is not asked by anybody.
_TURNED = {"JPEG", "MPO", "PNG", "WEBP", "AVIF"}

Note = Callable[[str], None]
"""Takes a line about something that is not read as it stands in the file."""


@dataclass(slots=True)
class Shown:
    """A frame as it is stored, not yet upright."""

    colour: ImageArray
    """H, W (grey) or H, W, 3."""
    alpha: ImageArray | None
    turn: int
    """EXIF orientation."""
    blocks: Blocks = field(default_factory=Blocks)
    duration: float | None = None
    converted: bool = False
    """Whether the colours have become sRGB."""
    is_upright: bool = False
    """Whether the decoder has applied the orientation."""


class Source(Protocol):
    """A file that is open."""

    @property
    def header(self) -> Header:
        """What is known before anything is decoded."""
        ...

    def frames(self) -> Iterator[Shown]:
        """Decode the frames in order."""
        ...

    def parts(self) -> list[str]:
        """Name the images, videos and channels in the file that results do not have."""
        ...


class PillowSource:
    """A file of any format that needs no more than Pillow.

    Args:
        path: The file.
        image: Opened by Pillow, nothing decoded.
        max_pixels: Limit on the pixels of each frame.
        note: Takes notes.
    """

    def __init__(self, path: Path, image: Image.Image, max_pixels: float, note: Note) -> None:
        self._path, self._image, self._max_pixels, self._note = path, image, max_pixels, note
        self._alpha_mask = bmp.alpha_mask(path) if image.format == "BMP" else 0
        self._has_default = bool(image.info.get("default_image")) and num_frames(image) > 1
        self.header = self._header()
        if self._has_default:
            note("the still image for old viewers is replaced by the first frame")
        if self.header.left_out and image.format != "MPO":  # What stands behind those is told.
            which = "largest" if image.format == "ICO" else "first"
            note(f"only the {which} of {self.header.left_out + 1} images is upscaled")

    def _header(self) -> Header:
        image = self._image
        counted = _ordered_icon(image) if image.format == "ICO" else num_frames(image)
        width, height = image.size
        stated = Blocks(exif=_bytes(image, "exif"), xmp=_bytes(image, "xmp"))
        if self._turn(checked(stated, [])) >= 5:
            width, height = height, width
        found = (image.format or "", width, height)
        transparent = image.has_transparency_data or bool(self._alpha_mask)
        if image.format not in _MULTIPLE:
            return Header(*found, 1, transparent, counted - 1)
        return Header(*found, counted - self._has_default, transparent)

    def parts(self) -> list[str]:
        """Name what results do not have."""
        blocks = read_blocks(self._path, self.header.format, [])
        further = self.header.left_out if self.header.format != "MPO" else 0
        still = ["still image for old viewers"] if self._has_default else []
        return [*([told(further, "further image")] if further else []), *still, *blocks.parts]

    def frames(self) -> Iterator[Shown]:
        """Decode the frames in order."""
        # An animated PNG can have a still image for programs that do not know animations.
        first = 1 if self._has_default else 0
        blocks = Blocks()
        for index in range(first, first + self.header.num_frames):
            if index:
                self._image.seek(index)
            require_size(self._path, self._image.size, 1, self._max_pixels)
            colour, alpha = self._deep() or self._palette_jp2() or self._shallow()
            duration = self._image.info.get("duration")
            blocks = self._blocks() if index == first else blocks
            shown = Shown(colour, alpha, self._turn(blocks), blocks)
            shown.duration = float(duration) if isinstance(duration, int | float) else None
            shown.converted = is_converted(self._image.mode)
            if index == first + self.header.num_frames - 1:
                self._image.close()  # Frees the decoder's pixels before the upscaling.
            yield shown

    def _turn(self, blocks: Blocks) -> int:
        """Return the orientation that is left to be applied, where the decoder does not do it."""
        if self._image.format not in _TURNED:
            return 1
        if self._image.format == "AVIF":  # Pillow puts what the file's own properties say there.
            blocks = checked(Blocks(exif=_bytes(self._image, "exif")), [])
        return stated_orientation(blocks)

    def _blocks(self) -> Blocks:
        notes: list[str] = []
        blocks = read_blocks(self._path, self.header.format, notes)
        icc = self._image.info.get("icc_profile") or None
        if blocks == Blocks():  # Of rarer formats Pillow knows more.
            shown = _dots_per_inch(self._image.info.get("dpi"))
            blocks = checked(Blocks(icc=icc, resolution=shown), notes)
        elif self._image.format == "JXL":  # Whose codestream holds it in a form of its own.
            blocks = replace(blocks, icc=icc)
        for note in notes:
            self._note(note)
        return blocks

    def _deep(self) -> tuple[ImageArray, ImageArray | None] | None:
        """Read a PNG of 16 bits with all of them, unless it is an animation."""
        if self._image.format != "PNG" or not deep.is_deep_png(self._image):
            return None
        if self.header.num_frames > 1:
            self._note("the 16-bit animation was reduced to 8 bits")
            return None
        self._image.load()  # EXIF may stand behind the pixels.
        return deep.read_png(self._path)

    def _palette_jp2(self) -> tuple[ImageArray, ImageArray | None] | None:
        """Read a JPEG 2000 with a palette, whose channels Pillow exchanges."""
        if self._image.format != "JPEG2000" or self._image.mode not in {"P", "PA"}:
            return None
        return deep.split(imagecodecs.jpeg2k_decode(self._path.read_bytes()))

    def _shallow(self) -> tuple[ImageArray, ImageArray | None]:
        """Read the frame through Pillow: 8 bits per channel, or 16 of grey."""
        image = self._image
        lost = _lost_depth(self._path, image)
        if lost:
            self._note(f"{lost}-bit {image.mode} was reduced to 8 bits")
        _fit_transparent_colour(image)
        image.load()
        colour, alpha = pixels_of(self._path, image, self._note)
        if image.format == "XBM":  # A bit that is set is ink, which Pillow takes for light.
            colour = 255 - colour
        if self._alpha_mask:
            alpha = bmp.read_alpha(self._path, self._alpha_mask, image.size)
        return colour, alpha


class GifSource:
    """A GIF.

    Args:
        path: The file.
        max_pixels: Limit on the pixels of each frame.
        note: Takes notes.
    """

    def __init__(self, path: Path, max_pixels: float, note: Note) -> None:
        self._path, self._max_pixels, self._note = path, max_pixels, note
        self._file = gif_frames.read_structure(path)
        size = gif_frames.screen_size(self._file)
        transparent = gif_frames.may_be_transparent(self._file)
        self.header = Header("GIF", *size, len(self._file.frames), transparent)

    def parts(self) -> list[str]:
        """Name what results do not have."""
        return self._file.blocks.parts

    def frames(self) -> Iterator[Shown]:
        """Decode the frames in order."""
        notes: list[str] = []
        blocks = checked(self._file.blocks, notes)
        for note in notes:
            self._note(note)
        for colour, alpha, duration in gif_frames.shown_frames(
            self._path, self._file, self._max_pixels
        ):
            yield Shown(colour, alpha, 1, blocks, duration)


def _ordered_icon(image: Image.Image) -> int:
    """Have Pillow take the deepest of an icon's largest images; return how many there are.

    It has taken the first of the size when it opened the file, with those of few colours in front.
    """
    icon: Any = image
    entries = icon.ico.entry
    entries.sort(key=lambda entry: (entry.square, entry.color_depth), reverse=True)
    icon._im = None  # noqa: SLF001 - otherwise it is not read again.
    icon.load()
    return len(entries)


def _fit_transparent_colour(image: Image.Image) -> None:
    """Bring the colour that a PNG declares transparent to the levels of its pixels.

    Pillow scales grey of 2 and 4 bits to 8, but not that colour, which is stated in 16 bits of
    which only the image's depth counts (PNG, third edition, 11.3.1.1).
    """
    declared = image.info.get("transparency")
    tiles = getattr(image, "tile", None)
    if image.format != "PNG" or not tiles or not isinstance(declared, int | tuple):
        return
    peak = {"L;2": 3, "L;4": 15}.get(str(tiles[0].args), 255)
    levels = [(level & peak) * (255 // peak) for level in np.atleast_1d(declared).tolist()]
    image.info["transparency"] = levels[0] if isinstance(declared, int) else tuple(levels)


def pixels_of(path: Path, image: Image.Image, note: Note) -> tuple[ImageArray, ImageArray | None]:
    """Take the pixels of a decoded image: 8 bits per channel, or 16 of grey.

    Raises:
        InputError: They are float or of 32 bits.
    """
    if image.mode.startswith("I;16") and image.format != "FITS":
        return np.asarray(image).astype(np.uint16), None
    if image.mode == "I" and image.format == "PPM":  # Scaled to 0..65535 by Pillow.
        return np.asarray(image).clip(0, 65535).astype(np.uint16), None
    if image.mode.startswith("I") or image.mode == "F":
        kind = {"F": "float", "I": "32-bit"}.get(image.mode, "16-bit")
        raise InputError(
            f"{path}: {kind} pixels without a known range from black to white",
            hint="convert it to a PNG or TIFF of 16 bits per channel first",
        )
    colours: list[str] = []
    image = to_grey_or_rgb(image, colours)
    for line in colours:
        note(line)
    samples = np.asarray(image)
    if image.mode in {"LA", "RGBA"}:
        colour = samples[..., 0] if image.mode == "LA" else samples[..., :3]
        return np.ascontiguousarray(colour), samples[..., -1].copy()
    return samples, None


def num_frames(image: Image.Image) -> int:
    """Return how many frames Pillow counts."""
    return int(getattr(image, "n_frames", 1))


def told(count: int, one: str, many: str = "") -> str:
    """Return a number with its noun."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def _bytes(image: Image.Image, key: str) -> bytes | None:
    value = image.info.get(key)
    return value.removeprefix(b"Exif\0\0") if isinstance(value, bytes) else None


def _dots_per_inch(dpi: object) -> Resolution | None:
    try:
        x, y = (float(value) for value in dpi)  # type: ignore[attr-defined]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return resolution(x, y, "inch")


def _lost_depth(path: Path, image: Image.Image) -> int:
    """Return the bits per channel that Pillow is about to reduce to 8; 0 where it is not."""
    if image.mode not in {"L", "LA", "RGB", "RGBA", "CMYK"}:
        return 0
    bits = 8
    if image.format in {"PPM", "SGI"}:
        bits = 16 if any(_is_deep(tile) for tile in getattr(image, "tile", [])) else 8
    elif image.format == "HEIF":
        bits = int(image.info.get("bit_depth", 8))
    elif image.format in {"AVIF", "JPEG2000"}:
        with mapped(path) as data:
            stream = jpeg2000.codestream(data) if image.format == "JPEG2000" else None
            bits = max(stream.depths) if stream else heif.depth(data)
    return bits if bits > 8 else 0


def _is_deep(tile: Any) -> bool:
    """Say whether Pillow's plan for a part of a PPM or SGI file is to drop low bytes."""
    arguments = tile.args if isinstance(tile.args, tuple) else (tile.args,)
    largest = arguments[-1] if arguments else 0
    return "16" in str(tile.codec_name) or (isinstance(largest, int) and largest > 255)
