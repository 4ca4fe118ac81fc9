"""Make the images that the fidelity models are taught with: taught.py PHOTOS TAUGHT --scale 2.

Squares are cut out of each photograph, each from a reduction of random size and where it has
the most contrast of three places. ``TAUGHT/LR`` gets them, reduced as MATLAB does it, and
``TAUGHT/HR`` what the teacher makes of them. Prepare that as a folder of pairs.
"""

import argparse
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from srgan_cli.data.photographs import decode, find_photographs
from srgan_cli.imaging.levels import to_levels
from srgan_cli.imaging.resize import downscale, resample
from srgan_cli.imaging.types import Uint8Image

_PLACES = 3


def square(hr: Uint8Image, scale: int, side: int, random: np.random.Generator) -> Uint8Image:
    """Reduce a photograph to a share of its sides, then by the scale, and cut a square out.

    Args:
        hr: H, W, 3.
        scale: Factor per side between LR and HR.
        side: Of the square, in LR pixels; smaller photographs give less.
        random: Fixes what is drawn.
    """
    share = max(min(1.0, scale * side / min(hr.shape[:2])), random.uniform(0.35, 1.0))
    height, width = (max(scale, round(n * share) // scale * scale) for n in hr.shape[:2])
    large = to_levels(resample(hr, height, width)) if share < 1 else hr[:height, :width]
    lr = downscale(np.ascontiguousarray(large), scale)
    found = []
    for _ in range(_PLACES):
        top, left = (int(random.integers(0, max(1, n - side + 1))) for n in lr.shape[:2])
        found.append(lr[top : top + side, left : left + side])
    return max(found, key=lambda crop: float(np.abs(np.diff(crop.astype(int), axis=0)).mean()))


def cut(numbered: tuple[int, Path], *, target: Path, scale: int, side: int, count: int) -> None:
    """Write the squares of one photograph."""
    number, path = numbered
    hr = decode(path, max_side=2048).pixels
    for i in range(count):
        random = np.random.default_rng((number, scale, i))
        Image.fromarray(square(hr, scale, side, random)).save(target / f"{number:03}-{i}.png")


def main() -> None:
    """Cut the squares, and let the teacher upscale them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("target", type=Path, metavar="taught")
    parser.add_argument("--scale", type=int, default=2, choices=(2, 4))
    parser.add_argument("--side", type=int, default=192, help="of a square, in LR pixels")
    parser.add_argument("--squares", type=int, default=2, help="from each photograph")
    parser.add_argument("--teacher", default="spanx2_ch48", metavar="MODEL")
    given = parser.parse_args()
    lr, hr = given.target / "LR", given.target / "HR"
    lr.mkdir(parents=True, exist_ok=True)  # What was interrupted is made again, the same.
    paths = [given.photos / photograph.source for photograph in find_photographs(given.photos)]
    work = partial(cut, target=lr, scale=given.scale, side=given.side, count=given.squares)
    with ProcessPoolExecutor() as pool:
        list(pool.map(work, enumerate(paths)))
    command = [sys.executable, "-m", "srgan_cli", "upscale", lr, "-o", hr, "--ext", "png"]
    command += ["--model", given.teacher, "--scale", given.scale]
    command += ["--precision", "fp32", "--runtime", "onnxruntime"]
    done = subprocess.run(list(map(str, command)), check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()
