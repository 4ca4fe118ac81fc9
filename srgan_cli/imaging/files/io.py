"""List the image files of a folder, and read a single image with 8 bits."""

import os
from dataclasses import dataclass
from pathlib import Path

from srgan_cli.imaging.files.decode import open_image
from srgan_cli.imaging.files.formats import image_extensions
from srgan_cli.imaging.frames import shallow
from srgan_cli.imaging.types import Uint8Image


@dataclass(frozen=True, slots=True)
class Image:
    """A single image with 8 bits per channel, upright."""

    pixels: Uint8Image
    """H, W (grey) or H, W, 3 (RGB), 0..255."""
    alpha: Uint8Image | None = None
    """H, W, 0 (transparent) to 255 (opaque)."""
    notes: tuple[str, ...] = ()
    """What was not read as it stands in the file, and what further frames it has."""

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])


def read_image(path: Path, *, max_pixels: int) -> Image:
    """Decode the first frame of a file to 8 bits per channel, upright.

    Grey stays grey, palettes become RGB or RGBA, CMYK becomes RGB.

    Args:
        path: Any raster file that Pillow reads.
        max_pixels: Larger images are refused before any pixel is decoded.

    Raises:
        InputError: The file is missing, unreadable, damaged or larger than ``max_pixels``.
    """
    with open_image(path, max_pixels=max_pixels) as image:
        frame = next(image.frames())
        notes = list(image.notes)
        if image.header.num_frames > 1:
            notes.append(f"only the first of {image.header.num_frames} frames or pages is taken")
    alpha = None if frame.alpha is None else shallow(frame.alpha)
    return Image(shallow(frame.pixels), alpha, tuple(notes))


def list_images(folder: Path) -> list[Path]:
    """Return the image files below a folder, sorted, without hidden ones.

    Symbolic links to folders are not followed, so a loop cannot trap the walk.
    """
    extensions = image_extensions()
    found = []
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [
            Path(root, name)
            for name in files
            if not name.startswith(".") and Path(name).suffix.lower() in extensions
        ]
    return sorted(found)
