"""Draw docs/images/before-after.png with the bundled weights: python tools/build_pictures.py."""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from srgan_cli import engine
from srgan_cli.imaging.resize import upscale_bicubic
from srgan_cli.observer import SilentBar

EXAMPLES = Path(__file__).parents[1] / "examples"
TARGET = Path(__file__).parents[1] / "docs" / "images" / "before-after.png"

# Name, the original in scikit-image, and the crop of the reduced copy: left, top.
CROPS = [
    ("cat", "chelsea", (72, 40)),
    ("astronaut", "astronaut", (78, 20)),
    ("coffee", "coffee", (172, 60)),
]
SIDE, ZOOM, GAP, LABEL = 64, 2, 8, 26


def main() -> None:
    """Lay crops of input, bicubic, models and original side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=TARGET, help="PNG file to write")
    target = parser.parse_args().to

    import skimage.data
    import torch

    from srgan_cli.engine.devices.amp import Amp
    from srgan_cli.engine.models.shelf import BUNDLED

    names = [name for name in reversed(BUNDLED) if name.endswith("-x2")]
    amp = Amp.create(torch.device("cpu"), "fp32")
    upscalers = [
        engine.Upscaler(engine.load_model(engine.find_model(name, 2)), amp, tile=256)
        for name in names
    ]
    cell = SIDE * 2 * ZOOM
    titles = ["input, pixels doubled", "bicubic", *names, "original"]
    sheet = Image.new(
        "RGB", (len(titles) * (cell + GAP) - GAP, LABEL + len(CROPS) * (cell + GAP) - GAP), "white"
    )
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(16)
    for column, title in enumerate(titles):
        draw.text((column * (cell + GAP) + 2, 3), title, fill="black", font=font)
    for row, (name, original, (left, top)) in enumerate(CROPS):
        lr = np.asarray(Image.open(EXAMPLES / f"{name}.png").convert("RGB"))
        nearest = lr.repeat(2, axis=0).repeat(2, axis=1)
        pictures = [
            nearest,
            upscale_bicubic(lr, 2),
            *(upscaler.upscale(lr, SilentBar()) for upscaler in upscalers),
            getattr(skimage.data, original)(),
        ]
        for column, image in enumerate(pictures):
            box = (2 * left, 2 * top, 2 * (left + SIDE), 2 * (top + SIDE))
            crop = Image.fromarray(image).crop(box).resize((cell, cell), Image.Resampling.NEAREST)
            sheet.paste(crop, (column * (cell + GAP), LABEL + row * (cell + GAP)))
    sheet.save(target, optimize=True)


if __name__ == "__main__":
    main()
