"""Photoshop's image resources, as JPEG, TIFF, PSD and PNG carry them."""

import struct
from collections.abc import Iterable, Iterator

from srgan_cli.imaging.containers.blocks import Blocks
from srgan_cli.imaging.containers.directories import Buffer

_IPTC = 0x0404
_ELSEWHERE = {
    0x040F: "icc",  # ICC profile
    0x0422: "exif",
    0x0424: "xmp",
}
_GUIDES, _SLICES = 0x0408, 0x041A
_OLD = {_GUIDES, _SLICES, 0x0400, 0x0402, 0x0409, 0x040C, 0x0415, 0x0423, 0x042D, 0x0433}
"""Thumbnails, guides, slices and layers, which describe the old pixels."""


def resources(data: Buffer) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield number, content and whole bytes of each resource; ends where the data are damaged."""
    position = 0
    while position + 12 <= len(data) and data[position : position + 4] == b"8BIM":
        (number,) = struct.unpack_from(">H", data, position + 4)
        name = data[position + 6]
        start = position + 6 + (name + 2) // 2 * 2
        if start + 4 > len(data):
            return
        (length,) = struct.unpack_from(">I", data, start)
        stop = start + 4 + length
        if stop > len(data):
            return
        end = stop + length % 2
        whole = bytes(data[position:stop]) + b"\0" * (length % 2)
        yield number, bytes(data[start + 4 : stop]), whole
        position = end


def read_resources(data: Buffer, blocks: Blocks) -> None:
    """Take IPTC, the blocks that other formats have elsewhere, and what else can be kept."""
    for number, content, whole in resources(data):
        if number == _IPTC:
            blocks.iptc = blocks.iptc or content or None
        elif number in _ELSEWHERE:
            name = _ELSEWHERE[number]
            if getattr(blocks, name) is None and content:
                setattr(blocks, name, content)
        elif number not in _OLD:
            blocks.photoshop.append((number, whole))
        elif _says_something(number, content):
            blocks.lose("Photoshop's guides and slices")


def _says_something(number: int, content: bytes) -> bool:
    """Say whether there are guides, or more slices than the one that is the whole image."""
    if number == _GUIDES:
        return len(content) >= 16 and content[12:16] != bytes(4)
    if number != _SLICES or len(content) < 28 or content[:4] != b"\0\0\0\6":
        return False
    place = 24 + 2 * int.from_bytes(content[20:24], "big")
    return int.from_bytes(content[place : place + 4], "big") > 1


def packed(iptc: bytes | None, others: Iterable[tuple[int, bytes]]) -> bytes:
    """Return the resources to be written; empty without any."""
    head = b""
    if iptc:
        head = b"8BIM" + struct.pack(">HHI", _IPTC, 0, len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
    return head + b"".join(whole for _, whole in others)
