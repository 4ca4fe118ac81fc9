"""Read metadata (EXIF, XMP, IPTC, ICC, resolution, comments), and write it to other formats."""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import ExifTags, Image, PngImagePlugin

_XMP_ORIENTATION = (
    (rb'tiff:Orientation="\d+"', b'tiff:Orientation="1"'),
    (rb"<tiff:Orientation>\d+</tiff:Orientation>", b"<tiff:Orientation>1</tiff:Orientation>"),
)
# In a TIFF file, EXIF shares its directory with tags that describe the file's own layout;
# only those that describe the photograph are taken along.
_DESCRIPTIVE_TAGS = {
    269,  # DocumentName
    270,  # ImageDescription
    271,  # Make
    272,  # Model
    285,  # PageName
    305,  # Software
    306,  # DateTime
    315,  # Artist
    316,  # HostComputer
    18246,  # Rating
    18249,  # RatingPercent
    33432,  # Copyright
    *range(40091, 40096),  # Windows' XPTitle … XPSubject
}
_SUB_DIRECTORIES = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
_IPTC_TIFF_TAG = 33723
_LARGEST_JPEG_SEGMENT = 65533
_COMMENT_KEYS = ("Comment", "comment")


@dataclass(frozen=True, slots=True)
class Metadata:
    """Everything that is kept beside the pixels. Absent parts are None or empty."""

    icc: bytes | None = None
    """ICC profile of the pixels."""
    exif: dict[int, Any] = field(default_factory=dict)
    """By tag; the tags of both sub-directories lead to dictionaries of their own. Without
    orientation, thumbnail and file layout."""
    xmp: bytes | None = None
    iptc: bytes | None = None
    """IPTC-IIM records."""
    dpi: tuple[float, float] | None = None
    comment: str | None = None
    text: dict[str, str] = field(default_factory=dict)
    """PNG's other keywords."""
    loop: int | None = None
    """Repetitions of an animation, in its format's counting; None: it runs once."""


def read_metadata(image: Image.Image, notes: list[str]) -> Metadata:
    """Collect what Pillow found in a file, after its first frame has been decoded.

    Args:
        image: The open file.
        notes: Gets a line for each part that is damaged and therefore dropped.
    """
    info = image.info
    comment = info.get("comment")
    text = {
        key: str(value)
        for key, value in dict(getattr(image, "text", {})).items()
        if isinstance(key, str) and not key.lower().startswith(("xml:", "raw profile"))
    }
    for key in _COMMENT_KEYS:
        comment = comment or text.pop(key, None)
    if isinstance(comment, bytes):
        comment = comment.rstrip(b"\0").decode("utf-8", "replace")
    icc = info.get("icc_profile")
    return Metadata(
        icc=icc if isinstance(icc, bytes) and icc else None,
        exif=_read_exif(image, notes),
        xmp=_read_xmp(info.get("xmp")),
        iptc=_read_iptc(image),
        dpi=_read_dpi(info.get("dpi")),
        comment=comment or None,
        text=text,
        loop=info.get("loop"),
    )


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1..8; 1 where there is none that makes sense."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001 - damaged EXIF raises almost anything, and costs only itself.
        return 1
    return value if value in range(1, 9) else 1


def _read_exif(image: Image.Image, notes: list[str]) -> dict[int, Any]:
    try:
        stored = image.getexif()
        exif = {tag: stored[tag] for tag in _DESCRIPTIVE_TAGS & set(stored)}
        for tag in _SUB_DIRECTORIES:
            fields = dict(stored.get_ifd(tag))
            fields.pop(ExifTags.IFD.Interop, None)  # Points to a place in the old file.
            if fields:
                exif[tag] = fields
        if exif:
            _exif_bytes(exif, (1, 1))
    except Exception:  # noqa: BLE001 - damaged EXIF raises almost anything, and costs only itself.
        notes.append("the EXIF data are damaged and were dropped")
        return {}
    return exif


def _read_xmp(xmp: object) -> bytes | None:
    if isinstance(xmp, str):
        xmp = xmp.encode()
    if not isinstance(xmp, bytes) or not xmp:
        return None
    for pattern, upright in _XMP_ORIENTATION:
        xmp = re.sub(pattern, upright, xmp)
    return xmp


def _read_iptc(image: Image.Image) -> bytes | None:
    photoshop = image.info.get("photoshop")
    if isinstance(photoshop, dict) and isinstance(photoshop.get(0x0404), bytes):
        return photoshop[0x0404] or None
    tags = getattr(image, "tag_v2", {})
    raw = tags.get(_IPTC_TIFF_TAG)
    return raw if isinstance(raw, bytes) and raw else None


def _read_dpi(dpi: object) -> tuple[float, float] | None:
    try:
        x, y = (float(value) for value in dpi)  # type: ignore[attr-defined]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if 0 < x < 1e6 and 0 < y < 1e6 else None


