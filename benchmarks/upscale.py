"""Measure srgan upscale beside what people would use instead, on the same weights.

python benchmarks/upscale.py PART …, where PART is one or more of

  peak     what the machine's multiply-add units reach
  bundled  the network of ``fidelity-x2`` alone, on a tile
  compact  the preset ``compact`` alone, on a tile
  photo    the network of ``fidelity-x2`` alone, on a photograph, each way in its own process
  rrdb     RRDBs of the published size alone, on a tile
  files    photographs from file to file, to PNG and to JPEG, process start included
  cold     one small image, and where the time goes
  memory   peak memory from 1 to 256 megapixels of result

The peers of the first parts are optional: pip install onnx onnxruntime openvino ncnn.
"""

import argparse
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from upscale_peers import Run, contenders, networks

FMA_LOOP = """
#include <stdio.h>
#include <time.h>
#ifdef __AVX512F__
enum { LANES = 16, SUMS = 24 };
#else
enum { LANES = 8, SUMS = 12 };  /* With the two factors they fill 14 of 16 registers. */
#endif
typedef float lanes __attribute__((vector_size(4 * LANES)));
int main(void) {
    lanes a[SUMS], x, y;
    for (int j = 0; j < LANES; j++) { x[j] = 0.999f; y[j] = 1e-6f; }
    for (int i = 0; i < SUMS; i++) a[i] = y;
    struct timespec s, e;
    clock_gettime(CLOCK_MONOTONIC, &s);
    long n = 200000000;
    for (long k = 0; k < n; k++)
        for (int i = 0; i < SUMS; i++) a[i] = a[i] * x + y;
    clock_gettime(CLOCK_MONOTONIC, &e);
    float sum = 0;
    for (int i = 0; i < SUMS; i++) for (int j = 0; j < LANES; j++) sum += a[i][j];
    double t = (e.tv_sec - s.tv_sec) + 1e-9 * (e.tv_nsec - s.tv_nsec);
    printf("%f %g\\n", 2.0 * LANES * SUMS * n / t / 1e9, sum);
    return 0;
}
"""

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
from srgan_cli.engine.upscaling.upscaler import load_upscaler
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


def timed(run: Run) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def in_turns(
    runs: dict[str, Callable[[], float]], rounds: int, seconds: float = 0
) -> dict[str, list[float]]:
    """Time all in turns, A B C A B C, at least ``rounds`` times and for some seconds."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    started = time.perf_counter()
    while len(next(iter(times.values()))) < rounds or time.perf_counter() - started < seconds:
        for name, run in runs.items():
            times[name].append(run())
    return times


def show(title: str, times: dict[str, list[float]], flop: float, baseline: str) -> None:
    count = len(next(iter(times.values())))
    print(f"\n{title} (median of {count}, in turns)\n")
    print("| | ms | GFLOP/s | fastest GFLOP/s | ratio |\n|---|---:|---:|---:|---:|")
    middle = {name: statistics.median(values) for name, values in times.items()}
    for name, value in sorted(middle.items(), key=lambda item: item[1]):
        best = flop / min(times[name]) / 1e9
        ratio = middle[baseline] / value
        print(
            f"| {name} | {value * 1e3:.0f} | {flop / value / 1e9:.0f} | {best:.0f} | {ratio:.2f} |"
        )
    sys.stdout.flush()


def peak() -> None:
    import torch

    torch.set_num_threads(2)
    a, b = torch.rand(2, 2048, 2048)
    times = in_turns({"product": lambda: timed(lambda: a @ b)}, 9, 3)["product"]
    print(f"matrix product 2048³, 2 threads: {2 * 2048**3 / statistics.median(times) / 1e9:.0f}")
    with tempfile.TemporaryDirectory() as name:
        source, program = Path(name, "fma.c"), Path(name, "fma")
        source.write_text(FMA_LOOP)
        try:
            command = ["cc", "-O3", "-march=native", "-funroll-loops", "-o", program, source]
            subprocess.run(command, check=True)
        except OSError:
            print("no C compiler, so no loop of multiply-adds")
            return
        loops = [subprocess.Popen([program], stdout=subprocess.PIPE, text=True) for _ in "12"]
        speeds = [float(loop.communicate()[0].split()[0]) for loop in loops]
        print(f"loop of multiply-adds, 2 processes: {sum(speeds):.0f} GFLOP/s")


def network_alone(name: str, size: tuple[int, int], chosen: argparse.Namespace) -> None:
    """Compare on one image: within this process, or each in its own if the image is large.

    The other libraries keep what they took, and together take more than a machine may have.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    warnings.simplefilter("ignore")
    model, title = networks(name)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.generator(torch.rand(1, 3, 64, 64))
    flop = counter.get_total_flops() / 64**2 * size[0] * size[1]
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        makers = contenders(name, size, Path(folder))
        if chosen.only:
            run = makers[chosen.only]()
            if "compile" in chosen.only:
                run()
            print(timed(run))
            return
        if name == "photo":
            runs = {key: partial(in_process, key, chosen.photograph) for key in makers}
            times = in_turns(runs, chosen.rounds)
        else:
            ready = {key: make() for key, make in makers.items()}
            for run in ready.values():
                run()
            runs = {key: partial(timed, run) for key, run in ready.items()}
            times = in_turns(runs, chosen.rounds, chosen.seconds)
    show(f"{title}, {size[1]}×{size[0]}", times, flop, "eager NCHW")


