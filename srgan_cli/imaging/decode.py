"""Decode image files to upright frames, with an exact error message if that fails."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from srgan_cli.errors import InputError
from srgan_cli.imaging import deep
from srgan_cli.imaging.admission import require_regular, require_size
from srgan_cli.imaging.colour import is_converted, to_grey_or_rgb
from srgan_cli.imaging.formats import readable_formats
from srgan_cli.imaging.frames import Frame
from srgan_cli.imaging.metadata import Metadata, orientation, read_metadata
from srgan_cli.imaging.types import ImageArray

# Images are checked against --max-pixels before they are decoded, which
# replaces Pillow's own, process-wide limit.
Image.MAX_IMAGE_PIXELS = None
# What these libraries log about odd files would appear between our own lines.
for _library in ("PIL", "tifffile"):
    logging.getLogger(_library).addHandler(logging.NullHandler())

# In the other formats that Pillow counts frames of, they are layers, thumbnails or sizes.
_MULTIPLE = {"GIF", "PNG", "WEBP", "AVIF", "FLI", "TIFF"}
_VIEWER_HINT = "open it in an image viewer; if it displays there, convert it to PNG"


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a file before its pixels are decoded."""

    format: str
    """Pillow's name."""
    width: int
    """Columns of the first frame, upright."""
    height: int
    """Rows of the first frame, upright."""
    num_frames: int
    """Frames or pages that are read."""
    has_alpha: bool
    """Whether there may be transparency."""
    left_out: int
    """Further images in the file (layers, previews, sizes) that are not read."""

    @property
    def megapixels(self) -> float:
        """Size of all frames, taking each to be as large as the first."""
        return self.width * self.height * self.num_frames / 1e6


class OpenImage:
    """An image file whose frames are decoded one after the other.

    Args:
        path: The file, for messages and for the 16-bit readers.
        image: Opened by Pillow, nothing decoded.
        max_pixels: Limit on the pixels of each frame.
    """

    def __init__(self, path: Path, image: Image.Image, max_pixels: int) -> None:
        self._path, self._image, self._max_pixels = path, image, max_pixels
        self.header = _header(image)
        self.notes: list[str] = []
        """What was not read as it stands in the file; complete after the last frame."""
        self.metadata = Metadata()
        """Complete once the first frame has been decoded."""
        if _has_default_image(image):
            self.notes.append("the still image for old viewers is replaced by the first frame")
        if self.header.left_out:
            self.notes.append(f"only the first of {self.header.left_out + 1} images is upscaled")

    def frames(self) -> Iterator[Frame]:
        """Decode the frames in order.

        Raises:
            InputError: A frame is damaged, too large, or of a kind that is not read.
        """
        # An animated PNG can have a still image for programs that do not know animations.
        first = 1 if _has_default_image(self._image) else 0
        stop = first + self.header.num_frames
        for index in range(first, stop):
            with _decoding(self._path, self.notes), _pixels_within(self._max_pixels):
                frame = self._frame(index, is_first=index == first)
                if index == stop - 1:
                    self._image.close()  # Frees the decoder's pixels before the upscaling.
            yield frame

    def _frame(self, index: int, *, is_first: bool) -> Frame:
        if index:
            self._image.seek(index)
        require_size(self._path, self._image.size, 1, self._max_pixels)
        colour, alpha = self._deep_frame(index) or self._shallow_frame()
        turn = orientation(self._image)  # Before the metadata, which lose it.
        if is_first:
            self.metadata = read_metadata(self._image, self.notes)
            if is_converted(self._image.mode):
                self.metadata = _without_profile(self.metadata)
        duration = self._image.info.get("duration")
        return Frame(
            upright(colour, turn),
            None if alpha is None else upright(alpha, turn),
            float(duration) if isinstance(duration, int | float) else None,
        )

    def _deep_frame(self, index: int) -> tuple[ImageArray, ImageArray | None] | None:
        """Read the frame with 16 bits where the file has them and it is a still or a page."""
        if self._image.format == "TIFF" and deep.is_deep_tiff(self._image):
            return deep.read_tiff_page(self._path, index)
        if self._image.format == "PNG" and deep.is_deep_png(self._image):
            if self.header.num_frames > 1:
                self._note("the 16-bit animation was reduced to 8 bits")
                return None
            self._image.load()  # Texts and EXIF may stand behind the pixels.
            return deep.read_png(self._path)
        return None

    def _shallow_frame(self) -> tuple[ImageArray, ImageArray | None]:
        """Read the frame through Pillow: 8 bits per channel, or 16 of grey."""
        image = self._image
        if _loses_depth(image):
            self._note(f"16-bit {image.mode} was reduced to 8 bits")
        image.load()
        if image.mode.startswith("I;16"):
            return np.asarray(image).astype(np.uint16), None
        if image.mode == "I" and image.format == "PPM":  # Scaled to 0..65535 by Pillow.
            return np.asarray(image).clip(0, 65535).astype(np.uint16), None
        if image.mode in {"I", "F"}:
            kind = "float" if image.mode == "F" else "32-bit"
            raise InputError(
                f"{self._path}: {kind} pixels without a known range from black to white",
                hint="convert it to 16 bits per channel first",
            )
        colours: list[str] = []
        image = to_grey_or_rgb(image, colours)
        for note in colours:
            self._note(note)
        samples = np.asarray(image)
        if image.mode in {"LA", "RGBA"}:
            colour = samples[..., 0] if image.mode == "LA" else samples[..., :3]
            return np.ascontiguousarray(colour), samples[..., -1].copy()
        return samples, None

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


