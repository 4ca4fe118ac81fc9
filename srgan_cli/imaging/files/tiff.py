"""Write TIFF files of 8 or 16 bits, with pages and all metadata.

Pillow writes neither 16-bit colour nor, in compressed files, the EXIF directory.
"""

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import imagecodecs
import tifffile

from srgan_cli.imaging.canvas import Canvas
from srgan_cli.imaging.containers.blocks import Blocks, Resolution
from srgan_cli.imaging.containers.directories import Branch, Entry, Tiff, pack_directory
from srgan_cli.imaging.containers.photoshop import packed
from srgan_cli.imaging.metadata import exif
from srgan_cli.managed import Managed

_BYTE, _ASCII, _SHORT, _UNDEFINED, _IFD = 1, 2, 3, 7, 13  # TIFF 6.0, section 2
_IMAGE_DESCRIPTION, _PAGE_NUMBER = 270, 297
_XMP, _IPTC, _PHOTOSHOP = 700, 33723, 34377
_PAGE = 2  # A bit of NewSubfileType.
# tifffile would look for a directory where the tag's own number leads; the next number
# means nothing and keeps the place.
_PLACEHOLDER = 1
_STRIP_BYTES = 2**20
_CLASSIC_LIMIT = 2**32 - 2**25
_UNITS = {"": 1, "inch": 2, "cm": 3}


