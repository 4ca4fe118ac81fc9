"""Small images of every format that is read, and the mutations that damage files."""

import io
import json
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from srgan_cli.imaging.types import ImageArray

WIDTH, HEIGHT = 24, 20
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:ImageWidth="24"/></rdf:RDF></x:xmpmeta>'
)
INTERESTING = (0, 1, 2, 7, 8, 16, 24, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000)
INTERESTING += (0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
VALUES = (None, True, 0, -1, 1, 2**31, 2**63, 1e308, "", "a", "\0", "../x", [], {}, [[1]], {"a": 1})


def pixels(channels: int, *, deep: bool = False, seed: int = 0) -> ImageArray:
    """Return smooth, slightly noisy H, W or H, W, C levels."""
    y, x = np.mgrid[0 : 3 : HEIGHT * 1j, 0 : 3 : WIDTH * 1j]
    noise = np.random.default_rng(seed).normal(0, 0.05, (HEIGHT, WIDTH, channels))
    planes = np.stack([np.sin(x + c * y + seed) for c in range(channels)], axis=-1)
    levels = np.clip(0.5 + 0.4 * planes + noise, 0, 1) * (65535 if deep else 255)
    found = np.round(levels).astype(np.uint16 if deep else np.uint8)
    return found[..., 0] if channels == 1 else found


def image_seeds() -> dict[str, bytes]:
    """Return whole files by their names."""
    return dict([*_pillow_seeds(), *_animations(), *_tiff_seeds(), *_other_seeds()])


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112], exif[0x8298] = "camera", 6, "somebody"
    exif.get_ifd(0x8769)[0x829A] = 0.5
    exif.get_ifd(0x8825)[1] = "N"
    return exif


