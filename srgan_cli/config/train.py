"""Options of ``srgan train``."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, Self

from srgan_cli.config.checks import Precision, require, require_plain_name, require_seed
from srgan_cli.config.generator import AnyGeneratorConfig, RowConfig, preset
from srgan_cli.errors import UsageError

Degrade = Literal["none", "mild", "strong"]
PixelLoss = Literal["l1", "charbonnier", "psnr"]
Adversarial = Literal["wgan-gp", "relativistic", "hinge", "vanilla"]
DiscriminatorName = Literal["conv", "unet"]
OptimizerName = Literal["adam", "muon"]
Judge = Literal["all", "clean"]
Schedule = Literal["cosine", "multistep", "trapezoid", "constant"]


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms of both losses; a term of weight 0 is not computed.

    Defaults follow ESRGAN (Wang et al. 2018, section 4.1) for the generator and
    WGAN-GP (Gulrajani et al. 2017, algorithm 1) for the discriminator.
    """

    pixel: float = 1e-2
    """Distance of pixels in [0, 1] during the adversarial phase (1 in pretraining)."""
    luma: float = 0.0
    """Distance of luma, which PSNR is measured on, relative to the pixel term, in both phases."""
    chroma: float = 0.0
    """Distance of colours without their luma, relative to the pixel term, in both phases."""
    fft: float = 0.0
    """Distance of Fourier coefficients, relative to the pixel term, in both phases."""
    perceptual: float = 1.0
    """L1 distance of VGG features, normalised to unit mean magnitude per layer."""
    artefact: float = 0.0
    """L1 distance of pixels where the image looks like an artefact (LDL)."""
    degraded: float = 0.0
    """The pixel term of those patches that discriminator and VGG do not see, once more, with
    luma, chroma and spectrum in their relation to it."""
    lattice: float = 0.0
    """L1 distance of what repeats from LR pixel to LR pixel, averaged over windows."""
    smooth: float = 0.0
    """L1 distance of pixels where the original is smooth, up to the edge of what stands there."""
    adversarial: float = 5e-3
    """What the generator pays for images that do not look real."""
    gradient_penalty: float | None = None
    """Mean squared distance of the discriminator's gradient norm from 1; 10 for ``wgan-gp``
    and 0 for other losses when not given."""
    r1: float = 0.0
    """Half the mean squared norm of the discriminator's gradient at real images."""

    def __post_init__(self) -> None:
        """Refuse negative weights."""
        for each in fields(self):
            value = getattr(self, each.name)
            wanted = value is None or 0 <= value < math.inf
            require(wanted, f"{each.name}_weight", value, "0 or more")


