"""The pages of a TIFF: which directories they are, what they carry, and what is no image."""

import struct
from collections.abc import Iterator, Mapping

from srgan_cli.imaging.containers.blocks import Blocks, Resolution, resolution
from srgan_cli.imaging.containers.directories import Buffer, Directory, Field, Tiff
from srgan_cli.imaging.containers.photoshop import read_resources
from srgan_cli.imaging.metadata import exif

SUBFILE, OLD_SUBFILE, WIDTH, HEIGHT, BITS = 254, 255, 256, 257, 258
COMPRESSION, PHOTOMETRIC, SAMPLES = 259, 262, 277
TILE_WIDTH, TILE_HEIGHT, SUB_DIRECTORIES, EXTRA_SAMPLES = 322, 323, 330, 338
SAMPLE_FORMAT, DEPTH = 339, 32997
_DNG_VERSION, _CFA_PATTERN = 50706, 33422
_CFA, _LINEAR_RAW = 32803, 34892
# Of Nikon, Sony, Samsung, Pentax, Kodak: codings of a sensor's levels.
_RAW_COMPRESSIONS = {32767, 32769, 32770, 34713, 65000, 65535}
_REDUCED, _PAGE, _MASK = 1, 2, 4
_IMAGE_DESCRIPTION, _PAGE_NUMBER = 270, 297
_OLD_REDUCED = 2
_MOST_PAGES = 100_000

GEOREFERENCE = {33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113}
"""GeoTIFF's tags, and GDAL's."""
_GEO_LOST = {50844}  # Coefficients in terms of the old pixels.
_LAYERS, _LAYER_NOTES = 37724, 50255
_SILENT = {59932, 59933, 50341, 50674} | exif.LAYOUT | exif.BLOCKS | {_LAYER_NOTES}
"""Padding, a printer's hints, LERC's parameters, and what describes the file itself."""
_DESCRIPTIVE = (
    range(32768),
    range(33432, 33438),  # Copyright, exposure
    range(34850, 34867),
    range(36864, 37522),
    range(40091, 40096),  # Windows' title … subject
    range(41483, 42113),
)
_UNITS = {1: "", 2: "inch", 3: "cm"}


class Pages:
    """The directories of a TIFF that are images of their own.

    Args:
        data: The whole file.

    Raises:
        ValueError: It is not a TIFF, or has no directory.
    """

    def __init__(self, data: Buffer) -> None:
        self.tiff = Tiff(data)
        chain = [
            d for d, _ in zip(self.tiff.chain(self.tiff.first), range(_MOST_PAGES), strict=False)
        ]
        if not chain:
            raise ValueError("no image in it")
        reduced = [self._is_reduced(directory) for directory in chain]
        masks = [bool(self._subfile(directory) & _MASK) for directory in chain]
        whole = [n for n in range(len(chain)) if not reduced[n] and not masks[n]]
        # A file of thumbnails alone shows those.
        self.indices = tuple(whole or [n for n in range(len(chain)) if not masks[n]] or [0])
        """Number of each page in the chain of directories."""
        self.pages = tuple(chain[n] for n in self.indices)
        below = [self._is_reduced(d) for page in self.pages for d in self._below(page)]
        self.num_reduced = (sum(reduced) if whole else 0) + sum(below)
        """Smaller copies of the images."""
        self.num_masks = sum(masks) if whole else 0
        self.num_further = len(below) - sum(below)
        """Images in directories below the pages that are not copies of them."""
        self._chain = chain

    def _subfile(self, directory: Directory) -> int:
        return self.tiff.number(directory, SUBFILE, 0)

    def _is_reduced(self, directory: Directory) -> bool:
        old = self.tiff.number(directory, OLD_SUBFILE, 0) == _OLD_REDUCED
        return bool(self._subfile(directory) & _REDUCED) or old

    def sizes(self) -> Iterator[tuple[int, int]]:
        """Yield width and height of each page, as stored."""
        for page in self.pages:
            yield self.tiff.number(page, WIDTH, 0), self.tiff.number(page, HEIGHT, 0)

    def is_raw(self) -> bool:
        """Say whether the file holds the undeveloped levels of a sensor."""
        if any(_DNG_VERSION in directory.fields for directory in self._chain):
            return True
        below = [d for directory in self._chain for d in self._below(directory)]
        if any(self._is_sensor(directory) for directory in [*self._chain, *below]):
            return True
        # A preview with the image itself in a directory below it is how raw files are built.
        first = self._chain[0]
        is_preview = all(self._is_reduced(directory) for directory in self._chain)
        return (
            is_preview
            and SUB_DIRECTORIES in first.fields
            and any(not self._is_reduced(directory) for directory in below)
        )

    def _below(self, directory: Directory) -> Iterator[Directory]:
        for start in self.tiff.numbers(directory, SUB_DIRECTORIES, most=100):
            try:
                yield self.tiff.directory(start)
            except ValueError:
                continue

    def _is_sensor(self, directory: Directory) -> bool:
        number = self.tiff.number
        return (
            number(directory, PHOTOMETRIC, 0) in (_CFA, _LINEAR_RAW)
            or _CFA_PATTERN in directory.fields
            or number(directory, COMPRESSION, 1) in _RAW_COMPRESSIONS
        )

    def blocks(self, number: int) -> Blocks:
        """Collect what a page carries."""
        tiff, page = self.tiff, self.pages[number]
        found = Blocks(order=tiff.order)
        private = {tag for tag in page.fields if not any(tag in r for r in _DESCRIPTIVE)}
        taken = exif.branch(tiff, page, skipped=exif.LAYOUT | exif.BLOCKS | private)
        found.exif = exif.of_branch(taken.entries, taken.children, tiff.order) or None
        found.icc = self._bytes(page.fields, 34675)
        found.xmp = self._bytes(page.fields, 700)
        found.iptc = self._bytes(page.fields, 33723)
        resources = self._bytes(page.fields, 34377)
        if resources:
            read_resources(resources, found)
        found.resolution = self._resolution(page)
        paging = tiff.numbers(page, _PAGE_NUMBER)
        stated = len(paging) == 2 and all(0 <= number < 2**16 for number in paging)
        found.paging = paging if stated else ()
        found.is_page = bool(self._subfile(page) & _PAGE)
        self._take_private(page, private, found)
        if _IMAGE_DESCRIPTION in page.repeated:
            found.lose("a second ImageDescription")
        return found

    def _take_private(self, page: Directory, private: set[int], found: Blocks) -> None:
        for tag in sorted(private - _SILENT):
            if tag in GEOREFERENCE:
                try:
                    found.georeference.append(self.tiff.entry(page.fields[tag]))
                except ValueError:
                    found.lose("georeference")
            elif tag in _GEO_LOST:
                found.lose("georeference")
            elif tag == _LAYERS:
                found.lose("Photoshop's layers", part=True)
            else:
                found.lose(f"private tag {tag}")

    def _bytes(self, fields: Mapping[int, Field], tag: int) -> bytes | None:
        try:
            return self.tiff.value(fields[tag]) if tag in fields else None
        except ValueError:
            return None

    def _resolution(self, page: Directory) -> Resolution | None:
        values = []
        for tag in (282, 283):
            where = page.fields.get(tag)
            if where is None or where.kind != 5 or where.count != 1:
                return None
            try:
                over, under = struct.unpack(self.tiff.order + "II", self.tiff.value(where))
            except ValueError:
                return None
            if not under:
                return None
            values.append(over / under)
        unit = _UNITS.get(self.tiff.number(page, 296, 2), "inch")
        return resolution(values[0], values[1], unit)