def in_process(name: str, megapixels: float) -> float:
    """Time one contender on a photograph in a process of its own, start and compiling left out.

    What dies, as for want of memory, has taken for ever.
    """
    command = [sys.executable, __file__, "photo", "--only", name, "--photograph", str(megapixels)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    seconds = float(done.stdout.split()[-1]) if done.returncode == 0 else math.inf
    print(f"{name}: {seconds:.1f} s", file=sys.stderr, flush=True)
    return seconds


def photographs(folder: Path, photos: Path, count: int, largest: float) -> list[Path]:
    """Make JPEG photographs from 2 megapixels up, most of them small: ``count`` of 20 sizes."""
    from PIL import Image

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
    from PIL import Image

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


def cold() -> None:
    from PIL import Image

    with tempfile.TemporaryDirectory() as name:
        source, out = Path(name, "a.jpg"), Path(name, "out")
        rng = np.random.default_rng(0)
        small = Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8))
        small.resize((500, 400), Image.Resampling.BICUBIC).save(source)
        splits, imports, wholes = [], [], []
        for number in range(5):
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-c", "import torch"], check=True)
            imports.append(time.perf_counter() - begun)
            command = ["-m", "srgan_cli", "upscale", source, "-o", f"{out}{number}"]
            command += ["--model", "fidelity-x2"]
            begun = time.perf_counter()
            subprocess.run([sys.executable, *command], check=True, capture_output=True)
            wholes.append(time.perf_counter() - begun)
            split = subprocess.run(
                [sys.executable, "-c", COLD_SPLIT, source, f"{name}/b.jpg"],
                check=True,
                capture_output=True,
                text=True,
            )
            splits.append([float(value) for value in split.stdout.split()])
    torch_alone, whole = statistics.median(imports), statistics.median(wholes)
    parts = [statistics.median(column) for column in zip(*splits, strict=True)]
    names = ("import torch", "import srgan", "load the model", "upscale", "write")
    print("\n500×400, cold (median of 5)\n\n| | seconds |\n|---|---:|")
    for label, seconds in zip(names, parts, strict=True):
        print(f"| {label} | {seconds:.2f} |")
    print(f"| the whole command | {whole:.2f} |")
    goal = torch_alone + parts[3]
    print(f"\na process that imports torch: {torch_alone:.2f} s; with the upscaling {goal:.2f} s;")
    print(f"the whole command is {whole / goal:.2f} times that")


def memory() -> None:
    from memory import SCRIPT
    from PIL import Image

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = ("peak", "compact", "bundled", "photo", "rrdb", "files", "cold", "memory")
    parser.add_argument("parts", nargs="+", choices=known)
    parser.add_argument("--seconds", type=float, default=30, help="least time for each table")
    parser.add_argument("--photograph", type=float, default=12, metavar="MP")
    parser.add_argument("--only", metavar="NAME", help="print the seconds of one contender alone")
    parser.add_argument("--photos", type=Path, default=Path("../shared/data/photos"))
    parser.add_argument("--count", type=int, default=20, help="photographs from file to file")
    parser.add_argument("--largest", type=float, default=12, metavar="MP")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runtimes", default="torch,auto", help="of srgan, from file to file")
    chosen = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    photographs_of = (
        *(chosen.photos, chosen.count, chosen.largest, chosen.rounds),
        chosen.runtimes.split(","),
    )
    side = round((chosen.photograph * 1e6 / 12) ** 0.5)
    parts: dict[str, Callable[[], None]] = {
        "peak": peak,
        "compact": lambda: network_alone("compact", (256, 256), chosen),
        "bundled": lambda: network_alone("bundled", (256, 256), chosen),
        "photo": lambda: network_alone("photo", (3 * side, 4 * side), chosen),
        "rrdb": lambda: network_alone("rrdb", (256, 256), chosen),
        "files": partial(from_file_to_file, *photographs_of),
        "cold": cold,
        "memory": memory,
    }
    for part in chosen.parts:
        parts[part]()


if __name__ == "__main__":
    main()