@dataclass(frozen=True)
class TrainConfig:
    """Options of ``srgan train``."""

    data: str | None = None
    """Name or folder of a prepared data set; the newest when not given."""
    scale: int | None = None
    """Which scale of a set that holds several; its first when not given."""
    degrade: Degrade = "none"
    """Blur, noise, resizing and JPEG damage to learn to undo, drawn anew for each patch."""
    degrade_share: float = 1.0
    """Chance of each patch to be degraded; the others keep the prepared LR pixels."""
    detail: int = 1
    """Places to choose from for each patch, one with more detail more likely; 1 is no choice."""
    name: str | None = None
    """Name of the run; the preset, scale and time when not given."""
    preset: str = "compact"
    """Generator size: ``row``, ``srvgg``, ``compact``, ``standard`` or ``esrgan``."""
    generator: Mapping[str, Any] = field(default_factory=dict)
    """Sizes that differ from the preset's: fields of :class:`GeneratorConfig` but the scale."""
    equivariant: bool = False
    """Tie weights so that a turned or mirrored image is upscaled as the image is, turned or
    mirrored alike; of ``row`` with a multiple of 8 channels only."""
    init: Path | None = None
    """Generator weights to start from."""
    resume: str | None = None
    """Name or folder of a run to go on with; its own settings are used."""

    epochs: int = 131
    """Passes over the photographs, one random patch of each per pass."""
    steps: int | None = None
    """Length of the run in steps instead of epochs."""
    pretrain: float = 0.5
    """Share of the run, from its start, that trains on the pixel loss alone."""
    pretrain_epochs: int | None = None
    """Length of pretraining in epochs instead of a share."""
    pretrain_steps: int | None = None
    """Length of pretraining in steps instead of a share."""
    validate_every: int = 500
    """Steps between validations; weights and the checkpoint are saved at each."""
    keep: int = 3
    """How many of the last checkpoints stay, besides the best."""
    tensorboard: bool = False
    """Also write TensorBoard's event files; needs the extra ``tensorboard``."""

    batch: int = 16
    """Patches per step, over all processes; 0 finds what fits into memory."""
    accumulate: int = 1
    """Parts that a batch is cut into, one after the other in memory, for one update."""
    patch: int = 48
    """Side of a training patch, in LR pixels."""
    optimizer: OptimizerName = "adam"
    """What steps the generator in pretraining; the adversarial phase has Adam."""
    learning_rate: float = 1e-3
    """Peak learning rate in pretraining."""
    adversarial_learning_rate: float = 1e-4
    """Adam's peak learning rate of both networks in the adversarial phase."""
    discriminator_learning_rate: float | None = None
    """The discriminator's own peak learning rate; the generator's when not given."""
    schedule: Schedule = "cosine"
    """Fall of the learning rates in a phase: ``cosine`` to zero, ``multistep``, ``trapezoid``
    (constant, then to zero at its end) or ``constant``."""
    milestones: tuple[float, ...] = (0.125, 0.25, 0.5, 0.75)
    """Shares of a phase after which ``multistep`` falls (ESRGAN's by default)."""
    gamma: float = 0.5
    """What each milestone multiplies the learning rate by."""
    cooldown: float = 0.2
    """Share of a phase, at its end, over which ``trapezoid`` falls."""
    warmup: int = 50
    """Steps over which each phase's learning rate rises to its peak."""
    clip: float = 0.0
    """Largest norm of a network's gradient, which is shortened to it; 0 leaves it as it is."""
    ema: float = 0.999
    """Decay of the running mean of the generator's weights, which is what gets saved."""

    weights: LossWeights = LossWeights()
    """Weights of the loss terms."""
    pixel: PixelLoss = "l1"
    """Distance of pixels."""
    judge: Judge = "all"
    """Which patches the discriminator and VGG see: ``clean`` leaves degraded ones to the pixel
    loss, lest the discriminator ask for grain where damage is to be undone."""
    perceptual: str = "vgg16"
    """``vgg16`` (bundled), ``vgg19`` (downloaded once), ``none`` or a safetensors file."""
    perceptual_layers: tuple[str, ...] = ()
    """Layers such as ``conv5_4`` or ``relu3_3``; the deepest one when none is given."""
    adversarial: Adversarial = "wgan-gp"
    """What both networks are told of the discriminator's scores."""
    discriminator: DiscriminatorName = "conv"
    """``conv``: SRGAN's eight convolutions, one score for an image. ``unet``: Real-ESRGAN's
    U-Net with spectral normalisation, a score for each pixel."""
    discriminator_width: int = 64
    """Kernels of the discriminator's first convolution; the last has eight times as many."""
    discriminator_steps: int = 1
    """Discriminator updates per generator update."""
    discriminator_limit: float = 1.0
    """Accuracy (its running mean) above which the discriminator is not updated; 1 never holds
    it back."""

    precision: Precision = "auto"
    """Arithmetic of the forward passes; ``auto`` chooses by device."""
    compile: bool = False
    """Let PyTorch compile the generator: a minute at every start, for steps that gain on some
    devices."""
    device: str = "auto"
    """``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``, …"""
    seed: int = 0
    """Fixes initialisation, the order of the data and every random crop."""

    def __post_init__(self) -> None:
        """Check ranges, and give the gradient penalty the weight that suits the loss."""
        if self.weights.gradient_penalty is None:
            penalty = 10.0 if self.adversarial == "wgan-gp" else 0.0
            weights = replace(self.weights, gradient_penalty=penalty)
            object.__setattr__(self, "weights", weights)
        for name in ("detail", "accumulate", "discriminator_width", "discriminator_steps", "keep"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        require(self.batch >= 0, "batch", self.batch, "0 or more")
        require(self.patch >= 16, "patch", self.patch, "at least 16")
        require(0 <= self.ema < 1, "ema", self.ema, "from 0 to below 1")
        require(0 < self.degrade_share <= 1, "degrade_share", self.degrade_share, "in (0, 1]")
        never = self.judge == "clean" and self.degrade != "none" and self.degrade_share == 1
        require(not never, "degrade_share", 1, "below 1 with --judge clean")
        weight = self.weights.degraded
        judged = weight == 0 or self.judge == "clean"
        require(judged, "degraded_weight", weight, "0 without --judge clean")
        limit = self.discriminator_limit
        require(0.5 <= limit <= 1, "discriminator_limit", limit, "from 0.5 to 1")
        require_seed(self.seed)
        if self.name is not None:
            require_plain_name(self.name, "--name")
        self._require_lengths()
        self._require_rates()
        sizes = self.generator_config(2)
        if self.equivariant and not (isinstance(sizes, RowConfig) and sizes.channels % 8 == 0):
            raise UsageError(
                "--equivariant cannot tie the weights of this generator",
                hint="pass --preset row, with --channels a multiple of 8",
            )

    def _require_lengths(self) -> None:
        for name in ("epochs", "steps", "validate_every"):
            value = getattr(self, name)
            require(value is None or value >= 1, name, value, "at least 1")
        require(0 <= self.pretrain <= 1, "pretrain", self.pretrain, "from 0 to 1")
        for name in ("pretrain_epochs", "pretrain_steps"):
            value = getattr(self, name)
            require(value is None or value >= 0, name, value, "0 or more")

    def _require_rates(self) -> None:
        for name in ("learning_rate", "adversarial_learning_rate", "discriminator_learning_rate"):
            value = getattr(self, name)
            require(value is None or 0 < value < 1, name, value, "between 0 and 1")
        rising = all(0 < share < 1 for share in self.milestones)
        rising = rising and sorted(self.milestones) == list(self.milestones)
        require(rising, "milestones", self.milestones, "rising shares between 0 and 1")
        require(0 < self.gamma <= 1, "gamma", self.gamma, "above 0, at most 1")
        require(0 < self.cooldown <= 1, "cooldown", self.cooldown, "above 0, at most 1")
        require(self.warmup >= 0, "warmup", self.warmup, "0 or more")
        require(0 <= self.clip < math.inf, "clip", self.clip, "0 or more")

    def generator_config(self, scale: int) -> AnyGeneratorConfig:
        """Return the preset's sizes at a scale, with those that were given instead.

        Raises:
            UsageError: A size does not exist or is impossible.
        """
        base = preset(self.preset, scale)
        sizes = set(asdict(base)) - {"scale"}
        for name in self.generator:
            if name not in sizes:
                raise UsageError(
                    f"a {self.preset} generator has no {name!r}",
                    hint=f"it has {', '.join(sorted(sizes))}",
                )
        return replace(base, **self.generator)

    def resolved(self, data: Path, scale: int) -> Self:
        """Return the config with what was found filled in, so that it repeats the run anywhere.

        Args:
            data: The data set's folder.
            scale: The scale that was chosen of it.
        """
        sizes = asdict(self.generator_config(scale))
        del sizes["scale"]
        init = None if self.init is None else self.init.absolute()
        return replace(self, data=str(data.resolve()), scale=scale, generator=sizes, init=init)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, which :meth:`from_dict` reads back."""
        values = asdict(self)
        values["init"] = None if self.init is None else str(self.init)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild a config from its JSON form; unknown keys are a TypeError."""
        rebuilt = dict(values)
        rebuilt["weights"] = LossWeights(**rebuilt.get("weights", {}))
        for name, kind in (("init", Path), ("milestones", tuple), ("perceptual_layers", tuple)):
            if rebuilt.get(name) is not None:
                rebuilt[name] = kind(rebuilt[name])
        return cls(**rebuilt)
