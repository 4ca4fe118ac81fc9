"""HR megapixels per second of srgan prepare beside a plain Pillow loop: python … PHOTOS.

The plain loop is what a first script does: decode, crop to even sides, reduce by 2 with
Pillow's bicubic and save HR and LR, in one process. It runs once with uncompressed arrays,
which is as fast as such a loop gets, and on a part of the photographs with PNG files, which
is what such scripts write. ``srgan prepare`` runs as a command, its start included, on the
photographs and on several copies of them, where the start hardly counts; it examines all
images and leaves out faults, which the loops do not.

``--basicsr FOLDER`` adds BasicSR's extract_subimages and LMDB creation with its own functions
and settings from a checkout (needs opencv-python-headless, lmdb, tqdm), on the same part; HR
only, though a set needs LR too. Every contender reads the same files from a warm disk cache.
"""

import argparse
import contextlib
import ctypes
import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable
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
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()  # For its fork server, whose time counts too.


def load_basicsr(checkout: Path) -> Callable[[list[Path], Path], None]:
    """Import BasicSR's functions; its start is not measured."""
    # Its package's own __init__ needs versions of torchvision that are gone, so it is passed over.
    for name in ("basicsr", "basicsr.utils"):
        package = types.ModuleType(name)
        package.__path__ = [str(checkout / name.replace(".", "/"))]
        sys.modules[name] = package
    sys.modules["basicsr.utils"].scandir = importlib.import_module("basicsr.utils.misc").scandir
    script = checkout / "scripts/data_preparation/extract_subimages.py"
    spec = importlib.util.spec_from_file_location("extract_subimages", script)
    module = importlib.util.module_from_spec(spec)
    sys.modules["extract_subimages"] = module  # Its worker processes look it up by name.
    spec.loader.exec_module(module)
    lmdb_util = importlib.import_module("basicsr.utils.lmdb_util")

    def run(paths: list[Path], target: Path) -> None:
        """Cut 480² sub-images and put them into an LMDB, as DIV2K is prepared there."""
        (target / "in").mkdir()
        for i, path in enumerate(paths):
            (target / "in" / f"{i:04d}{path.suffix}").symlink_to(path.resolve())
        options = {"n_thread": 2, "compression_level": 3, "thresh_size": 0}
        options |= {"input_folder": str(target / "in"), "save_folder": str(target / "sub")}
        module.extract_subimages(options | {"crop_size": 480, "step": 240})
        names = sorted(path.name for path in (target / "sub").iterdir())
        keys = [name.split(".")[0] for name in names]
        lmdb_util.make_lmdb_from_imgs(str(target / "sub"), str(target / "set.lmdb"), names, keys)

    return run


def measured(work: Callable[[Path], None], room: Path) -> tuple[float, float]:
    """Return the seconds that work takes, and those of processor time."""
    os.sync()  # What the one before wrote is not this one's business.
    with tempfile.TemporaryDirectory(dir=room) as folder:
        started, times = time.perf_counter(), os.times()
        work(Path(folder))
        wall, ended = time.perf_counter() - started, os.times()
    return wall, max(0.01, sum(ended[:4]) - sum(times[:4]))  # The clock counts in hundredths.


def megapixels(paths: list[Path]) -> float:
    total = 0.0
    for path in paths:
        path.read_bytes()
        with Image.open(path) as image:
            total += image.width * image.height / 1e6
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--basicsr", type=Path)
    parser.add_argument("--copies", type=int, default=4)
    parser.add_argument("--part", type=int, default=10, help="PNG and BasicSR take every Nth")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: orphans become ours.
    paths = sorted(p for p in options.photos.rglob("*") if p.suffix in {".jpg", ".webp", ".png"})
    part = paths[:: options.part]
    pixels, part_pixels = megapixels(paths), megapixels(part)
    with tempfile.TemporaryDirectory() as temporary:
        room, many = Path(temporary), Path(temporary) / "photos"
        for number in range(options.copies):
            shutil.copytree(options.photos, many / str(number))
        contenders = [
            ("srgan prepare", pixels, lambda folder: srgan(options.photos, folder)),
            (
                f"the same, {options.copies} copies",
                pixels * options.copies,
                lambda folder: srgan(many, folder),
            ),
            ("Pillow loop, raw", pixels, lambda folder: pillow_loop(paths, folder, suffix="npy")),
            (
                "Pillow loop, PNG",
                part_pixels,
                lambda folder: pillow_loop(part, folder, suffix="png"),
            ),
        ]
        if options.basicsr:
            run = load_basicsr(options.basicsr)
            contenders.append(("BasicSR", part_pixels, lambda folder: run(part, folder)))
        print(f"{len(paths)} photographs, {pixels:.0f} megapixels, load {os.getloadavg()[0]:.1f}")
        results = {name: [] for name, _, _ in contenders}
        for turn in range(options.rounds):
            for name, amount, work in contenders:
                if turn == 0 or amount >= pixels:  # The slow ones take one turn.
                    results[name].append(measured(work, room))
        for name, amount, _ in contenders:
            wall, cpu = (statistics.median(values) for values in zip(*results[name], strict=True))
            print(
                f"{name:20s} {amount:6.0f} MP {wall:6.1f} s {amount / wall:7.1f} MP/s;"
                f" {cpu:6.1f} s of processor {amount / cpu:7.1f} MP/s",
                flush=True,
            )


if __name__ == "__main__":
    main()
