"""The options of ``srgan train``, by panel of its help."""

from pathlib import Path
from typing import Annotated, Any

import typer

from srgan_cli.config import (
    PRESETS,
    Adversarial,
    Degrade,
    DiscriminatorName,
    Judge,
    OptimizerName,
    PixelLoss,
    Schedule,
    Upsampler,
    read_options,
)


def _what(metavar: str | None, text: str, *names: str, **more: Any) -> Any:
    return _option("What to train", metavar, text, *names, **more)


def _size(metavar: str | None, text: str) -> Any:
    return _option("Sizes that differ from the preset's", metavar, text)


def _length(metavar: str | None, text: str) -> Any:
    return _option("How long", metavar, text)


def _optimiser(metavar: str | None, text: str) -> Any:
    return _option("Optimiser", metavar, text)


def _loss(metavar: str | None, text: str) -> Any:
    return _option("Losses", metavar, text)


def _weight(text: str) -> Any:
    return _option("Weights of the losses", "W", text)


def _discriminator(metavar: str | None, text: str) -> Any:
    return _option("Discriminator", metavar, text)


def _option(panel: str, metavar: str | None, text: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, metavar=metavar, help=text, rich_help_panel=panel, **more)


def _read_config(context: typer.Context, path: Path | None) -> Path | None:
    """Let the file's options stand in for those that the command line leaves out."""
    if path is not None:
        context.default_map = read_options(path)
    return path


Config = Annotated[
    Path | None,
    _what(
        "FILE.toml",
        "Options by name, such as a run's config.toml; the command line wins.",
        callback=_read_config,
        is_eager=True,
    ),
]
Data = Annotated[
    str | None, _what("NAME|FOLDER", "Prepared data set. [dim]Default: the newest.[/]")
]
Preset = Annotated[str, _what("|".join(PRESETS), "Size of the generator.")]
Scale = Annotated[
    int | None,
    _what(
        "2|3|4|8",
        "Factor per side, of a set that holds several. [dim]Default: its first.[/]",
        "--scale",
        "-s",
        show_default=False,
    ),
]
DegradeOption = Annotated[
    Degrade, _what(None, "Blur, noise, resizing and JPEG damage to learn to undo.")
]
DegradeShare = Annotated[
    float, _what("0..1", "Chance of each patch to be degraded; the others stay clean.")
]
Detail = Annotated[
    int, _what("N", "Places to choose a patch from, by their detail. [dim]1: no choice.[/]")
]
Equivariant = Annotated[
    bool,
    _what(None, "Tie weights: what is turned or mirrored is upscaled alike.", "--equivariant"),
]
Init = Annotated[Path | None, _what("FILE", "Weights to start from.")]
Name = Annotated[
    str | None, _what("NAME", "Name of the run. [dim]Default: preset, date and time.[/]")
]
Resume = Annotated[
    str | None, _what("RUN|latest", "Go on with a run that was stopped, with its own options.")
]

Channels = Annotated[int | None, _size("N", "Feature maps between blocks.")]
Growth = Annotated[
    int | None, _size("N", "Feature maps that each convolution of a dense block adds.")
]
NumBlocks = Annotated[int | None, _size("N", "Blocks in the trunk.")]
DenseBlocks = Annotated[int | None, _size("N", "Dense blocks per block: 1, or 3 for an RRDB.")]
NumConvs = Annotated[int | None, _size("N", "Convolutions per dense block.")]
ResidualScale = Annotated[float | None, _size("0..1", "Factor on each block's residual.")]
UpsamplerOption = Annotated[Upsampler | None, _size("NAME", "pixelshuffle or nearest.")]

Epochs = Annotated[
    int, _length("N", "Passes over the photographs, one random patch of each per pass.")
]
Steps = Annotated[int | None, _length("N", "Length in steps instead of epochs.")]
Pretrain = Annotated[
    float, _length("0..1", "Share of the run, from its start, on the pixel loss alone.")
]
PretrainEpochs = Annotated[int | None, _length("N", "Length of that in epochs instead.")]
PretrainSteps = Annotated[int | None, _length("N", "Length of that in steps instead.")]
ValidateEvery = Annotated[
    int, _length("STEPS", "Steps between validations; each saves weights and checkpoint.")
]

Keep = Annotated[int, _length("N", "How many of the last checkpoints stay, besides the best.")]
Tensorboard = Annotated[
    bool,
    typer.Option(
        "--tensorboard",
        help="Also write TensorBoard's event files.",
        rich_help_panel="How long",
    ),
]


