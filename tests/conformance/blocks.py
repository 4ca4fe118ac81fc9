"""Files with every block that their format can carry, and what a file carries: for comparison."""

import re
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from tests.conformance import samples

TYPES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 9: 4, 10: 8, 12: 8, 13: 4}
CHILDREN = (0x8769, 0x8825, 0xA005)
CHANGED = {0x0100, 0x0101, 0x0112, 0xA002, 0xA003, 0x1001, 0x1002}
"""Entries that describe the old image: sizes and orientation."""
TIFF_LAYOUT = {*range(0xFE, 0x10D), 0x111, *range(0x115, 0x11D), 0x128, 0x13D, 0x153, 0x213}
TIFF_LAYOUT |= {0x11A, 0x11B, 0x152, 0x8773, 0x02BC, 0x83BB, 0x8649, 0x830E, 0x8482, 0x87AF}
UTF8 = "© 2024 Jörg".encode() + b"\0"


def directory(order, entries, start, children=None):
    """Write a directory of (tag, type, count, bytes), with its values behind it."""
    children = children or {}
    entries = sorted([*entries, *((tag, 4, 1, None) for tag in children)])
    head, body = struct.pack(order + "H", len(entries)), b""
    after = start + 2 + 12 * len(entries) + 4
    for tag, kind, count, value in entries:
        data = value
        if data is None:
            place = after + len(body)
            body += directory(order, *children[tag][:1], place, *children[tag][1:])
            data = struct.pack(order + "I", place)
        head += struct.pack(order + "HHI", tag, kind, count)
        if len(data) <= 4:
            head += data.ljust(4, b"\0")
        else:
            head += struct.pack(order + "I", after + len(body))
            body += data + b"\0" * (len(data) % 2)
    return head + bytes(4) + body


def exif_block(order="<", *, orientation=1):
    """Return EXIF as cameras write it: texts beyond ASCII, a maker note, a place, R03."""
    pack = lambda code, *values: struct.pack(order + code, *values)  # noqa: E731
    main = [
        (0x010E, 2, 6, b"caf\xc3\xa9\0"),
        (0x010F, 2, 7, b"camera\0"),
        (0x0112, 3, 1, pack("H", orientation)),
        (0x0132, 2, 20, b"2024:05:01 10:00:00\0"),
        (0x4746, 3, 1, pack("H", 4)),
        (0x8298, 2, len(UTF8), UTF8),
        (0x9C9B, 1, 8, "Titl".encode("utf-16-le")),
    ]
    shot = [
        (0x829A, 5, 1, pack("II", 1, 125)),
        (0x8827, 3, 1, pack("H", 100)),
        (0x9003, 2, 20, b"2024:05:01 10:00:00\0"),
        (0x9101, 7, 4, b"\1\2\3\0"),
        (0x9204, 10, 1, pack("ii", -1, 3)),
        (0x927C, 7, 40, b"MAKER\0" + bytes(range(34))),
        (0x9286, 7, 15, b"UNICODE\0" + "Gr\xfc".encode("utf-16-le") + b"!"),
        (0xA001, 3, 1, pack("H", 0xFFFF)),
        (0xA002, 4, 1, pack("I", samples.WIDTH)),
        (0xA003, 3, 1, pack("H", samples.HEIGHT)),
        (0xA300, 7, 1, b"\3"),
    ]
    interop = [(1, 2, 4, b"R03\0"), (2, 7, 4, b"0100")]
    place = [(0, 1, 4, b"\2\3\0\0"), (1, 2, 2, b"N\0"), (2, 5, 3, pack("6I", 52, 1, 30, 1, 0, 1))]
    header = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    children = {0x8769: (shot, {0xA005: (interop,)}), 0x8825: (place,)}
    return header + directory(order, main, 8, children)


def entries_of(block, *, tiff=False):
    """Return the entries of a block: (directory, tag) to (type, count, bytes)."""
    order = {b"II": "<", b"MM": ">"}[block[:2]]
    found = {"order": order}
    waiting = [(0, struct.unpack_from(order + "I", block, 4)[0])]
    while waiting:
        name, start = waiting.pop()
        (count,) = struct.unpack_from(order + "H", block, start)
        for at in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, number = struct.unpack_from(order + "HHI", block, at)
            size = TYPES[kind] * number
            where = at + 8 if size <= 4 else struct.unpack_from(order + "I", block, at + 8)[0]
            if tag in CHILDREN:
                waiting.append((tag, struct.unpack_from(order + "I", block, at + 8)[0]))
            elif tag not in CHANGED and not (tiff and name == 0 and tag in TIFF_LAYOUT):
                found[name, tag] = (kind, number, block[where : where + size])
    return found


