"""Boxes: the structure of AVIF, HEIC, JPEG 2000 and JPEG XL (ISO/IEC 14496-12, 4.2)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from srgan_cli.imaging.containers.directories import Buffer

_MOST_BOXES = 100_000


@dataclass(frozen=True, slots=True)
class Box:
    """One box."""

    kind: bytes
    place: int
    """Offset of its header."""
    start: int
    """Offset of its content."""
    stop: int


def boxes(data: Buffer, start: int = 0, stop: int | None = None) -> Iterator[Box]:
    """Yield the boxes of a span; ends where one does not fit into it."""
    stop = len(data) if stop is None else min(stop, len(data))
    for _ in range(_MOST_BOXES):
        if start + 8 > stop:
            return
        length, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if length == 1:
            if start + 16 > stop:
                return
            (length,) = struct.unpack_from(">Q", data, start + 8)
            head = 16
        elif length == 0:
            length = stop - start
        if length < head or start + length > stop:
            return
        yield Box(kind, start, start + head, start + length)
        start += length


def find(
    data: Buffer, path: tuple[bytes, ...], start: int = 0, stop: int | None = None
) -> list[Box]:
    """Return the boxes at a path of types; the full boxes ``meta`` and ``iref`` are entered."""
    found = [box for box in boxes(data, start, stop) if box.kind == path[0]]
    if len(path) == 1:
        return found
    inner = []
    for box in found:
        skip = 4 if box.kind in (b"meta", b"iref") else 0
        inner += find(data, path[1:], box.start + skip, box.stop)
    return inner


def box(kind: bytes, content: bytes) -> bytes:
    """Return a box."""
    return struct.pack(">I4s", len(content) + 8, kind) + content
