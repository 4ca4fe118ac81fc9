"""WebP's chunks (RFC 9649)."""

import re
import struct
from collections.abc import Iterator

from srgan_cli.imaging.containers.blocks import Blocks
from srgan_cli.imaging.containers.directories import Buffer

_CODED = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANMF"}


def chunks(data: Buffer) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, start and end of each chunk's data; ends where the file is cut short."""
    position = 12
    while position + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, position)
        start, stop = position + 8, position + 8 + length
        if stop > len(data):
            return
        yield kind, start, stop
        position = stop + length % 2


def size(data: Buffer) -> tuple[int, int] | None:
    """Return width and height by a file's first 30 bytes; None where they are not told."""
    header = bytes(data[:30])
    if header[:4] != b"RIFF" or header[8:12] != b"WEBP" or len(header) < 30:
        return None
    match header[12:16]:
        case b"VP8X":
            return _integer(header[24:27]) + 1, _integer(header[27:30]) + 1
        case b"VP8L":
            bits = _integer(header[21:25])
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            return _integer(header[26:28]) & 0x3FFF, _integer(header[28:30]) & 0x3FFF
    return None


def _integer(data: bytes) -> int:
    return int.from_bytes(data, "little")


def read(data: Buffer) -> Blocks:
    """Collect what a WebP carries."""
    blocks = Blocks()
    for kind, start, stop in chunks(data):
        content = bytes(data[start : min(stop, start + 8)]) if kind in _CODED else data[start:stop]
        if kind == b"ICCP":
            blocks.icc = blocks.icc or bytes(content)
        elif kind == b"EXIF":
            blocks.exif = blocks.exif or bytes(content).removeprefix(b"Exif\0\0")
        elif kind == b"XMP ":
            blocks.xmp = blocks.xmp or bytes(content)
        elif kind == b"ANIM" and stop - start >= 6:
            (blocks.plays,) = struct.unpack_from("<H", data, start + 4)
        elif kind == b"C2PA":
            blocks.lose("content credentials (C2PA)")
        elif kind not in _CODED and kind != b"ANIM":
            label = re.sub(r"[^ -~]", "?", kind.decode("latin-1"))
            blocks.lose(f"chunk {label}")
    return blocks
