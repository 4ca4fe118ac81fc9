"""Upscale every file below a folder and count the outcomes: python benchmarks/corpus.py PATH.

Meant for other people's test suites, such as Pillow's Tests/images: a thousand files that are
strange on purpose. Each file goes through ``engine.upscale`` alone, in a worker process that is
killed after a minute. Results are compared with what Pillow alone makes of the source, and, where
the command ``vips`` is installed (Debian: libvips-tools), with what libvips makes of it, whose
decoders are others. ``--sheets`` keeps what differs side by side: Pillow, libvips, srgan.
"""

import argparse
import json
import multiprocessing
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

TIMEOUT = 60.0
MAX_PIXELS = 20_000_000
LARGEST_DIFFERENCE = 3.0  # Levels of 255, mean over the image; a wrong channel gives more.


def main() -> None:
    """Run the corpus and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--json", type=Path, help="write the outcome of every file")
    parser.add_argument("--sheets", type=Path, help="keep an image of everything that differs")
    arguments = parser.parse_args()
    if arguments.sheets:
        arguments.sheets.mkdir(parents=True, exist_ok=True)
    files = sorted(path for path in arguments.path.rglob("*") if path.is_file())
    outcomes = {}
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker(Path(folder), arguments.sheets)
        for number, path in enumerate(files, start=1):
            outcome = worker.run(path)
            outcomes[str(path.relative_to(arguments.path))] = outcome
            if sys.stderr.isatty() or outcome["outcome"] not in (
                "right",
                "right, not compared",
                "refused",
            ):
                print(f"{number}/{len(files)} {path.name}: {outcome}", file=sys.stderr)
        worker.stop()
    counts = Counter(outcome["outcome"] for outcome in outcomes.values())
    print(f"{len(files)} files below {arguments.path.name}")
    for name, count in counts.most_common():
        print(f"{count:6d} {name}")
    reasons = Counter(o["reason"] for o in outcomes.values() if o["outcome"] == "refused")
    print("reasons for refusal:")
    for reason, count in reasons.most_common(25):
        print(f"{count:6d} {reason}")
    if arguments.json:
        arguments.json.write_text(json.dumps(outcomes, indent=1), encoding="utf-8")


class Worker:
    """A process that upscales one file after the other and can be killed."""

    def __init__(self, folder: Path, sheets: Path | None) -> None:
        self._folder = folder
        self._sheets = sheets
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=work, args=(theirs, self._folder, self._sheets), daemon=True
        )
        self._process.start()
        theirs.close()
        self._pipe.recv()

    def run(self, path: Path) -> dict[str, Any]:
        """Return what became of a file."""
        started = time.perf_counter()
        self._pipe.send(path)
        try:
            if self._pipe.poll(TIMEOUT):
                outcome: dict[str, Any] = self._pipe.recv()
                return outcome | {"seconds": round(time.perf_counter() - started, 2)}
            outcome = {"outcome": "hang"}
        except EOFError:
            outcome = {"outcome": "crash"}
        self._process.kill()
        self._process.join()
        self._start()
        return outcome

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()


def work(pipe: Connection, folder: Path, sheets: Path | None) -> None:
    """Upscale files until the process is killed."""
    import torch

    from srgan_cli import engine
    from srgan_cli.config import preset
    from srgan_cli.engine.models.weights import save_weights

    torch.set_num_threads(1)
    # Without its convolutions the generator is a bilinear upscaling: fast, and its result is
    # known, so that differences come from decoding and encoding alone.
    smallest = {"channels": 1, "growth": 1, "num_blocks": 1, "num_convs": 1}
    generator = engine.DenseNetwork(replace(preset("compact", 2), **smallest))
    for parameter in generator.parameters():
        torch.nn.init.zeros_(parameter)
    model = folder / "bilinear.safetensors"
    save_weights(model, generator, {})
    pipe.send("ready")
    while True:
        path = pipe.recv()
        output = folder / "out"
        shutil.rmtree(output, ignore_errors=True)
        try:
            pipe.send(upscale(path, output, model, sheets))
        except BaseException:  # noqa: BLE001 - a traceback is what this looks for.
            pipe.send({"outcome": "traceback", "reason": traceback.format_exc(limit=-4)})


def upscale(path: Path, output: Path, model: Path, sheets: Path | None) -> dict[str, Any]:
    """Upscale one file and judge the result."""
    from srgan_cli import engine
    from srgan_cli.config import UpscaleConfig
    from srgan_cli.observer import SilentObserver

    config = UpscaleConfig((path,), output, model=str(model), max_pixels=MAX_PIXELS, device="cpu")
    report = engine.upscale(config, SilentObserver())
    left = [p.name for p in output.rglob("*") if p.is_file()] if output.exists() else []
    if report.failed:
        reason = report.failed[0].reason.replace(str(path), "").removeprefix(": ")
        outcome = "half-written" if left else "refused"
        return {"outcome": outcome, "reason": reason}
    (made,) = report.written
    if sorted(left) != sorted([".srgan-ledger.jsonl", made.output.name]):
        return {"outcome": "half-written", "reason": str(left)}
    references = {"Pillow": by_pillow(path), "libvips": by_vips(path)}
    with warnings.catch_warnings(), Image.open(made.output) as opened:
        warnings.simplefilter("ignore")
        # 16-bit grey, which Pillow's conversions cut off, is not compared.
        result = None if opened.mode.startswith("I") else opened.convert("RGBA")
    differences = {
        name: mean_difference(reference, result) if reference and result else None
        for name, reference in references.items()
    }
    found = [difference for difference in differences.values() if difference is not None]
    verdict = "right" if found else "right, not compared"
    if max(found, default=0) > LARGEST_DIFFERENCE:
        verdict = "differs"
        if sheets and result:
            name = "-".join(path.parts[-3:]) + ".png"
            side_by_side((*references.values(), result)).save(sheets / name)
    return {"outcome": verdict, "differences": differences, "notes": made.notes}


def by_pillow(source: Path) -> Image.Image | None:
    """Return the upright image that Pillow alone makes of a file.

    None where it cannot tell what the source shows: 16-bit grey, which its conversions cut off,
    profiles of inks, and files that it cannot read.
    """
    with warnings.catch_warnings(), suppress(OSError, ValueError, SyntaxError):
        warnings.simplefilter("ignore")
        with Image.open(source) as before:
            if before.mode.startswith(("I", "F")) or before.mode in {"CMYK", "LAB"}:
                return None
            if before.info.get("default_image") and before.n_frames > 1:
                before.seek(1)  # The first image is not part of the animation.
            return ImageOps.exif_transpose(before).convert("RGBA")
    return None


def by_vips(source: Path) -> Image.Image | None:
    """Return the same of libvips; None where it cannot read the source as 8-bit sRGB."""
    if shutil.which("vips") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, "plain.png")
        steps = (
            ("autorot", source, Path(folder, "upright.v")),
            ("colourspace", Path(folder, "upright.v"), Path(folder, "srgb.v"), "srgb"),
            ("cast", Path(folder, "srgb.v"), plain, "uchar"),
        )
        for step in steps:
            run = subprocess.run(("vips", *step), capture_output=True, check=False, timeout=TIMEOUT)
            if run.returncode:
                return None
        with Image.open(plain) as before:
            return before.convert("RGBA")


def mean_difference(wanted: Image.Image, result: Image.Image) -> float:
    """Return the mean difference of a result from an image that is upscaled bilinearly.

    In levels of 255; colours count by their opacity.
    """
    size = (2 * wanted.width, 2 * wanted.height)
    if result.size != size:
        return 255.0
    enlarged = wanted.convert("RGBa").resize(size, Image.Resampling.BILINEAR)
    difference = np.abs(np.asarray(result.convert("RGBa")).astype(float) - np.asarray(enlarged))
    return round(float(difference.mean()), 2)


def side_by_side(images: tuple[Image.Image | None, ...]) -> Image.Image:
    """Return images in a row, each 256 pixels high on a chequerboard; a gap for None."""
    tile = 256
    sheet = Image.new("RGB", (len(images) * (tile + 8), tile), "magenta")
    board = (np.indices((tile, tile)) // 16).sum(axis=0) % 2 * 64 + 128
    for place, image in enumerate(images):
        if image is None:
            continue
        scale = min(tile / image.width, tile / image.height)
        size = (max(1, round(scale * image.width)), max(1, round(scale * image.height)))
        enlarged = image.resize(size, Image.Resampling.NEAREST)
        ground = Image.fromarray(board.astype(np.uint8)).convert("RGBA").crop((0, 0, *size))
        ground.alpha_composite(enlarged)
        sheet.paste(ground.convert("RGB"), (place * (tile + 8), 0))
    return sheet


if __name__ == "__main__":
    main()
