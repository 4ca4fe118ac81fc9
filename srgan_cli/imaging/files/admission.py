"""Check a file before a decoder opens it: a regular file, an image, and not too large."""

import stat
import struct
from collections.abc import Iterator
from pathlib import Path

from srgan_cli.errors import InputError
from srgan_cli.imaging.containers import jpeg2000, jxl, webp
from srgan_cli.imaging.containers import pages as tiff_pages
from srgan_cli.imaging.containers.blocks import mapped
from srgan_cli.imaging.containers.directories import Buffer, Directory
from srgan_cli.imaging.containers.pages import Pages

_RAW_MAGIC = (
    (0, b"FUJIFILMCCD-RAW"),
    (8, b"CR\x02"),  # Canon CR2
    (4, b"ftypcrx "),  # Canon CR3
    (6, b"HEAPCCDR"),  # Canon CRW
    (0, b"IIRO"),  # Olympus
    (0, b"IIRS"),
    (0, b"MMOR"),
    (0, b"IIU\0"),  # Panasonic, Leica
    (0, b"FOVb"),  # Sigma
    (0, b"\0MRM"),  # Minolta
    (0, b"IIII"),  # Phase One
    (0, b"MMMM"),
    (0, b"ARRI"),
)
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ICONS = (b"\0\0\1\0", b"\0\0\2\0")
_PNG, _JP2, _J2K = b"\x89PNG\r\n\x1a\n", b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"
_LEAST_TILE = 2048 * 2048  # Tiles and strips may always have as many pixels,
_TILE_SHARE = 4  # and this many times those of the image.
_MOST_SAMPLES = 64
_HINT_DAMAGED = "the file is damaged, or made to do harm"


def require_regular(path: Path) -> None:
    """Refuse what cannot be an image without opening it: a pipe would block for ever."""
    try:
        status = path.stat()
    except FileNotFoundError as error:
        if path.is_symlink():
            raise InputError(
                f"{path}: a link to a file that does not exist", hint="fix or delete the link"
            ) from error
        raise InputError(f"{path}: no such file", hint="check the name and the folder") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: {reason}", hint="check the name and the folder") from error
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"{path}: a folder, not an image", hint="pass --recursive to enter it")
    if not stat.S_ISREG(status.st_mode):
        raise InputError(
            f"{path}: a pipe, socket or device, not a file", hint="name a regular file"
        )
    if status.st_size == 0:
        raise InputError(f"{path}: the file is empty", hint="restore it from a backup")


def require_size(path: Path, size: tuple[int, int], num_frames: int, max_pixels: float) -> None:
    """Refuse an image without pixels, or with more of them in all its frames than allowed."""
    width, height = size
    if width < 1 or height < 1:
        raise InputError(f"{path}: {width}x{height} has no pixels", hint="the file is damaged")
    if width * height * num_frames > max_pixels:
        times = f" x {num_frames} frames" if num_frames > 1 else ""
        raise InputError(
            f"{path}: {width}x{height}{times} is more than {max_pixels:,} pixels",
            hint="pass a larger --max-pixels if you trust the file",
        )


def require_admissible(path: Path, max_pixels: float) -> None:
    """Refuse what no decoder is to see: raw files, and images that are larger than they look.

    Decoders take memory for what a file promises when they open it, and some promise more in
    one place than in another. Here the bytes themselves are asked.

    Raises:
        InputError: It is a raw file, or larger than ``max_pixels`` somewhere.
    """
    require_regular(path)
    try:
        with mapped(path) as data:
            _require_developed(path, data)
            for size in _stated_sizes(path, data, max_pixels):
                require_size(path, size, 1, max_pixels)
    except PermissionError as error:
        raise InputError(
            f"{path}: no permission to read it", hint="check its read permission"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}", hint="check the file") from error


def _require_developed(path: Path, data: Buffer) -> None:
    head = bytes(data[:64])
    is_raw = any(head[place : place + len(magic)] == magic for place, magic in _RAW_MAGIC)
    if not is_raw and head[:4] in _TIFF_MAGIC:
        pages = tiff_structure(data)
        is_raw = pages is not None and pages.is_raw()
    if is_raw:
        raise InputError(
            f"{path}: a raw file, whose image has not been developed",
            hint="export it as TIFF or JPEG from a raw converter",
        )


