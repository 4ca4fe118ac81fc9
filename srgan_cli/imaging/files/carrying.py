"""Write metadata into files: through Pillow if it keeps the bytes, otherwise into its output."""

from io import BytesIO
from pathlib import Path
from typing import IO, Any, cast

from PIL import Image

from srgan_cli.imaging.containers import gif, jpeg, jpeg2000, png
from srgan_cli.imaging.containers.blocks import Blocks
from srgan_cli.imaging.files.deep import write_png
from srgan_cli.imaging.metadata import exif
from srgan_cli.imaging.types import Uint16Image

_JFIF_DENSITY = 13  # Offset of unit, x and y in a file that begins with JFIF's segment.
_ORIENTATION, _UNUSED = 0x0112, 0x0113
_NCLX = b"colrnclx"


def write_deep_png(path: Path, samples: Uint16Image, blocks: Blocks) -> None:
    """Write a 16-bit PNG with metadata."""
    with path.open("wb") as file:
        write_png(_inserting(file, blocks), samples)


def save_with_blocks(
    path: Path, image: Image.Image, name: str, blocks: Blocks, options: dict[str, Any]
) -> None:
    """Write an image, or an animation, with its metadata.

    Args:
        path: Replaced if it exists.
        image: In a mode that the format holds.
        name: Pillow's name of the format, not TIFF.
        blocks: What the format has a place for is written.
        options: Of Pillow's ``save``.
    """
    match name:
        case "JPEG":
            _save_jpeg(path, image, blocks, options)
        case "PNG":
            with path.open("wb") as file:
                image.save(_inserting(file, blocks), name, **options)
        case "AVIF":
            path.write_bytes(_avif(image, blocks, options))
        case "GIF":
            made = _encoded(image, name, options)
            path.write_bytes(gif.inserted(made, blocks))
        case "JPEG2000":
            # The encoder would wait for ever for room on a full disk.
            if blocks.comments:
                options = options | {"comment": blocks.comments[0]}
            path.write_bytes(jpeg2000.with_metadata(_encoded(image, name, options), blocks))
        case _:
            image.save(path, name, **options, **_plain_options(name, blocks))


def _inserting(file: IO[bytes], blocks: Blocks) -> IO[bytes]:
    return cast("IO[bytes]", png.Inserting(file, png.packed_chunks(blocks)))


def _plain_options(name: str, blocks: Blocks) -> dict[str, Any]:
    """Return the options for formats whose writers take bytes as they are."""
    options: dict[str, Any] = {}
    if name in {"WEBP", "HEIF", "JXL"}:
        options = {"exif": blocks.exif, "xmp": blocks.xmp}
    if name == "JXL" and blocks.exif:  # The plugin leaves the place of the block to its caller.
        options["exif"] = bytes(4) + blocks.exif
    if name in {"WEBP", "HEIF"}:
        options["icc_profile"] = blocks.icc
    if name == "HEIF" and blocks.coding.cicp is not None:
        primaries, transfer = blocks.coding.cicp[:2]
        options |= {"color_primaries": primaries, "transfer_characteristics": transfer}
        options |= {"matrix_coefficients": 6, "full_range_flag": 1}
    if name == "BMP" and blocks.resolution is not None and blocks.resolution.unit:
        options["dpi"] = blocks.resolution.per("inch")
    return {key: value for key, value in options.items() if value is not None}


def _encoded(image: Image.Image, name: str, options: dict[str, Any]) -> bytes:
    buffer = BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def _save_jpeg(path: Path, image: Image.Image, blocks: Blocks, options: dict[str, Any]) -> None:
    segments = jpeg.packed_segments(
        exif=blocks.exif,
        xmp=blocks.xmp,
        icc=blocks.icc,
        iptc=blocks.iptc,
        photoshop=blocks.photoshop,
        comments=blocks.comments,
    )
    image.save(path, "JPEG", extra=segments, **options)
    if blocks.resolution is not None:
        with path.open("rb+") as file:
            if file.read(11)[6:10] == b"JFIF":
                file.seek(_JFIF_DENSITY)
                file.write(jpeg.density(blocks.resolution))


def _avif(image: Image.Image, blocks: Blocks, options: dict[str, Any]) -> bytes:
    """Encode an AVIF; Pillow would write EXIF anew to take its orientation out."""
    stored = blocks.exif
    disguised = exif.renamed(stored, _ORIENTATION, _UNUSED) if stored else None
    more = {"exif": disguised, "icc_profile": blocks.icc, "xmp": blocks.xmp}
    options = options | {key: value for key, value in more.items() if value is not None}
    made = _encoded(image, "AVIF", options)
    if stored is not None and disguised is not None and disguised != stored:
        made = made.replace(disguised, stored, 1)
    if blocks.coding.cicp is not None:
        primaries, transfer = blocks.coding.cicp[:2]
        said = primaries.to_bytes(2, "big") + transfer.to_bytes(2, "big")
        parts = made.split(_NCLX)
        made = _NCLX.join([parts[0], *(said + part[4:] for part in parts[1:])])
    return made
