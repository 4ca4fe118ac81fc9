"""The parts of ``benchmarks/upscale.py`` that time whole commands, process start included."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from memory import SCRIPT
from PIL import Image

PLAIN_SCRIPT = """
import sys, time
from pathlib import Path
import numpy as np, torch
from PIL import Image
from srgan_cli import engine
network = engine.load_model(engine.find_model("fidelity-x2", 2)).generator
out, *names = sys.argv[1:]
seconds = {"png": 0.0, "jpg": 0.0}
for name in names:
    pixels = np.asarray(Image.open(name).convert("RGB"))
    with torch.inference_mode():
        lr = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
        sr = network(lr)[0].clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()
    for ext in seconds:
        begun = time.perf_counter()
        options = {"quality": 95, "subsampling": 0} if ext == "jpg" else {}
        Image.fromarray(sr).save(Path(out, Path(name).stem + "." + ext), **options)
        seconds[ext] += time.perf_counter() - begun
print(seconds["png"], seconds["jpg"])
"""

COLD_SPLIT = """
import time; t = [time.perf_counter()]
import torch; t.append(time.perf_counter())
from srgan_cli import engine; t.append(time.perf_counter())
import sys
from srgan_cli.config import UpscaleConfig
from srgan_cli.engine.inference.loading import load_upscaler
from srgan_cli.observer import SilentBar, SilentObserver
import numpy as np
from PIL import Image
config = UpscaleConfig(("a",), "b", device="cpu")
upscaler = load_upscaler(engine.find_model("fidelity-x2", 2), config, SilentObserver())
t.append(time.perf_counter())
sr = upscaler.upscale(np.asarray(Image.open(sys.argv[1])), SilentBar())
t.append(time.perf_counter())
Image.fromarray(sr).save(sys.argv[2]); t.append(time.perf_counter())
print(*(f"{b - a:.4f}" for a, b in zip(t, t[1:])))
"""


def photographs(folder: Path, photos: Path, count: int, largest: float) -> list[Path]:
    """Make JPEG photographs from 2 megapixels up, most of them small: ``count`` of 20 sizes."""
    found = sorted(path for path in photos.rglob("*") if path.suffix in {".jpg", ".png"})
    places = np.linspace(0, 19, count).round() / 19
    megapixels = 2 + (largest - 2) * places**8
    made = []
    for number, size in enumerate(megapixels):
        with Image.open(found[7 * number % len(found)]) as image:
            factor = (size * 1e6 / (image.width * image.height)) ** 0.5
            whole = (round(image.width * factor), round(image.height * factor))
            path = folder / f"{number:02d}.jpg"
            image.convert("RGB").resize(whole, Image.Resampling.LANCZOS).save(path, quality=92)
        made.append(path)
    return made


def total_megapixels(names: list[Path]) -> float:
    return sum(Image.open(name).width * Image.open(name).height for name in names) / 1e6


def from_file_to_file(
    photos: Path, count: int, largest: float, rounds: int, runtimes: list[str]
) -> None:
    """Compare whole commands.

    The plain script does one thing after the other, so it writes both formats in one run, and its
    time for one of them is that of the run without the encoding of the other.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = photographs(folder, photos, count, largest)
        numbers = iter(range(1000))

        def run(*command: object) -> tuple[float, str]:
            whole = [sys.executable, *map(str, command)]
            begun = time.perf_counter()
            done = subprocess.run(whole, check=True, capture_output=True, text=True)
            return time.perf_counter() - begun, done.stdout

        def plain() -> dict[str, float]:
            (out := folder / f"plain-{next(numbers)}").mkdir()
            seconds, said = run("-c", PLAIN_SCRIPT, out, *names)
            png, jpg = map(float, said.split())
            return {"png": seconds - jpg, "jpg": seconds - png}

        def ours(runtime: str, ext: str) -> float:
            options = ("--ext", ext, "--model", "fidelity-x2", "--runtime", runtime)
            out = folder / f"ours-{next(numbers)}"
            return run("-m", "srgan_cli", "upscale", *names, "-o", out, *options)[0]

        rows = ["plain script", *(f"srgan --runtime {runtime}" for runtime in runtimes)]
        times: dict[str, dict[str, list[float]]]
        times = {ext: {row: [] for row in rows} for ext in ("png", "jpg")}
        for _ in range(rounds):
            for ext, seconds in plain().items():
                times[ext][rows[0]].append(seconds)
            for ext, of_rows in times.items():
                for row, runtime in zip(rows[1:], runtimes, strict=True):
                    of_rows[row].append(ours(runtime, ext))
                said = ", ".join(f"{row} {values[-1]:.1f} s" for row, values in of_rows.items())
                print(f"to {ext}: {said}", file=sys.stderr, flush=True)
        total = f"{total_megapixels(names):.0f} MP in all"
        print(f"\n{count} JPEG photographs of 2 to {largest:g} MP, {total} (medians of {rounds})\n")
        print("| | to | seconds | ratio |\n|---|---|---:|---:|")
        for ext, of_rows in times.items():
            middle = {row: statistics.median(values) for row, values in of_rows.items()}
            for row, value in middle.items():
                print(f"| {row} | {ext} | {value:.1f} | {middle[rows[0]] / value:.2f} |")


def cold(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        source, out = Path(name, "a.jpg"), Path(name, "out")
        # Packages are compiled, as pip does when it installs them; a first round does that here.
        environment = os.environ | {"PYTHONPYCACHEPREFIX": f"{name}/compiled"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)

        def python(*arguments: object) -> tuple[float, str]:
            command = [sys.executable, *map(str, arguments)]
            begun = time.perf_counter()
            done = subprocess.run(
                command, check=True, capture_output=True, text=True, env=environment
            )
            return time.perf_counter() - begun, done.stdout

        rng = np.random.default_rng(0)
        small = Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8))
        small.resize((500, 400), Image.Resampling.BICUBIC).save(source)
        splits, imports, wholes = [], [], []
        for number in range(rounds + 1):
            imports.append(python("-c", "import torch")[0])
            command = ("-m", "srgan_cli", "upscale", source, "-o", f"{out}{number}")
            wholes.append(python(*command, "--model", "fidelity-x2")[0])
            said = python("-c", COLD_SPLIT, source, f"{name}/b.jpg")[1]
            splits.append([float(value) for value in said.split()])
    torch_alone, whole = statistics.median(imports[1:]), statistics.median(wholes[1:])
    parts = [statistics.median(column) for column in zip(*splits[1:], strict=True)]
    names = ("import torch", "import srgan", "load the model", "upscale", "write")
    print(f"\n500×400, cold (median of {rounds})\n\n| | seconds |\n|---|---:|")
    for label, seconds in zip(names, parts, strict=True):
        print(f"| {label} | {seconds:.2f} |")
    print(f"| the whole command | {whole:.2f} |")
    goal = torch_alone + parts[3]
    print(f"\na process that imports torch: {torch_alone:.2f} s; with the upscaling {goal:.2f} s;")
    print(f"the whole command is {whole / goal:.2f} times that")


def memory() -> None:
    print("\n| result, MP | canvas, MB | peak, MB |\n|---:|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for side in (500, 1000, 2000, 4000, 8000):
            source = folder / f"{side}.png"
            Image.new("RGB", (side, side), (90, 120, 200)).save(source)
            done = subprocess.run(
                [sys.executable, "-c", SCRIPT, source, folder],
                check=True,
                capture_output=True,
                text=True,
            )
            result = 4 * side**2 / 1e6
            print(f"| {result:.0f} | {4 * result:.0f} | {done.stdout.split()[0]} |", flush=True)
