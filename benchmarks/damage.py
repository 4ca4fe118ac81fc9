"""Measure which images the test for damage takes as damaged (srgan_cli/imaging/damage.py).

python benchmarks/damage.py PHOTOS/CID22 PHOTOS/gb82 --scale 4

Each image is tried as it is and saved as JPEG, whose quality --quality gives; then its middle of at
most 512 pixels a side is reduced by --scale, clean, with noise, as JPEG, and with mild and strong
damage, from fixed seeds. Names of clean images that are taken as damaged are printed.
"""

import argparse
import io
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from restore import rgb

from srgan_cli.imaging.damage import find_damage
from srgan_cli.imaging.degrade import degrade
from srgan_cli.imaging.files.io import list_images
from srgan_cli.imaging.resize import downscale, mod_crop

SIDE = 512


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """Return an image as JPEG leaves it, with Pillow's subsampling."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.array(Image.open(buffer))


def noisy(
    image: np.ndarray, sigma: float, channels: int, random: np.random.Generator
) -> np.ndarray:
    """Add noise to an image: grey, or to each channel its own."""
    noise = random.normal(0, sigma, (*image.shape[:2], channels))
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def middle(image: np.ndarray, scale: int) -> np.ndarray:
    """Return the middle of an image, with sides that divide by the scale."""
    tops = [max(0, side - SIDE) // 2 for side in image.shape[:2]]
    return mod_crop(image[tops[0] : tops[0] + SIDE, tops[1] : tops[1] + SIDE], scale)


def versions(
    image: np.ndarray, scale: int, qualities: list[int], number: int
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield an image clean and damaged, with what was done to it; clean ones begin so."""
    random = np.random.default_rng(number)
    hr = middle(image, scale)
    lr = downscale(hr, scale)
    for name, clean in (("clean", image), (f"clean, reduced ×{scale}", lr)):
        yield name, clean
        for quality in qualities:
            yield f"{name}, JPEG {quality}", jpeg(clean, quality)
    for sigma in (3, 5, 10):
        yield f"noise of {sigma} levels", noisy(lr, sigma, 3, random)
        yield f"grey noise of {sigma} levels", noisy(lr, sigma, 1, random)
    for quality in (85, 75, 50, 30):
        yield f"JPEG {quality}", jpeg(lr, quality)
    for strength in ("mild", "strong"):
        for _ in range(2):
            yield strength, degrade(hr, scale, strength, random)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, help="folders of clean images")
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--quality", dest="qualities", type=int, action="append", metavar="Q")
    given = parser.parse_args()
    found = defaultdict(list)
    for folder in given.folders:
        for number, path in enumerate(list_images(folder)):
            for name, image in versions(
                rgb(path), given.scale, given.qualities or [95, 90], number
            ):
                damage = find_damage(image)
                found[name].append(damage.found)
                if name.startswith("clean") and damage.found:
                    print(f"{path.name}: {name}: {damage}")
    print("\n| | images | damaged | JPEG blocks | noise |\n|---|---:|---:|---:|---:|")
    for name, each in found.items():
        shares = [np.mean([bool(one) for one in each])]
        shares += [np.mean([word in one for one in each]) for word in ("JPEG blocks", "noise")]
        print(f"| {name} | {len(each)} | {' | '.join(f'{share:.1%}' for share in shares)} |")


if __name__ == "__main__":
    main()
