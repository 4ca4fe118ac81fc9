"""PNG's chunks: what they carry, and how it is written (PNG, third edition)."""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import IO

from srgan_cli.imaging.containers.blocks import LARGEST_INFLATED, Blocks, Coding, resolution
from srgan_cli.imaging.containers.directories import Buffer
from srgan_cli.imaging.containers.photoshop import packed, read_resources

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_END = len(SIGNATURE) + 25  # Behind IHDR.
_XMP_KEYWORD = b"XML:com.adobe.xmp"
_COMMENT = b"comment"
_RAW_PROFILE = b"Raw profile type "
_CODED = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"acTL", b"fcTL", b"fdAT"}
# About the coding of the old pixels: significant bits, histogram, sizes of ImageMagick,
# and places in Apple's files.
_OLD = {b"sBIT", b"hIST", b"vpAg", b"CgBI", b"iDOT"}
_NAMES = {b"bKGD": "background colour", b"sPLT": "suggested palette", b"dSIG": "signature"}


def chunks(data: Buffer) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, start and end of each chunk's data; ends where the file is cut short."""
    position = len(SIGNATURE)
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        start, stop = position + 8, position + 8 + length
        if stop + 4 > len(data):
            return
        yield kind, start, stop
        if kind == b"IEND":
            return
        position = stop + 4


def read(data: Buffer) -> Blocks:
    """Collect what a PNG carries."""
    blocks = Blocks()
    stop = len(data)
    for kind, start, stop in chunks(data):
        if kind not in _CODED:
            _take(kind, bytes(data[start:stop]), blocks)
        elif kind == b"acTL" and stop - start == 8:
            (blocks.plays,) = struct.unpack_from(">I", data, start + 4)
    if len(data) > stop + 4 and any(data[stop + 4 : stop + 4 + 2**16]):
        blocks.lose(f"{len(data) - stop - 4:,} bytes behind the image", part=True)
    return blocks


def _take(kind: bytes, data: bytes, blocks: Blocks) -> None:
    """Take one chunk."""
    if kind in (b"tEXt", b"zTXt", b"iTXt"):
        _take_text(kind, data, blocks)
    elif kind == b"iCCP":
        _, _, rest = data.partition(b"\0")
        blocks.icc = blocks.icc or inflated(rest[1:]) or None
        if blocks.icc is None:
            blocks.lose("damaged colour profile")
    elif kind == b"eXIf":
        blocks.exif = data.removeprefix(b"Exif\0\0")
    elif kind == b"pHYs" and len(data) == 9:
        x, y, unit = struct.unpack(">IIB", data)
        blocks.resolution = resolution(x, y, "metre" if unit == 1 else "")
    elif kind in (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI"):
        blocks.coding = _with_coding(blocks.coding, kind, data)
    elif kind == b"tIME":
        blocks.text.append((kind, data))
    elif kind == b"caBX":
        blocks.lose("content credentials (C2PA)")
    elif kind not in _OLD:
        label = re.sub(r"[^ -~]", "?", kind.decode("latin-1"))
        blocks.lose(_NAMES.get(kind, f"chunk {label}"))


def _with_coding(coding: Coding, kind: bytes, data: bytes) -> Coding:
    match kind, len(data):
        case b"gAMA", 4:
            return replace(coding, gamma=int.from_bytes(data, "big"))
        case b"cHRM", 32:
            return replace(coding, chroma=struct.unpack(">8I", data))
        case b"sRGB", 1:
            return replace(coding, srgb=data[0])
        case b"cICP", 4:
            return replace(coding, cicp=(data[0], data[1], data[2], data[3]))
        case (b"mDCV", 24) | (b"cLLI", 8):
            return replace(coding, light=(*coding.light, (kind, data)))
    return coding


def _take_text(kind: bytes, data: bytes, blocks: Blocks) -> None:
    """Take a text; XMP and the raw profiles of ImageMagick and exiftool have their own place."""
    keyword = data.partition(b"\0")[0]
    if keyword == _XMP_KEYWORD:
        blocks.xmp = blocks.xmp or text_of(kind, data)
        return
    if keyword.startswith(_RAW_PROFILE):
        name = keyword.removeprefix(_RAW_PROFILE).decode("latin-1").lower()
        profile = _raw_profile(text_of(kind, data) or b"")
        if profile is None or not _take_profile(name, profile, blocks):
            blocks.lose(f"raw profile {name!r}")
        return
    blocks.text.append((kind, data))
    if keyword.lower() == _COMMENT:
        text = text_of(kind, data)
        if text:
            latin = kind != b"iTXt" and not text.isascii()
            blocks.comments.append(text.decode("latin-1").encode() if latin else text)


def _take_profile(name: str, profile: bytes, blocks: Blocks) -> bool:
    if name in ("exif", "app1") and profile.startswith((b"Exif\0\0", b"II", b"MM")):
        blocks.exif = blocks.exif or profile.removeprefix(b"Exif\0\0")
    elif name in ("xmp", "app1"):
        xmp = profile.partition(b"http://ns.adobe.com/xap/1.0/\0")
        blocks.xmp = blocks.xmp or (xmp[2] if xmp[1] else profile)
    elif name in ("iptc", "8bim", "app13"):
        resources = profile.removeprefix(b"Photoshop 3.0\0")
        if resources.startswith(b"8BIM"):
            read_resources(resources, blocks)
        else:
            blocks.iptc = blocks.iptc or resources
    elif name in ("icc", "icm"):
        blocks.icc = blocks.icc or profile
    else:
        return False
    return True


def _raw_profile(text: bytes) -> bytes | None:
    """Decode the hexadecimal form: a line with a name, one with the length, and the digits."""
    parts = text.split(None, 2)
    try:
        digits = b"".join(parts[2].split())[: 2 * int(parts[1])]
        return bytes.fromhex(digits.decode("ascii"))
    except (IndexError, ValueError):
        return None


def text_of(kind: bytes, data: bytes) -> bytes | None:
    """Return the text of a chunk in its own encoding; None where it is damaged."""
    _, _, rest = data.partition(b"\0")
    if kind == b"tEXt":
        return rest
    if kind == b"zTXt":
        return inflated(rest[1:])
    if len(rest) < 2:
        return None
    compressed = rest[0] == 1
    parts = rest[2:].split(b"\0", 2)
    if len(parts) < 3:
        return None
    return inflated(parts[2]) if compressed else parts[2]


def inflated(data: bytes) -> bytes | None:
    """Unfold a compressed block; None where it is damaged or too large."""
    unpack = zlib.decompressobj()
    try:
        result = unpack.decompress(data, LARGEST_INFLATED)
    except zlib.error:
        return None
    return result if unpack.eof else None


def packed_chunks(blocks: Blocks) -> bytes:
    """Return the chunks that carry metadata, for the place behind IHDR."""
    coding = blocks.coding
    found: list[tuple[bytes, bytes]] = []
    if coding.cicp is not None:
        found.append((b"cICP", bytes(coding.cicp)))
    found += coding.light
    if blocks.icc:
        found.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(blocks.icc)))
    elif coding.srgb is not None:
        found.append((b"sRGB", bytes((coding.srgb,))))
    if coding.gamma is not None:
        found.append((b"gAMA", struct.pack(">I", coding.gamma)))
    if coding.chroma is not None:
        found.append((b"cHRM", struct.pack(">8I", *coding.chroma)))
    found += _described(blocks)
    return b"".join(chunk(kind, data) for kind, data in found)