def segment(marker, data):
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def png_parts(*, deep=False):
    return b"".join(
        samples.png_chunk(kind, data)
        for kind, data in (
            (b"cICP", bytes((12, 13, 0, 1))),
            (b"gAMA", struct.pack(">I", 50000)),
            (b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)),
            (b"pHYs", struct.pack(">IIB", 5906, 5906, 1)),
            (b"eXIf", exif_block(">" if deep else "<")),
            (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + samples.XMP),
            (b"tEXt", b"Comment\0" + samples.COMMENT.encode()),
            (b"tEXt", b"Author\0J\xf6rg"),
            (b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(_raw_iptc())),
        )
    )


def _raw_iptc():
    return b"\niptc\n%8d\n%s\n" % (len(samples.IPTC), samples.IPTC.hex().encode())


def with_chunks(data, chunks):
    return data[:33] + chunks + data[33:]


def full(path: Path) -> Path:
    """Write a file with every block that its format can carry."""
    picture = samples.image("RGB")
    buffer = BytesIO()
    match path.suffix:
        case ".jpg":
            extra = segment(0xE1, b"Exif\0\0" + exif_block(">")) + samples.photoshop_segment()
            extra += segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + samples.XMP)
            extra += segment(0xE2, b"ICC_PROFILE\0\1\1" + samples.display_p3())
            extra += segment(0xFE, b"caf\xe9")
            picture.save(path, quality=98, dpi=(150, 150), extra=extra)
        case ".png":
            picture.save(buffer, "PNG")
            path.write_bytes(with_chunks(buffer.getvalue(), png_parts()))
        case ".tif":
            _full_tiff(path)
        case ".webp" | ".avif" | ".jxl" | ".heic":
            options = {"exif": exif_block(), "xmp": samples.XMP}
            if path.suffix != ".jxl":
                options["icc_profile"] = samples.display_p3()
            options |= {".webp": {"lossless": True}, ".avif": {"quality": 95}}.get(path.suffix, {})
            Image.init()
            picture.save(path, **options)
        case ".gif":
            frames = [samples.image("P", phase) for phase in (0.0, 1.0)]
            frames[0].save(
                buffer, "GIF", save_all=True, append_images=frames[1:], loop=2, duration=[100, 250]
            )
            data = buffer.getvalue()
            end = 13 + (3 << ((data[10] & 7) + 1))
            xmp = b"\x21\xff\x0bXMP DataXMP" + samples.XMP + b"\1" + bytes(range(255, -1, -1))
            path.write_bytes(data[:end] + b"\x21\xfe\x04caf\xe9\0" + xmp + b"\0" + data[end:])
        case ".jp2":
            picture.save(buffer, "JPEG2000", irreversible=False, comment=b"caf\xe9")
            path.write_bytes(_full_jp2(buffer.getvalue()))
        case ".bmp":
            picture.save(path, dpi=(150, 150))
    return path


def _full_tiff(path):
    block = exif_block()
    geo = struct.pack("<4H4H", 1, 1, 0, 1, 1025, 0, 1, 1)
    tifffile.imwrite(
        path,
        samples.ramp(3),
        photometric="rgb",
        byteorder="<",
        iccprofile=samples.display_p3(),
        resolution=(150, 150),
        resolutionunit="inch",
        metadata=None,
        software=False,
        extratags=[
            (0x010E, 2, 6, b"caf\xc3\xa9\0", True),
            (0x8298, 2, len(UTF8), UTF8, True),
            (700, 1, len(samples.XMP), samples.XMP, True),
            (33723, 7, len(samples.IPTC), samples.IPTC, True),
            (33550, 12, 3, struct.pack("<3d", 10, 10, 0), True),
            (33922, 12, 6, struct.pack("<6d", 0, 0, 0, 500, 600, 0), True),
            (34735, 3, 8, geo, True),
            (0x876A, 4, 1, 0, True),
        ],
    )
    data = bytearray(path.read_bytes())
    # The EXIF directory is put behind, and the placeholder becomes its tag.
    start = len(data) + len(data) % 2
    shot = [(0x829A, 5, 1, struct.pack("<II", 1, 125)), (0x927C, 7, 9, b"MAKERNOTE")]
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    for at in range(first + 2, first + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, at)[0] == 0x876A:
            struct.pack_into("<H", data, at, 0x8769)
            struct.pack_into("<I", data, at + 8, start)
    assert block
    path.write_bytes(bytes(data.ljust(start, b"\0")) + directory("<", shot, start))


def _box(kind, content):
    return struct.pack(">I4s", len(content) + 8, kind) + content


def _full_jp2(data):
    parts, position = b"", 0
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        length = length or len(data) - position
        content = data[position + 8 : position + length]
        if kind == b"jp2h":
            end = content.index(b"colr") - 4
            size = int.from_bytes(content[end : end + 4], "big")
            colour = _box(b"colr", b"\2\0\0" + samples.display_p3())
            res = _box(b"res ", _box(b"resd", struct.pack(">4Hbb", 5906, 1, 5906, 1, 0, 0)))
            content = content[:end] + colour + content[end + size :] + res
        parts += _box(kind, content)
        if kind == b"jp2h":
            parts += _box(b"uuid", b"JpgTiffExif->JP2" + exif_block())
            parts += _box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + samples.XMP)
        position += length
    return parts


