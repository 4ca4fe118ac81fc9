"""A colour that a PNG declares transparent is transparent, whatever the depth."""

import struct
import zlib

import numpy as np
import pytest

from srgan_cli.imaging.files.io import read_image

GREY, RGB = 0, 2
SIDE = 16


def png(samples: np.ndarray, bits: int, colour_type: int, declared: list[int]) -> bytes:
    """Write samples (H, W, channels) of so many bits as PNG, by the specification."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)

    height, width = samples.shape[:2]
    rows = b""
    for row in samples.reshape(height, -1):
        joined = "".join(f"{sample:0{bits}b}" for sample in row)
        rows += b"\0" + int(joined, 2).to_bytes(len(joined) // 8, "big")
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    transparent = struct.pack(f">{len(declared)}H", *declared)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [
            chunk(b"IHDR", header),
            chunk(b"tRNS", transparent),
            chunk(b"IDAT", zlib.compress(rows)),
            chunk(b"IEND", b""),
        ]
    )


@pytest.mark.parametrize("spare", [0, 1], ids=["", "with unused bits set"])
@pytest.mark.parametrize(
    ("bits", "colour_type"),
    [(1, GREY), (2, GREY), (4, GREY), (8, GREY), (16, GREY), (8, RGB), (16, RGB)],
)
def test_pixels_of_the_declared_colour_alone_are_transparent(tmp_path, bits, colour_type, spare):
    channels = 1 if colour_type == GREY else 3
    random = np.random.default_rng(bits)
    samples = random.integers(0, 2**bits, (SIDE, SIDE, channels))
    samples[3:5, 2:9] = samples[0, 0]
    declared = [int(level) for level in samples[0, 0]]
    path = tmp_path / "a.png"
    has_room = 1 < bits < 16  # Of one bit, Pillow keeps whether the number is 0.
    stated = [level | spare << bits for level in declared] if has_room else declared
    path.write_bytes(png(samples, bits, colour_type, stated))
    picture = read_image(path, max_pixels=10**6)
    assert picture.alpha is not None
    expected = (samples != declared).any(-1)
    assert np.array_equal(picture.alpha > 0, expected)
    assert set(np.unique(picture.alpha)) <= {0, 255 if picture.alpha.dtype == np.uint8 else 65535}
