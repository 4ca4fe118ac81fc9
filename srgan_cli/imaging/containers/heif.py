"""AVIF and HEIC: items, their properties and what they refer to (ISO/IEC 23008-12)."""

import struct
from dataclasses import dataclass, field

from srgan_cli.imaging.containers.blocks import Blocks, Coding, Resolution
from srgan_cli.imaging.containers.boxes import Box, boxes, find
from srgan_cli.imaging.containers.directories import Buffer

_MOST_ITEMS = 20_000
_XMP_TYPE = b"application/rdf+xml"
_AUXILIARIES = {
    b"urn:com:apple:photo:2020:aux:hdrgainmap": "HDR gain map",
    b"urn:com:apple:photo:2018:aux:portraiteffectsmatte": "portrait matte",
    b"urn:mpeg:hevc:2015:auxid:2": "depth map",
    b"urn:mpeg:mpegB:cicp:systems:auxiliary:depth": "depth map",
}
_ALPHA = (b"urn:mpeg:hevc:2015:auxid:1", b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha")


@dataclass(slots=True)
class Items:
    """The items of a file's ``meta`` box."""

    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict)
    """Type of each item; with its MIME type, if it has one, behind a space."""
    extents: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    """Offset and length of the pieces of each item in the file."""
    properties: dict[int, list[Box]] = field(default_factory=dict)
    references: list[tuple[bytes, int, int]] = field(default_factory=list)
    """Kind of the reference, item that refers, item referred to."""


def read_items(data: Buffer) -> Items:
    """Find the items of a file."""
    items = Items()
    for meta in find(data, (b"meta",)):
        inner = {box.kind: box for box in boxes(data, meta.start + 4, meta.stop)}
        try:
            _read_meta(data, inner, items)
        except (struct.error, ValueError, IndexError):
            break
        break
    return items


def _read_meta(data: Buffer, inner: dict[bytes, Box], items: Items) -> None:
    if b"pitm" in inner:
        start = inner[b"pitm"].start
        code = ">H" if data[start] == 0 else ">I"
        (items.primary,) = struct.unpack_from(code, data, start + 4)
    if b"iinf" in inner:
        _read_kinds(data, inner[b"iinf"], items)
    if b"iloc" in inner:
        origin = inner[b"idat"].start if b"idat" in inner else 0
        _read_places(data, inner[b"iloc"], origin, items)
    if b"iprp" in inner:
        _read_properties(data, inner[b"iprp"], items)
    if b"iref" in inner:
        _read_references(data, inner[b"iref"], items)


def _read_kinds(data: Buffer, iinf: Box, items: Items) -> None:
    skip = 6 if data[iinf.start] == 0 else 8
    for entry in boxes(data, iinf.start + skip, iinf.stop):
        version = data[entry.start]
        if entry.kind != b"infe" or version < 2:
            continue
        code = ">HH4s" if version == 2 else ">IH4s"
        number, _, kind = struct.unpack_from(code, data, entry.start + 4)
        rest = bytes(data[entry.start + 4 + struct.calcsize(code) : entry.stop])
        names = rest.split(b"\0")
        if kind == b"mime" and len(names) > 1:
            kind = b"mime " + names[1]
        if len(items.kinds) < _MOST_ITEMS:
            items.kinds[number] = kind


class _Cursor:
    """Reads numbers of given widths one after the other."""

    def __init__(self, data: Buffer, position: int) -> None:
        self.data, self.position = data, position

    def take(self, width: int) -> int:
        value = int.from_bytes(self.data[self.position : self.position + width], "big")
        self.position += width
        return value


