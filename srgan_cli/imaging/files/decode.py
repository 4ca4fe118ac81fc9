"""Decode image files to upright frames, with an exact error message if that fails."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from srgan_cli.errors import InputError
from srgan_cli.imaging.containers.blocks import LARGEST_INFLATED, Coding, mapped
from srgan_cli.imaging.containers.pages import Pages
from srgan_cli.imaging.files.admission import require_admissible, require_size, tiff_structure
from srgan_cli.imaging.files.formats import readable_formats
from srgan_cli.imaging.files.limits import pixels_within
from srgan_cli.imaging.files.sources import GifSource, PillowSource, Shown, Source
from srgan_cli.imaging.files.tiff_source import TiffSource
from srgan_cli.imaging.frames import Frame, Header
from srgan_cli.imaging.metadata import xmp
from srgan_cli.imaging.metadata.transfer import Metadata, page_blocks, read_blocks
from srgan_cli.imaging.types import ImageArray
from srgan_cli.quiet import quiet

# What these libraries log about odd files would appear between our own lines.
for _library in ("PIL", "tifffile", "imagecodecs"):
    logging.getLogger(_library).addHandler(logging.NullHandler())

# Larger profiles and texts would have an image refused.
PngImagePlugin.MAX_TEXT_CHUNK = LARGEST_INFLATED

_VIEWER_HINT = "open it in an image viewer; if it displays there, convert it to PNG"


class OpenImage:
    """An image file whose frames are decoded one after the other.

    Args:
        path: The file, for messages and for the readers that open it themselves.
        image: Opened by Pillow, nothing decoded; None where Pillow does not open it.
        max_pixels: Limit on the pixels of all frames together.
    """

    def __init__(self, path: Path, image: Image.Image | None, max_pixels: int) -> None:
        self._path, self._max_pixels = path, max_pixels
        self.notes: list[str] = []
        """What was not read as it stands in the file; complete after the last frame."""
        self._source = self._source_of(image)
        self.header = self._source.header
        self.metadata = Metadata()
        """Of the frame that has been decoded last."""

    def _source_of(self, image: Image.Image | None) -> Source:
        format_name = image.format if image is not None else "TIFF"
        if format_name == "TIFF":
            return TiffSource(self._path, image, self._max_pixels, self._note)
        assert image is not None
        if format_name == "GIF":
            return GifSource(self._path, self._max_pixels, self._note)
        return PillowSource(self._path, image, self._max_pixels, self._note)

    def parts(self) -> list[str]:
        """Name the further images, videos and channels in the file, which results do not have."""
        with _decoding(self._path, self.notes):
            return self._source.parts()

    def frames(self) -> Iterator[Frame]:
        """Decode the frames in order.

        Raises:
            InputError: A frame is damaged, too large, or of a kind that is not read.
        """
        frames = self._source.frames()
        left: float = self._max_pixels
        while True:
            with _decoding(self._path, self.notes), pixels_within(left):
                shown = next(frames, None)
                if shown is None:
                    return
                frame = self._upright(shown)
            # Decoders and headers disagree about some damaged files.
            require_size(self._path, (frame.width, frame.height), 1, self._max_pixels)
            left -= frame.width * frame.height
            if left < 0:
                raise InputError(
                    f"{self._path}: its frames have more than {self._max_pixels:,} pixels",
                    hint="pass a larger --max-pixels if you trust the file",
                )
            del shown
            yield frame
            del frame

    def _upright(self, shown: Shown) -> Frame:
        turn = 1 if shown.is_upright else shown.turn
        colour = upright(shown.colour, turn)
        alpha = None if shown.alpha is None else upright(shown.alpha, turn)
        blocks = shown.blocks
        if shown.converted:  # Profiles do not describe what the pixels have been converted to.
            blocks = replace(blocks, icc=None, coding=Coding())
        size = (colour.shape[1], colour.shape[0])
        self.metadata = Metadata(blocks, size, shown.turn, shown.converted)
        return Frame(colour, alpha, shown.duration)

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


@contextmanager
def open_image(path: Path, *, max_pixels: int) -> Iterator[OpenImage]:
    """Open an image file; its pixels are decoded when frames are asked for.

    Args:
        path: A file of any raster format that Pillow reads.
        max_pixels: Limit on the pixels of all frames together, checked before any is decoded.

    Raises:
        InputError: The file is missing, not an image, or larger than ``max_pixels``.
    """
    notes: list[str] = []
    with opened(path, max_pixels=max_pixels, notes=notes) as image:
        with _decoding(path, notes):
            picture = OpenImage(path, image, max_pixels)
            header = picture.header
            require_size(path, (header.width, header.height), header.num_frames, max_pixels)
        picture.notes += notes
        yield picture


@contextmanager
def opened(path: Path, *, max_pixels: int, notes: list[str]) -> Iterator[Image.Image | None]:
    """Open a file in Pillow once it has been found admissible.

    Args:
        path: The file.
        max_pixels: Limit on the pixels of a frame.
        notes: Gets a line for what the decoder warns about.

    Yields:
        Pillow's image, nothing decoded; None for a TIFF that only tifffile may read.

    Raises:
        InputError: The file is missing, not an image, a raw file, or too large.
    """
    with _decoding(path, notes):
        require_admissible(path, max_pixels)
        with pixels_within(max_pixels):
            image = _pillow_image(path)
    try:
        yield image
    finally:
        if image is not None:
            image.close()


def _pillow_image(path: Path) -> Image.Image | None:
    try:
        return Image.open(path, formats=readable_formats())
    except UnidentifiedImageError:
        with mapped(path) as data:
            if tiff_structure(data) is None:
                raise
        return None


def probe(path: Path, *, max_pixels: int) -> Header:
    """Read a file's header only.

    Raises:
        InputError: As :func:`open_image`.
    """
    with open_image(path, max_pixels=max_pixels) as picture:
        return picture.header


def stated_label(path: Path) -> Mapping[str, str]:
    """Return what a file's XMP says of how srgan made it; empty where it says nothing.

    No pixel is decoded. A file that cannot be read says nothing.
    """
    try:
        with opened(path, max_pixels=2**62, notes=[]) as image:
            format_name = image.format if image is not None else "TIFF"
        if format_name != "TIFF":
            stated = read_blocks(path, format_name or "", []).xmp
        else:
            with mapped(path) as data:
                stated = page_blocks(Pages(data), 0, []).xmp
    except (InputError, OSError, ValueError):
        return {}
    return xmp.parse(stated).label if stated else {}


def require_whole(path: Path, *, max_pixels: int) -> None:
    """Refuse a file with parts that its result would not have.

    Raises:
        InputError: It has such parts, or cannot be read.
    """
    with open_image(path, max_pixels=max_pixels) as picture:
        parts = picture.parts()
    if parts:
        raise InputError(
            f"{path}: its {', '.join(parts)} would be lost, so it is not replaced",
            hint="pass --output FOLDER to keep the file as it is",
        )


def upright(pixels: ImageArray, orientation: int) -> ImageArray:
    """Turn and mirror pixels as an EXIF orientation of 1 to 8 says (CIPA DC-008, 4.6.4)."""
    match orientation:
        case 2:
            turned = pixels[:, ::-1]
        case 3:
            turned = pixels[::-1, ::-1]
        case 4:
            turned = pixels[::-1]
        case 5:
            turned = np.swapaxes(pixels, 0, 1)
        case 6:
            turned = np.rot90(pixels, -1)
        case 7:
            turned = np.swapaxes(pixels[::-1, ::-1], 0, 1)
        case 8:
            turned = np.rot90(pixels)
        case _:
            return pixels
    return np.ascontiguousarray(turned)


@contextmanager
def _decoding(path: Path, notes: list[str]) -> Iterator[None]:
    """Turn whatever a decoder raises or warns about into our own words."""
    try:
        with quiet(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    except InputError:
        raise
    except PermissionError as error:
        raise InputError(
            f"{path}: no permission to read it", hint="check its read permission"
        ) from error
    except UnidentifiedImageError as error:
        raise InputError(
            f"{path}: not a readable image: unknown format, or damaged",
            hint=_VIEWER_HINT,
        ) from error
    except MemoryError as error:
        hint = "resize it first, or close other programs"
        raise InputError(f"{path}: not enough memory to decode it", hint=hint) from error
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{path}: more pixels than allowed, in the image or in one that it contains",
            hint="pass a larger --max-pixels if you trust the file",
        ) from error
    except Exception as error:  # Decoders raise almost anything on damaged files.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path}: damaged or not supported ({reason})", hint=_VIEWER_HINT
        ) from error
    for warning in caught:
        text = str(warning.message).splitlines()[0] if str(warning.message) else ""
        if "orrupt" in text or "runcated" in text:
            note = f"slightly damaged ({text.strip()})"
            if note not in notes:
                notes.append(note)
