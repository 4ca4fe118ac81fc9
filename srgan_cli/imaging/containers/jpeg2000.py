"""JPEG 2000's boxes and the markers of its codestream (ISO/IEC 15444-1, annexes A and I)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from srgan_cli.imaging.containers.blocks import Blocks, Resolution, resolution
from srgan_cli.imaging.containers.boxes import Box, box, boxes, find
from srgan_cli.imaging.containers.directories import Buffer
from srgan_cli.imaging.containers.photoshop import packed, read_resources

_EXIF = b"JpgTiffExif->JP2"
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_IPTC = bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38")
_PHOTOSHOP = bytes.fromhex("2c4c0100850440b9a03e562148d6dfeb")
_GEOREFERENCE = bytes.fromhex("b14bf8bd083d4b43a5ae8cd7d5a6ce03")
_SIZ, _COD, _COM, _SOT, _EOC = 0xFF51, 0xFF52, 0xFF64, 0xFF90, 0xFFD9
_CODED = {b"jP  ", b"ftyp", b"jp2h", b"jp2c", b"rreq", b"free"}


@dataclass(frozen=True, slots=True)
class Codestream:
    """What the main header of a codestream says."""

    width: int
    height: int
    depths: tuple[int, ...]
    """Bits of each component."""
    comments: tuple[bytes, ...]


def codestream(data: Buffer) -> Codestream | None:
    """Read the main header of the (first) codestream; None where there is none."""
    start = 0
    if bytes(data[:4]) != b"\xff\x4f\xff\x51":
        found = find(data, (b"jp2c",))
        if not found:
            return None
        start = found[0].start
    if bytes(data[start : start + 4]) != b"\xff\x4f\xff\x51":
        return None
    right, bottom, left, top = struct.unpack_from(">4I", data, start + 8)
    (count,) = struct.unpack_from(">H", data, start + 40)
    if start + 42 + 3 * count > len(data):
        return None
    depths = tuple((data[start + 42 + 3 * n] & 0x7F) + 1 for n in range(count))
    comments = tuple(_comments(data, start + 2))
    return Codestream(right - left, bottom - top, depths, comments)


def _comments(data: Buffer, position: int) -> Iterator[bytes]:
    while position + 4 <= len(data):
        marker, length = struct.unpack_from(">HH", data, position)
        if marker in (_SOT, _EOC) or marker < 0xFF00:
            return
        if marker == _COM and length >= 4:
            yield bytes(data[position + 6 : position + 2 + length])
        position += 2 + length


def read(data: Buffer) -> Blocks:
    """Collect what a JPEG 2000 file carries."""
    blocks = Blocks()
    found = codestream(data)
    if found is not None:
        blocks.comments += found.comments
    if bytes(data[:4]) == b"\xff\x4f\xff\x51":
        return blocks
    for outer in boxes(data):
        if outer.kind == b"jp2h":
            _take_header(data, outer, blocks)
        elif outer.kind == b"uuid":
            _take_uuid(data, outer, blocks)
        elif outer.kind not in _CODED:
            blocks.lose(f"box {outer.kind.decode('latin-1').strip()!r}")
    return blocks


def _take_header(data: Buffer, header: Box, blocks: Blocks) -> None:
    for inner in boxes(data, header.start, header.stop):
        if inner.kind == b"colr" and data[inner.start] == 2 and blocks.icc is None:
            blocks.icc = bytes(data[inner.start + 3 : inner.stop]) or None
        elif inner.kind == b"res ":
            found = {b.kind: b for b in boxes(data, inner.start, inner.stop)}
            shown = found.get(b"resd", found.get(b"resc"))
            blocks.resolution = _resolution(data, shown) if shown else None


def _resolution(data: Buffer, res: Box) -> Resolution | None:
    if res.stop - res.start < 10:
        return None
    down, under_down, across, under_across = struct.unpack_from(">4H", data, res.start)
    scale_down, scale_across = struct.unpack_from(">bb", data, res.start + 8)
    if not under_down or not under_across:
        return None
    x = across / under_across * 10.0**scale_across
    return resolution(x, down / under_down * 10.0**scale_down, "metre")


def _take_uuid(data: Buffer, outer: Box, blocks: Blocks) -> None:
    name, content = bytes(data[outer.start : outer.start + 16]), data[outer.start + 16 : outer.stop]
    if name == _EXIF:
        blocks.exif = blocks.exif or bytes(content).removeprefix(b"Exif\0\0") or None
    elif name == _XMP:
        blocks.xmp = blocks.xmp or bytes(content) or None
    elif name == _IPTC:
        blocks.iptc = blocks.iptc or bytes(content) or None
    elif name == _PHOTOSHOP:
        read_resources(bytes(content), blocks)
    elif name == _GEOREFERENCE:
        blocks.lose("georeference")
    else:
        blocks.lose("box 'uuid'")


def with_metadata(jp2: bytes, blocks: Blocks) -> bytes:
    """Put metadata into a file that an encoder has made without any."""
    parts = []
    for outer in boxes(jp2):
        content = jp2[outer.start : outer.stop]
        if outer.kind == b"jp2h":
            parts.append(box(b"jp2h", _header(content, blocks)))
        else:
            parts.append(jp2[outer.place : outer.stop])
    # Behind the codestream: readers expect that right behind the header.
    parts += [box(b"uuid", name + data) for name, data in _uuids(blocks)]
    return b"".join(parts)


def _header(content: bytes, blocks: Blocks) -> bytes:
    parts = []
    for inner in boxes(content):
        if inner.kind == b"colr" and blocks.icc:
            parts.append(box(b"colr", b"\2\0\0" + blocks.icc))
        else:
            parts.append(content[inner.place : inner.stop])
    if blocks.resolution is not None and blocks.resolution.unit:
        x, y = (_fraction(value) for value in blocks.resolution.per("metre"))
        numbers = struct.pack(">4Hbb", *y[:2], *x[:2], y[2], x[2])
        # As captured and as displayed; some readers know only one of them.
        parts.append(box(b"res ", box(b"resc", numbers) + box(b"resd", numbers)))
    return b"".join(parts)


def _fraction(value: float) -> tuple[int, int, int]:
    """Return numerator, denominator and power of ten, which some readers take as unsigned."""
    power, under = 0, 10_000
    while under > 1 and value * under > 65535:
        under //= 10
    while value / 10**power > 65535:
        power += 1
    return max(1, round(value / 10**power * under)), under, power


def _uuids(blocks: Blocks) -> Iterator[tuple[bytes, bytes]]:
    if blocks.exif:
        yield _EXIF, blocks.exif
    if blocks.xmp:
        yield _XMP, blocks.xmp
    if blocks.photoshop:
        yield _PHOTOSHOP, packed(blocks.iptc, blocks.photoshop)
    elif blocks.iptc:
        yield _IPTC, blocks.iptc