def tiff_structure(data: Buffer) -> Pages | None:
    """Return the pages of a TIFF; None where it is none, or too damaged."""
    try:
        return Pages(data)
    except (ValueError, struct.error):
        return None


def _stated_sizes(path: Path, data: Buffer, max_pixels: float) -> Iterator[tuple[int, int]]:
    """Yield the sizes that the bytes of a file state; those without pixels are others' matter."""
    head = bytes(data[:32])
    try:
        if head[:4] in _TIFF_MAGIC:
            _require_pages(path, data, max_pixels)
        elif head[:4] in _ICONS:
            yield from _icon_sizes(data)
        elif head[:4] == b"icns":
            yield from _apple_icon_sizes(data)
        else:
            found = embedded_size(data)
            if found is not None and min(found) > 0:
                yield found
    except (struct.error, IndexError, ValueError):
        return  # Cut short: its decoder will say so.


def embedded_size(data: Buffer) -> tuple[int, int] | None:
    """Return the size that a PNG, WebP, JPEG XL or JPEG 2000 states; None for all else."""
    head = bytes(data[:32])
    if head[:8] == _PNG and head[12:16] == b"IHDR":
        width, height = struct.unpack_from(">II", head, 16)
        return width, height
    if head[:4] == b"RIFF":
        return webp.size(data)
    if head[:8] == _JP2 or head[:4] == _J2K:
        found = jpeg2000.codestream(data)
        # Components take memory each, whatever the header says of their number.
        return (found.width * -(-len(found.depths) // 4), found.height) if found else None
    if head[:2] == b"\xff\x0a" or head[4:8] == b"JXL ":
        return jxl.size(data)
    return None


def _icon_sizes(data: Buffer) -> Iterator[tuple[int, int]]:
    """Yield the sizes of a Windows icon's images by themselves; its table has a byte for each."""
    (count,) = struct.unpack_from("<H", data, 4)
    for number in range(count):
        length, start = struct.unpack_from("<II", data, 6 + 16 * number + 8)
        image = bytes(data[start : start + min(length, 64)])
        found = embedded_size(image)
        if found is not None:
            yield found
        elif len(image) >= 16 and image[:4] == b"\x28\0\0\0":
            width, height = struct.unpack_from("<ii", image, 4)
            if width and height:
                yield abs(width), abs(height)


def _apple_icon_sizes(data: Buffer) -> Iterator[tuple[int, int]]:
    position = 8
    while position + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, position + 4)
        image = bytes(data[position + 8 : position + 8 + min(length, 512)])
        found = embedded_size(image)
        if found is not None and min(found) > 0:
            yield found
        position += max(8, length)


def _require_pages(path: Path, data: Buffer, max_pixels: float) -> None:
    pages = tiff_structure(data)
    if pages is None:
        return
    total = 0
    for page, (width, height) in zip(pages.pages, pages.sizes(), strict=True):
        total += width * height
        if total > max_pixels:
            require_size(path, (width, height), 1, max_pixels)
            raise InputError(
                f"{path}: its {len(pages.pages)} pages have more than {max_pixels:,} pixels",
                hint="pass a larger --max-pixels if you trust the file",
            )
        _require_page(path, pages, page, (width, height))


def _require_page(path: Path, pages: Pages, page: Directory, size: tuple[int, int]) -> None:
    """Refuse a page whose volume, tiles or channels are out of proportion to its pixels."""

    def number(tag: int, default: int) -> int:
        return pages.tiff.number(page, tag, default)

    depth = number(tiff_pages.DEPTH, 1)
    if depth > 1:
        raise InputError(
            f"{path}: a volume of {depth:,} slices, not an image", hint="export its slices as pages"
        )
    samples = max(number(tiff_pages.SAMPLES, 1), _num_values(page, tiff_pages.BITS))
    if samples > _MOST_SAMPLES:
        raise InputError(f"{path}: {samples:,} bands, not an image", hint=_HINT_DAMAGED)
    tile = number(tiff_pages.TILE_WIDTH, 0) * number(tiff_pages.TILE_HEIGHT, 0)
    if tile > max(_LEAST_TILE, _TILE_SHARE * size[0] * size[1]):
        raise InputError(f"{path}: its tiles are far larger than the image", hint=_HINT_DAMAGED)


def _num_values(page: Directory, tag: int) -> int:
    return page.fields[tag].count if tag in page.fields else 1
