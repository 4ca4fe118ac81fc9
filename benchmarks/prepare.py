"""HR megapixels per second of srgan prepare beside a plain Pillow loop: python … PHOTOS.

``--basicsr FOLDER`` adds BasicSR's extract_subimages and LMDB creation, run from a checkout
with its own functions. Every contender reads the same files; the disk cache is warm.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
import types
from pathlib import Path

import numpy as np
from PIL import Image


def pillow_loop(paths: list[Path], target: Path, *, suffix: str) -> None:
    """Decode, reduce by 2 and save both sides: what a first script does."""
    for i, path in enumerate(paths):
        with Image.open(path) as image:
            hr = image.convert("RGB")
        hr = hr.crop((0, 0, hr.width // 2 * 2, hr.height // 2 * 2))
        lr = hr.resize((hr.width // 2, hr.height // 2), Image.Resampling.BICUBIC)
        for side, picture in (("hr", hr), ("lr", lr)):
            if suffix == "npy":
                np.save(target / f"{side}{i}.npy", np.asarray(picture))
            else:
                picture.save(target / f"{side}{i}.png")


def srgan(photos: Path, home: Path) -> None:
    command = [sys.executable, "-m", "srgan_cli", "prepare", str(photos), "--json"]
    environment = os.environ | {"SRGAN_HOME": str(home)}
    subprocess.run(command, check=True, env=environment, capture_output=True)


def basicsr(checkout: Path, paths: list[Path], target: Path) -> None:
    """Cut 480² sub-images and put them into an LMDB, as DIV2K is prepared there."""
    # Its package's own __init__ needs versions of torchvision that are gone, so it is passed over.
    for name in ("basicsr", "basicsr.utils"):
        package = types.ModuleType(name)
        package.__path__ = [str(checkout / name.replace(".", "/"))]
        sys.modules[name] = package
    sys.modules["basicsr.utils"].scandir = importlib.import_module("basicsr.utils.misc").scandir
    script = checkout / "scripts/data_preparation/extract_subimages.py"
    spec = importlib.util.spec_from_file_location("extract_subimages", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (target / "in").mkdir()
    for i, path in enumerate(paths):
        (target / "in" / f"{i:04d}{path.suffix}").symlink_to(path.resolve())
    module.extract_subimages(
        {
            "n_thread": 2,
            "compression_level": 3,
            "input_folder": str(target / "in"),
            "save_folder": str(target / "sub"),
            "crop_size": 480,
            "step": 240,
            "thresh_size": 0,
        }
    )
    names = sorted(path.name for path in (target / "sub").iterdir())
    keys = [name.split(".")[0] for name in names]
    lmdb_util = importlib.import_module("basicsr.utils.lmdb_util")
    lmdb_util.make_lmdb_from_imgs(str(target / "sub"), str(target / "set.lmdb"), names, keys)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--basicsr", type=Path)
    options = parser.parse_args()
    paths = sorted(p for p in options.photos.rglob("*") if p.suffix in {".jpg", ".webp", ".png"})
    pixels = 0
    for path in paths:
        path.read_bytes()
        with Image.open(path) as image:
            pixels += image.width * image.height / 1e6
    contenders = {
        "srgan prepare": lambda folder: srgan(options.photos, folder),
        "Pillow loop, raw": lambda folder: pillow_loop(paths, folder, suffix="npy"),
        "Pillow loop, PNG": lambda folder: pillow_loop(paths, folder, suffix="png"),
    }
    if options.basicsr:
        contenders["BasicSR"] = lambda folder: basicsr(options.basicsr, paths, folder)
    print(f"{len(paths)} photographs, {pixels:.0f} megapixels, load {os.getloadavg()[0]:.1f}")
    for name, work in contenders.items():
        with tempfile.TemporaryDirectory() as folder:
            started, times = time.perf_counter(), os.times()
            work(Path(folder))
            wall, ended = time.perf_counter() - started, os.times()
        cpu = sum(ended[:4]) - sum(times[:4])
        print(
            f"{name:18s} {pixels / wall:7.1f} MP/s   {wall:6.1f} s, {cpu:6.1f} s of processor: "
            f"{pixels / cpu:.1f} MP per second of one core"
        )


if __name__ == "__main__":
    main()
