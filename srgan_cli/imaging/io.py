"""Read and write picture files without losing what they carry."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageFile, ImageOps

from srgan_cli.errors import InputError
from srgan_cli.paths import written_beside

# Pictures are checked against --max-pixels before they are decoded, which
# replaces Pillow's own, process-wide limit.
Image.MAX_IMAGE_PIXELS = None

_JPEG_QUALITY = 95
_FORMATS_WITHOUT_ALPHA = {"JPEG", "MPO", "BMP", "DIB", "PCX", "PPM", "EPS"}
_MODES_WITHOUT_LOSS = {
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "RGBX",
    "CMYK",
    "YCbCr",
}
# In a TIFF file EXIF tags stand among those that describe how its pixels are stored,
# which are no longer true of the result and would spoil it.
_LAYOUT_TAGS = (
    ExifTags.Base.Orientation,
    ExifTags.Base.ImageWidth,
    ExifTags.Base.ImageLength,
    ExifTags.Base.BitsPerSample,
    ExifTags.Base.Compression,
    ExifTags.Base.PhotometricInterpretation,
    ExifTags.Base.FillOrder,
    ExifTags.Base.StripOffsets,
    ExifTags.Base.SamplesPerPixel,
    ExifTags.Base.RowsPerStrip,
    ExifTags.Base.StripByteCounts,
    ExifTags.Base.PlanarConfiguration,
    ExifTags.Base.Predictor,
    ExifTags.Base.ColorMap,
    ExifTags.Base.TileWidth,
    ExifTags.Base.TileLength,
    ExifTags.Base.TileOffsets,
    ExifTags.Base.TileByteCounts,
    ExifTags.Base.SubIFDs,
    ExifTags.Base.ExtraSamples,
    ExifTags.Base.SampleFormat,
    ExifTags.Base.JPEGTables,
    ExifTags.Base.YCbCrCoefficients,
    ExifTags.Base.YCbCrSubSampling,
    ExifTags.Base.YCbCrPositioning,
    ExifTags.Base.ReferenceBlackWhite,
    ExifTags.Base.XMLPacket,  # Handed on by itself, as is the profile.
    ExifTags.Base.InterColorProfile,
)


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture: 8 bits per channel, upright."""

    pixels: npt.NDArray[np.uint8]
    """H, W (grey) or H, W, 3 (RGB), 0..255."""
    alpha: npt.NDArray[np.uint8] | None = None
    """H, W, 0 (transparent) to 255 (opaque)."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """What Pillow's ``save`` takes to keep the ICC profile, EXIF, XMP and resolution."""
    num_frames: int = 1
    """Frames or pages in the file; only the first is in ``pixels``."""

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])


def picture_extensions() -> frozenset[str]:
    """Return the lower-case extensions, with their dot, that Pillow can decode."""
    Image.init()
    return frozenset(
        ext for ext, name in Image.registered_extensions().items() if name in Image.OPEN
    )


def writable(path: Path) -> bool:
    """Say whether Pillow can encode the format that ``path``'s extension names."""
    Image.init()
    return Image.registered_extensions().get(path.suffix.lower()) in Image.SAVE


def megapixels(path: Path) -> float:
    """Return a picture's size from its header, or 0 where it has none that can be read."""
    try:
        with Image.open(path) as image:
            return image.width * image.height / 1e6
    except Exception:  # noqa: BLE001 - Pillow's parsers raise almost anything on damaged files.
        return 0.0


def read_picture(path: Path, *, max_pixels: int) -> Picture:
    """Decode a picture and turn it upright by its EXIF orientation.

    Grey stays grey, palettes become RGB or RGBA, CMYK becomes RGB.

    Args:
        path: Any raster file that Pillow reads.
        max_pixels: Larger pictures are refused before any pixel is decoded.

    Raises:
        InputError: The file is missing, unreadable, damaged, larger than
            ``max_pixels``, or deeper than 8 bits per channel.
    """
    try:
        with Image.open(path) as image:
            _require_size(path, image, max_pixels)
            _require_depth(path, image)
            image.load()
            return _to_picture(image)
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file", hint="check the name and the folder") from error
    except Exception as error:  # Pillow's decoders raise almost anything on damaged files.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path}: not a readable picture ({reason})",
            hint="open it in a viewer; if it shows there, convert it to PNG",
        ) from error


