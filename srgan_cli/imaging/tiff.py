"""Write TIFF files of 8 or 16 bits, with pages and all metadata.

Pillow writes neither 16-bit colour nor, in compressed files, the EXIF directory.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import tifffile
from PIL import ExifTags, TiffImagePlugin

from srgan_cli.imaging.canvas import Canvas
from srgan_cli.imaging.metadata import Metadata, exif_of_size
from srgan_cli.managed import Managed

_BYTE, _ASCII, _LONG, _UNDEFINED, _IFD = 1, 2, 4, 7, 13  # TIFF 6.0, section 2
_IMAGE_DESCRIPTION, _XMP, _IPTC = 270, 700, 33723
# tifffile would look for a directory where the tag's own number leads; the next number
# means nothing and keeps the place.
_PLACEHOLDER = 1
_STRIP_BYTES = 2**20
_CLASSIC_LIMIT = 2**32 - 2**25


class TiffFile(Managed):
    """A TIFF file being written page by page; a context manager.

    Pages are compressed without loss (Deflate with a horizontal predictor), strip by
    strip, so that a page is never in memory a second time.

    Args:
        path: Replaced if it exists.
        metadata: Written to every page.
    """

    def __init__(self, path: Path, metadata: Metadata) -> None:
        self._path, self._metadata = path, metadata
        self._writer: tifffile.TiffWriter | None = None
        self._directories: list[dict[int, dict[int, Any]]] = []

    def _close(self, *, failed: bool) -> None:
        """Finish the file; after an error it is incomplete."""
        if self._writer is not None:
            self._writer.close()
        if not failed:
            self._append_directories()

    def write(self, canvas: Canvas) -> None:
        """Append a page."""
        depth = 2 if canvas.deep else 1
        if self._writer is None:
            # 32-bit offsets reach 4 GB. Further pages are taken to be as large as the first.
            large = canvas.width * canvas.height * canvas.channels * depth > _CLASSIC_LIMIT
            self._writer = tifffile.TiffWriter(self._path, bigtiff=large)
        tags, directories = self._tags((canvas.width, canvas.height))
        rows = max(1, _STRIP_BYTES // (canvas.width * canvas.channels * depth))
        colour = canvas.channels >= 3
        dpi = self._metadata.dpi
        self._writer.write(
            _strips(canvas, rows),
            shape=(canvas.height, canvas.width) + (canvas.channels,) * (canvas.channels > 1),
            dtype="uint16" if canvas.deep else "uint8",
            photometric="rgb" if colour else "minisblack",
            planarconfig="contig" if canvas.channels > 1 else None,
            extrasamples=["unassalpha"] if canvas.has_alpha else None,
            compression="zlib",
            predictor=True,
            rowsperstrip=rows,
            iccprofile=self._metadata.icc,
            resolution=dpi,
            resolutionunit="inch" if dpi else None,
            metadata=None,
            software=False,
            extratags=tags,
            contiguous=False,
        )
        self._directories.append(directories)

    def _tags(self, size: tuple[int, int]) -> tuple[list[Any], dict[int, dict[int, Any]]]:
        """Return tifffile's form of the tags, with a placeholder for each EXIF directory."""
        values = exif_of_size(self._metadata.exif, size)
        if self._metadata.comment:
            values.setdefault(_IMAGE_DESCRIPTION, self._metadata.comment)
        tags: list[Any] = []
        directories: dict[int, dict[int, Any]] = {}
        for tag, value in values.items():
            if tag in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
                directories[int(tag)] = value
                tags.append((tag + _PLACEHOLDER, _IFD, 1, 0, True))
            elif isinstance(value, str):
                tags.append((tag, _ASCII, 0, value.encode(), True))
            elif isinstance(value, bytes):
                tags.append((tag, _BYTE, len(value), value, True))
            elif isinstance(value, int):
                tags.append((tag, _LONG, 1, value, True))
        for tag, kind, block in (
            (_XMP, _BYTE, self._metadata.xmp),
            (_IPTC, _UNDEFINED, self._metadata.iptc),
        ):
            if block:
                tags.append((tag, kind, len(block), block, True))
        return tags, directories

    def _append_directories(self) -> None:
        """Put the EXIF and GPS directories behind the pages and point the pages to them."""
        if not any(self._directories):
            return
        with tifffile.TiffFile(self._path, mode="r+") as file:
            handle = file.filehandle
            for page, directories in zip(file.pages, self._directories, strict=True):
                for tag, fields in directories.items():
                    offset = handle.seek(0, 2)
                    directory = TiffImagePlugin.ImageFileDirectory_v2(group=tag)
                    for field, value in fields.items():
                        directory[field] = value
                    handle.write(directory.tobytes(offset))
                    entry = page.aspage().tags[tag + _PLACEHOLDER]
                    entry.overwrite(offset)
                    handle.seek(entry.offset)
                    handle.write(struct.pack(file.byteorder + "H", tag))


def _strips(canvas: Canvas, rows: int) -> Iterator[bytes]:
    for top in range(0, canvas.height, rows):
        strip = canvas.rows(top, min(top + rows, canvas.height))
        differences = imagecodecs.delta_encode(strip, axis=1)
        yield bytes(imagecodecs.zlib_encode(differences.tobytes()))
