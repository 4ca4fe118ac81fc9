"""Draw docs/images/looks-*.jpg: what the bundled weights make of many kinds of images.

python tools/build_sheets.py [--scale 2] [--sheet NAME …] [--model NAME …] [--to FOLDER]
python tools/build_sheets.py --scale 4 --sheet damaged --model photo --model restore

The photographs are those that scikit-image and scikit-learn distribute under free licences (NOTICE
names them); the rest is drawn here. Needs pip install '.[dev,figures]'.
"""

import argparse
import io
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from srgan_cli import engine
from srgan_cli.imaging.levels import to_levels
from srgan_cli.imaging.resize import downscale, mod_crop, upscale_bicubic
from srgan_cli.imaging.types import Uint8Image
from srgan_cli.observer import SilentBar

IMAGES = Path(__file__).parents[1] / "docs" / "images"
CELL = 240  # Pixels of a crop on the sheet.
GAP, LABEL, MARGIN = 6, 24, 96
QUALITY = 90
MODELS = ("fidelity", "photo")


@dataclass(frozen=True, slots=True)
class Row:
    """One crop of one image."""

    label: str
    image: Callable[[], Uint8Image]
    """Returns the original, H, W, 3."""
    centre: tuple[float, float]
    """Of the crop, as shares of width and height."""
    damage: Callable[[Uint8Image], Uint8Image] | None = None
    """What happens to LR."""
    zoom: int = 2
    """Side of an HR pixel on the sheet."""


def jpeg(quality: int) -> Callable[[Uint8Image], Uint8Image]:
    def damage(lr: Uint8Image) -> Uint8Image:
        buffer = io.BytesIO()
        Image.fromarray(lr).save(buffer, "JPEG", quality=quality)
        return np.asarray(Image.open(buffer))

    return damage


def noise(sigma: float) -> Callable[[Uint8Image], Uint8Image]:
    return lambda lr: to_levels(lr + np.random.default_rng(0).normal(0, sigma, lr.shape))


def noise_then_jpeg(sigma: float, quality: int) -> Callable[[Uint8Image], Uint8Image]:
    return lambda lr: jpeg(quality)(noise(sigma)(lr))


def colour(image: Uint8Image) -> Uint8Image:
    return np.asarray(Image.fromarray(image).convert("RGB"))


def shipped(name: str) -> Callable[[], Uint8Image]:
    """Return an image of scikit-image, or of scikit-learn where the name has a suffix."""

    def load() -> Uint8Image:
        if name.endswith(".jpg"):
            from sklearn.datasets import load_sample_image

            return np.asarray(load_sample_image(name))
        import skimage.data

        return colour(getattr(skimage.data, name)())

    return load


def reduced(image: Callable[[], Uint8Image], factor: int) -> Callable[[], Uint8Image]:
    """Return the image as if taken from farther away."""
    return lambda: downscale(mod_crop(image(), factor), factor)


def printed() -> Uint8Image:
    """Draw lines of text of falling size, in black, in colours, and white on dark."""
    page = Image.new("RGB", (480, 480), "white")
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 300, 480, 480), fill=(24, 38, 66))
    top = 8
    for size in (28, 22, 18, 15, 13, 11, 10, 9):
        text = "The quick brown fox jumps over 13 lazy dogs, 0.86 × 24 = 20.64"
        draw.text((10, top), text, fill="black", font=ImageFont.load_default(size))
        top += size + 8
    inks = ("white", (255, 204, 64), (120, 200, 255), (255, 120, 110))
    for place, ink in enumerate(inks):
        size = 20 - 3 * place
        words = "Sphinx of black quartz, judge my vow: & @ § 1234567890"
        draw.text((10, 310 + 40 * place), words, fill=ink, font=ImageFont.load_default(size))
    return np.asarray(page)


def drawing() -> Uint8Image:
    """Draw a face and a house in outlines, flat colours and hatching."""
    fine = 4  # Drawn larger and reduced, so that edges are smooth.
    page = Image.new("RGB", (480 * fine, 480 * fine), (250, 244, 226))
    draw = ImageDraw.Draw(page)

    def box(*corners: float) -> tuple[float, ...]:
        return tuple(fine * corner for corner in corners)

    draw.ellipse(box(40, 60, 260, 300), fill=(255, 214, 178), outline="black", width=4 * fine)
    draw.pieslice(box(34, 40, 266, 260), 180, 360, fill=(150, 60, 40), outline="black", width=16)
    for left in (90, 170):
        draw.ellipse(box(left, 150, left + 44, 200), fill="white", outline="black", width=12)
        draw.ellipse(box(left + 16, 164, left + 32, 186), fill=(40, 110, 160), outline="black")
    draw.arc(box(100, 190, 200, 270), 20, 160, fill=(180, 30, 40), width=5 * fine)
    draw.line(box(146, 190, 140, 226, 156, 228), fill="black", width=2 * fine)
    draw.rectangle(box(290, 200, 450, 400), fill=(210, 90, 70), outline="black", width=3 * fine)
    draw.polygon(box(275, 200, 465, 200, 370, 110), fill=(90, 100, 120), outline="black")
    for step in range(0, 160, 8):
        draw.line(box(290 + step, 200, 450, 360 - step), fill=(120, 40, 30), width=fine)
    draw.rectangle(box(345, 310, 395, 400), fill=(255, 236, 150), outline="black", width=2 * fine)
    for step in range(24):
        end = 20 + 440 * step / 23
        draw.line(box(240, 470, end, 410), fill="black", width=fine)
    return downscale(np.asarray(page), fine)


