"""Draw quality against seconds: python benchmarks/quality.py BENCH/Set14 -o quality.png.

python benchmarks/quality.py BENCH/Set14 --scale 4 --teacher realesrgan-x4plus -o quality.png \
    --model fidelity-x4 --model photo-x4 --model realesr-animevideov3-x4

On the left PSNR on Y of clean LR images, on the right R of benchmarks/restore.py for mildly damaged
ones, both against the seconds that ``srgan upscale`` with its defaults spends in the network for a
photograph of --photograph megapixels (median of --rounds in turns; bicubic is there for
comparison). The figures are kept beside the image, as JSON with machine, versions and command;
--drawn draws from them alone. Needs pip install '.[figures]'. Measure on a quiet machine.
"""

import argparse
import json
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import restore
from PIL import Image
from record import commit, machine, versions

BICUBIC = "bicubic"


def photograph(megapixels: float) -> np.ndarray:
    """Return a smooth image, H, W, 3, uint8, of 4:3."""
    side = round((megapixels * 1e6 / 12) ** 0.5)
    few = np.random.default_rng(0).integers(0, 256, (3 * side // 4, side, 3), np.uint8)
    whole = Image.fromarray(few).resize((4 * side, 3 * side), Image.Resampling.BICUBIC)
    return np.asarray(whole)


def runs(names: list[str], pixels: np.ndarray, scale: int) -> dict[str, Callable[[], object]]:
    """Return what upscales an image by each model, and bicubically."""
    from srgan_cli import engine
    from srgan_cli.config import UpscaleConfig
    from srgan_cli.engine.inference.loading import load_upscaler
    from srgan_cli.observer import SilentObserver

    made: dict[str, Callable[[], object]] = {}
    for name in names:
        source = engine.find_model(name, None if Path(name).is_file() else scale)
        upscaler = load_upscaler(source, UpscaleConfig((Path(),)), SilentObserver())
        made[Path(name).stem] = lambda upscaler=upscaler: restore.run_model(upscaler, pixels, scale)
    height, width = (scale * side for side in pixels.shape[:2])
    image = Image.fromarray(pixels)
    return made | {BICUBIC: lambda: image.resize((width, height), Image.Resampling.BICUBIC)}


def seconds_of(given: argparse.Namespace) -> dict[str, float]:
    """Return the median of each model in turns; the first turn warms up."""
    ways = runs([given.teacher, *given.models], photograph(given.photograph), given.scale)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(given.rounds + 1):
        for name, run in ways.items():
            started = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def quality_of(given: argparse.Namespace, work: Path) -> dict[str, dict[str, Any]]:
    """Return what each model, and bicubic, reaches.

    PSNR on clean images, R on mildly damaged ones, VGG16 distances by strength of damage.
    """
    shown = {None: BICUBIC} | {name: Path(name).stem for name in [given.teacher, *given.models]}
    found: dict[str, restore.Figures] = {}
    for strength in restore.STRENGTHS:
        place = work / strength
        restore.make_inputs(given.folder, given.scale, strength, place)
        for name, label in shown.items():
            restore.make_results(name, place / "lr", place / label, given.scale)
        results = {label: place / label for label in shown.values()}
        found[strength] = restore.measure(place / "hr", results, given.scale, ())
    mild = {label: figures["vgg16"] for label, figures in found["mild"].items()}
    way = mild[BICUBIC] - mild[Path(given.teacher).stem]
    return {
        label: {
            "psnr": figures["psnr"],
            "r": (mild[BICUBIC] - mild[label]) / way,
            "vgg16": {strength: each[label]["vgg16"] for strength, each in found.items()},
        }
        for label, figures in found["clean"].items()
    }


def draw(measured: Mapping[str, Any], image: Path) -> None:
    """Draw the two charts."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    for axis, key, title in zip(
        axes, ("psnr", "r"), ("PSNR on Y (dB), clean", "R, mild damage"), strict=True
    ):
        for name, point in measured["models"].items():
            axis.plot(point["seconds"], point[key], "o")
            place = (point["seconds"], point[key])
            axis.annotate(name, place, (4, 4), textcoords="offset points", fontsize=8)
        axis.set(xscale="log", title=title)
        axis.margins(x=0.25)
        axis.set_xlabel(f"seconds for a photograph of {measured['photograph']:g} megapixels")
        axis.grid(visible=True, alpha=0.3)
    figure.suptitle(measured["title"], fontsize=9)
    figure.savefig(image)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, help="HR images, such as Set14")
    parser.add_argument("-o", "--output", type=Path, required=True, help="PNG or SVG to write")
    parser.add_argument("--model", dest="models", action="append", default=[], metavar="MODEL")
    parser.add_argument("--teacher", default="realesrgan-x4plus", help="that R is measured by")
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--photograph", type=float, default=12, metavar="MP")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path, help="where results are kept for the next time")
    parser.add_argument(
        "--drawn", type=Path, metavar="FILE.json", help="draw this, measure nothing"
    )
    given = parser.parse_args()
    if given.drawn:
        draw(json.loads(given.drawn.read_text()), given.output)
        return
    if given.folder is None:
        parser.error("name a folder of HR images, or --drawn FILE.json")
    with tempfile.TemporaryDirectory() as work:
        quality = quality_of(given, given.work or Path(work))
    seconds = seconds_of(given)
    measured = {
        "title": f"{given.folder.name} ×{given.scale}; {machine()}",
        "about": f"{versions()}. Commit {commit()}.",
        "command": f"python benchmarks/quality.py {shlex.join(sys.argv[1:])}",
        "photograph": given.photograph,
        "models": {name: quality[name] | {"seconds": seconds[name]} for name in seconds},
    }
    given.output.with_suffix(".json").write_text(json.dumps(measured, indent=1) + "\n")
    for name, point in measured["models"].items():
        distances = "  ".join(f"{key} {value:.4f}" for key, value in point["vgg16"].items())
        print(
            f"{name:28} {point['psnr']:6.2f} dB  R {point['r']:5.2f}  VGG16 {distances}"
            f"  {point['seconds']:8.2f} s"
        )
    draw(measured, given.output)


if __name__ == "__main__":
    main()