def save_options(format_name: str, metadata: Metadata, size: tuple[int, int]) -> dict[str, Any]:
    """Return the options of Pillow's ``save`` that keep metadata in a format (but TIFF).

    Args:
        format_name: Pillow's name of the format.
        metadata: What to keep; parts that the format cannot store are dropped.
        size: Width and height of the result, which EXIF repeats.
    """
    exif = _exif_bytes(metadata.exif, size) if metadata.exif else None
    common = {"exif": exif, "icc_profile": metadata.icc, "xmp": metadata.xmp}
    match format_name:
        case "JPEG":
            options = common | _jpeg_options(metadata)
            if exif and len(exif) > _LARGEST_JPEG_SEGMENT:
                options["exif"] = None
        case "PNG":
            del common["xmp"]
            options = common | {"dpi": metadata.dpi, "pnginfo": _png_text(metadata)}
        case "WEBP" | "AVIF" | "HEIF" | "JXL":
            options = common
        case "GIF":
            options = {"comment": metadata.comment}
        case "BMP":
            options = {"dpi": metadata.dpi}
        case "JPEG2000":
            options = {"comment": metadata.comment}
        case _:
            options = {}
    return {key: value for key, value in options.items() if value is not None}


def lost_parts(format_name: str, metadata: Metadata) -> list[str]:
    """Name the parts of ``metadata`` that a format has no place for."""
    kept = {
        "JPEG": {"EXIF", "XMP", "IPTC", "resolution", "comment"},
        "PNG": {"EXIF", "XMP", "resolution", "comment", "text"},
        "TIFF": {"EXIF", "XMP", "IPTC", "resolution", "comment"},
        "WEBP": {"EXIF", "XMP"},
        "AVIF": {"EXIF", "XMP"},
        "HEIF": {"EXIF", "XMP"},
        "JXL": {"EXIF", "XMP"},
        "GIF": {"comment"},
        "JPEG2000": {"comment"},
        "BMP": {"resolution"},
    }.get(format_name, set())
    if format_name == "JPEG":  # One segment each; Pillow writes no extended XMP.
        if len(metadata.xmp or b"") > _LARGEST_JPEG_SEGMENT - 29:
            kept = kept - {"XMP"}
        if metadata.exif and len(_exif_bytes(metadata.exif, (1, 1))) > _LARGEST_JPEG_SEGMENT:
            kept = kept - {"EXIF"}
    has = {
        "EXIF": metadata.exif,
        "XMP": metadata.xmp,
        "IPTC": metadata.iptc,
        "comment": metadata.comment,
        "text": metadata.text,
    }
    return [name for name, value in has.items() if value and name not in kept]


def _exif_bytes(exif: Mapping[int, Any], size: tuple[int, int]) -> bytes:
    block = Image.Exif()
    for tag, value in exif_of_size(exif, size).items():
        block[tag] = value
    return block.tobytes()


def exif_of_size(exif: Mapping[int, Any], size: tuple[int, int]) -> dict[int, Any]:
    """Return EXIF data whose PixelXDimension and PixelYDimension, if any, are ``size``."""
    sized = dict(exif)
    if ExifTags.IFD.Exif in sized:
        fields = dict(sized[ExifTags.IFD.Exif])
        for tag, value in zip((0xA002, 0xA003), size, strict=True):
            if tag in fields:
                fields[tag] = value
        sized[ExifTags.IFD.Exif] = fields
    return sized


def _jpeg_options(metadata: Metadata) -> dict[str, Any]:
    options: dict[str, Any] = {"dpi": metadata.dpi}
    if metadata.comment:
        options["comment"] = metadata.comment.encode()[:_LARGEST_JPEG_SEGMENT]
    if metadata.iptc and len(metadata.iptc) < _LARGEST_JPEG_SEGMENT - 64:
        padded = metadata.iptc + b"\0" * (len(metadata.iptc) % 2)
        block = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(metadata.iptc)) + padded
        segment = b"Photoshop 3.0\0" + block
        options["extra"] = b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment
    if metadata.xmp and len(metadata.xmp) > _LARGEST_JPEG_SEGMENT - 29:
        options["xmp"] = None
    return options


def _png_text(metadata: Metadata) -> PngImagePlugin.PngInfo:
    chunks = PngImagePlugin.PngInfo()
    if metadata.xmp:
        xmp = metadata.xmp.decode("utf-8", "replace")
        chunks.add_itxt("XML:com.adobe.xmp", xmp)
    if metadata.comment:
        chunks.add_itxt("Comment", metadata.comment)
    for key, value in metadata.text.items():
        chunks.add_itxt(key, value, zip=len(value) > 1024)
    return chunks
