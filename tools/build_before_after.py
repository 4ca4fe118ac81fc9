"""Draw docs/images/before-after.png with the bundled weights.

python tools/build_before_after.py
"""

import argparse
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from srgan_cli import engine
from srgan_cli.imaging.levels import to_levels
from srgan_cli.imaging.resize import upscale_bicubic
from srgan_cli.imaging.types import Uint8Image
from srgan_cli.observer import SilentBar

EXAMPLES = Path(__file__).parents[1] / "examples"
TARGET = Path(__file__).parents[1] / "docs" / "images" / "before-after.png"
CELL, ZOOM, GAP, LABEL = 384, 2, 8, 26


@dataclass(frozen=True, slots=True)
class Row:
    """A crop of an example."""

    example: str
    model: str
    scale: int
    corner: tuple[int, int]
    """Left and top, in pixels of the example."""
    damaged: bool = False
    """Whether noise of 8 levels and JPEG of quality 40 are added first."""


ROWS = (
    Row("cat", "photo", 2, (72, 30)),
    Row("coffee", "restore", 4, (150, 60), damaged=True),
)


def opened(row: Row) -> Uint8Image:
    """Return what is upscaled: H, W, 3."""
    image = Image.open(EXAMPLES / f"{row.example}.png").convert("RGB")
    if row.damaged:
        noise = np.random.default_rng(0).normal(0, 8, (image.height, image.width, 3))
        buffer = io.BytesIO()
        Image.fromarray(to_levels(np.asarray(image) + noise)).save(buffer, "JPEG", quality=40)
        image = Image.open(buffer)
    return np.asarray(image)


def crops(row: Row) -> Sequence[Image.Image]:
    """Return the input with its pixels repeated, bicubic and the model's result."""
    import torch

    from srgan_cli.engine.devices.amp import Amp

    source = engine.find_model(row.model, row.scale)
    upscaler = engine.Upscaler(engine.load_model(source), Amp.create(torch.device("cpu"), "fp32"))
    lr, scale = opened(row), row.scale
    results = (
        lr.repeat(scale, axis=0).repeat(scale, axis=1),
        upscale_bicubic(lr, scale),
        upscaler.upscale(lr, SilentBar()),
    )
    left, top = (scale * length for length in row.corner)
    side = CELL // ZOOM
    box = (left, top, left + side, top + side)
    cell = (CELL, CELL)
    return [
        Image.fromarray(one).crop(box).resize(cell, Image.Resampling.NEAREST) for one in results
    ]


def main() -> None:
    """Lay crops of input, bicubic and srgan side by side: one clean image, one damaged."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=TARGET, help="PNG file to write")
    target = parser.parse_args().to

    height = LABEL + CELL
    sheet = Image.new("RGB", (3 * (CELL + GAP) - GAP, len(ROWS) * (height + GAP) - GAP), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(16)
    for number, row in enumerate(ROWS):
        top = number * (height + GAP)
        titles = (
            "noise and JPEG" if row.damaged else "input",
            f"bicubic, {row.scale} times the sides",
        )
        title = f"srgan --model {row.model}"
        for column, (name, crop) in enumerate(zip((*titles, title), crops(row), strict=True)):
            left = column * (CELL + GAP)
            draw.text((left + 2, top + 3), name, fill="black", font=font)
            sheet.paste(crop, (left, top + LABEL))
    sheet.save(target, optimize=True)


if __name__ == "__main__":
    main()
