"""Measure how fast every preset upscales an image: python benchmarks/presets.py.

Networks with random numbers, fp32 on the CPU, all runtimes of ``srgan upscale``; in turns, the
median of five. Prints the table of tools/presets.in.md.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from srgan_cli.config import PRESETS, preset
from srgan_cli.config.common import RuntimeName

RUNTIMES: tuple[RuntimeName, ...] = ("torch", "ncnn", "onnxruntime")
SIDES = {"standard": 192, "esrgan": 64}
"""LR sides of the image; 384 where a network is small."""


def timed(
    name: str, scale: int, runtime: RuntimeName, side: int | None
) -> tuple[Callable[[], float], float]:
    """Return what upscales an image once and times it, and the result's megapixels."""
    import torch

    from srgan_cli.engine.devices.amp import Amp
    from srgan_cli.engine.inference.upscaler import Upscaler
    from srgan_cli.engine.models.weights import Model, ModelSource
    from srgan_cli.engine.networks.architectures import make_generator
    from srgan_cli.observer import SilentObserver

    side = side or SIDES.get(name, 384)
    network = make_generator(preset(name, scale)).eval().requires_grad_(requires_grad=False)
    model = Model(ModelSource(name, Path(), "measured"), network, {})
    upscaler = Upscaler(model, Amp.create(torch.device("cpu"), "fp32"), runtime=runtime)
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)

    def run() -> float:
        with SilentObserver().bar("", total=1, unit="MP") as bar:
            started = time.perf_counter()
            upscaler.upscale(image, bar)
        return time.perf_counter() - started

    return run, (side * scale) ** 2 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=list(PRESETS))
    parser.add_argument("--side", type=int, help="LR pixels of the image; by preset if not given")
    options = parser.parse_args()
    contenders = {
        (name, scale, runtime): timed(name, scale, runtime, options.side)
        for name in options.presets
        for scale in (2, 4)
        for runtime in RUNTIMES
    }
    seconds: dict[tuple[str, int, str], list[float]] = {key: [] for key in contenders}
    for turn in range(options.rounds + 1):
        for key, (run, _) in contenders.items():
            taken = run()
            if turn:  # The first warms up.
                seconds[key].append(taken)
    print("| preset | scale | MP/s, PyTorch | ncnn | ONNX Runtime |\n|---|---|---:|---:|---:|")
    for name in options.presets:
        for scale in (2, 4):
            rates = [
                contenders[name, scale, runtime][1]
                / statistics.median(seconds[name, scale, runtime])
                for runtime in RUNTIMES
            ]
            cells = " | ".join(f"{rate:.2f}" for rate in rates)
            print(f"| `{name}` | ×{scale} | {cells} |")


if __name__ == "__main__":
    main()
