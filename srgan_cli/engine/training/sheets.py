"""Draw the image sheet of a validation: LR, bicubic, SR and HR side by side."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from srgan_cli.engine.training.validation import Shown
from srgan_cli.paths import written_beside

SHEETS = "sheets"

_SIDE = 160
_GAP = 4
_HEADING = 18
_COLUMNS = ("LR", "bicubic", "SR", "HR")


def write_sheet(run: Path, step: int, shown: Sequence[Shown]) -> Path:
    """Write one row of crops for each image, as ``sheets/step-….png`` of a run.

    A crop is the part of the image with the strongest edges, so that there is
    something to compare; it is the same at every validation.

    Returns:
        The file.

    Raises:
        OSError: The disk is full or the folder cannot be written.
    """
    width = len(_COLUMNS) * (_SIDE + _GAP) - _GAP
    sheet = Image.new("RGB", (width, _HEADING + len(shown) * (_SIDE + _GAP)), "white")
    draw = ImageDraw.Draw(sheet)
    for column, name in enumerate(_COLUMNS):
        draw.text((column * (_SIDE + _GAP) + 2, 2), name, fill="black")
    for row, item in enumerate(shown):
        for column, crop in enumerate(_crops(item)):
            place = (column * (_SIDE + _GAP), _HEADING + row * (_SIDE + _GAP))
            sheet.paste(crop, place)
    path = run / SHEETS / f"step-{step:08}.png"
    path.parent.mkdir(exist_ok=True)
    with written_beside(path) as temporary:
        sheet.save(temporary)
    return path


def _crops(item: Shown) -> list[Image.Image]:
    scale = item.hr.shape[0] // item.lr.shape[0]
    side = min(_SIDE // scale, *item.lr.shape[:2])
    top, left = _liveliest(item.lr, side)
    crops = [item.lr[top : top + side, left : left + side]]
    for image in (item.bicubic, item.sr, item.hr):
        part = image[scale * top : scale * (top + side), scale * left : scale * (left + side)]
        crops.append(part)
    return [
        Image.fromarray(np.ascontiguousarray(crop)).resize((_SIDE, _SIDE), Image.Resampling.NEAREST)
        for crop in crops
    ]


def _liveliest(lr: np.ndarray, side: int) -> tuple[int, int]:
    """Return top and left of the square with the largest steps from pixel to pixel."""
    grey = lr.astype(np.float32).mean(axis=2)
    steps = np.zeros_like(grey)
    steps[:-1] += np.abs(np.diff(grey, axis=0))
    steps[:, :-1] += np.abs(np.diff(grey, axis=1))
    sums = np.pad(steps.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    boxes = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    top, left = np.unravel_index(boxes.argmax(), boxes.shape)
    return int(top), int(left)
