"""What a GIF shows, frame by frame, as browsers show it.

Pillow fills what no frame covers with the colour that GIF89a calls background, which browsers
have never done: there the screen is transparent.
"""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from srgan_cli.imaging.containers import gif
from srgan_cli.imaging.containers.blocks import mapped
from srgan_cli.imaging.containers.gif import GifFile, GifFrame
from srgan_cli.imaging.files.admission import require_size
from srgan_cli.imaging.types import Uint8Image

_CLEARED, _RESTORED = 2, 3


def read_structure(path: Path) -> GifFile:
    """Find the frames of a file without decoding them.

    Raises:
        ValueError: It is not a GIF, or has no frame.
    """
    with mapped(path) as data:
        found = gif.read(data)
    if not found.frames:
        raise ValueError("no image in it")
    return found


def screen_size(file: GifFile) -> tuple[int, int]:
    """Return width and height of what is shown; a first frame that is larger extends it."""
    first = file.frames[0]
    width = max(file.width, first.left + first.width)
    return width, max(file.height, first.top + first.height)


def may_be_transparent(file: GifFile) -> bool:
    """Say whether any pixel may be left without a colour."""
    first, size = file.frames[0], screen_size(file)
    covered = (first.left, first.top, first.width, first.height) == (0, 0, *size)
    return not covered or any(
        frame.transparent is not None or frame.disposal == _CLEARED for frame in file.frames
    )


def shown_frames(
    path: Path, file: GifFile, max_pixels: float
) -> Iterator[tuple[Uint8Image, Uint8Image | None, float]]:
    """Decode the frames and lay them over each other.

    Args:
        path: The file.
        file: Its structure.
        max_pixels: Limit on the pixels of a frame.

    Yields:
        Colour (H, W where all palettes are grey, else H, W, 3), alpha (H, W; None where all is
        opaque), and milliseconds.
    """
    width, height = screen_size(file)
    grey = all(_is_grey(frame.palette) for frame in file.frames)
    screen = np.zeros((height, width, 4), np.uint8)
    for frame in file.frames:
        kept = screen.copy() if frame.disposal == _RESTORED else None
        area = _paint(path, frame, screen, max_pixels)
        colour, alpha = screen[..., 0] if grey else screen[..., :3], screen[..., 3]
        opaque = bool((alpha == 255).all())
        yield colour.copy(), None if opaque else alpha.copy(), float(frame.duration or 0)
        if frame.disposal == _CLEARED:
            area[...] = 0
        elif kept is not None:
            screen = kept


def _paint(path: Path, frame: GifFrame, screen: Uint8Image, max_pixels: float) -> Uint8Image:
    """Paint the opaque pixels of a frame; return the part of the screen that it takes."""
    area = screen[frame.top : frame.top + frame.height, frame.left : frame.left + frame.width]
    if not area.size:
        return area
    require_size(path, (frame.width, frame.height), 1, max_pixels)
    with mapped(path) as data:
        alone = gif.still(data, frame)
    with Image.open(BytesIO(alone), formats=["GIF"]) as image:
        indices = np.asarray(image)[: area.shape[0], : area.shape[1]]
    colours = np.zeros((256, 4), np.uint8)
    palette = np.frombuffer(frame.palette, np.uint8).reshape(-1, 3)
    if not len(palette):
        palette = np.arange(256, dtype=np.uint8).repeat(3).reshape(256, 3)
    colours[: len(palette), :3] = palette
    colours[:, 3] = 255
    painted = colours[indices]
    if frame.transparent is not None:
        seen = indices != frame.transparent
        area[seen] = painted[seen]
    else:
        area[...] = painted
    return area


def _is_grey(palette: bytes) -> bool:
    return palette[::3] == palette[1::3] == palette[2::3]
