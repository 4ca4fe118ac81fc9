"""Small files that promise much: refused before memory is taken, in all three commands."""

import io
import resource
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.conformance import samples

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux does")

LIMIT = 4_000_000
"""Pixels that are allowed; the files promise more."""
MOST_MEMORY = 120 * 2**20

PROBE = """
import resource, sys
from pathlib import Path
from srgan_cli.data.photographs import decode, header_size
from srgan_cli.errors import InputError
from srgan_cli.imaging.files.decode import open_image, probe
from srgan_cli.imaging.files.formats import readable_formats
from srgan_cli.imaging.files.io import read_image
import PIL.Image, tifffile, imagecodecs
readable_formats()
path, limit = Path(sys.argv[1]), int(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
def whole(path, max_pixels):
    with open_image(path, max_pixels=max_pixels) as image:
        for frame in image.frames():
            pass
def prepared(path, max_pixels):
    decode(path, max_side=0, max_pixels=max_pixels)
for reader in (probe, read_image, whole, prepared):
    try:
        reader(path, max_pixels=limit)
    except InputError as error:
        print("refused:", error.message)
    else:
        print("read")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def png(width, height, chunks=()):
    """Return a grey PNG of one bit, all black, with as many rows as it says."""
    rows = zlib.compressobj(9)
    data = b"".join(rows.compress(bytes(1 + (width + 7) // 8)) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", data + rows.flush()), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(samples.png_chunk(*part) for part in parts)


def icon(kind):
    inner = png(20_000, 20_000)
    head = struct.pack("<HHH", 0, kind, 1)
    return head + struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(inner), 22) + inner


def apple_icon():
    inner = png(20_000, 20_000)
    entry = b"ic07" + struct.pack(">I", len(inner) + 8) + inner
    return b"icns" + struct.pack(">I", len(entry) + 8) + entry


def tiff(tags, data=b"\0" * 64):
    """Return a TIFF of 8x8 grey pixels with other tags; of numbers alone, as LONG."""
    usual = {256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 8, 279: 64}
    tags = {**usual, **tags}
    body = b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(tags))
    for tag in sorted(tags):
        body += struct.pack("<HHII", tag, 4, 1, tags[tag])
    return body + bytes(4)


def tiled(side):
    return tiff({322: side, 323: side, 324: 8, 325: 64})


def embedded_jpeg():
    """Return a TIFF whose strip is a JPEG of 60000 x 60000 pixels by its own header."""
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, "JPEG")
    data = bytearray(buffer.getvalue())
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", 60_000, 60_000)
    return tiff({259: 7, 279: len(data)}, bytes(data))


def pages():
    buffer = io.BytesIO()
    pixels = np.zeros((1000, 1000), np.uint8)
    with tifffile.TiffWriter(buffer) as file:
        for _ in range(5):
            file.write(pixels, compression="zlib")
    return buffer.getvalue()


def animation(name):
    frames = [Image.new("L", (1000, 1000), 40 * n) for n in range(6)]
    buffer = io.BytesIO()
    frames[0].save(buffer, name, save_all=True, append_images=frames[1:], duration=100)
    return buffer.getvalue()


def gif_frame():
    """Return a GIF of one pixel with a frame of 65535 x 65535."""
    frame = b"," + struct.pack("<4HB", 0, 0, 65535, 65535, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff" + frame + b";"


def jpeg2000(side=30_000):
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, "JPEG2000")
    data = bytearray(buffer.getvalue())
    place = data.index(b"\xff\x4f\xff\x51")
    data[place + 8 : place + 16] = struct.pack(">II", side, side)
    data[place + 24 : place + 32] = struct.pack(">II", side, side)
    return bytes(data)


def components():
    """Return a codestream of 16384 components of 2000 x 2000 pixels each."""
    count = 16_384
    sizes = struct.pack(">HHIIIIIIIIH", 38 + 3 * count, 0, *(2000, 2000, 0, 0) * 2, count)
    return b"\xff\x4f\xff\x51" + sizes + b"\x07\1\1" * count + bytes(100)


def webp():
    return b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0" + b"\xfe\x3f\0" * 2


def jxl():
    """Return the first bytes of a codestream of 2**30 x 2**30 pixels."""
    bits = 0 | 3 << 1 | (2**30 - 1) << 3 | 0 << 33 | 3 << 36 | (2**30 - 1) << 38
    return b"\xff\x0a" + bits.to_bytes(12, "little")


def profile_bomb():
    name = b"bomb\0\0"
    return png(8, 8, [(b"iCCP", name + zlib.compress(bytes(300 * 2**20), 9))])


def text_bomb():
    content = b"\nexif\n  999999999\n" + b"0" * (300 * 2**20)
    return png(8, 8, [(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(content, 9))])


def photoshop():
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 30_000, 30_000, 8, 3)
    return header + bytes(12) + struct.pack(">H", 0) + bytes(64)


BOMBS = {
    "icon.ico": lambda: icon(1),
    "cursor.cur": lambda: icon(2),
    "icon.icns": apple_icon,
    "plain.png": lambda: png(20_000, 20_000),
    "volume.tif": lambda: tiff({32997: 150_000}),
    "tiles.tif": lambda: tiled(60_000),
    "samples.tif": lambda: tiff({277: 60_000}),
    "embedded-jpeg.tif": embedded_jpeg,
    "pages.tif": pages,
    "frames.gif": lambda: animation("GIF"),
    "frames.png": lambda: animation("PNG"),
    "frames.webp": lambda: animation("WEBP"),
    "frame.gif": gif_frame,
    "codestream.jp2": jpeg2000,
    "components.j2k": components,
    "canvas.webp": webp,
    "codestream.jxl": jxl,
    "document.psd": photoshop,
}
BLOCKS = {"profile.png": profile_bomb, "text.png": text_bomb}
"""Only a block is a bomb: the image may be read without it."""


def probe(path):
    done = subprocess.run(
        [sys.executable, "-c", PROBE, path, str(LIMIT)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    *outcomes, growth = done.stdout.splitlines()
    return outcomes, int(growth) * 1024


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_before_memory_is_taken(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(BOMBS[name]())
    outcomes, growth = probe(path)
    readers = ["probe", "eval", "upscale", "prepare"]
    read = [r for r, outcome in zip(readers, outcomes, strict=True) if outcome == "read"]
    # The first of many frames may be read alone.
    assert not read or (name.startswith(("frames", "embedded")) and "upscale" not in read)
    assert growth < MOST_MEMORY


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_that_are_bombs_take_no_memory(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(BLOCKS[name]())
    outcomes, growth = probe(path)
    assert len(outcomes) == 4
    assert growth < MOST_MEMORY


def test_a_dry_run_takes_no_memory_for_a_bomb(tmp_path, upscale):
    path = tmp_path / "icon.ico"
    path.write_bytes(icon(1))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (failure,) = upscale(path, output=tmp_path / "out", max_pixels=LIMIT).failed
    assert "20000x20000" in failure.reason
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    assert grown < MOST_MEMORY


def test_the_limit_of_one_thread_is_not_that_of_another():
    import threading

    from srgan_cli.imaging.files.limits import pixels_within

    opened = []

    def small():
        with pixels_within(10), pytest.raises(Image.DecompressionBombError):
            Image._decompression_bomb_check((100, 100))
        opened.append("refused")

    with pixels_within(10**6):
        thread = threading.Thread(target=small)
        thread.start()
        thread.join()
        Image._decompression_bomb_check((100, 100))
    assert opened == ["refused"]


def test_a_large_profile_is_no_bomb(tmp_path, upscale):
    large = samples.display_p3() + np.random.default_rng(0).bytes(3 * 2**20)
    samples.image("RGB").save(tmp_path / "a.png", icc_profile=large)
    with Image.open(upscale.one(tmp_path / "a.png", tmp_path / "out")) as image:
        assert image.info["icc_profile"] == large