@contextmanager
def open_image(path: Path, *, max_pixels: int) -> Iterator[OpenImage]:
    """Open an image file; its pixels are decoded when frames are asked for.

    Args:
        path: A file of any raster format that Pillow reads.
        max_pixels: Limit on the pixels of all frames together, checked on the header.

    Raises:
        InputError: The file is missing, not an image, or larger than ``max_pixels``.
    """
    require_regular(path)
    notes: list[str] = []
    with _decoding(path, notes):
        image = Image.open(path, formats=readable_formats())
    try:
        with _decoding(path, notes):
            picture = OpenImage(path, image, max_pixels)
            header = picture.header
            require_size(path, (header.width, header.height), header.num_frames, max_pixels)
        picture.notes += notes
        yield picture
    finally:
        image.close()


def probe(path: Path, *, max_pixels: int) -> Header:
    """Read a file's header only.

    Raises:
        InputError: As :func:`open_image`.
    """
    with open_image(path, max_pixels=max_pixels) as picture:
        return picture.header


def _header(image: Image.Image) -> Header:
    counted = getattr(image, "n_frames", 1)
    width, height = image.size
    has_alpha = image.has_transparency_data
    # Pillow turns TIFF pages itself. Looking further in a PNG would decode it.
    if image.format != "TIFF" and "exif" in image.info and orientation(image) >= 5:
        width, height = height, width
    if image.format not in _MULTIPLE:
        return Header(image.format or "", width, height, 1, has_alpha, counted - 1)
    if _has_default_image(image):
        counted -= 1
    return Header(image.format or "", width, height, counted, has_alpha, 0)


def _has_default_image(image: Image.Image) -> bool:
    """Say whether the first image of an animated PNG is not part of the animation."""
    return bool(image.info.get("default_image")) and getattr(image, "n_frames", 1) > 1


def _loses_depth(image: Image.Image) -> bool:
    """Say whether Pillow is about to drop the low bytes of what :mod:`deep` does not read."""
    if image.format == "PPM" and image.mode == "RGB":
        return any(isinstance(t.args, tuple) and t.args[-1] > 255 for t in image.tile)  # type: ignore[attr-defined]
    return image.format == "TIFF" and 16 in getattr(image, "tag_v2", {}).get(258, ())


def _without_profile(metadata: Metadata) -> Metadata:
    """Drop a profile that does not describe what the pixels have been converted to."""
    return Metadata(
        None,
        metadata.exif,
        metadata.xmp,
        metadata.iptc,
        metadata.dpi,
        metadata.comment,
        metadata.text,
        metadata.loop,
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
def _pixels_within(max_pixels: int) -> Iterator[None]:
    """Apply the limit to images inside images too, whose size no header has told."""
    Image.MAX_IMAGE_PIXELS = max(1, max_pixels // 2)  # Pillow refuses twice as many.
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = None


@contextmanager
def _decoding(path: Path, notes: list[str]) -> Iterator[None]:
    """Turn whatever a decoder raises or warns about into our own words."""
    try:
        with warnings.catch_warnings(record=True) as caught:
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
