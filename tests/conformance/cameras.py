"""Files as cameras write them, maker notes included, to be compared by exiftool and exiv2."""

import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from PIL import Image

from tests.conformance import samples
from tests.conformance.blocks import directory, segment

SIZE = (samples.WIDTH, samples.HEIGHT)
Note = Callable[[str, int], bytes]
"""Builds a maker note for a byte order and the offset that it is going to have in the block."""


def texts(order: str, start: int, values: dict[int, bytes]) -> bytes:
    """Return a directory of texts, whose offsets count from where ``start`` does."""
    return directory(order, [(tag, 2, len(v), v) for tag, v in values.items()], start)


IMAGE = b"IMG:Test Camera JPEG\0"
FIRMWARE = b"Firmware Version 1.2.3\0"


def canon(order: str, place: int) -> bytes:
    return texts(order, place, {6: IMAGE, 7: FIRMWARE, 9: b"J\xc3\xb6rg Owner\0"})


def nikon(order: str, _: int) -> bytes:
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    return (
        b"Nikon\0\x02\x10\0\0" + header + texts(order, 8, {4: b"FINE   \0", 5: b"AUTO        \0"})
    )


def fuji(_: str, __: int) -> bytes:
    return b"FUJIFILM" + struct.pack("<I", 12) + texts("<", 12, {0x1000: b"NORMAL \0"})


def olympus(order: str, _: int) -> bytes:
    mark = b"II\x03\0" if order == "<" else b"MM\0\x03"
    return b"OLYMPUS\0" + mark + texts(order, 12, {0x0207: b"D4409   \0\0\0"})


def panasonic(order: str, place: int) -> bytes:
    return b"Panasonic\0\0\0" + texts(order, place + 12, {0x51: b"LUMIX G 20/F1.7 II\0"})


def sony(order: str, place: int) -> bytes:
    return b"SONY DSC \0\0\0" + texts(order, place + 12, {0xB020: b"Standard\0\0\0\0\0\0\0\0"})


def apple(_: str, __: int) -> bytes:
    return b"Apple iOS\0\0\x01MM" + texts(
        ">", 14, {0x11: b"A1B2C3D4-0000-1111-2222-333344445555\0"}
    )


def pentax(order: str, place: int) -> bytes:
    mark = b"II" if order == "<" else b"MM"
    return (
        b"AOC\0"
        + mark
        + directory(order, [(0x05, 4, 1, struct.pack(order + "I", 76830))], place + 6)
    )


CAMERAS: dict[str, tuple[bytes, str, Note]] = {
    "canon": (b"Canon", "<", canon),
    "canon-big": (b"Canon", ">", canon),
    "nikon": (b"NIKON CORPORATION", ">", nikon),
    "nikon-little": (b"NIKON CORPORATION", "<", nikon),
    "fuji": (b"FUJIFILM", "<", fuji),
    "fuji-big": (b"FUJIFILM", ">", fuji),
    "olympus": (b"OLYMPUS IMAGING CORP.  ", "<", olympus),
    "panasonic": (b"Panasonic", "<", panasonic),
    "sony": (b"SONY", "<", sony),
    "sony-big": (b"SONY", ">", sony),
    "apple": (b"Apple", ">", apple),
    "pentax": (b"PENTAX Corporation ", ">", pentax),
}
"""Make, byte order and maker note of each of the twelve."""


def block(name: str) -> bytes:
    """Return the EXIF block of a camera, with its thumbnail."""
    make, order, note = CAMERAS[name]
    first = _block(make, order, note(order, 0))
    place = first.index(note(order, 0))
    whole = _block(make, order, note(order, place))
    buffer = BytesIO()
    samples.image("RGB").resize((12, 8)).save(buffer, "JPEG")
    thumbnail = buffer.getvalue()
    # The second directory leads to the thumbnail; the first one's link stands behind its entries.
    start = len(whole)
    entries = [
        (0x0103, 3, 1, struct.pack(order + "H", 6)),
        (0x0201, 4, 1, struct.pack(order + "I", start + 2 + 3 * 12 + 4)),
        (0x0202, 4, 1, struct.pack(order + "I", len(thumbnail))),
    ]
    (count,) = struct.unpack_from(order + "H", whole, 8)
    link = 8 + 2 + 12 * count
    linked = whole[:link] + struct.pack(order + "I", start) + whole[link + 4 :]
    return linked + directory(order, entries, start) + thumbnail


def _block(make: bytes, order: str, note: bytes) -> bytes:
    def numbers(code: str, *values: int) -> bytes:
        return struct.pack(order + code, *values)

    artist = "Jörg Çelik".encode() + b"\0"
    main = [
        (0x010F, 2, len(make) + 1, make + b"\0"),
        (0x0110, 2, 9, b"Model 70\0"),
        (0x0112, 3, 1, numbers("H", 1)),
        (0x011A, 5, 1, numbers("II", 300, 1)),
        (0x011B, 5, 1, numbers("II", 300, 1)),
        (0x0128, 3, 1, numbers("H", 2)),
        (0x0132, 2, 20, b"2024:05:01 10:00:00\0"),
        (0x013B, 2, len(artist), artist),
        (0x8298, 2, 14, "© 2024 Jörg".encode() + b"\0"),
    ]
    comment = "Grüße".encode("utf-16-le" if order == "<" else "utf-16-be")
    shot = [
        (0x829A, 5, 1, numbers("II", 1, 125)),
        (0x829D, 5, 1, numbers("II", 28, 10)),
        (0x8827, 3, 1, numbers("H", 200)),
        (0x9000, 7, 4, b"0232"),
        (0x9003, 2, 20, b"2024:05:01 10:00:00\0"),
        (0x9101, 7, 4, b"\1\2\3\0"),
        (0x9204, 10, 1, numbers("ii", -2, 3)),
        (0x927C, 7, len(note), note),
        (0x9286, 7, 8 + len(comment), b"UNICODE\0" + comment),
        (0xA001, 3, 1, numbers("H", 0xFFFF)),
        (0xA002, 4, 1, numbers("I", SIZE[0])),
        (0xA003, 4, 1, numbers("I", SIZE[1])),
        (0xA300, 7, 1, b"\3"),
        (0xA301, 7, 1, b"\1"),
        (0xA432, 5, 4, numbers("8I", 24, 1, 70, 1, 28, 10, 28, 10)),
    ]
    interop = [(1, 2, 4, b"R03\0"), (2, 7, 4, b"0100")]
    place = [
        (0, 1, 4, b"\2\3\0\0"),
        (1, 2, 2, b"N\0"),
        (2, 5, 3, numbers("6I", 52, 1, 30, 1, 3605, 100)),
        (3, 2, 2, b"E\0"),
        (4, 5, 3, numbers("6I", 13, 1, 24, 1, 1800, 100)),
        (29, 2, 11, b"2024:05:01\0"),
    ]
    header = (b"II" if order == "<" else b"MM") + numbers("HI", 42, 8)
    children = {0x8769: (shot, {0xA005: (interop,)}), 0x8825: (place,)}
    return header + directory(order, main, 8, children)


def photograph(path: Path, name: str) -> Path:
    """Write the JPEG of a camera."""
    picture: Image.Image = samples.image("RGB")
    extra = segment(0xE1, b"Exif\0\0" + block(name))
    extra += segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + samples.XMP)
    picture.save(path, quality=98, extra=extra + samples.photoshop_segment())
    return path
