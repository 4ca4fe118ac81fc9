"""Metadata (EXIF, XMP, IPTC, ICC): read them, correct them for the result, report losses."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import ExifTags

from srgan_cli.imaging.containers import (
    geotiff,
    gif,
    heif,
    jpeg,
    jpeg2000,
    jxl,
    others,
    png,
    webp,
)
from srgan_cli.imaging.containers.blocks import Blocks, Coding, mapped
from srgan_cli.imaging.containers.directories import Buffer, Tiff
from srgan_cli.imaging.containers.pages import Pages
from srgan_cli.imaging.metadata import exif, profiles, xmp
from srgan_cli.imaging.metadata.label import EMPTY_PACKET, Label
from srgan_cli.imaging.metadata.xmp_values import Change

_READERS: Mapping[str, Callable[[Buffer], Blocks]] = {
    "JPEG": jpeg.read,
    "MPO": jpeg.read,
    "PNG": png.read,
    "WEBP": webp.read,
    "AVIF": heif.read,
    "HEIF": heif.read,
    "JPEG2000": jpeg2000.read,
    "JXL": jxl.read,
    "BMP": others.read_bmp,
    "PSD": others.read_psd,
    "GIF": lambda data: gif.read(data).blocks,
}
_XMP_ROOM = jpeg.LARGEST_SEGMENT - 29
_EXIF_ROOM = jpeg.LARGEST_SEGMENT - 6
_KEPT: Mapping[str, frozenset[str]] = {
    name: frozenset(parts.split(", "))
    for name, parts in {
        "JPEG": "EXIF, XMP, IPTC, Photoshop's data, resolution, pixel aspect ratio, comment",
        "PNG": "EXIF, XMP, IPTC, Photoshop's data, resolution, pixel aspect ratio, comment, text",
        "TIFF": "EXIF, XMP, IPTC, Photoshop's data, resolution, pixel aspect ratio, comment, "
        "georeference",
        "WEBP": "EXIF, XMP",
        "AVIF": "EXIF, XMP",
        "HEIF": "EXIF, XMP",
        "JXL": "EXIF, XMP",
        "GIF": "XMP, comment, pixel aspect ratio",
        "JPEG2000": "EXIF, XMP, IPTC, Photoshop's data, resolution, comment",
        "BMP": "resolution",
    }.items()
}
"""What each format has a place for; the others have none."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """Everything that is kept of one image beside its pixels."""

    blocks: Blocks = field(default_factory=Blocks)
    """As they stand in the source."""
    size: tuple[int, int] = (1, 1)
    """Width and height of the source, upright."""
    turned: int = 1
    """EXIF orientation that has been applied to the pixels."""
    srgb: bool = False
    """Whether the colours have been converted to sRGB."""
    label: Label | None = None
    """What makes the result, for its XMP; None to say nothing."""

    @property
    def plays(self) -> int | None:
        """How often an animation is shown; 0: for ever; None: nobody says."""
        return self.blocks.plays

    def stripped(self) -> "Metadata":
        """Return what the look depends on: colour, shape of the pixels, and repetitions."""
        kept = self.blocks
        shape = kept.resolution
        icc = kept.icc
        if icc is None and not kept.coding and kept.exif and exif.is_adobe_rgb(kept.exif):
            icc = profiles.adobe_rgb()
        return replace(
            self,
            label=None,
            blocks=Blocks(
                icc=icc,
                coding=kept.coding,
                plays=kept.plays,
                resolution=replace(shape, unit="") if shape and not shape.square else None,
            ),
        )


def read_blocks(path: Path, format_name: str, notes: list[str]) -> Blocks:
    """Collect what a file carries, in all formats but TIFF.

    Args:
        path: The file.
        format_name: Pillow's name of its format.
        notes: Gets a line for each part that is damaged and therefore dropped.
    """
    reader = _READERS.get(format_name)
    blocks = Blocks()
    if reader is not None:
        try:
            with mapped(path) as data:
                blocks = reader(data)
        except (ValueError, IndexError, struct.error, BufferError):
            notes.append("the metadata are damaged and were dropped")
    return checked(blocks, notes)


def page_blocks(pages: Pages, number: int, notes: list[str]) -> Blocks:
    """Collect what a page of a TIFF carries."""
    try:
        blocks = pages.blocks(number)
    except (ValueError, IndexError, struct.error):
        notes.append("the metadata are damaged and were dropped")
        blocks = Blocks()
    return checked(blocks, notes)


def checked(blocks: Blocks, notes: list[str]) -> Blocks:
    """Drop blocks that nobody can read, and say so; say what the file has beyond them."""
    if blocks.exif is not None:
        try:
            tiff = Tiff(blocks.exif)
            tiff.directory(tiff.first)
        except ValueError:
            blocks.exif = None
            notes.append("the EXIF data are damaged and were dropped")
    if blocks.xmp is not None:
        try:
            xmp.parse(blocks.xmp)
        except ValueError:
            blocks.xmp = None
            notes.append("the XMP data are damaged and were dropped")
    if blocks.icc is not None and not profiles.space_of(blocks.icc):
        blocks.icc = None
        notes.append("the colour profile is damaged and was dropped")
    notes += [f"not kept: {what}" for what in (*blocks.parts, *blocks.lost)]
    return blocks


def stated_orientation(blocks: Blocks) -> int:
    """Return the orientation, 1 to 8, that EXIF states, or else XMP."""
    stated = exif.orientation(blocks.exif) if blocks.exif else None
    if stated is None and blocks.xmp:
        return xmp.parse(blocks.xmp).orientation
    return stated or 1


def fitted(
    format_name: str, metadata: Metadata, size: tuple[int, int], *, srgb: bool = False
) -> Blocks:
    """Return the blocks as they describe the result.

    Args:
        format_name: Pillow's name of the result's format.
        metadata: Of the source, with the label of what makes the result.
        size: Width and height of the result.
        srgb: Whether its colours have been converted to sRGB.
    """
    blocks = metadata.blocks
    change = Change(metadata.size, size, metadata.turned)
    shown = blocks.resolution
    factors = (size[0] / metadata.size[0], size[1] / metadata.size[1])
    return replace(
        blocks,
        exif=exif.updated(blocks.exif, size, srgb=srgb or metadata.srgb) if blocks.exif else None,
        xmp=_updated_xmp(format_name, metadata, change),
        icc=None if srgb else blocks.icc,
        coding=Coding() if srgb else blocks.coding,
        resolution=shown.turned(metadata.turned) if shown else None,
        georeference=[]
        if metadata.turned != 1
        else geotiff.scaled(blocks.georeference, blocks.order, factors),
    )


def _updated_xmp(format_name: str, metadata: Metadata, change: Change) -> bytes | None:
    """Correct XMP and put the label into it, where the format has room for that."""
    label = metadata.label if "XMP" in _KEPT.get(format_name, ()) else None
    stated = metadata.blocks.xmp
    if label is not None:
        labelled = xmp.parse(stated or EMPTY_PACKET).updated(change, label)
        if format_name != "JPEG" or len(labelled) <= _XMP_ROOM:
            return labelled
    return xmp.parse(stated).updated(change) if stated else None


def with_resolution(format_name: str, blocks: Blocks) -> Blocks:
    """Say the resolution in a format's own way where EXIF alone says it; JPEG has both ways."""
    if blocks.resolution or not blocks.exif or format_name == "JPEG":
        return blocks
    if "resolution" not in _KEPT.get(format_name, ()):
        return blocks
    return replace(blocks, resolution=exif.resolution(blocks.exif))


