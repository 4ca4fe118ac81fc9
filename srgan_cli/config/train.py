"""Options of ``srgan train``."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from srgan_cli.config.common import SPEED, DeviceField, PrecisionField
from srgan_cli.config.generator import (
    FORMER_PRESETS,
    PRESETS,
    DenseConfig,
    GeneratorConfig,
    PlainConfig,
    preset,
)
from srgan_cli.config.losses import LossWeights
from srgan_cli.config.option import Option, Table, either
from srgan_cli.config.train_checks import check_ranges
from srgan_cli.errors import UsageError
from srgan_cli.typed import build

Degrade = Literal["none", "mild", "strong", "mixed"]
PixelLoss = Literal["l1", "charbonnier", "psnr"]
Adversarial = Literal["wgan-gp", "relativistic", "hinge", "vanilla"]
DiscriminatorName = Literal["conv", "unet"]
OptimizerName = Literal["adam", "muon"]
Judge = Literal["all", "clean"]
Schedule = Literal["cosine", "multistep", "trapezoid", "constant"]

DATA_AND_MODEL = "Data and model"
_data = partial(Option, panel=DATA_AND_MODEL)
_length = partial(Option, panel="Length and checkpoints")
_optimizer = partial(Option, panel="Optimizer")
_loss = partial(Option, panel="Losses")
_discriminator = partial(Option, panel="Discriminator")


def _batch(text: str) -> int:
    if str(text) == "auto":
        return 0
    if int(text) == 0:  # Which stands for auto in the configuration.
        raise ValueError("--batch is 0, and must be at least 1 or auto")
    return int(text)


@dataclass(frozen=True)
class TrainConfig:
    """Options of ``srgan train``."""

    data: Annotated[
        str | None, _data("Prepared data set.", "NAME|FOLDER", unset="the newest", common=True)
    ] = None
    preset: Annotated[str, _data(f"Generator: {either(PRESETS)}.", "NAME", common=True)] = "compact"
    scale: Annotated[
        int | None,
        _data(
            "Upscaling factor.",
            "2|3|4|8",
            unset="the data set's",
            flags=("--scale", "-s"),
            common=True,
        ),
    ] = None
    """Of a set that holds several, the first by default."""
    degrade: Annotated[
        Degrade,
        _data(
            f"Degradation (blur, noise, JPEG) to undo: {either(get_args(Degrade))} (each patch "
            "mild or strong).",
            "NAME",
            common=True,
        ),
    ] = "none"
    """Drawn anew for each patch."""
    degrade_share: Annotated[
        float,
        _data("Probability that a patch is degraded, or the teacher's; others stay clean.", "0..1"),
    ] = 1.0
    teacher: Annotated[
        str | None,
        _data(
            "Train on this model's results: for degraded patches, or with --degrade none for all. "
            "Takes what srgan upscale --model takes.",
            "MODEL",
        ),
    ] = None
    """Its results are computed once, before the run, and kept for other runs."""
    teacher_patches: Annotated[int, _data("Patches that the teacher upscales, once.", "N")] = 2400
    original_share: Annotated[
        float,
        _data("Share of the original in the teacher's targets; the rest is its results.", "0..1"),
    ] = 0.0
    """The rest is the teacher's result."""
    detail: Annotated[
        int, _data("Candidate crops per patch; detailed ones are more likely. 1: uniform.", "N")
    ] = 1
    generator: Annotated[Mapping[str, Any], Table(DenseConfig)] = field(default_factory=dict)
    """Sizes that differ from the preset's: fields of :class:`DenseConfig` but the scale."""
    equivariant: Annotated[
        bool, _data("Rotation- and flip-equivariant weights (with --preset plain).")
    ] = False
    init: Annotated[
        Path | None,
        _data("Start from these weights and their settings.", "NAME|FILE", common=True),
    ] = None
    """Architecture and sizes are theirs, and so are losses that were not given."""
    name: Annotated[
        str | None, _data("Name of the run.", "NAME", unset="preset and time", common=True)
    ] = None
    resume: Annotated[
        str | None, _data("Continue a stopped run with its options.", "RUN|latest", common=True)
    ] = None

    epochs: Annotated[
        int, _length("Length in epochs (one random patch per image).", "N", common=True)
    ] = 131
    steps: Annotated[
        int | None, _length("Length in steps, instead of epochs.", "N", common=True)
    ] = None
    minutes: Annotated[
        float | None, _length("Length in minutes: as many steps as fit.", "N", common=True)
    ] = None
    hours: Annotated[
        float | None, _length("Length in hours: as many steps as fit.", "N", common=True)
    ] = None
    pretrain: Annotated[
        float,
        _length(
            "Fraction of the run on the pixel loss alone, before adversarial training.",
            "0..1",
            common=True,
        ),
    ] = 0.75
    """ESRGAN and Real-ESRGAN: 1,000,000 of 1,400,000 iterations."""
    pretrain_epochs: Annotated[
        int | None, _length("Length of pretraining in epochs, instead of a fraction.", "N")
    ] = None
    pretrain_steps: Annotated[
        int | None, _length("Length of pretraining in steps, instead of a fraction.", "N")
    ] = None
    validate_every: Annotated[
        int | None,
        _length("Validate every N steps.", "N", common=True, unset="up to 500"),
    ] = None
    keep: Annotated[
        int, _length("Recent checkpoints to keep (the best one is always kept).", "N")
    ] = 3
    tensorboard: Annotated[
        bool, _length("Also write TensorBoard event files (needs the extra tensorboard).")
    ] = False

    batch: Annotated[
        int,
        _optimizer(
            "Patches per step; auto finds what fits into memory.",
            "N|auto",
            parse=_batch,
            common=True,
        ),
    ] = 16
    """Over all processes; 0 stands for ``auto``."""
    accumulate: Annotated[
        int, _optimizer("Gradient accumulation: split each batch into N parts.", "N")
    ] = 1
    patch: Annotated[int, _optimizer("Patch side, in LR pixels.", "PIXELS", common=True)] = 48
    optimizer: Annotated[
        OptimizerName,
        _optimizer(
            f"Generator optimizer for pretraining: {either(get_args(OptimizerName))}; the "
            "adversarial phase always uses Adam.",
            "NAME",
        ),
    ] = "muon"
    learning_rate: Annotated[
        float, _optimizer("Peak rate in pretraining.", "RATE", common=True)
    ] = 1e-3
    adversarial_learning_rate: Annotated[
        float, _optimizer("Peak learning rate of the adversarial phase.", "RATE")
    ] = 1e-4
    discriminator_learning_rate: Annotated[
        float | None,
        _optimizer("Peak learning rate of the discriminator.", "RATE", unset="the generator's"),
    ] = None
    schedule: Annotated[
        Schedule,
        _optimizer(f"Learning-rate schedule: {either(get_args(Schedule))}.", "NAME"),
    ] = "cosine"
    """In each phase: ``cosine`` to zero, ``multistep``, ``trapezoid`` (constant, then linearly
    to zero) or ``constant``."""
    milestones: Annotated[
        tuple[float, ...],
        _optimizer(
            "Points (0..1 of a phase) where multistep drops the rate.", "POINTS", commas=True
        ),
    ] = (0.125, 0.25, 0.5, 0.75)
    """ESRGAN's by default."""
    gamma: Annotated[float, _optimizer("Learning-rate factor at each milestone.", "FACTOR")] = 0.5
    cooldown: Annotated[
        float,
        _optimizer("Fraction of a phase, at its end, over which trapezoid falls to 0.", "0..1"),
    ] = 0.2
    warmup: Annotated[
        int, _optimizer("Linear warm-up steps at the start of each phase.", "STEPS")
    ] = 50
    clip: Annotated[float, _optimizer("Clip the gradient norm to this; 0 disables.", "NORM")] = 0.0
    ema: Annotated[
        float,
        _optimizer("Decay of the moving average of the weights; the average is saved.", "0..1"),
    ] = 0.999
    seed: Annotated[
        int, _optimizer("Random seed of initial weights, data order and crops.", "N")
    ] = 0

    pixel: Annotated[
        PixelLoss, _loss("Pixel loss: L1, Charbonnier, or psnr (log of the squared error).")
    ] = "l1"
    perceptual: Annotated[
        str,
        _loss(
            "Network of the perceptual loss: vgg16 (bundled), vgg19 (downloaded once), none, or "
            "a safetensors file.",
            "NETWORK",
        ),
    ] = "vgg16"
    perceptual_layers: Annotated[
        tuple[str, ...],
        _loss(
            "Layers of the perceptual loss, such as relu2_2,relu3_3.",
            "NAMES",
            unset="the network's deepest",
            commas=True,
        ),
    ] = ()
    adversarial: Annotated[
        Adversarial, _loss(f"Adversarial loss: {either(get_args(Adversarial))}.", "NAME")
    ] = "wgan-gp"
    judge: Annotated[
        Judge, _loss("Patches used by the adversarial and VGG losses: all, or clean ones only.")
    ] = "all"
    """``clean`` leaves degraded patches to the pixel loss, lest the discriminator ask for grain
    where damage is to be undone."""
    weights: Annotated[LossWeights, Table(LossWeights, suffix="_weight")] = field(
        default_factory=LossWeights
    )

    discriminator: Annotated[
        DiscriminatorName,
        _discriminator(
            "Discriminator network: conv scores a whole image, unet each of its pixels."
        ),
    ] = "conv"
    """``conv``: SRGAN's eight convolutions. ``unet``: Real-ESRGAN's U-Net with spectral
    normalisation."""
    discriminator_width: Annotated[
        int,
        _discriminator(
            "Channels of the discriminator's first convolution; the last has 8 times as many.", "N"
        ),
    ] = 64
    discriminator_steps: Annotated[
        int, _discriminator("Discriminator updates per generator update.", "N")
    ] = 1
    discriminator_limit: Annotated[
        float,
        _discriminator(
            "Skip discriminator updates while its accuracy exceeds this. 1: never.", "0.5..1"
        ),
    ] = 1.0
    """The accuracy is a running mean."""

    precision: PrecisionField = "auto"
    device: DeviceField = "auto"
    compile: Annotated[
        bool,
        Option(
            "torch.compile the generator: slow start, faster steps on some devices.", panel=SPEED
        ),
    ] = False

    def __post_init__(self) -> None:
        """Check ranges, and fill in what follows from other options."""
        if self.weights.gradient_penalty is None:
            penalty = 10.0 if self.adversarial == "wgan-gp" else 0.0
            weights = replace(self.weights, gradient_penalty=penalty)
            object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "preset", FORMER_PRESETS.get(self.preset, self.preset))
        check_ranges(self)
        sizes = self.generator_config(2)
        if self.equivariant and not (isinstance(sizes, PlainConfig) and sizes.channels % 8 == 0):
            raise UsageError(
                "--equivariant cannot tie the weights of this generator",
                hint="pass --preset plain, with --channels a multiple of 8",
            )

    @property
    def seconds(self) -> float | None:
        """The time that the run is to take, where that is what was asked for."""
        if self.hours is not None:
            return 3600 * self.hours
        return None if self.minutes is None else 60 * self.minutes

    def generator_config(self, scale: int) -> GeneratorConfig:
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
        teacher = self.teacher
        if teacher is not None and Path(teacher).exists():
            teacher = str(Path(teacher).absolute())
        found = replace(self, data=str(data.resolve()), init=init, teacher=teacher)
        return replace(found, scale=scale, generator=sizes)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, which :meth:`from_dict` reads back."""
        values = asdict(self)
        values["init"] = None if self.init is None else str(self.init)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild a config from its JSON form.

        Raises:
            RecordError: A key is unknown, or a value of another type or out of range.
        """
        return build(cls, dict(values))
