"""Options of ``srgan train``."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, Self

from srgan_cli.config.checks import Precision, require, require_plain_name, require_seed
from srgan_cli.config.generator import preset

Degrade = Literal["none", "mild", "strong"]


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms of both losses.

    Defaults follow ESRGAN (Wang et al. 2018, section 4.1) for the generator and
    WGAN-GP (Gulrajani et al. 2017, algorithm 1) for the discriminator.
    """

    pixel: float = 1e-2
    """L1 distance of pixels in [0, 1] during the adversarial phase (1 in pretraining)."""
    perceptual: float = 1.0
    """L1 distance of VGG features, normalised to unit mean magnitude per layer."""
    adversarial: float = 5e-3
    """Minus the discriminator's mean score of generated pictures."""
    gradient_penalty: float = 10.0
    """Mean squared distance of the discriminator's gradient norm from 1."""

    def __post_init__(self) -> None:
        """Refuse negative weights."""
        for field in fields(self):
            value = getattr(self, field.name)
            require(0 <= value < math.inf, f"{field.name}_weight", value, "0 or more")


@dataclass(frozen=True)
class TrainConfig:
    """Options of ``srgan train``."""

    data: str | None = None
    """Name or folder of a prepared data set; the newest when not given."""
    scale: int | None = None
    """Which scale of a set that holds several; its first when not given."""
    degrade: Degrade = "none"
    """Blur, noise, resizing and JPEG damage to learn to undo, drawn anew for each patch."""
    name: str | None = None
    """Name of the run; the preset, scale and time when not given."""
    preset: str = "compact"
    """Generator size: ``compact``, ``standard`` or ``esrgan``."""
    epochs: int = 131
    """Passes over the photographs, one random patch of each per pass."""
    steps: int | None = None
    """Length of the run in steps instead of epochs."""
    pretrain: float = 0.5
    """Share of the run, from its start, that trains on the pixel loss alone."""
    batch: int = 16
    """Patches per step."""
    patch: int = 48
    """Side of a training patch, in LR pixels."""
    learning_rate: float = 1e-3
    """Adam's peak learning rate in pretraining; cosine to zero."""
    adversarial_learning_rate: float = 1e-4
    """Adam's peak learning rate of both networks in the adversarial phase; cosine to zero."""
    warmup: int = 50
    """Steps over which each phase's learning rate rises to its peak."""
    weights: LossWeights = LossWeights()
    """Weights of the loss terms."""
    perceptual: str = "vgg16"
    """``vgg16`` (bundled), ``vgg19`` (downloaded once), ``none`` or a safetensors file."""
    discriminator_width: int = 64
    """Kernels of the discriminator's first convolution; the last has eight times as many."""
    discriminator_steps: int = 1
    """Discriminator updates per generator update."""
    ema: float = 0.999
    """Decay of the running mean of the generator's weights, which is what gets saved."""
    init: Path | None = None
    """Generator weights to start from."""
    precision: Precision = "auto"
    """Arithmetic of the forward passes; ``auto`` chooses by device."""
    device: str = "auto"
    """``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``, …"""
    seed: int = 0
    """Fixes initialisation, the order of the data and every random crop."""
    validate_every: int = 500
    """Steps between validations; weights and the checkpoint are saved at each."""
    resume: str | None = None
    """Name or folder of a run to go on with; its own settings are used."""

    def __post_init__(self) -> None:
        """Check ranges."""
        for name in (
            "epochs",
            "batch",
            "discriminator_width",
            "discriminator_steps",
            "validate_every",
        ):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        require(self.steps is None or self.steps >= 1, "steps", self.steps, "at least 1")
        require(0 <= self.pretrain <= 1, "pretrain", self.pretrain, "from 0 to 1")
        require(self.patch >= 16, "patch", self.patch, "at least 16")
        require(self.warmup >= 0, "warmup", self.warmup, "0 or more")
        require(0 <= self.ema < 1, "ema", self.ema, "from 0 to below 1")
        for name in ("learning_rate", "adversarial_learning_rate"):
            require(0 < getattr(self, name) < 1, name, getattr(self, name), "between 0 and 1")
        require_seed(self.seed)
        preset(self.preset, 2)
        if self.name is not None:
            require_plain_name(self.name, "--name")

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, which :meth:`from_dict` reads back."""
        values = asdict(self)
        values["init"] = None if self.init is None else str(self.init)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild a config from its JSON form; unknown keys are a TypeError."""
        rebuilt = dict(values)
        rebuilt["weights"] = LossWeights(**rebuilt["weights"])
        rebuilt["init"] = None if rebuilt["init"] is None else Path(rebuilt["init"])
        return cls(**rebuilt)