def _saved(image: Image.Image, name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def _pillow_seeds() -> Iterator[tuple[str, bytes]]:
    grey, rgb, rgba = (Image.fromarray(pixels(count)) for count in (1, 3, 4))
    both, two = Image.fromarray(pixels(2)), grey.point(lambda v: 255 * (v > 99), "1")
    palette = rgb.quantize(32)
    full = {"exif": _exif(), "xmp": XMP, "dpi": (300, 300)}
    yield "rgb.jpg", _saved(rgb, "JPEG", comment=b"said", **full)
    yield "progressive.jpg", _saved(rgb, "JPEG", progressive=True, subsampling=0)
    yield "cmyk.jpg", _saved(rgb.convert("CMYK"), "JPEG")
    yield "grey.jpg", _saved(grey, "JPEG", restart_marker_rows=1)
    yield "mpo.jpg", _saved(rgb, "MPO", save_all=True, append_images=[rgb])
    for name, image in (("rgb", rgb), ("rgba", rgba), ("la", both), ("one", two)):
        yield f"{name}.png", _saved(image, "PNG")
    yield "full.png", _saved(rgb, "PNG", **full)
    yield "palette.png", _saved(palette, "PNG", transparency=3)
    for name, image in (("rgb", rgb), ("rgba", rgba)):
        yield f"{name}.webp", _saved(image, "WEBP", lossless=name == "rgba", **full)
        yield f"{name}.avif", _saved(image, "AVIF", speed=10, exif=_exif(), xmp=XMP)
        yield f"{name}.jp2", _saved(image, "JPEG2000")
        yield f"{name}.dds", _saved(image, "DDS")
        yield f"{name}.tga", _saved(image, "TGA", rle=name == "rgba")
        yield f"{name}.sgi", _saved(image, "SGI")
        yield f"{name}.qoi", _saved(image, "QOI")
        yield f"{name}.ico", _saved(image, "ICO", sizes=[(16, 16), (20, 20)])
    yield "rgb.j2k", _saved(rgb, "JPEG2000", no_jp2=True)
    yield "dxt.dds", _saved(rgba, "DDS", pixel_format="DXT5")
    yield "bmp.ico", _saved(rgba, "ICO", sizes=[(16, 16)], bitmap_format="bmp")
    yield "palette.gif", _saved(palette, "GIF", comment=b"said", interlace=True)
    yield "palette.tga", _saved(palette, "TGA")
    for name, image in (("rgb", rgb), ("palette", palette), ("one", two), ("grey", grey)):
        yield f"{name}.bmp", _saved(image, "BMP")
        yield f"{name}.pcx", _saved(image, "PCX")
        yield f"{name}.im", _saved(image, "IM")
    for name, image in (("a.ppm", rgb), ("a.pgm", grey), ("a.pbm", two), ("a.dib", rgb)):
        yield name, _saved(image, "DIB" if name == "a.dib" else "PPM")
    yield "a.msp", _saved(two, "MSP")
    yield "a.xbm", _saved(two, "XBM")
    yield "a.blp", _saved(palette, "BLP")
    yield "float.spider", _saved(grey.convert("F"), "SPIDER")
    yield "ascii.ppm", b"P3 24 20 255\n" + " ".join(map(str, pixels(3).ravel())).encode()
    yield "float.pfm", _saved(grey.convert("F"), "PPM")


def _animations() -> Iterator[tuple[str, bytes]]:
    frames = [Image.fromarray(pixels(4, seed=seed)) for seed in range(3)]
    rest = {"save_all": True, "append_images": frames[1:], "duration": [100, 250, 40]}
    for name, ext in (("PNG", "png"), ("GIF", "gif"), ("WEBP", "webp"), ("AVIF", "avif")):
        more = {"speed": 10} if name == "AVIF" else {"loop": 2}
        yield f"frames.{ext}", _saved(frames[0], name, **rest, **more)


def _tiff_seeds() -> Iterator[tuple[str, bytes]]:
    def made(count: int, *, deep: bool = False, **options: object) -> bytes:
        buffer = io.BytesIO()
        photometric = "rgb" if count > 2 else "minisblack"
        tifffile.imwrite(
            buffer, pixels(count, deep=deep), photometric=photometric, metadata=None, **options
        )
        return buffer.getvalue()

    yield "plain.tif", made(3, extratags=[(700, 1, len(XMP), XMP, True)])
    yield "big-endian.tif", made(3, byteorder=">", deep=True)
    yield "bigtiff.tif", made(1, bigtiff=True)
    yield "planar.tif", _planar()
    yield "bands.tif", made(4, deep=True, extrasamples=["unspecified"], planarconfig="contig")
    for coding in ("lzw", "deflate", "packbits", "jpeg", "zstd", "webp", "lzma"):
        yield f"{coding}.tif", made(3, compression=coding)
    yield "tiles.tif", made(3, tile=(16, 16), compression="deflate", predictor=True)
    yield "alpha.tif", made(4, extrasamples=["assocalpha"], deep=True)
    image = Image.fromarray(pixels(3))
    yield "pages.tif", _saved(image, "TIFF", save_all=True, append_images=[image, image])
    yield "one.tif", _saved(image.convert("1"), "TIFF", compression="group4")
    yield "palette.tif", _saved(image.quantize(16), "TIFF", exif=_exif())
    yield "cmyk.tif", _saved(image.convert("CMYK"), "TIFF")
    yield "lab.tif", _saved(Image.fromarray(pixels(3), mode="LAB"), "TIFF")


def _planar() -> bytes:
    buffer = io.BytesIO()
    planes = np.moveaxis(pixels(3), 2, 0)
    tifffile.imwrite(buffer, planes, photometric="rgb", planarconfig="separate", metadata=None)
    return buffer.getvalue()


def _other_seeds() -> Iterator[tuple[str, bytes]]:
    """Yield what imagecodecs writes, and what is easily put together by hand."""
    yield "deep.png", imagecodecs.png_encode(pixels(3, deep=True))
    yield "deep.jp2", imagecodecs.jpeg2k_encode(pixels(3, deep=True), codecformat="jp2")
    flat = pixels(3)
    planes = np.moveaxis(flat, 2, 0).tobytes()
    header = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, HEIGHT, WIDTH, 8, 3)
    yield "a.psd", header + bytes(12) + b"\0\0" + planes
    yield "a.sun", struct.pack(">8I", 0x59A66A95, WIDTH, HEIGHT, 24, len(planes), 1, 0, 0) + planes
    cards = ("SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 2", "NAXIS1  = 24", "NAXIS2  = 20", "END")
    head = "".join(card.replace("= ", "= " + " " * 18).ljust(80) for card in cards).ljust(2880)
    yield "a.fits", head.encode() + pixels(1).tobytes().ljust(2880, b"\0")
    palette = Image.fromarray(flat).quantize(4)
    rows = np.asarray(palette)
    colours = "\n".join(f'"{i} c #{i * 40:02x}{90 - i:02x}80",' for i in range(4))
    text = "\n".join('"' + "".join(map(str, row)) + '",' for row in rows)
    yield (
        "a.xpm",
        f'/* XPM */\nstatic char *a[] = {{\n"24 20 4 1",\n{colours}\n{text}\n}};\n'.encode(),
    )
    cursor = bytearray(_saved(Image.fromarray(pixels(4)), "ICO", bitmap_format="bmp"))
    cursor[2] = 2
    yield "a.cur", bytes(cursor)
    page = _saved(Image.fromarray(flat), "PCX")
    yield "a.dcx", struct.pack("<4I", 0x3ADE68B1, 12 + 4, 0, 0) + page
    brush = struct.pack(">5I4sI", 28 + 4, 2, WIDTH, HEIGHT, 4, b"GIMP", 10) + b"abc\0"
    yield "a.gbr", brush + pixels(4).tobytes()
    yield "a.fli", _fli()
    yield "a.icns", _icns()