def inventory(path: Path) -> dict[str, object]:
    """Return what a file carries, by name; read without any of the program's own parsers."""
    data = path.read_bytes()
    found: dict[str, object] = {}
    with Image.open(path) as image:
        image.load()
        info = dict(image.info)
        found["frames"] = getattr(image, "n_frames", 1)
        if found["frames"] > 1 and image.format != "TIFF":
            times, loop = [], info.get("loop")
            for number in range(image.n_frames):
                image.seek(number)
                image.load()
                times.append(image.info["duration"])
            found["times"] = times
            if image.format == "GIF":
                found["plays"] = 1 if loop is None else loop and loop + 1
            elif image.format != "AVIF":
                found["plays"] = loop
        texts = dict(getattr(image, "text", {}))
        name = image.format
    _take_colour(name, data, info, found)
    _take_described(name, data, info, texts, found)
    return {key: value for key, value in found.items() if value is not None}


def _take_colour(name, data, info, found):
    icc = info.get("icc_profile")
    if name == "JPEG2000" and b"colr\2\0\0" in data:
        start = data.index(b"colr\2\0\0")
        icc = data[start + 7 : start - 4 + int.from_bytes(data[start - 4 : start], "big")]
    found["icc"] = icc
    if name == "PNG":
        for kind in (b"cICP", b"gAMA", b"cHRM"):
            start = data.find(kind)
            if 0 < start < data.index(b"IDAT"):
                length = int.from_bytes(data[start - 4 : start], "big")
                found[kind.decode()] = data[start + 4 : start + 4 + length]
        if "cICP" in found:
            found["nclx"] = tuple(found["cICP"][:2])
    elif b"colrnclx" in data:
        start = data.index(b"colrnclx") + 8
        found["nclx"] = struct.unpack_from(">HH", data, start)


def _take_described(name, data, info, texts, found):
    exif, xmp = info.get("exif"), info.get("xmp")
    if name == "TIFF":
        _take_tags(data, found)
    if name == "JPEG2000":
        exif, xmp = _take_boxes(data, found)
    if name == "GIF" and b"XMP DataXMP" in data:
        start = data.index(b"XMP DataXMP") + 11
        xmp = data[start : data.index(b"\1\xff\xfe", start)]
    if name == "JXL" and b"xml <" in data:
        start = data.index(b"xml <") + 4
        xmp = data[start : start - 8 + int.from_bytes(data[start - 8 : start - 4], "big")]
    if exif:
        found["exif"] = entries_of(exif.removeprefix(b"Exif\0\0"))
    found["xmp"] = samples.unlabelled(xmp)
    found.setdefault("iptc", info.get("photoshop", {}).get(0x0404))
    if name == "PNG" and "Raw profile type iptc" in info:
        found["iptc"] = _iptc_of(str(info["Raw profile type iptc"]))
    if info.get("dpi") and name not in {"WEBP", "AVIF", "HEIF", "JXL", "GIF"}:
        found["resolution"] = tuple(round(float(value)) for value in info["dpi"])
    comment = info.get("comment")
    if name == "PNG" and "Comment" in texts:
        comment = texts.pop("Comment").encode("latin-1")
    if comment:
        found.setdefault("comment", comment)
    found["text"] = {k: v for k, v in texts.items() if not k.startswith(("XML", "Raw"))} or None


def _iptc_of(raw):
    content = bytes.fromhex("".join(raw.split()[2:]))
    return content[12 : 12 + len(samples.IPTC)] if content.startswith(b"8BIM") else content


def _take_tags(data, found):
    found["exif"] = entries_of(data, tiff=True)
    with tifffile.TiffFile(BytesIO(data)) as file:
        tags = {tag.code: tag for tag in file.pages[0].tags}
        found["iptc"] = bytes(tags[33723].value) if 33723 in tags else None
        if 33550 in tags:
            found["ground"] = tuple(np.multiply(tags[33550].value[:2], file.pages[0].shape[0]))


def _take_boxes(data, found):
    """Return EXIF and XMP of a JPEG 2000, and take its comment."""
    contents = []
    for mark in (b"JpgTiffExif->JP2", bytes.fromhex("be7acfcb97a942e8")):
        start = data.find(mark)
        end = start - 8 + int.from_bytes(data[start - 8 : start - 4], "big")
        contents.append(data[start + 16 : end] if start > 0 else None)
    start = data.find(bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38"))
    found["iptc"] = data[start + 16 : start + 16 + len(samples.IPTC)] if start > 0 else None
    marks = re.search(rb"\xff\x64(..)\x00\x01", data, re.DOTALL)
    if marks:
        length = int.from_bytes(marks.group(1), "big")
        found["comment"] = data[marks.end() : marks.start() + 2 + length]
    return contents