ASTRONAUT, CAT, PAGODA = shipped("astronaut"), shipped("cat"), shipped("china.jpg")
SHEETS: Mapping[str, Sequence[Row]] = {
    "faces": (
        Row("a face", ASTRONAUT, (0.43, 0.22)),
        Row("the same, from afar", reduced(ASTRONAUT, 2), (0.44, 0.24)),
        Row("a cat", CAT, (0.47, 0.42)),
        Row("a man, grey", shipped("camera"), (0.45, 0.27)),
    ),
    "text": (
        Row("print", printed, (0.13, 0.14)),
        Row("small print", printed, (0.13, 0.4)),
        Row("on dark", printed, (0.13, 0.77)),
        Row("handwriting", shipped("text"), (0.35, 0.55)),
    ),
    "foliage": (
        Row("trees", PAGODA, (0.13, 0.85)),
        Row("a tree", PAGODA, (0.87, 0.55)),
        Row("petals", shipped("flower.jpg"), (0.47, 0.4)),
        Row("grass", shipped("grass"), (0.5, 0.5)),
    ),
    "architecture": (
        Row("a pagoda", PAGODA, (0.4, 0.35)),
        Row("its eaves", PAGODA, (0.42, 0.62)),
        Row("bricks", shipped("brick"), (0.5, 0.5)),
        Row("lattice", shipped("rocket"), (0.13, 0.5)),
    ),
    "drawings": (
        Row("outlines", drawing, (0.3, 0.35)),
        Row("hatching", drawing, (0.75, 0.55)),
        Row("fine lines", drawing, (0.5, 0.85)),
        Row("a mouth", drawing, (0.3, 0.55)),
    ),
    "noisy": (
        Row("noise of 5 levels", ASTRONAUT, (0.43, 0.22), noise(5)),
        Row("noise of 5 levels", PAGODA, (0.4, 0.35), noise(5)),
        Row("noise of 15 levels", CAT, (0.47, 0.42), noise(15)),
    ),
    "jpeg": (
        Row("quality 80", ASTRONAUT, (0.43, 0.22), jpeg(80)),
        Row("quality 65", PAGODA, (0.4, 0.35), jpeg(65)),
        Row("quality 50", CAT, (0.47, 0.42), jpeg(50)),
        Row("quality 50", printed, (0.13, 0.14), jpeg(50)),
    ),
    "damaged": (
        Row("noise of 25 levels", ASTRONAUT, (0.43, 0.22), noise(25)),
        Row("quality 30", CAT, (0.47, 0.42), jpeg(30)),
        Row("noise of 12 levels, quality 40", PAGODA, (0.4, 0.35), noise_then_jpeg(12, 40)),
        Row("quality 30", printed, (0.13, 0.14), jpeg(30)),
        Row("quality 30", drawing, (0.3, 0.35), jpeg(30)),
    ),
}


def columns(row: Row, upscalers: Sequence["engine.Upscaler"], scale: int) -> Iterator[Image.Image]:
    """Yield bicubic, each model and the original: crops, each CELL pixels wide and high."""
    hr = mod_crop(row.image(), scale)
    lr = downscale(hr, scale)
    if row.damage:
        lr = row.damage(lr)
    results = [upscaler.upscale(lr, SilentBar()) for upscaler in upscalers]
    side = CELL // row.zoom
    left, top = (
        int(np.clip(share * length - side / 2, 0, length - side)) // scale * scale
        for share, length in zip(row.centre, hr.shape[1::-1], strict=True)
    )
    for image in (upscale_bicubic(lr, scale), *results, hr):
        crop = Image.fromarray(image[top : top + side, left : left + side])
        yield crop.resize((CELL, CELL), Image.Resampling.NEAREST)


def sheet(
    rows: Sequence[Row], upscalers: Mapping[str, "engine.Upscaler"], scale: int
) -> Image.Image:
    """Lay out one row of crops for each entry, under the names of the columns."""
    step = CELL + GAP
    titles = ("bicubic", *upscalers, "original")
    size = (MARGIN + len(titles) * step - GAP, LABEL + len(rows) * step - GAP)
    page = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(14)
    for column, title in enumerate(titles):
        draw.text((MARGIN + column * step + 2, 3), title, fill="black", font=font)
    for number, row in enumerate(rows):
        top = LABEL + number * step
        words = "\n".join(textwrap.wrap(row.label, 12))
        draw.multiline_text((2, top + 4), words, fill="black", font=font)
        for column, crop in enumerate(columns(row, [*upscalers.values()], scale)):
            page.paste(crop, (MARGIN + column * step, top))
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--sheet", action="append", choices=SHEETS, dest="sheets")
    parser.add_argument("--model", action="append", dest="models", help="a name or a file")
    parser.add_argument("--to", type=Path, default=IMAGES, help="folder for the sheets")
    given = parser.parse_args()

    import torch

    from srgan_cli.engine.devices.amp import Amp

    amp = Amp.create(torch.device("cpu"), "fp32")
    sources = [engine.find_model(name, given.scale) for name in given.models or MODELS]
    upscalers = {
        source.name: engine.Upscaler(engine.load_model(source), amp, tile=256) for source in sources
    }
    for name in given.sheets or SHEETS:
        target = given.to / f"looks-x{given.scale}-{name}.jpg"
        page = sheet(SHEETS[name], upscalers, given.scale)
        page.save(target, quality=QUALITY, subsampling=0, optimize=True)
        print(f"{target}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
