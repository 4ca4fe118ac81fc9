"""Time and size of PNG files by how zlib is told to work: python benchmarks/png.py IMAGE.

The images are results, as of ``srgan upscale``. Each is written to memory in turns: with zlib's
default (level 6, as most programs write PNG), with levels 1 and 3, and as srgan writes it. Prints
milliseconds of processor time per megapixel and the size beside that of level 6, as medians over
images, and the largest of these sizes.
"""

import argparse
import io
import statistics
import time
import zlib
from pathlib import Path
from typing import Any

from PIL import Image

WAYS: dict[str, dict[str, Any]] = {
    "level 6": {},
    "level 3": {"compress_level": 3},
    "level 1": {"compress_level": 1},
    "runs only (srgan)": {"compress_type": zlib.Z_RLE},
}


def written(image: Image.Image, options: dict[str, Any]) -> tuple[float, int]:
    """Return the seconds of processor time that a PNG takes, and its bytes."""
    file, begun = io.BytesIO(), time.process_time()
    image.save(file, "PNG", **options)
    return time.process_time() - begun, len(file.getvalue())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE")
    paths = parser.parse_args().images
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    sizes: dict[str, list[float]] = {way: [] for way in WAYS}
    for path in paths:
        with Image.open(path) as image:
            image.load()
            megapixels = image.width * image.height / 1e6
            found = {way: written(image, options) for way, options in WAYS.items()}
        for way, (seconds, size) in found.items():
            times[way].append(1000 * seconds / megapixels)
            sizes[way].append(size / found["level 6"][1])
    print(f"{len(paths)} images\n\n| | ms per MP | size | largest |\n|---|---:|---:|---:|")
    for way in WAYS:
        middle, size = statistics.median(times[way]), statistics.median(sizes[way])
        print(f"| {way} | {middle:.0f} | {size:.2f} | {max(sizes[way]):.2f} |")


if __name__ == "__main__":
    main()