def _batch(text: str) -> int:
    if str(text) == "auto":
        return 0
    if int(text) == 0:  # Which stands for auto in the configuration.
        raise ValueError("--batch is 0, and must be at least 1 or auto")
    return int(text)


Batch = Annotated[
    int,
    _option(
        "Optimiser", "N|auto", "Patches per step; auto finds what fits into memory.", parser=_batch
    ),
]
Accumulate = Annotated[
    int, _optimiser("N", "Parts of a batch that take turns in memory, for the same result.")
]
Patch = Annotated[int, _optimiser("PIXELS", "Side of a patch, in LR pixels.")]
OptimizerOption = Annotated[
    OptimizerName,
    _optimiser(None, "What steps the generator in pretraining; later it is Adam."),
]
LearningRate = Annotated[float, _optimiser("RATE", "Peak rate in pretraining.")]
AdversarialLearningRate = Annotated[
    float, _optimiser("RATE", "Adam's peak rate in the adversarial phase.")
]
DiscriminatorLearningRate = Annotated[
    float | None,
    _optimiser("RATE", "The discriminator's own. [dim]Default: the generator's.[/]"),
]
ScheduleOption = Annotated[Schedule, _optimiser("SHAPE", "Fall of the rates.")]
Milestones = Annotated[str, _optimiser("SHARES", "Shares of a phase after which multistep falls.")]
Cooldown = Annotated[
    float, _optimiser("SHARE", "Share of a phase, at its end, over which trapezoid falls.")
]
Gamma = Annotated[float, _optimiser("FACTOR", "What a milestone multiplies the rate by.")]
Warmup = Annotated[int, _optimiser("STEPS", "Linear rise at a phase's start.")]
Clip = Annotated[float, _optimiser("NORM", "Shorten a longer gradient to this. [dim]0: never.[/]")]
Ema = Annotated[float, _optimiser("DECAY", "Decay of the averaged weights, which are kept.")]

Pixel = Annotated[PixelLoss, _loss(None, "Distance of pixels.")]
Perceptual = Annotated[
    str,
    _loss("NETWORK", "vgg16 (bundled), vgg19 (downloaded once), none, or a safetensors file."),
]
PerceptualLayers = Annotated[
    str | None,
    _loss("NAMES", "Such as relu2_2,relu3_3. [dim]Default: the network's deepest.[/]"),
]
AdversarialOption = Annotated[
    Adversarial, _loss("NAME", "Of both networks: wgan-gp, relativistic, hinge or vanilla.")
]
JudgeOption = Annotated[
    Judge, _loss(None, "Patches that discriminator and VGG see: clean leaves out degraded ones.")
]

PixelWeight = Annotated[float, _weight("Pixels, adversarial phase.")]
LumaWeight = Annotated[float, _weight("Luma, relative to pixels, both phases.")]
ChromaWeight = Annotated[float, _weight("Colour, relative to pixels, both phases.")]
FftWeight = Annotated[float, _weight("Fourier coefficients, relative to pixels, both phases.")]
PerceptualWeight = Annotated[float, _weight("Distance of VGG features.")]
ArtefactWeight = Annotated[float, _weight("Pixels where it looks like an artefact (LDL).")]
DegradedWeight = Annotated[float, _weight("Pixels of patches that are not judged, once more.")]
LatticeWeight = Annotated[float, _weight("What repeats from LR pixel to LR pixel.")]
SmoothWeight = Annotated[float, _weight("Pixels where the original is smooth.")]
AdversarialWeight = Annotated[float, _weight("The discriminator's verdict.")]
GradientPenaltyWeight = Annotated[
    float | None,
    _weight("Its gradient's distance from 1. [dim]Default: 10 for wgan-gp, else 0.[/]"),
]
R1Weight = Annotated[float, _weight("Its gradient at real images.")]

DiscriminatorOption = Annotated[
    DiscriminatorName, _discriminator(None, "conv scores an image, unet each of its pixels.")
]
DiscriminatorWidth = Annotated[
    int, _discriminator("N", "Kernels of its first convolution; the last has 8 times as many.")
]
DiscriminatorSteps = Annotated[int, _discriminator("N", "Its updates per generator update.")]
DiscriminatorLimit = Annotated[
    float, _discriminator("0.5..1", "Hold it back while its accuracy is above. [dim]1: never.[/]")
]
Compile = Annotated[
    bool,
    typer.Option(
        "--compile", help="Compile the generator: slower starts; steps gain on some devices."
    ),
]
Seed = Annotated[int, typer.Option(metavar="N", help="Fixes weights, data order and crops.")]
