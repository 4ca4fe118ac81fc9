"""TIFF directories, read and written entry by entry: the structure of TIFF, EXIF and raw files.

A value is never interpreted on the way through: an entry is its tag, its type, its count and
its bytes in the file's own byte order (TIFF 6.0, section 2; BigTIFF: 64-bit offsets).
"""

import mmap
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

Buffer = bytes | bytearray | memoryview | mmap.mmap

SIZES = {
    1: 1,  # BYTE
    2: 1,  # ASCII
    3: 2,  # SHORT
    4: 4,  # LONG
    5: 8,  # RATIONAL
    6: 1,  # SBYTE
    7: 1,  # UNDEFINED
    8: 2,  # SSHORT
    9: 4,  # SLONG
    10: 8,  # SRATIONAL
    11: 4,  # FLOAT
    12: 8,  # DOUBLE
    13: 4,  # IFD
    16: 8,  # LONG8
    17: 8,  # SLONG8
    18: 8,  # IFD8
}
"""Bytes of one value, by its type."""

_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_MOST_DIRECTORIES = 100_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a directory, with its value."""

    tag: int
    kind: int
    """Type, 1 to 18."""
    count: int
    data: bytes
    """``count`` values in the byte order of the file."""


@dataclass(frozen=True, slots=True)
class Field:
    """Where an entry and its value are in a file."""

    tag: int
    kind: int
    count: int
    place: int
    """Offset of the entry itself."""
    start: int
    """Offset of its value."""
    size: int
    """Bytes of its value; 0 for a type that nobody knows."""


@dataclass(frozen=True, slots=True)
class Directory:
    """The entries of one directory."""

    start: int
    fields: Mapping[int, Field]
    """By tag; of a tag that stands twice, the first."""
    next_place: int
    """Offset of the offset of the next directory."""
    next: int
    """Offset of the next directory, or 0."""
    repeated: frozenset[int] = frozenset()
    """Tags that stand more than once."""


class Tiff:
    """A TIFF structure in memory, or in a mapped file.

    Args:
        data: From the byte-order mark on.

    Raises:
        ValueError: It does not begin like a TIFF.
    """

    def __init__(self, data: Buffer) -> None:
        self.data = data
        mark, number = bytes(data[:2]), bytes(data[2:4])
        self.order = {b"II": "<", b"MM": ">"}.get(mark, "")
        """``<`` or ``>``, as :mod:`struct` names byte orders."""
        if not self.order or len(data) < 8:
            raise ValueError("no TIFF header")
        version = self._number("H", 2)
        self.big = version == 43
        """Whether offsets have 64 bits."""
        if version not in (42, 43) or (self.big and number + bytes(data[4:8]) != self._big_mark()):
            raise ValueError("no TIFF header")
        self.first = self._number("Q", 8) if self.big else self._number("I", 4)
        """Offset of the first directory."""

    def _big_mark(self) -> bytes:
        return struct.pack(self.order + "HHH", 43, 8, 0)

    def _number(self, code: str, offset: int) -> int:
        try:
            (value,) = struct.unpack_from(self.order + code, self.data, offset)
        except (struct.error, OverflowError) as error:  # The latter: from 2**63 on.
            raise ValueError("cut short") from error
        return int(value)

    def directory(self, start: int) -> Directory:
        """Read the directory at an offset.

        Raises:
            ValueError: It is not within the data.
        """
        # Count of entries, size of one, room for a value in it, code of an offset.
        width, entry, inline, code = (8, 20, 8, "Q") if self.big else (2, 12, 4, "I")
        count = self._number("Q" if self.big else "H", start)
        end = start + width + count * entry
        if not count or end > len(self.data):
            raise ValueError("a directory that is empty or cut short")
        fields: dict[int, Field] = {}
        repeated: set[int] = set()
        for place in range(start + width, end, entry):
            tag, kind = struct.unpack_from(self.order + "HH", self.data, place)
            values = self._number(code, place + 4)
            size = SIZES.get(kind, 0) * values
            slot = place + entry - inline
            where = slot if size <= inline else self._number(code, slot)
            if tag in fields:
                repeated.add(tag)
            fields.setdefault(tag, Field(tag, kind, values, place, where, size))
        try:
            following = self._number(code, end)
        except ValueError:  # Some writers end the file here.
            following = 0
        return Directory(start, fields, end, following, frozenset(repeated))

    def chain(self, start: int) -> Iterator[Directory]:
        """Read a directory and those that follow it; ends where the chain is broken or a loop."""
        seen: set[int] = set()
        while start and start not in seen and len(seen) < _MOST_DIRECTORIES:
            seen.add(start)
            try:
                directory = self.directory(start)
            except ValueError:
                return
            yield directory
            start = directory.next

    def value(self, where: Field) -> bytes:
        """Return the bytes of a value.

        Raises:
            ValueError: They are not within the data, or of an unknown type.
        """
        if not where.size or where.start + where.size > len(self.data):
            raise ValueError(f"the value of tag {where.tag} is not within the file")
        return bytes(self.data[where.start : where.start + where.size])

    def entry(self, where: Field) -> Entry:
        """Return an entry with its value.

        Raises:
            ValueError: As :meth:`value`.
        """
        return Entry(where.tag, where.kind, where.count, self.value(where))

    def numbers(self, directory: Directory, tag: int, *, most: int = 65536) -> tuple[int, ...]:
        """Return the whole numbers of a tag, at most ``most``; none where there are none."""
        where = directory.fields.get(tag)
        code = _INTEGERS.get(where.kind) if where else None
        if where is None or code is None:
            return ()
        count = min(where.count, most)
        if where.start + count * SIZES[where.kind] > len(self.data):
            return ()
        return struct.unpack_from(f"{self.order}{count}{code}", self.data, where.start)

    def number(self, directory: Directory, tag: int, default: int) -> int:
        """Return the first whole number of a tag."""
        return next(iter(self.numbers(directory, tag, most=1)), default)

    def text(self, directory: Directory, tag: int) -> bytes:
        """Return the bytes of a text without its end; empty where there is none."""
        where = directory.fields.get(tag)
        try:
            return self.value(where).split(b"\0")[0] if where and where.kind == 2 else b""
        except ValueError:
            return b""


@dataclass(frozen=True, slots=True)
class Branch:
    """A directory to be written, with those that its entries point to."""

    entries: Sequence[Entry]
    children: Mapping[int, "Branch"] = field(default_factory=dict)
    """By the tag of the entry that leads to it; not among ``entries``."""


def pack_directory(branch: Branch, order: str, start: int) -> bytes:
    """Return the bytes of a directory, its values and its children.

    Args:
        branch: What to write.
        order: ``<`` or ``>``.
        start: Offset that the bytes are going to have.
    """
    links = [Entry(tag, 4, 1, bytes(4)) for tag in branch.children]
    entries = sorted([*branch.entries, *links], key=lambda entry: entry.tag)
    head = 2 + 12 * len(entries) + 4
    table, body = struct.pack(order + "H", len(entries)), bytearray()
    for entry in entries:
        data = entry.data
        if entry.tag in branch.children:
            child = pack_directory(branch.children[entry.tag], order, start + head + len(body))
            data = struct.pack(order + "I", start + head + len(body))
            body += child
        table += struct.pack(order + "HHI", entry.tag, entry.kind, entry.count)
        if len(data) <= 4:
            table += data.ljust(4, b"\0")
        else:
            table += struct.pack(order + "I", start + head + len(body))
            body += data + b"\0" * (len(data) % 2)
    return table + bytes(4) + bytes(body)


def pack_tiff(branch: Branch, order: str) -> bytes:
    """Return a TIFF structure of one directory, as EXIF is stored."""
    header = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    return header + pack_directory(branch, order, 8)
