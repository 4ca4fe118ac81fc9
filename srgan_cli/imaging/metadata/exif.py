"""EXIF as it stands: every entry keeps its type, its count and its bytes.

A block is changed in place where that is possible, so that nothing moves in it: maker notes
hold offsets that count from the start of the block (CIPA DC-008, 4.6.2).
"""

import struct
from collections.abc import Iterator, Mapping, Sequence

from srgan_cli.imaging.containers.blocks import Resolution
from srgan_cli.imaging.containers.blocks import resolution as stated_resolution
from srgan_cli.imaging.containers.directories import (
    Branch,
    Directory,
    Entry,
    Field,
    Tiff,
    pack_tiff,
)

EXIF, GPS, INTEROP = 0x8769, 0x8825, 0xA005
"""Tags that lead to directories of their own."""
_CHILDREN = {0: (EXIF, GPS), EXIF: (INTEROP,)}
_ORIENTATION = 0x0112
# Width and height of the image: of TIFF, of EXIF, of the interoperability directory.
_WIDTHS, _HEIGHTS = {0x0100, 0xA002, 0x1001}, {0x0101, 0xA003, 0x1002}
_COLOUR_SPACE, _INTEROP_INDEX = 0xA001, 0x0001
_TIME_TAKEN, _MAKER_NOTE = 0x9003, 0x927C
_MOVABLE = (b"Nikon\0", b"FUJIFILM", b"OLYMPUS\0", b"OM SYSTEM\0", b"Apple iOS\0")
"""Maker notes whose offsets count from their own start."""
_SHORT, _LONG = 3, 4
_THUMBNAIL, _THUMBNAIL_SIZE = 0x0201, 0x0202
_RESOLUTION_TAGS = (0x011A, 0x011B, 0x0128)

LAYOUT = {
    *range(0x00FE, 0x010E),  # NewSubfileType … WhiteIsZero, Threshholding …
    *range(0x0111, 0x011D),  # StripOffsets … PlanarConfiguration
    *range(0x011E, 0x012A),  # positions, grey response, T4 and T6 options, PageNumber
    0x012D,  # TransferFunction
    *range(0x013D, 0x0160),  # Predictor … JPEGTables
    *range(0x0200, 0x020A),  # old JPEG
    *range(0x0211, 0x0215),  # YCbCr
    0x022F,  # StripRowCounts
    0x80E3,  # Matteing
    0x80E4,  # DataType
    0x80E5,  # ImageDepth
    0x80E6,  # TileDepth
} - {0x010D}
"""Tags of a TIFF's own pixels; DocumentName, 0x010D, stands between them."""
BLOCKS = {700, 33723, 34377, 34675, EXIF, GPS, INTEROP}
"""Tags that hold XMP, IPTC, Photoshop's resources and an ICC profile, or lead to directories."""


def walk(tiff: Tiff) -> Iterator[tuple[int, Directory]]:
    """Yield the directories of a block, each with the tag that leads to it (0: the first).

    Raises:
        ValueError: The first directory cannot be read; others are skipped.
    """
    waiting = [(0, tiff.first)]
    seen: set[int] = set()
    while waiting:
        tag, start = waiting.pop(0)
        if start in seen:
            continue
        seen.add(start)
        try:
            directory = tiff.directory(start)
        except ValueError:
            if tag == 0:
                raise
            continue
        yield tag, directory
        for child in _CHILDREN.get(tag, ()):
            where = tiff.number(directory, child, 0)
            if where:
                waiting.append((child, where))


def orientation(block: bytes) -> int | None:
    """Return the orientation, 1 to 8; None where none is stated that makes sense."""
    try:
        tiff = Tiff(block)
        value = tiff.number(tiff.directory(tiff.first), _ORIENTATION, 0)
    except ValueError:
        return None
    return value if value in range(1, 9) else None


def updated(block: bytes, size: tuple[int, int], *, srgb: bool = False) -> bytes:
    """Return a block that describes a result: upright, of its size, without thumbnail.

    Args:
        block: From the byte-order mark on.
        size: Width and height of the result.
        srgb: The colours have become sRGB: what says otherwise is corrected.

    Raises:
        ValueError: The block is damaged.
    """
    tiff = Tiff(bytearray(block))
    used: list[tuple[int, int]] = [(0, 8)]
    for tag, directory in walk(tiff):
        used.append((directory.start, directory.next_place + 4))
        for field in directory.fields.values():
            used.append((field.start, field.start + field.size))
            _correct(tiff, tag, field, size, srgb=srgb)
        if tag == 0:
            main = directory
    _remove_thumbnail(tiff, main, used)
    return bytes(tiff.data)


def _correct(
    tiff: Tiff, directory: int, field: Field, size: tuple[int, int], *, srgb: bool
) -> None:
    """Set the value of one entry where it is stored, if it describes the old image."""
    is_colour = directory == EXIF and field.tag == _COLOUR_SPACE
    if directory == 0 and field.tag == _ORIENTATION:
        _set_number(tiff, field, 1)
    elif directory != GPS and field.tag in _WIDTHS:
        _set_number(tiff, field, size[0])
    elif directory != GPS and field.tag in _HEIGHTS:
        _set_number(tiff, field, size[1])
    elif srgb and is_colour:
        _set_number(tiff, field, 1)
    elif srgb and directory == INTEROP and field.tag == _INTEROP_INDEX and field.size == 4:
        _store(tiff, field.start, b"R98\0")


def _set_number(tiff: Tiff, field: Field, value: int) -> None:
    """Store one whole number; a SHORT becomes a LONG where the number demands it."""
    if field.count != 1 or field.kind not in (_SHORT, _LONG) or tiff.big:
        return
    kind = _LONG if value > 0xFFFF else field.kind
    packed = struct.pack(tiff.order + ("H2x" if kind == _SHORT else "I"), value)
    _store(tiff, field.place + 2, struct.pack(tiff.order + "H", kind))
    _store(tiff, field.place + 8, packed)


