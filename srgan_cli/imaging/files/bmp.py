"""The alpha bits of BMP files of 16 bits a pixel, which Pillow does not read."""

import struct
from pathlib import Path

import numpy as np

from srgan_cli.imaging.containers.blocks import mapped
from srgan_cli.imaging.types import Uint8Image

_MASKS = 3  # Compression: masks say which bits of a pixel are which channel.


def alpha_mask(path: Path) -> int:
    """Return the bits of a pixel that a BMP of 16 bits a pixel calls alpha; 0 for all others."""
    with path.open("rb") as file:
        head = file.read(70)
    if len(head) < 70:
        return 0
    size, bits, compression, alpha = (
        int(struct.unpack_from(kind, head, place)[0])
        for kind, place in (("<I", 14), ("<H", 28), ("<I", 30), ("<I", 66))
    )
    return alpha & 0xFFFF if size >= 56 and bits == 16 and compression == _MASKS else 0


def read_alpha(path: Path, mask: int, size: tuple[int, int]) -> Uint8Image | None:
    """Return H, W levels of alpha, 0 (transparent) to 255.

    None where the rows end early, or where no pixel has an alpha bit: many programs name the
    bit and leave it empty.

    Args:
        path: A BMP file.
        mask: By :func:`alpha_mask`.
        size: Width and height.
    """
    width, height = size
    stride = (2 * width + 3) // 4 * 4
    with mapped(path) as data:
        (start,) = struct.unpack_from("<I", data, 10)
        (rows,) = struct.unpack_from("<i", data, 22)
        stored = bytes(data[start : start + stride * height])
    if len(stored) < stride * height:
        return None
    pixels = np.frombuffer(stored, "<u2").reshape(height, stride // 2)[:, :width] & mask
    if not pixels.any():
        return None
    alpha = np.round(pixels * (255.0 / mask)).astype(np.uint8)
    return np.ascontiguousarray(alpha if rows < 0 else alpha[::-1])
