"""List the images of a source folder and decode them, reduced if needed. No torch here."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import ExifTags, Image

from srgan_cli.errors import InputError
from srgan_cli.imaging.containers import webp
from srgan_cli.imaging.files.admission import require_admissible, require_size
from srgan_cli.imaging.files.decode import open_image, opened, probe
from srgan_cli.imaging.files.deep import is_deep_png
from srgan_cli.imaging.files.io import list_images
from srgan_cli.imaging.frames import shallow
from srgan_cli.imaging.metadata import exif, xmp
from srgan_cli.imaging.types import Uint8Image
from srgan_cli.quiet import quiet

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

_PLAIN = {"JPEG", "PNG", "WEBP"}
"""Formats whose images Pillow decodes to what ``srgan upscale`` sees."""
_EIGHT_BIT_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA"}


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
    labelled: bool = False
    """Its XMP says that srgan upscaled it."""


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
        require_admissible(path, MAX_PIXELS)
        with path.open("rb") as file:
            found = webp.size(file.read(30))  # Pillow reads all of a WebP file.
        if found is not None:
            return found if found[0] * found[1] <= MAX_PIXELS else (0, 0)
        with opened(path, max_pixels=MAX_PIXELS, notes=[]) as image:
            if image is not None and image.format in _PLAIN:
                return image.size
        header = probe(path, max_pixels=MAX_PIXELS)
    except (InputError, OSError):
        return 0, 0
    return header.width, header.height


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
    the way is Lanczos. Other formats and deeper images are read as ``srgan upscale``
    reads them.

    Args:
        path: Any raster file that can be read.
        max_side: Longest side of the result, in pixels; 0 keeps the size.
        max_pixels: Larger images are refused before any pixel is decoded.

    Raises:
        InputError: The file cannot be read, is a raw file, is damaged or too large.
    """
    try:
        with opened(path, max_pixels=max_pixels, notes=[]) as image:
            if image is not None and _is_plain(image):
                require_size(path, image.size, 1, max_pixels)
                with quiet(), warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # What Pillow thinks of odd EXIF.
                    return _decoded(path, image, max_side)
        return _first_frame(path, max_side, max_pixels)
    except InputError:
        raise
    except Exception as error:  # Pillow's decoders raise almost anything on damaged files.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        reason = reason.replace(str(path), path.name)
        hint = "open it in an image viewer; if it displays there, convert it to PNG"
        raise InputError(f"{path}: not a readable image ({reason})", hint=hint) from error


def _is_plain(image: Image.Image) -> bool:
    """Say whether Pillow decodes an image to the pixels that ``srgan upscale`` sees."""
    if image.format not in _PLAIN or image.mode not in _EIGHT_BIT_MODES:
        return False
    # Pillow cuts 16 bits off, and shows the still image that an animation has for old viewers.
    return image.format != "PNG" or not (is_deep_png(image) or image.info.get("default_image"))


def _first_frame(path: Path, max_side: int, max_pixels: int) -> Decoded:
    """Decode the first frame of any format."""
    with open_image(path, max_pixels=max_pixels) as picture:
        frame = next(picture.frames())
        blocks = picture.metadata.blocks
    decoded = _decoded(path, Image.fromarray(shallow(frame.pixels)), max_side)
    taken = exif.time_taken(blocks.exif) if blocks.exif else ""
    return Decoded(decoded.pixels, taken, bool(blocks.xmp and xmp.parse(blocks.xmp).label))


def _decoded(path: Path, image: Image.Image, max_side: int) -> Decoded:
    size = reduced_size(*image.size, max_side)
    pixels = None
    if size == image.size:
        pixels = _decoded_at_once(path, image)
    else:
        image.draft(None, size)
    if pixels is None:
        image.load()
    stated = image.getexif()
    taken = str(stated.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal, ""))
    packet = _xmp(image)
    labelled = packet is not None and bool(packet.label)
    orientation = stated.get(ExifTags.Base.Orientation)
    # XMP may state it in ways that Pillow's pattern does not know.
    turn = _TURNS.get(orientation or (packet.orientation if packet else 1))
    if pixels is not None:
        if turn is None:
            return Decoded(pixels, taken, labelled)
        image = Image.fromarray(pixels)
    whole = image if image.mode == "RGB" else image.convert("RGB")
    if whole.size != size:
        whole = whole.resize(size, Image.Resampling.LANCZOS)
    upright = whole if turn is None else whole.transpose(turn)
    return Decoded(np.asarray(upright), taken, labelled)


def _xmp(image: Image.Image) -> xmp.Packet | None:
    """Parse the XMP that Pillow found; None where there is none that can be read."""
    packet = image.info.get("xmp")
    try:
        return xmp.parse(packet) if isinstance(packet, bytes) else None
    except ValueError:
        return None


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
