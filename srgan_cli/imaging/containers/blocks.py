"""The metadata blocks that the container parsers find, as raw bytes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Self

from srgan_cli.imaging.containers.directories import Entry

LARGEST_INFLATED = 2**24
"""Most bytes that a compressed block may unfold to."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """Pixels per unit along both sides."""

    x: float
    y: float
    unit: str = "inch"
    """``inch``, ``cm`` or ``metre``; empty where only the ratio of the sides is stated."""

    def per(self, unit: str) -> tuple[float, float]:
        """Return the values per ``inch``, ``cm`` or ``metre``; as they are without a unit."""
        metres = {"inch": 0.0254, "cm": 0.01, "metre": 1.0, "": 1.0}
        if unit == self.unit or not self.unit:
            return self.x, self.y
        factor = metres[unit] / metres[self.unit]
        return self.x * factor, self.y * factor

    def turned(self, orientation: int) -> Self:
        """Return the values after an EXIF orientation has been applied."""
        return replace(self, x=self.y, y=self.x) if orientation >= 5 else self

    @property
    def square(self) -> bool:
        """Whether pixels are as wide as high."""
        return abs(self.x - self.y) <= 1e-3 * max(self.x, self.y)


def resolution(x: float, y: float, unit: str) -> Resolution | None:
    """Return a resolution, or None for values that say nothing."""
    if not (0 < x < 1e9 and 0 < y < 1e9):
        return None
    return Resolution(x, y, unit)


@dataclass(frozen=True, slots=True)
class Coding:
    """How colours are coded, where no ICC profile says it."""

    cicp: tuple[int, int, int, int] | None = None
    """Colour primaries, transfer characteristics, matrix coefficients and full range, by
    ITU-T H.273: PNG's cICP, AVIF's and HEIC's nclx."""
    gamma: int | None = None
    """PNG's gAMA: the exponent of the encoding times 100,000."""
    chroma: tuple[int, ...] | None = None
    """PNG's cHRM: x and y of white, red, green and blue, times 100,000."""
    srgb: int | None = None
    """PNG's sRGB: the rendering intent."""
    light: tuple[tuple[bytes, bytes], ...] = ()
    """PNG's mDCV and cLLI: what a display needs to know of HDR images."""

    def __bool__(self) -> bool:
        """Whether anything is stated."""
        return self != Coding()


@dataclass(slots=True)
class Blocks:
    """Everything that is found. Absent parts are None or empty."""

    icc: bytes | None = None
    exif: bytes | None = None
    """From the byte-order mark on."""
    xmp: bytes | None = None
    iptc: bytes | None = None
    """IPTC-IIM records."""
    photoshop: list[tuple[int, bytes]] = field(default_factory=list)
    """Photoshop's other image resources: number, and the whole resource."""
    resolution: Resolution | None = None
    comments: list[bytes] = field(default_factory=list)
    text: list[tuple[bytes, bytes]] = field(default_factory=list)
    """PNG's chunks of text and time: type and data."""
    coding: Coding = field(default_factory=Coding)
    plays: int | None = None
    """How often an animation is shown; 0: for ever; None: the format does not say."""
    georeference: list[Entry] = field(default_factory=list)
    """GeoTIFF's tags."""
    paging: tuple[int, ...] = ()
    """A TIFF page's number, from 0, and the number of pages, as its PageNumber says."""
    is_page: bool = False
    """A TIFF page says that it is one of several (NewSubfileType 2)."""
    order: str = "<"
    """Byte order of the georeference."""
    lost: list[str] = field(default_factory=list)
    """Further contents of the file, in words, that no result has."""
    parts: list[str] = field(default_factory=list)
    """Those of them that are images, videos or channels of their own."""

    def lose(self, what: str, *, part: bool = False) -> None:
        """Note something that is not kept."""
        kind = self.parts if part else self.lost
        if what not in kind:
            kind.append(what)


@contextmanager
def mapped(path: Path) -> Iterator[mmap]:
    """Give a file's bytes without reading those that are not asked for.

    Raises:
        ValueError: The file is empty.
    """
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        yield data