class TiffFile(Managed):
    """A TIFF file being written page by page; a context manager.

    Pages are compressed without loss (Deflate with a horizontal predictor), strip by
    strip, so that a page is never in memory a second time. The file has the byte order
    of its first page's EXIF data, whose values stay as they are.

    Args:
        path: Replaced if it exists.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._order: Literal["<", ">"] = "<"
        self._writer: tifffile.TiffWriter | None = None
        self._directories: list[dict[int, Branch]] = []
        self._block: Tiff | None = None
        """The EXIF block that the file begins with."""

    def _close(self, *, failed: bool) -> None:
        """Finish the file; after an error it is incomplete."""
        if self._writer is not None:
            self._writer.close()
        if not failed:
            self._append_directories()

    def write(self, canvas: Canvas, blocks: Blocks) -> None:
        """Append a page."""
        depth = 2 if canvas.deep else 1
        described = Tiff(blocks.exif) if blocks.exif else None
        if self._writer is None:
            # 32-bit offsets reach 4 GB. Further pages are taken to be as large as the first.
            large = canvas.width * canvas.height * canvas.channels * depth > _CLASSIC_LIMIT
            order = described.order if described else blocks.order
            self._order = ">" if order == ">" else "<"
            self._writer = None if large else self._behind_block(blocks.exif)
            if self._writer is None:
                self._writer = tifffile.TiffWriter(self._path, bigtiff=large, byteorder=self._order)
        tags, directories = self._tags(blocks, described)
        rows = max(1, _STRIP_BYTES // (canvas.width * canvas.channels * depth))
        self._writer.write(
            _strips(canvas, rows, self._order),
            shape=(canvas.height, canvas.width) + (canvas.channels,) * (canvas.channels > 1),
            dtype=f"{self._order}u2" if canvas.deep else "uint8",
            photometric="rgb" if canvas.channels >= 3 else "minisblack",
            planarconfig="contig" if canvas.channels > 1 else None,
            extrasamples=["unassalpha"] if canvas.has_alpha else None,
            compression="zlib",
            predictor=True,
            rowsperstrip=rows,
            subfiletype=_PAGE if blocks.is_page else None,
            iccprofile=blocks.icc,
            metadata=None,
            software=False,
            extratags=tags,
            contiguous=False,
            **_resolution(blocks.resolution),
        )
        self._directories.append(directories)

    def _behind_block(self, block: bytes | None) -> tifffile.TiffWriter | None:
        """Begin the file with the EXIF block as it is, where something in it must not move.

        Most maker notes hold offsets from the start of the block, which begins as a TIFF file
        does. Its directories then serve the first page, and the pages follow behind it.
        """
        if block is None or not exif.has_fixed_offsets(block):
            return None
        self._path.write_bytes(block + b"\0" * (len(block) % 2))
        try:
            writer = tifffile.TiffWriter(self._path, append="force")
        except Exception:  # noqa: BLE001 - what tifffile raises on odd blocks is not stated.
            return None
        self._block = Tiff(block)
        return writer

    def _tags(self, blocks: Blocks, described: Tiff | None) -> tuple[list[Any], dict[int, Branch]]:
        """Return tifffile's form of the tags, with a placeholder for each EXIF directory."""
        entries: list[Entry] = []
        directories: dict[int, Branch] = {}
        if described is not None and described.order == self._order:
            first = described.directory(described.first)
            taken = exif.branch(described, first, skipped=exif.LAYOUT | exif.BLOCKS)
            entries, directories = list(taken.entries), dict(taken.children)
        if blocks.comments and all(entry.tag != _IMAGE_DESCRIPTION for entry in entries):
            text = blocks.comments[0].rstrip(b"\0") + b"\0"
            entries.append(Entry(_IMAGE_DESCRIPTION, _ASCII, len(text), text))
        if blocks.order == self._order:
            entries += blocks.georeference
        for tag, kind, block in (
            (_XMP, _BYTE, blocks.xmp),
            (_IPTC, _UNDEFINED, blocks.iptc),
            (_PHOTOSHOP, _BYTE, packed(blocks.iptc, blocks.photoshop) if blocks.photoshop else b""),
        ):
            if block:
                entries.append(Entry(tag, kind, len(block), block))
        tags: list[Any] = [
            (entry.tag, entry.kind, entry.count, entry.data, True) for entry in entries
        ]
        if blocks.paging:
            tags.append((_PAGE_NUMBER, _SHORT, 2, blocks.paging, True))
        tags += [(tag + _PLACEHOLDER, _IFD, 1, 0, True) for tag in directories]
        return tags, directories

    def _append_directories(self) -> None:
        """Put the EXIF and GPS directories behind the pages and point the pages to them."""
        if self._block is not None:
            self._begin_with_pages(self._block)
        if not any(self._directories):
            return
        with tifffile.TiffFile(self._path, mode="r+") as file:
            handle = file.filehandle
            pages = zip(file.pages, self._directories, strict=True)
            for number, (page, directories) in enumerate(pages):
                for tag, branch in directories.items():
                    offset = self._offset_in_block(tag) if number == 0 else 0
                    if not offset:
                        offset = handle.seek(0, 2)
                        if offset % 2:
                            offset += handle.write(b"\0")
                        handle.write(pack_directory(branch, self._order, offset))
                    entry = page.aspage().tags[tag + _PLACEHOLDER]
                    entry.overwrite(offset)
                    handle.seek(entry.offset)
                    handle.write(struct.pack(file.byteorder + "H", tag))

    def _offset_in_block(self, tag: int) -> int:
        block = self._block
        return 0 if block is None else block.number(block.directory(block.first), tag, 0)

    def _begin_with_pages(self, block: Tiff) -> None:
        """Let the file's first directory be that of the first page, not that of the block."""
        place = block.directory(block.first).next_place
        with self._path.open("rb+") as file:
            file.seek(place)
            first = file.read(4)
            file.seek(place)
            file.write(bytes(4))
            file.seek(4)
            file.write(first)


def _resolution(shown: Resolution | None) -> dict[str, Any]:
    if shown is None:
        return {}
    unit = "cm" if shown.unit == "metre" else shown.unit
    values = [_rational(value) for value in shown.per(unit)]
    return {"resolution": tuple(values), "resolutionunit": _UNITS[unit]}


def _rational(value: float) -> tuple[int, int]:
    found = Fraction(value).limit_denominator(10_000)
    return (found.numerator, found.denominator) if found else (round(value * 1e6), 1_000_000)


def _strips(canvas: Canvas, rows: int, order: Literal["<", ">"]) -> Iterator[bytes]:
    for top in range(0, canvas.height, rows):
        strip = canvas.rows(top, min(top + rows, canvas.height))
        differences = imagecodecs.delta_encode(strip, axis=1)
        stored = differences.astype(differences.dtype.newbyteorder(order), copy=False)
        yield bytes(imagecodecs.zlib_encode(stored.tobytes()))
