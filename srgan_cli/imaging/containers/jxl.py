"""JPEG XL: its boxes, and the size in its codestream (ISO/IEC 18181-1 and -2)."""

import imagecodecs

from srgan_cli.imaging.containers.blocks import LARGEST_INFLATED, Blocks
from srgan_cli.imaging.containers.boxes import Box, boxes
from srgan_cli.imaging.containers.directories import Buffer

_BARE, _CODED = b"\xff\x0a", {b"JXL ", b"ftyp", b"jxlc", b"jxlp", b"jxll", b"jxli", b"jbrd"}
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


def read(data: Buffer) -> Blocks:
    """Collect what a JPEG XL file carries."""
    blocks = Blocks()
    if bytes(data[:2]) == _BARE:
        return blocks
    for box in boxes(data):
        kind, content = _content(data, box)
        if kind == b"Exif":
            bare = content[:4] in (b"II*\0", b"MM\0*")  # As some encoders write it.
            skip = 0 if bare else 4 + int.from_bytes(content[:4], "big")
            blocks.exif = content[skip:].removeprefix(b"Exif\0\0") or None
        elif kind == b"xml ":
            blocks.xmp = blocks.xmp or content or None
        elif kind == b"jumb":
            blocks.lose("content credentials (C2PA)")
        elif kind == b"jhgm":
            blocks.lose("HDR gain map", part=True)
        elif kind not in _CODED:
            blocks.lose(f"box {kind.decode('latin-1').strip()!r}")
    return blocks


def _content(data: Buffer, box: Box) -> tuple[bytes, bytes]:
    if box.kind in _CODED:
        return box.kind, b""
    content = bytes(data[box.start : box.stop])
    if box.kind != b"brob":
        return box.kind, content
    try:
        return content[:4], bytes(imagecodecs.brotli_decode(content[4:], out=LARGEST_INFLATED))
    except (RuntimeError, ValueError, TypeError):
        return b"free", b""


def size(data: Buffer) -> tuple[int, int] | None:
    """Return width and height as they are stored, by the codestream's first bits (D.2)."""
    head = bytes(data[:2])
    if head == _BARE:
        return _size(bytes(data[2:16]))
    for box in boxes(data):
        if box.kind in (b"jxlc", b"jxlp"):
            start = box.start + (4 if box.kind == b"jxlp" else 0)
            stream = bytes(data[start : start + 16])
            return _size(stream[2:]) if stream[:2] == _BARE else None
    return None


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, count: int) -> int:
        if count > self._left:
            raise ValueError("cut short")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        self._left -= count
        return value


def _size(stream: bytes) -> tuple[int, int] | None:
    bits = _Bits(stream)
    try:
        small = bits.take(1)
        height = _side(bits, small)
        ratio = bits.take(3)
        if not ratio:
            return _side(bits, small), height
    except ValueError:
        return None
    over, under = _RATIOS[ratio - 1]
    return height * over // under, height


def _side(bits: _Bits, small: int) -> int:
    if small:
        return 8 * (bits.take(5) + 1)
    return bits.take((9, 13, 18, 30)[bits.take(2)]) + 1
