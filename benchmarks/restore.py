"""Measure how well models restore damaged images, and draw sheets of damaged images to look at.

python benchmarks/restore.py BENCH/B100 BENCH/Set14 --scale 4 --teacher x4plus.pth --model photo-x4
python benchmarks/restore.py REAL --look sheets/ --model photo-x4 --model x4plus.pth

Each HR image is reduced three times: clean, with mild and with strong damage, from fixed seeds.
The table gives PSNR on Y and the VGG16 distance to the original, and for each model the share of
the way from bicubic to the teacher that it goes:

    R = (VGG16 of bicubic - VGG16 of the model) / (VGG16 of bicubic - VGG16 of the teacher)

The model "auto" is the one that srgan upscale chooses for each image, and the last row, with
--model auto, takes the better one by VGG16 distance of all models but the teacher: no choice can
be better. A model of another scale is resized by the antialiased bicubic. Results are kept in
--work, so that a slow teacher runs once.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from operator import itemgetter
from pathlib import Path

import numpy as np
from PIL import Image

from srgan_cli import engine
from srgan_cli.config import EvalConfig, UpscaleConfig
from srgan_cli.imaging.degrade import degrade
from srgan_cli.imaging.files.io import list_images, read_image
from srgan_cli.imaging.levels import to_levels
from srgan_cli.imaging.resize import downscale, mod_crop, resample, upscale_bicubic
from srgan_cli.observer import SilentBar, SilentObserver

AUTO = "auto"
STRENGTHS = ("clean", "mild", "strong")
SIDE = 96
"""LR pixels of a side of a crop on a sheet."""

Figures = Mapping[str, Mapping[str, float]]
"""PSNR and VGG16 distance by contender."""


def reduced(hr: np.ndarray, scale: int, strength: str, number: int) -> np.ndarray:
    """Return the LR image that models are given: uint8, H / scale, W / scale, 3."""
    if strength == "clean":
        return downscale(hr, scale)
    return degrade(hr, scale, strength, np.random.default_rng((number, STRENGTHS.index(strength))))


def rgb(path: Path) -> np.ndarray:
    """Read an image as uint8, H, W, 3; grey becomes RGB, as damage may have colour."""
    pixels = read_image(path, max_pixels=10**9).pixels
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels


def make_inputs(folder: Path, scale: int, strength: str, target: Path) -> None:
    """Write LR and cropped HR images as PNG, once."""
    for number, path in enumerate(list_images(folder)):
        files = [target / kind / f"{path.stem}.png" for kind in ("lr", "hr")]
        if all(file.is_file() for file in files):
            continue
        hr = mod_crop(rgb(path), scale)
        for file, pixels in zip(files, (reduced(hr, scale, strength, number), hr), strict=True):
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(file)


def upscale_chosen(scale: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return what upscales an image by the model that the test for damage chooses."""
    from srgan_cli.engine.upscaling.choice import load_models
    from srgan_cli.imaging.frames import Frame

    config = UpscaleConfig((Path(),), scale=scale, precision="fp32")
    models = load_models(None, config, SilentObserver())
    return lambda lr: run_model(models.choose(Frame(lr)).upscaler, lr, scale)


def open_model(name: str, scale: int) -> "engine.Upscaler":
    """Load a model by name or file; of another scale where it has none of this one."""
    from srgan_cli.engine.devices.amp import Amp, resolve_device

    source = engine.find_model(name, None if Path(name).is_file() else scale)
    amp = Amp.create(resolve_device("auto"), "fp32")
    return engine.Upscaler(engine.load_model(source), amp, runtime="auto")


def run_model(upscaler: "engine.Upscaler | None", lr: np.ndarray, scale: int) -> np.ndarray:
    """Upscale by a model, or bicubically when it is None, to ``scale`` times the sides."""
    if upscaler is None:
        return upscale_bicubic(lr, scale)
    sr = upscaler.upscale(lr, SilentBar())
    height, width = (scale * side for side in lr.shape[:2])
    return sr if sr.shape[:2] == (height, width) else to_levels(resample(sr, height, width))


def make_results(model: str | None, inputs: Path, target: Path, scale: int) -> None:
    """Write what a model makes of each LR image, once."""
    missing = [path for path in sorted(inputs.iterdir()) if not (target / path.name).is_file()]
    if not missing:
        return
    target.mkdir(parents=True, exist_ok=True)
    if model == AUTO:
        make = upscale_chosen(scale)
    else:
        upscaler = None if model is None else open_model(model, scale)
        make = partial(run_model, upscaler, scale=scale)
    for path in missing:
        sr = make(np.asarray(Image.open(path)))
        Image.fromarray(sr).save(target / path.name)


