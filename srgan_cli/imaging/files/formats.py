"""The image formats that are read and written, and what each can store."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

from PIL import Image

# Not images but programs (EPS), drawings (WMF), or stubs for decoders that do not exist.
_NOT_RASTER = {"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG", "PDF"}
_PLUGINS = ("pillow_heif", "pillow_jxl", "pillow_jpls")
"""Pillow plugins that are used where they are installed."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format that results are written in, and what survives in it."""

    name: str
    """Pillow's name."""
    suffix: str
    """Extension of a result whose source has no fitting one."""
    alpha: bool = False
    grey: bool = True
    """Grey has a form of its own, rather than three equal channels."""
    grey_alpha: bool = False
    """Grey with transparency has a form of its own."""
    deep: bool = False
    """16 bits per channel."""
    icc: bool = False
    matrix_icc: bool = False
    """Only profiles of a matrix and curves."""
    exif: bool = False
    frames: str = "one"
    """``one``, ``animation`` or ``pages``."""
    lossy: bool = False
    """``--quality`` applies."""
    max_side: int = 2**31 - 1
    """Most pixels along a side."""
    extra: str | None = None
    """Which installs what writes it; None where Pillow does."""


FORMATS: Mapping[str, Format] = {
    format_.name: format_
    for format_ in (
        Format(
            "PNG",
            ".png",
            alpha=True,
            grey_alpha=True,
            deep=True,
            icc=True,
            exif=True,
            frames="animation",
        ),
        Format(
            "TIFF",
            ".tif",
            alpha=True,
            grey_alpha=True,
            deep=True,
            icc=True,
            exif=True,
            frames="pages",
        ),
        Format("JPEG", ".jpg", icc=True, exif=True, lossy=True, max_side=65500),
        Format(
            "WEBP",
            ".webp",
            alpha=True,
            grey=False,
            icc=True,
            exif=True,
            frames="animation",
            lossy=True,
            max_side=16383,
        ),
        Format(
            "AVIF",
            ".avif",
            alpha=True,
            grey=False,
            icc=True,
            exif=True,
            frames="animation",
            lossy=True,
            max_side=65536,
        ),
        Format("GIF", ".gif", alpha=True, frames="animation", max_side=65535),
        Format(
            "JPEG2000",
            ".jp2",
            alpha=True,
            grey_alpha=True,
            icc=True,
            matrix_icc=True,
            exif=True,
            lossy=True,
        ),
        Format("BMP", ".bmp"),
        Format("PPM", ".ppm"),
        Format("TGA", ".tga", alpha=True, grey_alpha=True, max_side=65535),
        Format("QOI", ".qoi", alpha=True, grey=False),
        Format("SGI", ".sgi", alpha=True, max_side=65535),
        Format("PCX", ".pcx", max_side=65535),
        Format(
            "HEIF",
            ".heic",
            alpha=True,
            icc=True,
            exif=True,
            lossy=True,
            max_side=16384,
            extra="heic",
        ),
        Format("JXL", ".jxl", alpha=True, exif=True, lossy=True, extra="jxl"),
    )
}
"""Formats that are written. Pillow's other writers are for tiny images (icons) or hold
less than the image had; results for such sources become PNG."""


@cache
def readable_formats() -> tuple[str, ...]:
    """Return Pillow's names of the raster formats that can be read."""
    for plugin in _PLUGINS:
        _register(plugin)
    Image.init()
    return tuple(sorted(set(Image.OPEN) - _NOT_RASTER))


def _register(plugin: str) -> None:
    try:
        module = import_module(plugin)
    except ImportError:
        return
    if plugin == "pillow_heif":
        module.register_heif_opener()


@cache
def image_extensions() -> frozenset[str]:
    """Return the lower-case extensions, with their dot, of files that can be read."""
    readable = readable_formats()
    return frozenset(ext for ext, name in Image.registered_extensions().items() if name in readable)


def written_format(name: str) -> Format | None:
    """Return what can be written for a source of Pillow's format ``name``, if anything."""
    name = {"MPO": "JPEG", "DIB": "BMP"}.get(name, name)
    return FORMATS.get(name) if name in Image.SAVE else None


def known_suffixes() -> list[str]:
    """Return the usual extension of each format that can be written here, sorted."""
    readable_formats()
    return sorted(format_.suffix for name, format_ in FORMATS.items() if written_format(name))


def extra_for(extension: str) -> str | None:
    """Return the extra that writes what an extension names, where it is not installed."""
    if format_of_extension(extension):
        return None
    suffix = _normal(extension)
    return next((one.extra for one in FORMATS.values() if one.suffix == suffix), None)


def format_of_extension(extension: str) -> Format | None:
    """Return the written format that an extension such as ``.jpg`` or ``png`` names."""
    readable_formats()
    extension = _normal(extension)
    return written_format(Image.registered_extensions().get(extension, ""))


def result_suffix(source: Path, format_: Format) -> str:
    """Return the extension of a result: the source's own where it names the format."""
    own = format_of_extension(source.suffix) if source.suffix else None
    return source.suffix if own == format_ else format_.suffix


def _normal(extension: str) -> str:
    return "." + extension.lower().lstrip(".")
