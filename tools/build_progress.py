"""Draw what a run's checkpoints make of free images.

python tools/build_progress.py RUN IMAGE.jpg [--init WEIGHTS]

A column for the weights that the run began with where --init names them, one for each of up to
STEPS checkpoints, evenly chosen, and one for the original. srgan train --keep 100 keeps enough of
them. The run's own sheets show its validation photographs, which need not be free to publish.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from build_sheets import CELL, GAP, LABEL, SHEETS, Row, columns
from PIL import Image, ImageDraw, ImageFont

from srgan_cli import engine

STEPS = 4
ROWS: tuple[Row, ...] = (
    SHEETS["faces"][0],
    SHEETS["foliage"][0],
    SHEETS["architecture"][0],
    SHEETS["jpeg"][2],
)


def models(run: Path, init: str | None) -> Iterator[tuple[str, "engine.Model"]]:
    """Yield the averaged weights of the chosen checkpoints with what to call them."""
    from safetensors.torch import load_file

    if init:
        yield "before", engine.load_model(engine.find_model(init, None))
    paths = sorted((run / "checkpoints").glob("step-*.safetensors"))
    places = np.unique(np.linspace(0, len(paths) - 1, STEPS).round().astype(int))
    for path in (paths[place] for place in places):
        model = engine.load_model(engine.find_model(str(run), None))
        tensors = {
            key.removeprefix("ema/"): value
            for key, value in load_file(path).items()
            if key.startswith("ema/")
        }
        model.generator.load_state_dict(tensors)
        yield f"step {int(path.stem.rpartition('-')[2]):,}", model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a run")
    parser.add_argument("image", type=Path, help="file to write")
    parser.add_argument("--init", help="weights that the run began with")
    given = parser.parse_args()

    import torch

    from srgan_cli.engine.devices.amp import Amp

    chosen = dict(models(given.run, given.init))
    amp = Amp.create(torch.device("cpu"), "fp32")
    upscalers = [engine.Upscaler(model, amp, tile=256) for model in chosen.values()]
    scale = next(iter(chosen.values())).scale
    titles = [*chosen, "original"]
    step = CELL + GAP
    page = Image.new("RGB", (len(titles) * step - GAP, LABEL + len(ROWS) * step - GAP), "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(14)
    for column, title in enumerate(titles):
        draw.text((column * step + 2, 3), title, fill="black", font=font)
    for number, row in enumerate(ROWS):
        _, *crops = columns(row, upscalers, scale)
        for column, crop in enumerate(crops):
            page.paste(crop, (column * step, LABEL + number * step))
    page.save(given.image, quality=88, subsampling=0, optimize=True)


if __name__ == "__main__":
    main()
