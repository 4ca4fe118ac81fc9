"""Time and peak memory of ``load().upscale_image`` over many images, beside the command."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"
IN_MEMORY = """
import sys, srgan_cli
from PIL import Image
model = srgan_cli.load("fidelity", device="cpu")
for name in sys.argv[2:]:
    with Image.open(name) as image:
        model.upscale_image(image).save(sys.argv[1] + "/" + name.rpartition("/")[2])
"""


def measured(command: list[str]) -> tuple[float, float]:
    """Return the seconds and the peak gigabytes of a process."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    unit = 1 if sys.platform == "darwin" else 1024
    return time.perf_counter() - started, usage.ru_maxrss * unit / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=50, help="how many (default: 50)")
    number = parser.parse_args().images
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for i in range(number):
            names.append(f"{folder}/{i:03}.png")
            Path(names[-1]).write_bytes((EXAMPLES / "cat.png").read_bytes())
        for out in ("python", "command"):
            Path(folder, out).mkdir()
        command = ["-m", "srgan_cli", "upscale", *names, "-o", f"{folder}/command"]
        options = ["--model", "fidelity", "--scale", "2", "--device", "cpu"]
        lines = {
            "load().upscale_image": ["-c", IN_MEMORY, f"{folder}/python", *names],
            "srgan upscale": [*command, *options],
        }
        for name, words in lines.items():
            seconds, memory = measured([sys.executable, *words])
            print(f"{name:22} {number} images: {seconds:6.1f} s, {memory:.2f} GB at its peak")


if __name__ == "__main__":
    main()