def _icns() -> bytes:
    square = Image.fromarray(pixels(4)).resize((32, 32))
    planes = np.moveaxis(np.asarray(square), 2, 0)
    parts = (
        (b"il32", planes[:3].tobytes()),
        (b"l8mk", planes[3].tobytes()),
        (b"icp4", _saved(square.resize((16, 16)), "PNG")),
    )
    body = b"".join(kind + struct.pack(">I", len(data) + 8) + data for kind, data in parts)
    return b"icns" + struct.pack(">I", len(body) + 8) + body


def _fli() -> bytes:
    raw = struct.pack("<IH", 6 + WIDTH * HEIGHT, 16) + pixels(1).tobytes()
    colours = struct.pack("<IHHBB", 6 + 4 + 768, 11, 1, 0, 0) + bytes(i // 12 for i in range(768))
    frame = struct.pack("<IHH8x", 16 + len(raw) + len(colours), 0xF1FA, 2) + colours + raw
    head = struct.pack("<IHHHHHHI", 128 + len(frame), 0xAF11, 1, WIDTH, HEIGHT, 8, 3, 5)
    return head.ljust(128, b"\0") + frame


Mutation = Callable[[bytearray, random.Random], bytes | bytearray]


def mutated(data: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """Damage a file in one to three ways; checksums of PNG are often put right again."""
    found = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        way = chance.choice(
            (_flip, _flip, _field, _field, _field, _cut, _drop, _repeat, _fill, _text)
        )
        found = bytearray(way(found, chance)) or bytearray(b"\0")
    if chance.random() < 0.03:
        other = chance.choice(others)
        found = found[: chance.randrange(len(found) + 1)] + other[chance.randrange(len(other)) :]
    if found.startswith(b"\x89PNG") and chance.random() < 0.8:
        found = _with_checksums(found)
    return bytes(found)


def _place(data: bytearray, chance: random.Random) -> int:
    """Choose a place, half of the time near the beginning, where headers are."""
    end = min(len(data), 256) if chance.random() < 0.5 else len(data)
    return chance.randrange(max(1, end))


def _flip(data: bytearray, chance: random.Random) -> bytearray:
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        data[_place(data, chance) % len(data)] ^= 1 << chance.randrange(8)
    return data


def _field(data: bytearray, chance: random.Random) -> bytearray:
    """Put a number that is often wrong where one of 1, 2, 4 or 8 bytes may stand."""
    size = chance.choice((1, 2, 2, 4, 4, 8))
    place = _place(data, chance)
    number = chance.choice(INTERESTING) if chance.random() < 0.8 else chance.getrandbits(8 * size)
    order = "little" if chance.random() < 0.5 else "big"
    data[place : place + size] = (number % 2 ** (8 * size)).to_bytes(size, order)
    return data


def _cut(data: bytearray, chance: random.Random) -> bytearray:
    return data[: chance.randrange(len(data))]


def _drop(data: bytearray, chance: random.Random) -> bytearray:
    place = _place(data, chance)
    del data[place : place + chance.choice((1, 2, 4, 16, 100))]
    return data


def _repeat(data: bytearray, chance: random.Random) -> bytearray:
    place, size = _place(data, chance), chance.choice((1, 4, 12, 64, 300))
    return data[: place + size] + data[place:]


def _fill(data: bytearray, chance: random.Random) -> bytearray:
    place, size = _place(data, chance), chance.choice((4, 16, 64))
    data[place : place + size] = bytes([chance.choice((0, 255, 32))]) * size
    return data


def _text(data: bytearray, chance: random.Random) -> bytearray:
    """Replace a number that stands there as text, as in headers of PPM, FITS and XPM, and XMP."""
    places = [i for i, byte in enumerate(data[:4096]) if 48 <= byte < 58]
    if not places:
        return _field(data, chance)
    place = chance.choice(places)
    number = chance.choice((b"0", b"-1", b"9" * 9, b"9" * 30, b"1e9", b"nan", b"3"))
    data[place : place + 1] = number
    return data


def _with_checksums(data: bytearray) -> bytearray:
    place = 8
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        end = place + 8 + length
        if end + 4 > len(data):
            break
        data[end : end + 4] = struct.pack(">I", zlib.crc32(data[place + 4 : end]))
        place = end + 4
    return data


def mutated_record(data: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """Damage JSON, lines of JSON or TOML: a value, a key, a line, or any bytes."""
    if chance.random() < 0.4:
        return mutated(data, chance, others)
    lines = data.splitlines() or [b""]
    place = chance.randrange(len(lines))
    try:
        document = json.loads(lines[place] if len(lines) > 1 else data)
    except ValueError:
        try:
            document, lines, place = json.loads(data), [data], 0
        except ValueError:
            return _mutated_line(lines, place, chance)
    _edit(document, chance)
    lines[place] = json.dumps(document).encode()
    return b"\n".join(lines) + b"\n"


def _mutated_line(lines: list[bytes], place: int, chance: random.Random) -> bytes:
    key, sign, _ = lines[place].partition(b"=")
    value = json.dumps(chance.choice(VALUES)).encode()
    changes = [[], [key + sign + value], [lines[place]] * 2, [key], [b"[" + key + b"]"], [b"x = 1"]]
    lines[place : place + 1] = chance.choice(changes)
    return b"\n".join(lines) + b"\n"


def _edit(document: object, chance: random.Random) -> None:
    """Change, add or delete one entry somewhere in a document."""
    while isinstance(document, dict | list) and document:
        keys = list(document) if isinstance(document, dict) else list(range(len(document)))
        key = chance.choice(keys)
        inner = document[key]  # type: ignore[index]
        if isinstance(inner, dict | list) and inner and chance.random() < 0.8:
            document = inner
            continue
        match chance.randrange(4):
            case 0:
                del document[key]  # type: ignore[arg-type]
            case 1 if isinstance(document, dict):
                document[str(chance.choice(VALUES))] = chance.choice(VALUES)
            case _:
                document[key] = chance.choice(VALUES)  # type: ignore[index]
        return


def photograph(path: Path, seed: int, width: int = 64, height: int = 56) -> Path:
    """Write a whole image that every command takes."""
    tile = Image.fromarray(pixels(3, seed=seed)).resize((width, height), Image.Resampling.BICUBIC)
    noise = np.random.default_rng(seed).integers(-20, 20, (height, width, 3))
    Image.fromarray(np.clip(np.asarray(tile) + noise, 0, 255).astype(np.uint8)).save(path)
    return path
