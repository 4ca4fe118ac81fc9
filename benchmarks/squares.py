"""Cut a square from each photograph that a data set validates on, to choose weights by.

python benchmarks/squares.py DATASET PHOTOS FOLDER
python benchmarks/looks.py FOLDER --scale 2 --photo RUN/weights.safetensors

DATASET is the folder of a prepared set, PHOTOS what it was made from, with at least 510 pixels a
side. Each square is the middle 510 pixels of a photograph, reduced to 408: as much detail in each
pixel as Set14 and B100 have, which are for looking and not for choosing.
"""

import argparse
from pathlib import Path

from PIL import Image

from srgan_cli.data.manifest import Manifest

CUT, SIDE = 510, 408


def square(photo: Image.Image) -> Image.Image:
    """Cut the middle of a photograph and reduce it."""
    left, top = ((length - CUT) // 2 for length in photo.size)
    box = (left, top, left + CUT, top + CUT)
    return photo.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC, box)


def main() -> None:
    """Cut the squares that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path, help="folder with a manifest.json")
    parser.add_argument("photos", type=Path, help="what it was prepared from")
    parser.add_argument("folder", type=Path, help="where the squares go")
    given = parser.parse_args()
    images = Manifest.read(given.dataset).images
    chosen = dict.fromkeys(one.source for one in images if one.split == "validation")
    given.folder.mkdir(parents=True)
    for index, source in enumerate(chosen):
        with Image.open(given.photos / source) as photo:
            square(photo).save(given.folder / f"{index:02}.png")


if __name__ == "__main__":
    main()
