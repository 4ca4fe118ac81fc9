"""Say what photo weights are worth beside their fidelity twin, on clean and on JPEG-damaged input.

python benchmarks/looks.py BENCH/Set14 BENCH/B100 --scale 2 -o benchmarks/results/looks.md

Weights that are not bundled are named: --fidelity FILE --photo FILE. --between 0.5 0.8 adds the
weights between the two, as ``srgan upscale --strength`` makes them.
"""

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from srgan_cli import engine
from srgan_cli.config import EvalConfig
from srgan_cli.imaging.files.io import list_images, read_image
from srgan_cli.imaging.resize import downscale, mod_crop, upscale_bicubic
from srgan_cli.observer import SilentBar, SilentObserver

QUALITIES = (50, 65, 80)
COST = 2.0  # dB that the photo weights may lie below the fidelity weights.
HEADINGS = ("PSNR (dB)", "SSIM", "NIQE", "VGG16")
DECIMALS = {"psnr": 2, "ssim": 4, "niqe": 2, "vgg16": 4}
MARGIN = 16  # LR pixels in which the border of a card may show.

Figures = Mapping[str, float]


@dataclass(frozen=True)
class Clean:
    """What one set says of clean input: figures by contender, in the order of the table."""

    name: str
    figures: Mapping[str, Figures]


@dataclass(frozen=True)
class Damaged:
    """PSNR on one set by JPEG quality and contender."""

    name: str
    psnr: Mapping[int, Figures]


def clean(folder: Path, models: Mapping[str, Path]) -> Clean:
    """Measure bicubic, the models and the images themselves."""
    report = engine.evaluate(
        EvalConfig(
            hr=folder, sr=(folder,), models=paths(models), metrics=("niqe", "vgg16"), device="cpu"
        ),
        SilentObserver(),
    )
    bicubic, _, *ours, original = report.sets[0].means.values()  # Lanczos is not shown.
    return Clean(
        folder.name,
        {"bicubic": bicubic, **dict(zip(models, ours, strict=True)), "original": original},
    )


def paths(models: Mapping[str, Path]) -> tuple[str, ...]:
    return tuple(str(path) for path in models.values())


def damaged(folder: Path, models: Mapping[str, Path], scale: int) -> Damaged:
    """Measure the same on LR that went through JPEG."""
    found = {}
    for quality in QUALITIES:
        with tempfile.TemporaryDirectory() as name:
            lr = Path(name)
            for path in list_images(folder):
                hr = mod_crop(read_image(path, max_pixels=10**9).pixels, scale)
                target = (lr / path.relative_to(folder)).with_suffix(".jpg")
                Image.fromarray(downscale(hr, scale)).save(target, quality=quality)
            config = EvalConfig(hr=folder, lr=lr, models=paths(models), device="cpu")
            report = engine.evaluate(config, SilentObserver())
        bicubic, _, *ours = (scores["psnr"] for scores in report.sets[0].means.values())
        found[quality] = {"bicubic": bicubic, **dict(zip(models, ours, strict=True))}
    return Damaged(folder.name, found)


def between(fidelity: Path, photo: Path, alphas: Sequence[float], folder: Path) -> dict[str, Path]:
    """Write the weights between the two."""
    from srgan_cli.engine.models.interpolation import interpolate
    from srgan_cli.engine.models.weights import save_weights

    made = {}
    ends = [engine.load_model(engine.find_model(str(path), None)) for path in (fidelity, photo)]
    for alpha in alphas:
        path = folder / f"strength-{alpha:g}.safetensors"
        save_weights(path, interpolate(ends[0], ends[1], alpha), {})
        made[f"strength {alpha:g}"] = path
    return made


def cards(path: Path | None, scale: int) -> Figures:
    """Upscale flat colours and edges, where every artefact shows: largest figures, in levels.

    Args:
        path: Weights; bicubic upscaling when None.
        scale: Factor per side.
    """
    import torch

    from srgan_cli.engine.devices.amp import Amp

    upscaler = None
    if path is not None:
        model = engine.load_model(engine.find_model(str(path), scale))
        upscaler = engine.Upscaler(model, Amp.create(torch.device("cpu"), "fp32"), tile=256)

    def inner(hr: np.ndarray) -> np.ndarray:
        lr = downscale(hr, scale)
        sr = upscaler.upscale(lr, SilentBar()) if upscaler else upscale_bicubic(lr, scale)
        cut = MARGIN * scale
        return sr[cut:-cut, cut:-cut].astype(float)

    side = 48 * scale
    shifts, grids, halos, fringes = [], [], [], []
    for colour in np.ndindex(3, 3, 3):
        levels = 32 + 96 * np.array(colour)
        sr = inner(np.full((side, side, 3), levels, np.uint8))
        shifts.append(np.abs(sr.mean(axis=(0, 1)) - levels).max())
        grids.append((sr.max(axis=(0, 1)) - sr.min(axis=(0, 1))).max())
    y, x = np.mgrid[:side, :side] - side / 2
    for angle in np.deg2rad([0, 20, 45, 70, 90]):
        bright = np.where(x * np.cos(angle) + y * np.sin(angle) < 0, 64, 192)
        sr = inner(np.repeat(bright[..., None], 3, axis=2).astype(np.uint8))
        halos.append(max(sr.max() - 192, 64 - sr.min()))
        # How far red, green and blue part where all of them were grey.
        fringes.append((sr.max(axis=2) - sr.min(axis=2)).max())
    return {"colour": max(shifts), "grid": max(grids), "halo": max(halos), "fringe": max(fringes)}