def _require_size(path: Path, image: Image.Image, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise InputError(
            f"{path}: {image.width}x{image.height} is more than {max_pixels:,} pixels",
            hint="pass a larger --max-pixels if the file is to be trusted",
        )


def _require_depth(path: Path, image: ImageFile.ImageFile) -> None:
    # Pillow calls 16-bit colour "RGB" and drops the lower bits; only the raw mode tells.
    deep = any(re.search(r";16[BLN]", str(tile.args)) for tile in image.tile)
    if deep or image.mode not in _MODES_WITHOUT_LOSS:
        raise InputError(
            f"{path}: pixels of mode {image.mode} would lose depth",
            hint="convert it to 8 bits per channel first",
        )


def _to_picture(image: Image.Image) -> Picture:
    num_frames = getattr(image, "n_frames", 1)
    ImageOps.exif_transpose(image, in_place=True)
    metadata = _metadata(image)  # Now without the orientation, in EXIF and in XMP.
    has_alpha = image.has_transparency_data
    grey = image.mode in {"1", "L", "LA", "La"}
    if has_alpha:
        whole = np.asarray(image.convert("LA" if grey else "RGBA"))
        colour = np.ascontiguousarray(whole[..., 0] if grey else whole[..., :3])
        return Picture(colour, np.ascontiguousarray(whole[..., -1]), metadata, num_frames)
    pixels = np.asarray(image.convert("L" if grey else "RGB"))
    return Picture(pixels, None, metadata, num_frames)


def _metadata(image: Image.Image) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    exif = image.getexif()
    for tag in _LAYOUT_TAGS:
        exif.pop(tag, None)
    if exif:
        metadata["exif"] = exif.tobytes()
    # A CMYK profile does not describe the RGB pixels that such a picture becomes.
    if image.info.get("icc_profile") and image.mode != "CMYK":
        metadata["icc_profile"] = image.info["icc_profile"]
    for key in ("dpi", "xmp"):
        if key in image.info:
            metadata[key] = image.info[key]
    return metadata


def write_picture(path: Path, picture: Picture) -> None:
    """Encode a picture in the format that ``path``'s extension names.

    The file appears under its name only once it is complete. JPEG is written at
    quality 95 without chroma subsampling, WebP without loss; a transparent
    picture is laid on white where the format has no transparency.

    Raises:
        InputError: The format cannot hold the picture.
        OSError: The disk is full or the folder cannot be written.
    """
    Image.init()
    image_format = Image.registered_extensions().get(path.suffix.lower())
    image = _to_image(picture, keep_alpha=image_format not in _FORMATS_WITHOUT_ALPHA)
    options: dict[str, Any] = dict(picture.metadata)
    match image_format:
        case "JPEG":
            options |= {"quality": _JPEG_QUALITY, "subsampling": 0}
        case "WEBP":
            options |= {"lossless": True}
    with written_beside(path) as temporary:
        try:
            image.save(temporary, **options)
        except (ValueError, KeyError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # The disk's fault; an encoder's refusal has no error number.
            raise InputError(f"{path}: {error}", hint="choose another extension") from error


def _to_image(picture: Picture, *, keep_alpha: bool) -> Image.Image:
    image = Image.fromarray(picture.pixels)
    if picture.alpha is None:
        return image
    image.putalpha(Image.fromarray(picture.alpha))
    if keep_alpha:
        return image
    ground = Image.new(image.mode, image.size, "white")
    return Image.alpha_composite(ground, image).convert(image.mode[:-1])


def list_pictures(folder: Path) -> list[Path]:
    """Return the picture files below a folder, sorted, hidden ones left out.

    Symbolic links to folders are not followed, so a loop cannot trap the walk.
    """
    extensions = picture_extensions()
    found = []
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [
            Path(root, name)
            for name in files
            if not name.startswith(".") and Path(name).suffix.lower() in extensions
        ]
    return sorted(found)
