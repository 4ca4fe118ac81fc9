"""Draw how a GAN run went: python tools/plot_losses.py RUN/metrics.jsonl IMAGE.png.

Losses are the records of ten steps (thin) and their mean over ten records (thick). Needs
pip install '.[figures]'.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANELS: Mapping[str, Sequence[str]] = {
    "discriminator's game": ("wasserstein", "classification"),
    "its penalties": ("gradient_penalty", "r1"),
    "share that it tells apart": ("accuracy", "held"),
    "generator: game": ("adversarial",),
    "generator: pixels, spectrum, artefacts": (
        "pixel",
        "luma",
        "chroma",
        "fft",
        "artefact",
        "degraded",
        "lattice",
        "smooth",
    ),
    "generator: VGG features": ("perceptual", "degraded_perceptual"),
    "validation: PSNR (dB)": ("validation_psnr",),
    "validation: VGG distance": ("validation_perceptual",),
    "validation: detail beside bicubic": ("detail",),
}
WINDOW = 10

Records = Sequence[Mapping[str, Any]]


def main() -> None:
    """Draw one panel for each group of figures of the adversarial phase that the run has."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("metrics", type=Path, help="metrics.jsonl of a run")
    parser.add_argument("image", type=Path, help="PNG file to write")
    given = parser.parse_args()

    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    lines = given.metrics.read_text(encoding="utf-8").splitlines()
    records = [record for record in map(json.loads, lines) if record["phase"] == "adversarial"]
    figure, axes = plt.subplots(3, 3, sharex=True, figsize=(12, 8), layout="constrained")
    for axis, (title, names) in zip(axes.flat, PANELS.items(), strict=True):
        for name in names:
            draw(axis, name, [record for record in records if record.get(name) is not None])
        axis.set_title(title, loc="left", fontsize=10)
        axis.grid(alpha=0.3)
        if len(axis.get_legend_handles_labels()[1]) > 1:
            axis.legend(fontsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("step")
    figure.savefig(given.image, dpi=90)


def draw(axis: "Axes", name: str, records: Records) -> None:
    """Draw one figure of the records that have it; nothing when none has."""
    if not records:
        return
    steps = [record["step"] for record in records]
    values = [record[name] for record in records]
    if "validation_psnr" in records[0]:
        if name == "detail":
            values = [record[name] / record["bicubic_detail"] for record in records]
        axis.plot(steps, values, marker="o", markersize=3, linewidth=1.2)
        return
    (line,) = axis.plot(steps, values, linewidth=0.6, alpha=0.4)
    if len(values) >= WINDOW:
        means = np.convolve(values, np.full(WINDOW, 1 / WINDOW), mode="valid")
        axis.plot(steps[WINDOW - 1 :], means, label=name, linewidth=1.4, color=line.get_color())


if __name__ == "__main__":
    main()
