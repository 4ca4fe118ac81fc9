"""Print the peak memory of upscaling a large image: python benchmarks/memory.py [SIDE].

The image is SIDE x SIDE pixels (8000 by default), RGB, once with 8 and once with 16 bits. The
network is the smallest that there is, since only a tile's worth of it is in memory at a time.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tifffile

SCRIPT = """
import resource, sys, time
from dataclasses import replace
from pathlib import Path
import torch
from srgan_cli import engine
from srgan_cli.config import UpscaleConfig, preset
from srgan_cli.engine.models.weights import save_weights
from srgan_cli.observer import SilentObserver

source, folder = map(Path, sys.argv[1:])
smallest = {"channels": 1, "growth": 1, "num_blocks": 1, "num_convs": 1}
model = folder / "w.safetensors"
save_weights(model, engine.DenseNetwork(replace(preset("compact", 2), **smallest)), {})
config = UpscaleConfig((source,), folder / "out", model=str(model), device="cpu")
started = time.perf_counter()
report = engine.upscale(config, SilentObserver())
assert report.written, report.failed
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(f"{peak / 1e6:.0f} MB peak, {time.perf_counter() - started:.0f} s")
"""


def main() -> None:
    """Make the images and run each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", type=int, nargs="?", default=8000, help="pixels of the large image")
    side = parser.parse_args().side

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ramp = (np.arange(side, dtype=np.uint32) * 65535 // side).astype(np.uint16)
        for size in (64, side):
            for bits, dtype in ((8, np.uint8), (16, np.uint16)):
                rows = (ramp[:size] >> (16 - bits)).astype(dtype)
                pixels = np.broadcast_to(rows[:, None, None], (size, size, 3)).copy()
                source = folder / f"{size}-{bits}.tif"
                tifffile.imwrite(source, pixels, photometric="rgb", compression="zlib")
                del pixels
                done = subprocess.run(
                    [sys.executable, "-c", SCRIPT, source, folder],
                    check=True,
                    capture_output=True,
                    text=True,
                )
                canvas = 4 * size**2 * (4 if bits == 8 else 6) / 1e6
                print(f"{size}x{size}, {bits} bits: {done.stdout.strip()}; canvas {canvas:.0f} MB")


if __name__ == "__main__":
    main()