def _described(blocks: Blocks) -> Iterator[tuple[bytes, bytes]]:
    if blocks.resolution is not None:
        unit = 1 if blocks.resolution.unit else 0
        x, y = (round(value) for value in blocks.resolution.per("metre"))
        yield b"pHYs", struct.pack(">IIB", max(1, x), max(1, y), unit)
    if blocks.exif:
        yield b"eXIf", blocks.exif
    if blocks.xmp:
        yield b"iTXt", _XMP_KEYWORD + b"\0\0\0\0\0" + blocks.xmp
    resources = packed(blocks.iptc, blocks.photoshop)
    if resources:
        digits = re.sub(r"(.{72})", r"\1\n", resources.hex())
        text = f"\niptc\n{len(resources):8}\n{digits}\n".encode()
        yield b"zTXt", _RAW_PROFILE + b"iptc\0\0" + zlib.compress(text)
    yield from blocks.text
    if not any(data.partition(b"\0")[0].lower() == _COMMENT for _, data in blocks.text):
        for comment in blocks.comments:
            yield _comment(comment)


def _comment(comment: bytes) -> tuple[bytes, bytes]:
    """Write a comment as UTF-8 where it is that, and else as Latin-1, which any bytes are."""
    try:
        comment.decode()
    except UnicodeDecodeError:
        return b"tEXt", b"Comment\0" + comment.replace(b"\0", b" ")
    return b"iTXt", b"Comment\0\0\0\0\0" + comment.replace(b"\0", b" ")


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk with its length and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


class Inserting:
    """A file that gets further bytes behind the header while a PNG is written to it.

    Args:
        file: Open for writing, empty.
        extra: The bytes.
    """

    def __init__(self, file: IO[bytes], extra: bytes) -> None:
        self._file, self._extra, self._written = file, extra, 0

    def write(self, data: bytes) -> int:
        """Write on."""
        view = memoryview(data).cast("B")
        head = view[: max(0, _HEADER_END - self._written)]
        self._file.write(head)
        self._written += len(head)
        if self._extra and self._written == _HEADER_END:
            self._file.write(self._extra)
            self._extra = b""
        self._file.write(view[len(head) :])
        self._written += len(view) - len(head)
        return len(view)

    def flush(self) -> None:
        """Flush the file."""
        self._file.flush()