def table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> Iterator[str]:
    """Write a Markdown table, numbers to the right."""
    yield f"| {' | '.join(headings)} |"
    yield "|---" + "|---:" * (len(headings) - 1) + "|"
    for line in lines:
        yield f"| {' | '.join(line)} |"


def report(
    sets: Sequence[Clean], jpeg: Sequence[Damaged], cards_: Mapping[str, Figures]
) -> Iterator[str]:
    """Write all tables, then which bars are met."""
    for scored in sets:
        yield f"\n{scored.name}, clean input:\n"
        yield from table(
            ["", *HEADINGS],
            [
                [who, *(f"{f[key]:.{places}f}" for key, places in DECIMALS.items())]
                for who, f in scored.figures.items()
            ],
        )
    for damage in jpeg:
        yield f"\n{damage.name}, input as JPEG of a quality, PSNR in dB:\n"
        names = list(damage.psnr[QUALITIES[0]])
        yield from table(
            ["quality", *names],
            [
                [str(q), *(f"{found[name]:.2f}" for name in names)]
                for q, found in damage.psnr.items()
            ],
        )
    yield "\nFlat colours and edges, largest figures in levels of 255:\n"
    yield from table(
        ["", "colour shift", "unevenness of flat areas", "overshoot at edges of 128", "fringe"],
        [[who, *(f"{value:.1f}" for value in found.values())] for who, found in cards_.items()],
    )
    yield ""
    yield from bars(sets, jpeg)


def bars(sets: Sequence[Clean], jpeg: Sequence[Damaged]) -> Iterator[str]:
    """Say which of the bars for photo weights are met."""
    for scored in sets:
        fidelity, photo, hr = (scored.figures[who] for who in ("fidelity", "photo", "original"))
        niqe = [one["niqe"] for one in (photo, fidelity, hr)]
        yield bar(
            niqe[0] < niqe[1],
            f"{scored.name}: NIQE {niqe[0]:.2f}, of fidelity {niqe[1]:.2f}, of the originals "
            f"{niqe[2]:.2f}: {(niqe[1] - niqe[0]) / (niqe[1] - niqe[2]):.0%} of the way",
        )
        yield bar(
            photo["vgg16"] < fidelity["vgg16"],
            f"{scored.name}: VGG16 distance {photo['vgg16'] / fidelity['vgg16'] - 1:+.1%}",
        )
        cost = fidelity["psnr"] - photo["psnr"]
        yield bar(cost <= COST, f"{scored.name}: PSNR {cost:.2f} dB below fidelity")
    for damage in jpeg:
        for quality, found in damage.psnr.items():
            gains = [found["photo"] - found[who] for who in ("fidelity", "bicubic")]
            yield bar(
                min(gains) > 0,
                f"{damage.name}, JPEG {quality}: PSNR {gains[0]:+.2f} dB on fidelity, "
                f"{gains[1]:+.2f} dB on bicubic",
            )


def bar(met: bool, text: str) -> str:
    return f"- {'met' if met else '**not met**'}: {text}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="+", type=Path, help="folders of HR images")
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--fidelity", help="weights; the bundled ones when not given")
    parser.add_argument("--photo", help="weights; the bundled ones when not given")
    parser.add_argument("--between", nargs="*", type=float, default=[], metavar="0..1")
    parser.add_argument("-o", "--output", type=Path, help="Markdown file to add to")
    given = parser.parse_args()
    ends = {
        kind: engine.find_model(getattr(given, kind) or kind, given.scale).path
        for kind in ("fidelity", "photo")
    }
    with tempfile.TemporaryDirectory() as name:
        middle = between(ends["fidelity"], ends["photo"], given.between, Path(name))
        models = {"fidelity": ends["fidelity"], **middle, "photo": ends["photo"]}
        text = "\n".join(
            report(
                [clean(folder, models) for folder in given.sets],
                [damaged(folder, models, given.scale) for folder in given.sets],
                {
                    "bicubic": cards(None, given.scale),
                    **{who: cards(path, given.scale) for who, path in models.items()},
                },
            )
        )
    text = f"\n## ×{given.scale}\n{text}\n".replace(" inf ", " ∞ ")
    print(text)
    if given.output:
        with given.output.open("a", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main()
