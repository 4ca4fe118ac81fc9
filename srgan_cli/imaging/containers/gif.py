"""GIF's blocks: frames, comments, and what applications have put there (GIF89a)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from srgan_cli.imaging.containers.blocks import Blocks, Resolution
from srgan_cli.imaging.containers.directories import Buffer

_XMP, _ICC, _LOOPS = b"XMP DataXMP", b"ICCRGBG1012", (b"NETSCAPE2.0", b"ANIMEXTS1.0")
# Behind the XMP: so that decoders, which take every byte for a length, find an end.
_XMP_TAIL = b"\1" + bytes(range(255, -1, -1)) + b"\0"

_ASPECT_UNITS, _ASPECT_BASE = 64, 15  # The shape of pixels is said as (byte + 15) / 64.


@dataclass(frozen=True, slots=True)
class GifFrame:
    """One image of a GIF, not decoded."""

    left: int
    top: int
    width: int
    height: int
    palette: bytes
    """RGB triples: its own, or those of the file."""
    interlaced: bool
    transparent: int | None
    """Index of the palette that leaves a pixel as it is."""
    disposal: int
    """1: stays, 2: cleared, 3: what was there before returns."""
    duration: int | None
    """Milliseconds; None where nothing is said."""
    start: int
    """Offset of the coded data, at the byte that tells their width."""
    stop: int


@dataclass(frozen=True, slots=True)
class GifFile:
    """What a GIF holds."""

    width: int
    height: int
    frames: tuple[GifFrame, ...]
    blocks: Blocks


def _sub_blocks(data: Buffer, position: int) -> tuple[list[tuple[int, int]], int]:
    """Return start and end of each block of a chain, and the offset behind it."""
    found: list[tuple[int, int]] = []
    while position < len(data):
        length = data[position]
        if not length:
            return found, position + 1
        found.append((position + 1, min(position + 1 + length, len(data))))
        position += 1 + length
    return found, len(data)


def _joined(data: Buffer, spans: list[tuple[int, int]]) -> bytes:
    return b"".join(bytes(data[start:stop]) for start, stop in spans)


class _Walker:
    """Goes through a GIF once."""

    def __init__(self, data: Buffer) -> None:
        self.data, self.blocks = data, Blocks(plays=1)
        self.position = 13
        self.width, self.height, flags = struct.unpack_from("<HHB", data, 6)
        self.palette = self._palette(flags)
        if data[12]:  # A pixel's width over its height, so the inverse of a resolution.
            self.blocks.resolution = Resolution(_ASPECT_UNITS, data[12] + _ASPECT_BASE, "")
        self._control: bytes | None = None

    def _palette(self, flags: int) -> bytes:
        if not flags & 0x80:
            return b""
        start = self.position
        self.position += 3 << ((flags & 7) + 1)
        return bytes(self.data[start : self.position])

    def frames(self) -> Iterator[GifFrame]:
        while self.position < len(self.data):
            kind = self.data[self.position]
            self.position += 1
            if kind == 0x2C and self.position + 10 <= len(self.data):
                yield self._frame()
            elif kind == 0x21 and self.position < len(self.data):
                self._extension()
            elif kind in (0x3B, 0x2C):
                break
        rest = bytes(self.data[self.position : self.position + 2**16]).strip(b"\0;\r\n")
        if rest:
            self.blocks.lose(
                f"{len(self.data) - self.position:,} bytes behind the image", part=True
            )

    def _frame(self) -> GifFrame:
        left, top, width, height, flags = struct.unpack_from("<4HB", self.data, self.position)
        self.position += 9
        palette = self._palette(flags) or self.palette
        start = self.position
        _, self.position = _sub_blocks(self.data, start + 1)
        control, self._control = self._control, None
        transparent, disposal, duration = None, 0, None
        if control is not None:
            disposal = control[0] >> 2 & 7
            duration = 10 * (control[1] | control[2] << 8)
            transparent = control[3] if control[0] & 1 else None
        place = (left, top, width, height)
        interlaced = bool(flags & 0x40)
        return GifFrame(
            *place, palette, interlaced, transparent, disposal, duration, start, self.position
        )

    def _extension(self) -> None:
        label = self.data[self.position]
        start = self.position + 1
        spans, self.position = _sub_blocks(self.data, start)
        if label == 0xF9 and spans and spans[0][1] - spans[0][0] >= 4:
            self._control = bytes(self.data[spans[0][0] : spans[0][1]])
        elif label == 0xFE and spans:
            self.blocks.comments.append(_joined(self.data, spans))
        elif label == 0x01:
            self.blocks.lose("plain text", part=True)
        elif label == 0xFF and spans:
            self._application(start, spans)

    def _application(self, start: int, spans: list[tuple[int, int]]) -> None:
        name = bytes(self.data[spans[0][0] : spans[0][1]])
        content = spans[1:]
        if name == _XMP:
            # The packet stands there as it is, not in blocks; the chain ends behind its tail.
            whole = bytes(self.data[start + 12 : self.position])
            self.blocks.xmp = whole.removesuffix(_XMP_TAIL).removesuffix(_XMP_TAIL[:-1])
        elif name == _ICC:
            self.blocks.icc = _joined(self.data, content) or None
        elif name in _LOOPS and content and bytes(self.data[slice(*content[0])])[:1] == b"\1":
            if content[0][1] - content[0][0] >= 3:
                (count,) = struct.unpack_from("<H", self.data, content[0][0] + 1)
                # Repetitions after the first showing, as browsers count them.
                self.blocks.plays = count + 1 if count else 0
        elif name not in _LOOPS:
            self.blocks.lose(f"data of {name[:8].decode('latin-1')!r}")


def read(data: Buffer) -> GifFile:
    """Find the frames of a GIF and what it carries.

    Raises:
        ValueError: It does not begin like a GIF.
    """
    if bytes(data[:4]) != b"GIF8" or len(data) < 13:
        raise ValueError("no GIF header")
    walker = _Walker(data)
    frames = tuple(walker.frames())
    return GifFile(walker.width, walker.height, frames, walker.blocks)


def still(data: Buffer, frame: GifFrame) -> bytes:
    """Return a GIF of one frame alone, as large as that, for a decoder."""
    colours = max(2, len(frame.palette) // 3)
    bits = max(1, (colours - 1).bit_length())
    palette = frame.palette or bytes(value for level in range(1 << bits) for value in [level] * 3)
    header = b"GIF89a" + struct.pack("<HHBBB", frame.width, frame.height, 0x80 | (bits - 1), 0, 0)
    image = struct.pack("<B4HB", 0x2C, 0, 0, frame.width, frame.height, 0x40 * frame.interlaced)
    palette = palette.ljust(3 << bits, b"\0")
    return header + palette + image + bytes(data[frame.start : frame.stop]) + b";"


def packed_extensions(blocks: Blocks) -> bytes:
    """Return comments and XMP as extensions, for the place behind the palette of the file."""
    parts = []
    for comment in blocks.comments:
        pieces = [comment[i : i + 255] for i in range(0, len(comment), 255)]
        chain = b"".join(bytes((len(piece),)) + piece for piece in pieces)
        parts.append(b"\x21\xfe" + chain + b"\0")
    if blocks.xmp:
        parts.append(b"\x21\xff\x0b" + _XMP + blocks.xmp + _XMP_TAIL)
    return b"".join(parts)


def aspect(shape: Resolution | None) -> int:
    """Return the byte that says the shape of pixels; 0 for square ones and those beyond a byte."""
    if shape is None or shape.square:
        return 0
    value = round(_ASPECT_UNITS * shape.y / shape.x) - _ASPECT_BASE
    return value if 0 < value < 256 else 0


def inserted(gif: bytes, blocks: Blocks) -> bytes:
    """Put the shape of pixels into a file, and extensions behind its palette."""
    extensions, shape = packed_extensions(blocks), aspect(blocks.resolution)
    if not extensions and not shape:
        return gif
    end = 13 + (3 << ((gif[10] & 7) + 1) if gif[10] & 0x80 else 0)
    return b"GIF89a" + gif[6:12] + bytes((shape,)) + gif[13:end] + extensions + gif[end:]
