"""``srgan train``."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import typer

from srgan_cli.cli import train_options as options
from srgan_cli.cli.exit_codes import ExitCode
from srgan_cli.cli.options import DeviceOption, JsonOption, PrecisionOption
from srgan_cli.cli.progress import RichObserver
from srgan_cli.cli.render import say, show_json, show_table
from srgan_cli.config import GeneratorConfig, LossWeights, TrainConfig
from srgan_cli.errors import UsageError

_WEIGHTS = tuple(field.name for field in fields(LossWeights))
_SIZES = tuple(field.name for field in fields(GeneratorConfig) if field.name != "scale")
_MILESTONES = ",".join(map(str, TrainConfig.milestones))
_EITHER = (("--epochs", "--steps"), ("--pretrain", "--pretrain-epochs", "--pretrain-steps"))


def train(
    context: typer.Context,
    data: options.Data = None,
    preset: options.Preset = TrainConfig.preset,
    scale: options.Scale = None,
    degrade: options.DegradeOption = TrainConfig.degrade,
    init: options.Init = None,
    name: options.Name = None,
    resume: options.Resume = None,
    channels: options.Channels = None,
    growth: options.Growth = None,
    num_blocks: options.NumBlocks = None,
    dense_blocks: options.DenseBlocks = None,
    num_convs: options.NumConvs = None,
    residual_scale: options.ResidualScale = None,
    upsampler: options.UpsamplerOption = None,
    epochs: options.Epochs = TrainConfig.epochs,
    steps: options.Steps = None,
    pretrain: options.Pretrain = TrainConfig.pretrain,
    pretrain_epochs: options.PretrainEpochs = None,
    pretrain_steps: options.PretrainSteps = None,
    validate_every: options.ValidateEvery = TrainConfig.validate_every,
    batch: options.Batch = TrainConfig.batch,
    accumulate: options.Accumulate = TrainConfig.accumulate,
    patch: options.Patch = TrainConfig.patch,
    learning_rate: options.LearningRate = TrainConfig.learning_rate,
    adversarial_learning_rate: options.AdversarialLearningRate = (
        TrainConfig.adversarial_learning_rate
    ),
    discriminator_learning_rate: options.DiscriminatorLearningRate = None,
    schedule: options.ScheduleOption = TrainConfig.schedule,
    milestones: options.Milestones = _MILESTONES,
    gamma: options.Gamma = TrainConfig.gamma,
    warmup: options.Warmup = TrainConfig.warmup,
    clip: options.Clip = TrainConfig.clip,
    ema: options.Ema = TrainConfig.ema,
    pixel: options.Pixel = TrainConfig.pixel,
    perceptual: options.Perceptual = TrainConfig.perceptual,
    perceptual_layers: options.PerceptualLayers = None,
    adversarial: options.AdversarialOption = TrainConfig.adversarial,
    pixel_weight: options.PixelWeight = LossWeights.pixel,
    fft_weight: options.FftWeight = LossWeights.fft,
    perceptual_weight: options.PerceptualWeight = LossWeights.perceptual,
    artefact_weight: options.ArtefactWeight = LossWeights.artefact,
    adversarial_weight: options.AdversarialWeight = LossWeights.adversarial,
    gradient_penalty_weight: options.GradientPenaltyWeight = None,
    r1_weight: options.R1Weight = LossWeights.r1,
    discriminator: options.DiscriminatorOption = TrainConfig.discriminator,
    discriminator_width: options.DiscriminatorWidth = TrainConfig.discriminator_width,
    discriminator_steps: options.DiscriminatorSteps = TrainConfig.discriminator_steps,
    discriminator_limit: options.DiscriminatorLimit = TrainConfig.discriminator_limit,
    precision: PrecisionOption = TrainConfig.precision,
    device: DeviceOption = TrainConfig.device,
    seed: options.Seed = TrainConfig.seed,
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
    for exclusive in _EITHER:
        if len(both := [option for option in exclusive if option in given]) > 1:
            raise UsageError(f"{' and '.join(both)} set the same length", hint="leave one out")
    config = _config(context.params)
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


def _config(params: Mapping[str, Any]) -> TrainConfig:
    """Make the configuration from the command's parameters, which are called as its fields."""
    values = {name: value for name, value in params.items() if name != "json"}
    weights = LossWeights(**{name: values.pop(f"{name}_weight") for name in _WEIGHTS})
    sizes = {name: values.pop(name) for name in _SIZES}
    values["generator"] = {name: value for name, value in sizes.items() if value is not None}
    values["milestones"] = tuple(_numbers(values["milestones"], "--milestones"))
    layers = values["perceptual_layers"] or ""
    values["perceptual_layers"] = tuple(name for name in layers.split(",") if name)
    return TrainConfig(weights=weights, **values)


def _numbers(text: str, option: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(
            f"{option} {text!r} are not numbers", hint="separate them by commas: 0.5,0.75"
        ) from error


def _given_options(context: typer.Context) -> set[str]:
    return {
        f"--{name.replace('_', '-')}"
        for name in context.params
        if (source := context.get_parameter_source(name)) and source.name == "COMMANDLINE"
    }
