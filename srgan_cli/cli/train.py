"""``srgan train``."""

from pathlib import Path
from typing import Annotated

import typer

from srgan_cli.cli.exit_codes import ExitCode
from srgan_cli.cli.options import DeviceOption, JsonOption, PrecisionOption
from srgan_cli.cli.progress import RichObserver
from srgan_cli.cli.render import say, show_json, show_table
from srgan_cli.config import PRESETS, Degrade, LossWeights, TrainConfig
from srgan_cli.errors import UsageError

_MODEL, _LENGTH, _OPTIMISER, _LOSSES, _MACHINE = (
    "What to train",
    "How long",
    "Optimiser",
    "Losses",
    "Machine",
)


def train(
    context: typer.Context,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FOLDER",
            help="Prepared data set. [dim]Default: the newest.[/]",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    preset: Annotated[
        str,
        typer.Option(
            metavar="|".join(PRESETS), help="Size of the generator.", rich_help_panel=_MODEL
        ),
    ] = TrainConfig.preset,
    scale: Annotated[
        int | None,
        typer.Option(
            "--scale",
            "-s",
            metavar="2|3|4|8",
            help="Factor per side, of a set that holds several. [dim]Default: its first.[/]",
            show_default=False,
            rich_help_panel=_MODEL,
        ),
    ] = TrainConfig.scale,
    degrade: Annotated[
        Degrade,
        typer.Option(
            help="Blur, noise, resizing and JPEG damage to learn to undo.",
            rich_help_panel=_MODEL,
        ),
    ] = TrainConfig.degrade,
    init: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Weights to start from.", rich_help_panel=_MODEL),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name of the run. [dim]Default: preset, date and time.[/]",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="RUN|latest",
            help="Go on with a run that was stopped, with its own options.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    epochs: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Passes over the photographs, one random patch of each per pass.",
            rich_help_panel=_LENGTH,
        ),
    ] = TrainConfig.epochs,
    steps: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Length in steps instead of epochs.", rich_help_panel=_LENGTH
        ),
    ] = None,
    pretrain: Annotated[
        float,
        typer.Option(
            metavar="0..1",
            help="Share of the run, from its start, on the pixel loss alone.",
            rich_help_panel=_LENGTH,
        ),
    ] = TrainConfig.pretrain,
    validate_every: Annotated[
        int,
        typer.Option(
            metavar="STEPS",
            help="Steps between validations; each saves weights and checkpoint.",
            rich_help_panel=_LENGTH,
        ),
    ] = TrainConfig.validate_every,
    batch: Annotated[
        int, typer.Option(metavar="N", help="Patches per step.", rich_help_panel=_OPTIMISER)
    ] = TrainConfig.batch,
    patch: Annotated[
        int,
        typer.Option(
            metavar="PIXELS", help="Side of a patch, in LR pixels.", rich_help_panel=_OPTIMISER
        ),
    ] = TrainConfig.patch,
    learning_rate: Annotated[
        float,
        typer.Option(
            metavar="RATE", help="Adam's peak rate in pretraining.", rich_help_panel=_OPTIMISER
        ),
    ] = TrainConfig.learning_rate,
    adversarial_learning_rate: Annotated[
        float,
        typer.Option(
            metavar="RATE",
            help="Adam's peak rate in the adversarial phase.",
            rich_help_panel=_OPTIMISER,
        ),
    ] = TrainConfig.adversarial_learning_rate,
    warmup: Annotated[
        int,
        typer.Option(
            metavar="STEPS", help="Linear rise at a phase's start.", rich_help_panel=_OPTIMISER
        ),
    ] = TrainConfig.warmup,
    ema: Annotated[
        float,
        typer.Option(
            metavar="DECAY",
            help="Decay of the averaged weights, the ones that are kept.",
            rich_help_panel=_OPTIMISER,
        ),
    ] = TrainConfig.ema,
    pixel_weight: Annotated[
        float,
        typer.Option(metavar="W", help="L1 of pixels, adversarial phase.", rich_help_panel=_LOSSES),
    ] = LossWeights.pixel,
    perceptual_weight: Annotated[
        float, typer.Option(metavar="W", help="Distance of VGG features.", rich_help_panel=_LOSSES)
    ] = LossWeights.perceptual,
    adversarial_weight: Annotated[
        float,
        typer.Option(metavar="W", help="The discriminator's verdict.", rich_help_panel=_LOSSES),
    ] = LossWeights.adversarial,
    gradient_penalty_weight: Annotated[
        float,
        typer.Option(
            metavar="W", help="Keeps the discriminator's gradient near 1.", rich_help_panel=_LOSSES
        ),
    ] = LossWeights.gradient_penalty,
    perceptual: Annotated[
        str,
        typer.Option(
            metavar="NETWORK",
            help="vgg16 (bundled), vgg19 (downloaded once), none, or a safetensors file.",
            rich_help_panel=_LOSSES,
        ),
    ] = TrainConfig.perceptual,
    discriminator_width: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Kernels of the discriminator's first convolution; the last has 8 times as many.",
            rich_help_panel=_LOSSES,
        ),
    ] = TrainConfig.discriminator_width,
    discriminator_steps: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Discriminator updates per generator update.",
            rich_help_panel=_LOSSES,
        ),
    ] = TrainConfig.discriminator_steps,
    precision: PrecisionOption = TrainConfig.precision,
    device: DeviceOption = TrainConfig.device,
    seed: Annotated[
        int, typer.Option(metavar="N", help="Fixes weights, data order and crops.")
    ] = TrainConfig.seed,
    json: JsonOption = False,
) -> ExitCode:
    """Train a generator on a prepared data set: pixel loss first, then against a discriminator.

    Ctrl-C saves the run; go on with --resume. Weights and checkpoint are also
    saved at every validation, so that a killed run loses little.

    [bold]Examples[/]

      srgan train --epochs 131 --batch 16
      srgan train --steps 20000 --pretrain 1 --name fidelity
      srgan train --resume latest
    """
    given = _given_options(context)
    if resume is not None and (others := given - {"--resume", "--json"}):
        raise UsageError(
            f"--resume uses the run's own options, not {', '.join(sorted(others))}",
            hint="leave them out, or start a new run without --resume",
        )
    if {"--epochs", "--steps"} <= given:
        raise UsageError("--epochs and --steps both set the run's length", hint="leave one out")
    weights = LossWeights(
        pixel=pixel_weight,
        perceptual=perceptual_weight,
        adversarial=adversarial_weight,
        gradient_penalty=gradient_penalty_weight,
    )
    config = TrainConfig(
        data=data,
        name=name,
        preset=preset,
        scale=scale,
        degrade=degrade,
        epochs=epochs,
        steps=steps,
        pretrain=pretrain,
        batch=batch,
        patch=patch,
        learning_rate=learning_rate,
        adversarial_learning_rate=adversarial_learning_rate,
        warmup=warmup,
        weights=weights,
        perceptual=perceptual,
        discriminator_width=discriminator_width,
        discriminator_steps=discriminator_steps,
        ema=ema,
        init=init,
        precision=precision,
        device=device,
        seed=seed,
        validate_every=validate_every,
        resume=resume,
    )
    from srgan_cli import engine

    report = engine.train(config, RichObserver())
    if json:
        show_json(report)
        return ExitCode.OK
    scores = report.scores
    show_table(
        f"run {report.run.name}: {report.steps:,} steps in {report.seconds / 60:.1f} minutes",
        {"validation, PSNR on Y": "left", "dB": "right"},
        [
            ["bicubic", f"{scores.bicubic_psnr:.2f}"],
            ["this run", f"{scores.psnr:.2f}"],
        ],
    )
    say(f"weights: {report.weights}")
    say("next: srgan upscale PICTURE... -o out/, or srgan eval")
    return ExitCode.OK


def _given_options(context: typer.Context) -> set[str]:
    return {
        f"--{name.replace('_', '-')}"
        for name in context.params
        if (source := context.get_parameter_source(name)) and source.name == "COMMANDLINE"
    }
