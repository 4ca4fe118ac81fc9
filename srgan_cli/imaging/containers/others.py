"""BMP, PSD and further formats that carry a block or two."""

import struct

from srgan_cli.imaging.containers.blocks import Blocks, resolution
from srgan_cli.imaging.containers.directories import Buffer
from srgan_cli.imaging.containers.photoshop import read_resources

_RESOLUTION = 0x03ED
_EMBEDDED, _LINKED, _CALIBRATED = b"DEBM", b"KNIL", bytes(4)


def read_bmp(data: Buffer) -> Blocks:
    """Collect what a BMP carries: resolution, and the colours of its fifth version."""
    blocks = Blocks()
    if bytes(data[:2]) != b"BM" or len(data) < 54:
        return blocks
    (header,) = struct.unpack_from("<I", data, 14)
    if header < 40:
        return blocks
    x, y = struct.unpack_from("<ii", data, 38)
    blocks.resolution = resolution(x, y, "metre")
    if header < 108 or len(data) < 14 + header:
        return blocks
    kind = bytes(data[70:74])
    if header >= 124 and kind == _EMBEDDED:
        place, length = struct.unpack_from("<II", data, 14 + 112)
        if 14 + place + length <= len(data):
            blocks.icc = bytes(data[14 + place : 14 + place + length]) or None
    elif kind == _LINKED:
        blocks.lose("linked colour profile")
    elif kind == _CALIBRATED and any(data[74:122]):
        blocks.lose("calibrated colour space")
    return blocks


def read_psd(data: Buffer) -> Blocks:
    """Collect the image resources of a Photoshop file."""
    blocks = Blocks()
    if bytes(data[:4]) != b"8BPS" or len(data) < 34:
        return blocks
    (colours,) = struct.unpack_from(">I", data, 26)
    if 34 + colours > len(data):
        return blocks
    (length,) = struct.unpack_from(">I", data, 30 + colours)
    read_resources(bytes(data[34 + colours : 34 + colours + length]), blocks)
    blocks.exif = blocks.exif.removeprefix(b"Exif\0\0") if blocks.exif else None
    for number, whole in blocks.photoshop:
        if number == _RESOLUTION and len(whole) >= 28:  # Fixed point, per inch.
            x, y = (value / 65536 for value in struct.unpack_from(">I4xI", whole, 12))
            blocks.resolution = resolution(x, y, "inch")
    return blocks
