"""Make a tree of photographs with known faults: python benchmarks/photo_tree.py PHOTOS TREE.

Crops of real photographs, turned and mirrored, are written as JPEG, PNG and WebP in nested
folders, with faults of every kind planted among them. ``TREE.json`` beside the tree says
what each file is.
"""

import argparse
import io
import json
import random
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

from PIL import Image, ImageEnhance, ImageFilter

FAULTS = {
    "unreadable": 0.01,
    "small": 0.01,
    "duplicate": 0.02,
    "near-duplicate": 0.02,
    "flat": 0.01,
    "blurry": 0.02,
    "upscaled": 0.02,
    "blocky": 0.02,
}
"""Share of the tree that each kind of fault gets."""


def places(width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield boxes of crops that overlap little."""
    if min(width, height) < 900:
        side = 352
        for top, left in product((0, height - side), (0, width - side)):
            yield left, top, left + side, top + side
        return
    side = 576
    for top in range(0, height - side + 1, side - 64):
        for left in range(0, width - side + 1, side - 64):
            yield left, top, left + side, top + side


def turned(image: Image.Image, turn: int) -> Image.Image:
    if turn & 1:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if turn & 2:
        image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    return image.transpose(Image.Transpose.TRANSPOSE) if turn & 4 else image


def save(image: Image.Image, path: Path, dice: random.Random) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jpg":
        image.save(path, quality=dice.randint(88, 97), subsampling=dice.choice([0, 2]))
    elif path.suffix == ".webp":
        image.save(path, quality=95, method=0)
    else:
        image.save(path, compress_level=1)


def recompressed(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def near(image: Image.Image, dice: random.Random) -> Image.Image:
    """Return what people make of an image: smaller, recompressed, brighter, trimmed."""
    width, height = image.size
    match dice.randrange(4):
        case 0:
            factor = dice.uniform(0.75, 0.95)
            return image.resize(
                (round(width * factor), round(height * factor)), Image.Resampling.LANCZOS
            )
        case 1:
            return recompressed(image, dice.randint(60, 85))
        case 2:
            return ImageEnhance.Brightness(image).enhance(dice.uniform(0.85, 1.15))
        case _:
            trim = max(1, round(0.01 * width))
            return image.crop((trim, trim, width - trim, height - trim))


def damaged(image: Image.Image, kind: str, dice: random.Random) -> Image.Image:
    width, height = image.size
    match kind:
        case "blurry":
            return image.filter(ImageFilter.GaussianBlur(dice.uniform(1.5, 3)))
        case "upscaled":
            factor = dice.choice([2, 2.5, 3, 4])
            small = image.resize(
                (round(width / factor), round(height / factor)), Image.Resampling.LANCZOS
            )
            kernel = dice.choice(
                [Image.Resampling.BICUBIC, Image.Resampling.BILINEAR, Image.Resampling.LANCZOS]
            )
            return small.resize((width, height), kernel)
        case "blocky":
            image = recompressed(image, dice.randint(5, 12))
            return image.crop((3, 5, width, height)) if dice.random() < 0.3 else image
        case "small":
            return image.crop((0, 0, dice.randint(16, 120), height))
        case "flat":
            level = tuple(dice.randint(0, 255) for _ in range(3))
            return Image.blend(Image.new("RGB", image.size, level), image, 0.01)
    raise ValueError(kind)


def write_one(task: tuple[str, str, int, str, str, int]) -> tuple[str, str]:
    """Write the crops of one photograph that were asked for; return path and kind of each."""
    photo, box, turn, kind, path, seed = task
    dice = random.Random(seed)
    target = Path(path)
    with Image.open(photo) as image:
        crop = turned(image.convert("RGB").crop(tuple(json.loads(box))), turn)
    if kind in {"good", "duplicate", "near-duplicate", "unreadable"}:
        save(crop, target, dice)
    else:
        quality = damaged(crop, kind, dice)
        save(quality, target, dice)
    twin = target.with_name("copy of " + target.name)
    if kind == "unreadable":
        content = target.read_bytes()
        cut = dice.choice([0, 10, len(content) // 2, len(content) // 4])
        target.write_bytes(content[:cut] if dice.random() < 0.7 else dice.randbytes(2000))
    elif kind == "duplicate":
        shutil.copyfile(target, twin)
    elif kind == "near-duplicate":
        save(near(crop, dice), twin.with_suffix(".jpg"), dice)
    return path, kind


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("tree", type=Path)
    parser.add_argument("--count", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    crops = []
    for photo in sorted(options.photos.rglob("*.*")):
        if photo.suffix in {".jpg", ".webp", ".png"}:
            with Image.open(photo) as image:
                crops += [
                    (str(photo), json.dumps(b), t) for b in places(*image.size) for t in range(8)
                ]
    dice.shuffle(crops)
    kinds, weights = zip(*FAULTS.items(), strict=True)
    tasks, total = [], 0
    for i, (photo, box, turn) in enumerate(crops):
        kind = dice.choices([*kinds, "good"], [*weights, 1 - sum(weights)])[0]
        suffix = dice.choices([".jpg", ".png", ".webp"], [90, 7, 3])[0]
        path = options.tree / f"{i % 37:02d}" / f"{i % 5}" / f"IMG {dice.randrange(10**9)}{suffix}"
        tasks.append((photo, box, turn, kind, str(path), options.seed + i))
        total += 2 if "duplicate" in kind else 1
        if total >= options.count:
            break
    with ProcessPoolExecutor() as pool:
        truth = dict(pool.map(write_one, tasks, chunksize=64))
    known = {str(Path(path).relative_to(options.tree)): kind for path, kind in truth.items()}
    options.tree.with_suffix(".json").write_text(json.dumps(known, indent=0))
    print(f"{total:,} files of {len(crops):,} possible crops")


if __name__ == "__main__":
    main()