def lost_parts(format_name: str, blocks: Blocks, *, source: Blocks) -> list[str]:
    """Name the parts that a format has no place for.

    Args:
        format_name: Pillow's name of the format.
        blocks: As they would be written, by :func:`fitted`.
        source: As the source has them.
    """
    kept = _KEPT.get(format_name, frozenset())
    if format_name == "JPEG":  # One segment each; extended XMP is not written.
        if len(blocks.xmp or b"") > _XMP_ROOM:
            kept = kept - {"XMP"}
        if len(blocks.exif or b"") > _EXIF_ROOM:
            kept = kept - {"EXIF"}
    shown = blocks.resolution
    if format_name == "GIF" and not gif.aspect(shown):
        kept = kept - {"pixel aspect ratio"}
    if shown and "EXIF" in kept and blocks.exif and shown == exif.resolution(blocks.exif):
        kept = kept | {"resolution"}
    comments = len(blocks.comments)
    if format_name == "TIFF" and (comments > 1 or (comments and _has_description(blocks))):
        kept = kept - {"comment"}
    has = {
        "EXIF": blocks.exif,
        "XMP": blocks.xmp,
        "IPTC": blocks.iptc,
        "Photoshop's data": blocks.photoshop,
        "comment": blocks.comments,
        "text": [kind for kind, data in blocks.text if not _is_comment(data)],
        "resolution": shown is not None and bool(shown.unit),
        "pixel aspect ratio": shown is not None
        and not shown.square
        and not (shown.unit and "resolution" in kept),
        "georeference": source.georeference,
    }
    lost = [name for name, value in has.items() if value and name not in kept]
    if source.georeference and not blocks.georeference and "georeference" not in lost:
        lost.append("georeference")
    return lost


def without_lost(blocks: Blocks, lost: list[str]) -> Blocks:
    """Take out what a format has no room for."""
    return replace(
        blocks,
        exif=None if "EXIF" in lost else blocks.exif,
        xmp=None if "XMP" in lost else blocks.xmp,
    )


def _is_comment(data: bytes) -> bool:
    return data.partition(b"\0")[0].lower() == b"comment"


def _has_description(blocks: Blocks) -> bool:
    if not blocks.exif:
        return False
    tiff = Tiff(blocks.exif)
    return ExifTags.Base.ImageDescription in tiff.directory(tiff.first).fields