def _store(tiff: Tiff, place: int, data: bytes) -> None:
    assert isinstance(tiff.data, bytearray)
    if place + len(data) <= len(tiff.data):
        tiff.data[place : place + len(data)] = data


def _remove_thumbnail(tiff: Tiff, main: Directory, used: Sequence[tuple[int, int]]) -> None:
    """Cut off the second directory, which is the thumbnail's, and blank all that it holds."""
    assert isinstance(tiff.data, bytearray)
    freed: list[tuple[int, int]] = []
    for directory in tiff.chain(main.next):
        freed.append((directory.start, directory.next_place + 4))
        freed += [(f.start, f.start + f.size) for f in directory.fields.values()]
        start = tiff.number(directory, _THUMBNAIL, 0)
        freed.append((start, start + tiff.number(directory, _THUMBNAIL_SIZE, 0)))
    _store(tiff, main.next_place, bytes(4))
    for start, end in freed:
        stop = min(end, len(tiff.data))
        if start < stop and not any(start < last and first < stop for first, last in used):
            tiff.data[start:stop] = bytes(stop - start)
    last = max(stop for _, stop in used if stop <= len(tiff.data))
    if freed and not any(tiff.data[last:]):
        del tiff.data[last:]


def branch(tiff: Tiff, directory: Directory, *, skipped: set[int]) -> Branch:
    """Take a directory and its children with all values; damaged entries are skipped.

    Args:
        tiff: The file or block.
        directory: A first directory, of a block or of a page.
        skipped: Tags that are not taken from it.
    """
    children = {}
    for tag in _CHILDREN[0]:
        where = tiff.number(directory, tag, 0)
        found = _child(tiff, tag, where) if where else None
        if found is not None:
            children[tag] = found
    entries = _entries(tiff, directory, skipped | {EXIF, GPS, INTEROP})
    return Branch(entries, children)


def _child(tiff: Tiff, tag: int, start: int) -> Branch | None:
    try:
        directory = tiff.directory(start)
    except ValueError:
        return None
    children = {}
    for below in _CHILDREN.get(tag, ()):
        where = tiff.number(directory, below, 0)
        found = _child(tiff, below, where) if where else None
        if found is not None:
            children[below] = found
    return Branch(_entries(tiff, directory, {EXIF, GPS, INTEROP}), children)


def _entries(tiff: Tiff, directory: Directory, skipped: set[int]) -> list[Entry]:
    entries = []
    room = len(tiff.data)  # Entries that share their bytes cannot be more than there is.
    for field in directory.fields.values():
        if field.tag in skipped or field.kind > 13:
            continue
        room -= field.size
        try:
            if room >= 0:
                entries.append(tiff.entry(field))
        except ValueError:
            continue
    return entries


def renamed(block: bytes, tag: int, new: int) -> bytes:
    """Return a block whose first directory has another number in place of a tag."""
    tiff = Tiff(bytearray(block))
    field = tiff.directory(tiff.first).fields.get(tag)
    if field is not None:
        _store(tiff, field.place, struct.pack(tiff.order + "H", new))
    return bytes(tiff.data)


def is_adobe_rgb(block: bytes) -> bool:
    """Say whether a camera has declared Adobe RGB, as DCF 2.0 (section 3.3.5) does without ICC."""
    space, index = 0, b""
    try:
        tiff = Tiff(block)
        for tag, directory in walk(tiff):
            if tag == EXIF:
                space = tiff.number(directory, _COLOUR_SPACE, 0)
            elif tag == INTEROP:
                index = tiff.text(directory, _INTEROP_INDEX)
    except ValueError:
        return False
    return index == b"R03" and space in (0xFFFF, 2)


def has_fixed_offsets(block: bytes) -> bool:
    """Say whether there is a maker note that can only be read where it stands."""
    try:
        tiff = Tiff(block)
        for tag, directory in walk(tiff):
            note = directory.fields.get(_MAKER_NOTE) if tag == EXIF else None
            if note is not None:
                return not tiff.value(note).startswith(_MOVABLE)
    except ValueError:
        pass
    return False


def time_taken(block: bytes) -> str:
    """Return DateTimeOriginal, ``YYYY:MM:DD HH:MM:SS``; empty where it is not stated."""
    try:
        tiff = Tiff(block)
        for tag, directory in walk(tiff):
            if tag == EXIF:
                return tiff.text(directory, _TIME_TAKEN).decode("ascii", "replace")
    except ValueError:
        pass
    return ""


def resolution(block: bytes) -> Resolution | None:
    """Return what XResolution, YResolution and ResolutionUnit say, where they are."""
    try:
        tiff = Tiff(block)
        directory = tiff.directory(tiff.first)
        x, y = (_rational(tiff, directory.fields.get(tag)) for tag in _RESOLUTION_TAGS[:2])
    except ValueError:
        return None
    if x is None or y is None:
        return None
    unit = {1: "", 3: "cm"}.get(tiff.number(directory, _RESOLUTION_TAGS[2], 2), "inch")
    return stated_resolution(x, y, unit)


def _rational(tiff: Tiff, field: Field | None) -> float | None:
    if field is None or field.kind != 5 or field.count != 1:
        return None
    over, under = struct.unpack(tiff.order + "II", tiff.value(field))
    return over / under if under else None


def of_branch(entries: Sequence[Entry], children: Mapping[int, Branch], order: str) -> bytes:
    """Return a new block; empty without any entry."""
    if not entries and not children:
        return b""
    return pack_tiff(Branch(entries, children), order)
