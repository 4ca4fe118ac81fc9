"""Draw the losses of a run: python docs/plot_losses.py RUN/metrics.jsonl PICTURE.png."""

import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

PANELS = {
    "discriminator (sum)": ["discriminator"],
    "its terms": ["wasserstein", "gradient_penalty"],
    "generator's terms": ["pixel", "perceptual", "adversarial"],
}


def main(metrics: Path, picture: Path) -> None:
    """Draw one panel per group of adversarial-phase loss terms."""
    records = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()]
    records = [r for r in records if r["phase"] == "adversarial" and "discriminator" in r]
    steps = [record["step"] for record in records]
    figure, axes = plt.subplots(len(PANELS), 1, sharex=True, figsize=(8, 7), layout="constrained")
    for axis, (title, names) in zip(axes, PANELS.items(), strict=True):
        for name in names:
            axis.plot(steps, [record[name] for record in records], label=name, linewidth=1.2)
        axis.set_title(title, loc="left", fontsize=10)
        axis.grid(alpha=0.3)
        axis.legend(loc="upper right", fontsize=8)
    axes[-1].set_xlabel("step")
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