def _read_places(data: Buffer, iloc: Box, origin: int, items: Items) -> None:
    version = data[iloc.start]
    cursor = _Cursor(data, iloc.start + 4)
    sizes = cursor.take(2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    for _ in range(min(cursor.take(2 if version < 2 else 4), _MOST_ITEMS)):
        if cursor.position >= iloc.stop:
            return
        number = cursor.take(2 if version < 2 else 4)
        method = cursor.take(2) & 15 if version else 0
        cursor.take(2)
        base = cursor.take(base_size) + (origin if method == 1 else 0)
        pieces = []
        for _ in range(min(cursor.take(2), _MOST_ITEMS)):
            cursor.take(index_size)
            offset = cursor.take(offset_size)
            pieces.append((base + offset, cursor.take(length_size)))
            if cursor.position > iloc.stop:
                return
        if method < 2:
            items.extents[number] = pieces


def _read_properties(data: Buffer, iprp: Box, items: Items) -> None:
    inner = list(boxes(data, iprp.start, iprp.stop))
    store = [p for box in inner if box.kind == b"ipco" for p in boxes(data, box.start, box.stop)]
    for ipma in (box for box in inner if box.kind == b"ipma"):
        version, wide = data[ipma.start], data[ipma.start + 3] & 1
        cursor = _Cursor(data, ipma.start + 4)
        for _ in range(min(cursor.take(4), _MOST_ITEMS)):
            number = cursor.take(2 if version < 1 else 4)
            found = items.properties.setdefault(number, [])
            for _ in range(cursor.take(1)):
                index = cursor.take(2) & 0x7FFF if wide else cursor.take(1) & 0x7F
                if 0 < index <= len(store):
                    found.append(store[index - 1])
            if cursor.position > ipma.stop:
                return


def _read_references(data: Buffer, iref: Box, items: Items) -> None:
    width = 2 if data[iref.start] == 0 else 4
    for reference in boxes(data, iref.start + 4, iref.stop):
        cursor = _Cursor(data, reference.start)
        source = cursor.take(width)
        for _ in range(min(cursor.take(2), (reference.stop - cursor.position) // width)):
            items.references.append((reference.kind, source, cursor.take(width)))


def item_bytes(data: Buffer, items: Items, number: int) -> bytes:
    """Return the content of an item; empty where it is not within the file."""
    pieces = items.extents.get(number, [])
    if sum(length for _, length in pieces) > len(data):
        return b""
    return b"".join(bytes(data[start : start + length]) for start, length in pieces)


def read(data: Buffer) -> Blocks:
    """Collect what an AVIF or HEIC carries."""
    blocks = Blocks()
    items = read_items(data)
    for number, kind in items.kinds.items():
        _take_item(data, items, number, kind, blocks)
    _take_colour(data, items.properties.get(items.primary, []), blocks)
    for reference, source, _ in items.references:
        if reference == b"auxl":
            _take_auxiliary(data, items, source, blocks)
    if find(data, (b"moov",)):
        blocks.plays = _plays(data)
    return blocks


def _take_item(data: Buffer, items: Items, number: int, kind: bytes, blocks: Blocks) -> None:
    if kind == b"Exif" and blocks.exif is None:
        content = item_bytes(data, items, number)
        skip = 4 + int.from_bytes(content[:4], "big")
        blocks.exif = content[skip:].removeprefix(b"Exif\0\0") or None
    elif kind.startswith(b"mime ") and kind.removeprefix(b"mime ") == _XMP_TYPE:
        blocks.xmp = blocks.xmp or item_bytes(data, items, number) or None
    elif kind == b"tmap":
        blocks.lose("HDR gain map", part=True)
    elif kind.startswith((b"mime", b"uri ")):
        blocks.lose("embedded data")


def _take_auxiliary(data: Buffer, items: Items, number: int, blocks: Blocks) -> None:
    for box in items.properties.get(number, []):
        if box.kind == b"auxC":
            name = bytes(data[box.start + 4 : box.stop]).split(b"\0")[0]
            if name not in _ALPHA:
                blocks.lose(_AUXILIARIES.get(name, "auxiliary image"), part=True)


def _take_colour(data: Buffer, properties: list[Box], blocks: Blocks) -> None:
    for box in properties:
        kind = bytes(data[box.start : box.start + 4])
        if box.kind == b"colr" and kind in (b"prof", b"rICC"):
            blocks.icc = blocks.icc or bytes(data[box.start + 4 : box.stop])
        elif box.kind == b"colr" and kind == b"nclx" and box.stop - box.start >= 11:
            values = struct.unpack_from(">HHHB", data, box.start + 4)
            blocks.coding = Coding(cicp=(values[0], values[1], values[2], values[3] >> 7))
        elif box.kind == b"pasp" and box.stop - box.start >= 8:
            across, down = struct.unpack_from(">II", data, box.start)
            if across and down and across != down:  # Spacing, so the inverse of a resolution.
                blocks.resolution = Resolution(down, across, "")


def _plays(data: Buffer) -> int | None:
    """Return how often an image sequence is shown, by its edit list (AVIF 1.1, 9.1.2)."""
    for track in find(data, (b"moov", b"trak")):
        lists = find(data, (b"edts", b"elst"), track.start, track.stop)
        headers = find(data, (b"tkhd",), track.start, track.stop)
        if not lists or not headers:
            continue
        elst, tkhd = lists[0], headers[0]
        if not data[elst.start + 3] & 1:
            return 1
        wide = data[elst.start] == 1
        segment = int.from_bytes(data[elst.start + 8 : elst.start + (16 if wide else 12)], "big")
        wide = data[tkhd.start] == 1
        place, width = (tkhd.start + 28, 8) if wide else (tkhd.start + 20, 4)
        total = int.from_bytes(data[place : place + width], "big")
        if total == 256**width - 1 or not segment:
            return 0
        return -(-total // segment)
    return None


def depth(data: Buffer) -> int:
    """Return the bits per channel of the image shown; 8 where the file does not say."""
    items = read_items(data)
    for box in items.properties.get(items.primary, []):
        if box.kind == b"pixi" and box.stop - box.start > 5:
            return max(bytes(data[box.start + 5 : box.stop]))
        if box.kind == b"av1C" and box.stop - box.start >= 3:
            flags = data[box.start + 2]
            return (8, 10, 12)[(flags >> 6 & 1) + (flags >> 5 & 1 if flags >> 6 & 1 else 0)]
    return 8
