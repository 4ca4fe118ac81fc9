"""Compare --device vulkan with the CPU, on random crops of a photograph of odd sizes.

python benchmarks/vulkan.py MODEL … [--device vulkan:1] [--smallest PIXELS] [--largest PIXELS]

Prints the largest difference in levels of 8 bits for each of 30 sizes from 1x1 to 513x257, and
exits with 1 if one is above a level in fp32.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

SIZES = (
    *((1, 1), (1, 2), (2, 1), (3, 1), (1, 5), (3, 3), (2, 7), (5, 4), (7, 7), (8, 8)),
    *((9, 5), (13, 11), (16, 16), (17, 15), (19, 31), (31, 19), (32, 33), (33, 17), (37, 41)),
    *((1, 97), (97, 1), (47, 53), (63, 65), (64, 64), (129, 3), (3, 257), (101, 77)),
    *((129, 65), (255, 127), (513, 257)),
)
"""Widths and heights."""
PHOTOGRAPH = Path(__file__).parents[1] / "examples" / "coffee.png"


def photograph() -> np.ndarray:
    with Image.open(PHOTOGRAPH) as image:
        return np.asarray(image.convert("RGB").resize((513, 513)))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--device", default="vulkan")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--smallest", type=int, default=1, help="pixels of the smallest image")
    parser.add_argument("--largest", type=int, default=513 * 257, help="pixels of the largest")
    chosen = parser.parse_args()

    from srgan_cli import engine
    from srgan_cli.engine.devices.amp import Amp
    from srgan_cli.engine.inference.upscaler import Upscaler
    from srgan_cli.observer import SilentBar

    pixels, bad = photograph(), 0
    for name in chosen.models:
        model = engine.load_model(engine.find_model(name, None))
        cpu = Upscaler(model, Amp.to_upscale("cpu", "fp32"), runtime="auto")
        gpu = Upscaler(model, Amp.to_upscale(chosen.device, chosen.precision), runtime="auto")
        if gpu.problem:
            print(f"{name}: {gpu.problem}")
            return 1
        worst = num_sizes = 0
        for width, height in SIZES:
            if not chosen.smallest <= width * height <= chosen.largest:
                continue
            top, left = 7 * num_sizes % (514 - height), 11 * num_sizes % (514 - width)
            tile = pixels[top : top + height, left : left + width]
            started = time.perf_counter()
            made = gpu.upscale(tile, SilentBar()).astype(int)
            seconds = time.perf_counter() - started
            difference = int(np.abs(made - cpu.upscale(tile, SilentBar())).max())
            print(f"{name} {width}x{height}: {difference} levels, {seconds:.1f} s", flush=True)
            worst, num_sizes = max(worst, difference), num_sizes + 1
        print(f"{name}: at most {worst} levels, {num_sizes} sizes on {gpu.amp.where}", flush=True)
        bad += worst > 1
    return int(bool(bad) and chosen.precision == "fp32")


if __name__ == "__main__":
    if main():
        sys.exit(1)
