"""The pages of a TIFF, one after the other."""

import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from PIL import Image

from srgan_cli.imaging.containers.blocks import mapped
from srgan_cli.imaging.containers.pages import Pages
from srgan_cli.imaging.files import tiff_pages
from srgan_cli.imaging.files.admission import require_size
from srgan_cli.imaging.files.colour import is_converted, ycbcr_to_rgb
from srgan_cli.imaging.files.sources import Note, Shown, pixels_of, told
from srgan_cli.imaging.frames import Header
from srgan_cli.imaging.metadata.transfer import page_blocks

# None, CCITT, LZW, JPEG, Deflate, PackBits, LZMA, Zstandard: what its libtiff is built with.
_PILLOW_CODINGS = {1, 2, 3, 4, 5, 6, 7, 8, 32771, 32773, 32946, 34925, 50000}


class TiffSource:
    """A TIFF.

    Args:
        path: The file.
        image: Opened by Pillow; None where that knows no such layout.
        max_pixels: Limit on the pixels of each page.
        note: Takes notes.

    Raises:
        ValueError: Its structure is damaged.
        InputError: Its first page has pixels whose meaning is not stated.
    """

    def __init__(
        self, path: Path, image: Image.Image | None, max_pixels: float, note: Note
    ) -> None:
        self._path, self._image, self._max_pixels, self._note = path, image, max_pixels, note
        with mapped(path) as data:
            pages = Pages(data)
            kind = tiff_pages.page_kind(pages, 0)
            width, height = next(iter(pages.sizes()))
            if tiff_pages.page_orientation(pages, 0) >= 5:
                width, height = height, width
        tiff_pages.require_readable(path, kind)
        transparent = kind.alpha is not None
        self.header = Header("TIFF", width, height, len(pages.pages), transparent)
        if pages.num_reduced:
            note(f"not kept: {told(pages.num_reduced, 'reduced copy', 'reduced copies')}")
        for part in _further_parts(pages):
            note(f"not kept: {part}")

    def parts(self) -> list[str]:
        """Name the channels, masks and layers that results do not have."""
        found: list[str] = []
        with mapped(self._path) as data:
            pages = Pages(data)
            for number in range(len(pages.pages)):
                further = tiff_pages.page_kind(pages, number).further
                found += [_bands(further)] if further else []
                found += pages.blocks(number).parts
        found += _further_parts(pages)
        return list(dict.fromkeys(found))

    def frames(self) -> Iterator[Shown]:
        """Decode the pages in order."""
        with mapped(self._path) as data:
            pages = Pages(data)
            for number in range(len(pages.pages)):
                notes: list[str] = []
                shown = self._page(pages, number)
                shown.blocks = page_blocks(pages, number, notes)
                for note in notes:
                    self._note(note)
                if self._image is not None and number == len(pages.pages) - 1:
                    self._image.close()
                yield shown

    def _page(self, pages: Pages, number: int) -> Shown:
        kind = tiff_pages.page_kind(pages, number)
        tiff_pages.require_readable(self._path, kind)
        require_size(self._path, list(pages.sizes())[number], 1, self._max_pixels)
        if kind.further:
            self._note(f"not kept: {_bands(kind.further)}")
        turn = tiff_pages.page_orientation(pages, number)
        image = self._image
        by_pillow = kind.compression in _PILLOW_CODINGS and not kind.deep
        if not by_pillow or image is None or not _opens(image, pages.indices[number]):
            pixels = tiff_pages.read_page(self._path, pages, number, self._max_pixels)
            return Shown(*pixels, turn)
        if kind.bits > 8 and not image.mode.startswith("I"):
            self._note(f"{kind.bits}-bit {image.mode} was reduced to 8 bits")
        image.load()
        if image.mode == "YCbCr":
            luma = tiff_pages.luma_coefficients(pages, number)
            return Shown(ycbcr_to_rgb(image, luma), None, turn, is_upright=True)
        converted = is_converted(image.mode)
        colour, alpha = pixels_of(self._path, image, self._note)
        return Shown(colour, alpha, turn, converted=converted, is_upright=True)


def _further_parts(pages: Pages) -> list[str]:
    """Name the masks and images that are no pages."""
    masks, images = pages.num_masks, pages.num_further
    found = [told(masks, "transparency mask")] if masks else []
    return found + ([told(images, "further image")] if images else [])


def _bands(count: int) -> str:
    return told(count, "further band")


def _opens(image: Image.Image, index: int) -> bool:
    """Say whether Pillow opens a page."""
    with suppress(SyntaxError, KeyError, ValueError, TypeError, struct.error, EOFError):
        image.seek(index)
        return True
    return False