def measure(hr: Path, results: Mapping[str, Path], scale: int, rivals: Sequence[str]) -> Figures:
    """Score folders of results against the originals, and the best of rivals for each image."""
    report = engine.evaluate(
        EvalConfig(
            hr=hr, sr=tuple(results.values()), scale=scale, metrics=("vgg16",), device="cpu"
        ),
        SilentObserver(),
    )
    _, _, *means = report.sets[0].means.values()  # The report's own baselines saw clean LR.
    figures = dict(zip(results, means, strict=True))
    if rivals:
        each = [
            dict(zip(results, list(image.scores.values())[2:], strict=True))
            for image in report.sets[0].images
        ]
        best = [min((one[name] for name in rivals), key=itemgetter("vgg16")) for one in each]
        figures["the better one"] = {
            metric: float(np.mean([one[metric] for one in best])) for metric in ("psnr", "vgg16")
        }
    return figures


def table(strength: str, figures: Figures, teacher: str | None) -> Iterator[str]:
    """Write a Markdown table of one kind of input."""
    yield f"\n{strength}:\n"
    yield "| | PSNR (dB) | VGG16 | R |"
    yield "|---|---:|---:|---:|"
    start = figures["bicubic"]["vgg16"]
    for name, found in figures.items():
        share = ""
        if teacher is not None:
            share = f"{(start - found['vgg16']) / (start - figures[teacher]['vgg16']):.2f}"
        yield f"| {name} | {found['psnr']:.2f} | {found['vgg16']:.4f} | {share} |"


def look(folder: Path, models: Sequence[str], scale: int, target: Path) -> None:
    """Draw a sheet for each image: its most detailed crop, bicubic and by each model."""
    upscalers = [None, *(open_model(name, scale) for name in models)]
    target.mkdir(parents=True, exist_ok=True)
    for path in list_images(folder):
        crop = most_detailed(rgb(path))
        results = [run_model(upscaler, crop, scale) for upscaler in upscalers]
        Image.fromarray(np.concatenate(results, axis=1)).save(target / f"{path.stem}.png")
        print(f"{target / path.stem}.png: bicubic, {', '.join(models)}")


def most_detailed(pixels: np.ndarray) -> np.ndarray:
    """Return the square of an image with the largest mean gradient."""
    grey = pixels.astype(np.float32).mean(axis=2)
    energy = np.abs(np.diff(grey, axis=0))[:, :-1] + np.abs(np.diff(grey, axis=1))[:-1]
    total = np.pad(energy.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    height, width = (min(SIDE, side) for side in energy.shape)
    sums = total[height:, width:] - total[:-height, width:]
    sums = sums - total[height:, :-width] + total[:-height, :-width]
    y, x = np.unravel_index(sums.argmax(), sums.shape)
    return np.ascontiguousarray(pixels[y : y + height, x : x + width])


def restore(given: argparse.Namespace, work: Path) -> Iterator[str]:
    """Measure every model on every set and kind of input."""
    names = [*([given.teacher] if given.teacher else []), *given.models]
    shown = {None: "bicubic"} | {name: Path(name).stem for name in names}
    for folder in given.folders:
        yield f"\n## {folder.name} ×{given.scale}"
        for strength in given.strengths:
            place = work / f"{folder.name}-x{given.scale}" / strength
            make_inputs(folder, given.scale, strength, place)
            for name, label in shown.items():
                make_results(name, place / "lr", place / label, given.scale)
            results = {label: place / label for label in shown.values()}
            rivals = [shown[name] for name in given.models if name != AUTO]
            figures = measure(
                place / "hr", results, given.scale, rivals if AUTO in given.models else ()
            )
            yield from table(strength, figures, shown.get(given.teacher) if given.teacher else None)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, help="folders of images")
    parser.add_argument("--model", dest="models", action="append", default=[], metavar="MODEL")
    parser.add_argument("--teacher", help="the model that R is measured by, a name or a file")
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--strength", dest="strengths", action="append", choices=STRENGTHS)
    parser.add_argument("--look", type=Path, metavar="FOLDER", help="draw sheets there instead")
    parser.add_argument("--work", type=Path, help="folder that keeps inputs and results")
    given = parser.parse_args()
    given.strengths = given.strengths or STRENGTHS
    if given.look:
        for folder in given.folders:
            look(folder, given.models, given.scale, given.look)
        return
    with tempfile.TemporaryDirectory() as name:
        for line in restore(given, given.work or Path(name)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
