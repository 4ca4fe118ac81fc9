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

from upscale_commands import cold, from_file_to_file, memory
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

    from srgan_cli.allocator import keep_freed_memory

    keep_freed_memory()  # For every contender, and before their threads have memory of their own.
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
        if chosen.among:
            wanted = chosen.among.split(",")
            if unknown := sorted(set(wanted) - set(makers)):
                known = ", ".join(makers)
                raise SystemExit(f"no contender is called {unknown[0]}; there are {known}")
            makers = {key: makers[key] for key in wanted}
        if name == "photo":
            runs = {key: partial(in_process, key, chosen.photograph) for key in makers}
            times = in_turns(runs, chosen.rounds)
        else:
            ready = {key: make() for key, make in makers.items()}
            for run in ready.values():
                run()
            runs = {key: partial(timed, run) for key, run in ready.items()}
            times = in_turns(runs, chosen.rounds, chosen.seconds)
    show(f"{title}, {size[1]}×{size[0]}", times, flop, next(iter(times)))


def in_process(name: str, megapixels: float) -> float:
    """Time one contender on a photograph in a process of its own, without its start and compiling.

    What dies, as for want of memory, has taken for ever.
    """
    command = [sys.executable, __file__, "photo", "--only", name, "--photograph", str(megapixels)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    seconds = float(done.stdout.split()[-1]) if done.returncode == 0 else math.inf
    print(f"{name}: {seconds:.1f} s", file=sys.stderr, flush=True)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = ("peak", "compact", "bundled", "photo", "rrdb", "files", "cold", "memory")
    parser.add_argument("parts", nargs="+", choices=known)
    parser.add_argument("--seconds", type=float, default=30, help="least time for each table")
    parser.add_argument("--side", type=int, default=256, help="of the tile")
    parser.add_argument("--photograph", type=float, default=12, metavar="MP")
    parser.add_argument("--among", metavar="NAME,NAME", help="compare these alone")
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
    tile = chosen.side
    side = round((chosen.photograph * 1e6 / 12) ** 0.5)
    parts: dict[str, Callable[[], None]] = {
        "peak": peak,
        "compact": lambda: network_alone("compact", (tile, tile), chosen),
        "bundled": lambda: network_alone("bundled", (tile, tile), chosen),
        "photo": lambda: network_alone("photo", (3 * side, 4 * side), chosen),
        "rrdb": lambda: network_alone("rrdb", (tile, tile), chosen),
        "files": partial(from_file_to_file, *photographs_of),
        "cold": partial(cold, chosen.rounds),
        "memory": memory,
    }
    for part in chosen.parts:
        parts[part]()


if __name__ == "__main__":
    main()
