"""JPEG's segments: what they carry, and what stands behind the image (ITU-T T.81, B.1)."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from srgan_cli.imaging.containers.blocks import Blocks, Resolution, resolution
from srgan_cli.imaging.containers.directories import Buffer
from srgan_cli.imaging.containers.photoshop import packed, read_resources
from srgan_cli.imaging.metadata import xmp as xmp_packets

LARGEST_SEGMENT = 65533
_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_ICC, _PHOTOSHOP, _JFIF = b"ICC_PROFILE\0", b"Photoshop 3.0\0", b"JFIF\0"
_ICC_PART = LARGEST_SEGMENT - 14
_SOI, _EOI, _SOS, _COM, _APP0 = 0xD8, 0xD9, 0xDA, 0xFE, 0xE0
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # In coded data: no stuffing, no restart.
_START = re.compile(rb"\xff\xd8\xff")
_DENSITY_UNITS = {0: "", 1: "inch", 2: "cm"}
# Markers that describe the coding or point into the old file.
_CODING = {
    (0xE0, _JFIF),
    (0xE0, b"JFXX\0"),
    (0xE2, b"MPF\0"),
    (0xEE, b"Adobe"),
    (0xEC, b"Ducky"),
}


@dataclass(frozen=True, slots=True)
class Segment:
    """A marker with its content."""

    marker: int
    data: bytes
    place: int
    """Offset of the marker in the file."""


def segments(data: Buffer, start: int = 0) -> Iterator[Segment]:
    """Yield the segments of an image, over all its scans.

    The end is a segment too: that of the marker EOI, or none if the file is cut short.

    Args:
        data: The file.
        start: Offset of the image in it.
    """
    position = start + 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            return
        marker = data[position + 1]
        if marker == 0xFF:  # Fill bytes.
            position += 1
            continue
        if marker == _EOI:
            yield Segment(marker, b"", position)
            return
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            position += 2
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        yield Segment(marker, bytes(data[position + 4 : position + 2 + length]), position)
        position += 2 + length
        if marker == _SOS:
            following = _MARKER.search(data, position)
            if following is None:
                return
            position = following.start()
    if bytes(data[position : position + 2]) == b"\xff\xd9":
        yield Segment(_EOI, b"", position)


def read(data: Buffer) -> Blocks:
    """Collect what a JPEG carries."""
    blocks = Blocks()
    photoshop: list[bytes] = []
    icc: dict[int, bytes] = {}
    end = len(data)
    for segment in segments(data):
        if segment.marker == _EOI:
            end = segment.place + 2
        elif segment.marker == _COM:
            blocks.comments.append(segment.data)
        elif 0xE0 <= segment.marker <= 0xEF:
            _take(segment, blocks, photoshop, icc)
    # The parts of a profile are numbered from 1 (ICC.1, annex B.4).
    if icc:
        blocks.icc = b"".join(icc[number] for number in sorted(icc))
    if photoshop:
        read_resources(b"".join(photoshop), blocks)
    _read_rest(data, end, blocks)
    return blocks


def _take(segment: Segment, blocks: Blocks, photoshop: list[bytes], icc: dict[int, bytes]) -> None:
    """Take one application segment."""
    marker, data = segment.marker, segment.data
    if marker == 0xE1 and data.startswith(_EXIF):
        blocks.exif = blocks.exif or data[len(_EXIF) :]
    elif marker == 0xE1 and data.startswith(_XMP):
        blocks.xmp = blocks.xmp or data[len(_XMP) :]
    elif marker == 0xE1 and data.startswith(_EXTENDED_XMP):
        blocks.lose("extended XMP")
    elif marker == 0xE2 and data.startswith(_ICC) and len(data) > 14:
        icc.setdefault(data[12], data[14:])
    elif marker == 0xED and data.startswith(_PHOTOSHOP):
        photoshop.append(data[len(_PHOTOSHOP) :])
    elif marker == 0xE0 and data.startswith(_JFIF) and len(data) >= 12:
        blocks.resolution = blocks.resolution or _density(data)
    elif marker == 0xEB and data[:2] == b"JP":
        blocks.lose("content credentials (C2PA)")
    elif not any(marker == kind and data.startswith(name) for kind, name in _CODING):
        name = re.match(rb"[ -~]{0,20}", data)
        label = f" {name.group().decode()!r}" if name and name.group() else ""
        blocks.lose(f"segment APP{marker - _APP0}{label}")


def _density(data: bytes) -> Resolution | None:
    unit, x, y = struct.unpack_from(">BHH", data, 7)
    found = resolution(x, y, _DENSITY_UNITS.get(unit, ""))
    if found is not None and not found.unit and found.square:
        return None  # "Square pixels" is what all images without a word have.
    return found


def _read_rest(data: Buffer, end: int, blocks: Blocks) -> None:
    """Tell what stands behind the image: further images, a video, or data of an application."""
    said: set[str] = set()
    if blocks.xmp:
        try:
            said = xmp_packets.parse(blocks.xmp).losses
        except ValueError:
            said = set()
    for what in sorted(said - {"extended XMP"}):
        blocks.lose(what, part=True)
    if "extended XMP" in said:
        blocks.lose("extended XMP")
    rest = bytes(data[end : end + 2**16]).lstrip(b"\0\xff\r\n ")
    if not rest or said - {"extended XMP"}:
        return
    if b"ftyp" in rest[:64] or b"MotionPhoto_Data" in rest:
        blocks.lose("motion-photo video", part=True)
    elif rest.startswith(b"\xd8"):  # Its first byte has been stripped as if it were filling.
        blocks.lose(_images_behind(data, end), part=True)
    else:
        blocks.lose(f"{len(data) - end:,} bytes behind the image", part=True)


def _images_behind(data: Buffer, end: int) -> str:
    count, position = 0, end
    while count < 1000:
        following = _START.search(data, position)
        if following is None:
            break
        position = following.start()
        head = bytes(data[position : position + 2**16])
        if b"hdrgm:" in head or b"HDRGainMap" in head:
            return "HDR gain map"
        count += 1
        ends = [s.place for s in segments(data, position) if s.marker == _EOI]
        position = ends[0] + 2 if ends else position + 3
    return "further image" if count == 1 else f"{count} further images"


def packed_segments(
    *,
    exif: bytes | None,
    xmp: bytes | None,
    icc: bytes | None,
    iptc: bytes | None,
    photoshop: list[tuple[int, bytes]],
    comments: list[bytes],
) -> bytes:
    """Return the segments that carry metadata; what is too large for one has been taken out."""
    parts = []
    if exif:
        parts.append(_segment(0xE1, _EXIF + exif))
    if xmp:
        parts.append(_segment(0xE1, _XMP + xmp))
    pieces = [icc[i : i + _ICC_PART] for i in range(0, len(icc or b""), _ICC_PART)] if icc else []
    for number, piece in enumerate(pieces, start=1):
        parts.append(_segment(0xE2, _ICC + bytes((number, len(pieces))) + piece))
    resources = packed(iptc, photoshop)
    most = LARGEST_SEGMENT - len(_PHOTOSHOP)
    parts += [
        _segment(0xED, _PHOTOSHOP + resources[start : start + most])
        for start in range(0, len(resources), most)
    ]
    parts += [_segment(_COM, comment[:LARGEST_SEGMENT]) for comment in comments]
    return b"".join(parts)


def _segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def density(found: Resolution) -> bytes:
    """Return the five bytes of JFIF's density: unit, x and y."""
    unit = {"inch": 1, "": 0}.get(found.unit, 2)
    x, y = found.per("cm") if unit == 2 else (found.x, found.y)
    if not found.unit:
        x, y = _as_ratio(x, y)
    return struct.pack(">BHH", unit, *(min(65535, max(1, round(value))) for value in (x, y)))


def _as_ratio(x: float, y: float) -> tuple[float, float]:
    """Keep a ratio within 16 bits, as exactly as they allow."""
    if max(x, y) <= 65535 and x == int(x) and y == int(y):
        return x, y
    factor = 10_000 / max(x, y)
    return x * factor, y * factor
