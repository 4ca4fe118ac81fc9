"""List the images of a source folder and decode them, reduced if needed. No torch here."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import imagecodecs
import numpy as np
from PIL import ExifTags, Image

from srgan_cli.errors import InputError
from srgan_cli.imaging.formats import readable_formats
from srgan_cli.imaging.io import list_images, read_image
from srgan_cli.imaging.types import Uint8Image

MAX_PIXELS = 256_000_000

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transposition that turns an image upright, by its EXIF orientation."""

_EIGHT_BIT_MODES = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"}


@dataclass(frozen=True, slots=True)
class Photograph:
    """One file of the source folder, as the folder lists it."""

    source: str
    """Path below the source folder."""
    size: int
    """Bytes; 0 for a link that leads nowhere."""
    modified: int
    """Time of the last change, in ns."""
    lr: str = ""
    """In a paired folder, the path of the LR counterpart."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded photograph."""

    pixels: Uint8Image
    """H, W, 3, upright, reduced to the longest side that was asked for."""
    taken: str
    """When it was taken, as EXIF says (``YYYY:MM:DD HH:MM:SS``); empty when unknown."""


def find_photographs(folder: Path) -> list[Photograph]:
    """List the photographs below a folder, sorted by path.

    Raises:
        InputError: The folder is missing or holds no image.
    """
    if not folder.is_dir():
        reason = "not a folder" if folder.exists() else "no such folder"
        raise InputError(f"{folder}: {reason}", hint="name a folder of images")
    paths = list_images(folder)
    if not paths:
        raise InputError(
            f"{folder}: no images in this folder or below it",
            hint="name a folder with JPEG, PNG, WebP, TIFF … files",
        )
    return [listed(path, path.relative_to(folder).as_posix()) for path in paths]


def listed(path: Path, source: str) -> Photograph:
    """Return what a file system says of an image."""
    try:
        stat = path.stat()
    except OSError:
        return Photograph(source, 0, 0)  # A dangling link: reported when it is read.
    return Photograph(source, stat.st_size, stat.st_mtime_ns)


def header_size(path: Path) -> tuple[int, int]:
    """Return width and height by a file's header, or zeros for what :func:`decode` refuses."""
    try:
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")
            width, height = _webp_size(file.read(30)) or _size(file)
    except Exception:  # noqa: BLE001 - Pillow's parsers raise almost anything on damaged files.
        return 0, 0
    return (width, height) if width * height <= MAX_PIXELS else (0, 0)


def _size(file: BinaryIO) -> tuple[int, int]:
    file.seek(0)
    with Image.open(file, formats=readable_formats()) as image:
        return image.size


def _webp_size(header: bytes) -> tuple[int, int] | None:
    """Read the size of a WebP file from its first 30 bytes: Pillow reads all of it (RFC 9649)."""
    if header[:4] != b"RIFF" or header[8:12] != b"WEBP":
        return None
    match header[12:16]:
        case b"VP8X":
            return _integer(header[24:27]) + 1, _integer(header[27:30]) + 1
        case b"VP8L":
            bits = _integer(header[21:25])
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            return _integer(header[26:28]) & 0x3FFF, _integer(header[28:30]) & 0x3FFF
    return None


def _integer(data: bytes) -> int:
    return int.from_bytes(data, "little")


def reduced_size(width: int, height: int, max_side: int) -> tuple[int, int]:
    """Return the size at which a photograph's longer side is at most ``max_side`` (0: any)."""
    longest = max(width, height)
    if not max_side or longest <= max_side:
        return width, height
    return tuple(max(1, round(side * max_side / longest)) for side in (width, height))  # type: ignore[return-value]


def decode(path: Path, *, max_side: int, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Decode a photograph for training: RGB, upright, no larger than ``max_side``.

    JPEGs that are much larger are decoded at a half, a quarter or an eighth of
    their size, which the codec does by leaving out high frequencies; the rest of
    the way is Lanczos. Deeper images, which Pillow alone would clip, are read by
    :func:`srgan_cli.imaging.io.read_image`.

    Args:
        path: Any raster file that Pillow reads.
        max_side: Longest side of the result, in pixels; 0 keeps the size.
        max_pixels: Larger images are refused before any pixel is decoded.

    Raises:
        InputError: The file cannot be read, is damaged or too large.
    """
    hint = "open it in an image viewer; if it displays there, convert it to PNG"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # What Pillow thinks of odd EXIF does not matter here.
            with Image.open(path, formats=readable_formats()) as image:
                _require_size(path, image, max_pixels)
                if image.mode in _EIGHT_BIT_MODES:
                    return _decoded(path, image, max_side)
            upright = Image.fromarray(read_image(path, max_pixels=max_pixels).pixels)
            return _decoded(path, upright, max_side)
    except InputError:
        raise
    except Exception as error:  # Pillow's decoders raise almost anything on damaged files.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        reason = reason.replace(str(path), path.name)
        raise InputError(f"{path}: not a readable image ({reason})", hint=hint) from error


def _require_size(path: Path, image: Image.Image, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise InputError(
            f"{path}: {image.width}x{image.height} is more than {max_pixels:,} pixels",
            hint="resize it below that limit first",
        )


def _decoded(path: Path, image: Image.Image, max_side: int) -> Decoded:
    size = reduced_size(*image.size, max_side)
    pixels = None
    if size == image.size:
        pixels = _decoded_at_once(path, image)
    else:
        image.draft(None, size)
    if pixels is None:
        image.load()
    exif = image.getexif()
    taken = str(exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal, ""))
    turn = _TURNS.get(exif.get(ExifTags.Base.Orientation, 1))
    if pixels is not None:
        if turn is None:
            return Decoded(pixels, taken)
        image = Image.fromarray(pixels)
    whole = image if image.mode == "RGB" else image.convert("RGB")
    if whole.size != size:
        whole = whole.resize(size, Image.Resampling.LANCZOS)
    upright = whole if turn is None else whole.transpose(turn)
    return Decoded(np.asarray(upright), taken)


def _decoded_at_once(path: Path, image: Image.Image) -> Uint8Image | None:
    """Decode an opened JPEG or WebP file straight to an array; None for all that is unusual.

    Pillow's own way takes a quarter longer for JPEG, which it keeps with four bytes a
    pixel, and twice as long for WebP, which it takes for an animation. The codecs are the
    same, and so are the pixels.
    """
    if image.mode != "RGB" or image.format not in {"JPEG", "WEBP"}:
        return None
    data = path.read_bytes()
    if image.format == "WEBP":
        return None if getattr(image, "is_animated", True) else imagecodecs.webp_decode(data)
    # The codec fills in what lacks at the end; Pillow says that the file is truncated. Only the
    # end has these bytes, and thumbnails in a header, after which there would be no image.
    return imagecodecs.jpeg8_decode(data) if data.endswith(b"\xff\xd9") else None
