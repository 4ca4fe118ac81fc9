"""A model whose result is known: without its convolutions it is the bilinear upscaling."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from srgan_cli import engine
from srgan_cli.config import UpscaleConfig, preset
from srgan_cli.engine.models.weights import save_weights
from srgan_cli.observer import SilentObserver


def save_bilinear(path: Path, scale: int = 2) -> Path:
    smallest = {"channels": 1, "growth": 1, "num_blocks": 1, "num_convs": 1}
    generator = engine.DenseNetwork(replace(preset("compact", scale), **smallest))
    for parameter in generator.parameters():
        torch.nn.init.zeros_(parameter)
    save_weights(path, generator, {})
    return path


@dataclass
class Upscale:
    """Runs ``engine.upscale`` with the bilinear model."""

    model: Path

    def __call__(self, *inputs, **options):
        config = UpscaleConfig(
            tuple(map(Path, inputs)), model=str(self.model), device="cpu", **options
        )
        return engine.upscale(config, SilentObserver())

    def one(self, source, output, **options):
        """Upscale one image and return the result's path."""
        report = self(source, output=output, **options)
        assert not report.failed, report.failed
        (item,) = report.written
        return item.output
