"""``srgan train``."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from typing import Any

import typer

from srgan_cli import engine
from srgan_cli.cli import train_options as options
from srgan_cli.cli.exit_codes import ExitCode
from srgan_cli.cli.options import DeviceOption, JsonOption, PrecisionOption
from srgan_cli.cli.render import say, show_json, show_table
from srgan_cli.cli.training_report import write_report
from srgan_cli.cli.training_screen import TrainingScreen
from srgan_cli.config import SIZES, LossWeights, TrainConfig
from srgan_cli.errors import UsageError

_WEIGHTS = tuple(field.name for field in fields(LossWeights))
_MILESTONES = ",".join(map(str, TrainConfig.milestones))
_EITHER = (("epochs", "steps"), ("pretrain", "pretrain_epochs", "pretrain_steps"))


def train(
    context: typer.Context,
    data: options.Data = None,
    preset: options.Preset = TrainConfig.preset,
    scale: options.Scale = None,
    degrade: options.DegradeOption = TrainConfig.degrade,
    degrade_share: options.DegradeShare = TrainConfig.degrade_share,
    detail: options.Detail = TrainConfig.detail,
    equivariant: options.Equivariant = TrainConfig.equivariant,
    init: options.Init = None,
    name: options.Name = None,
    resume: options.Resume = None,
    config: options.Config = None,
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
    keep: options.Keep = TrainConfig.keep,
    tensorboard: options.Tensorboard = TrainConfig.tensorboard,
    batch: options.Batch = TrainConfig.batch,
    accumulate: options.Accumulate = TrainConfig.accumulate,
    patch: options.Patch = TrainConfig.patch,
    optimizer: options.OptimizerOption = TrainConfig.optimizer,
    learning_rate: options.LearningRate = TrainConfig.learning_rate,
    adversarial_learning_rate: options.AdversarialLearningRate = (
        TrainConfig.adversarial_learning_rate
    ),
    discriminator_learning_rate: options.DiscriminatorLearningRate = None,
    schedule: options.ScheduleOption = TrainConfig.schedule,
    milestones: options.Milestones = _MILESTONES,
    gamma: options.Gamma = TrainConfig.gamma,
    cooldown: options.Cooldown = TrainConfig.cooldown,
    warmup: options.Warmup = TrainConfig.warmup,
    clip: options.Clip = TrainConfig.clip,
    ema: options.Ema = TrainConfig.ema,
    pixel: options.Pixel = TrainConfig.pixel,
    perceptual: options.Perceptual = TrainConfig.perceptual,
    perceptual_layers: options.PerceptualLayers = None,
    adversarial: options.AdversarialOption = TrainConfig.adversarial,
    judge: options.JudgeOption = TrainConfig.judge,
    pixel_weight: options.PixelWeight = LossWeights.pixel,
    luma_weight: options.LumaWeight = LossWeights.luma,
    chroma_weight: options.ChromaWeight = LossWeights.chroma,
    fft_weight: options.FftWeight = LossWeights.fft,
    perceptual_weight: options.PerceptualWeight = LossWeights.perceptual,
    artefact_weight: options.ArtefactWeight = LossWeights.artefact,
    degraded_weight: options.DegradedWeight = LossWeights.degraded,
    lattice_weight: options.LatticeWeight = LossWeights.lattice,
    smooth_weight: options.SmoothWeight = LossWeights.smooth,
    adversarial_weight: options.AdversarialWeight = LossWeights.adversarial,
    gradient_penalty_weight: options.GradientPenaltyWeight = None,
    r1_weight: options.R1Weight = LossWeights.r1,
    discriminator: options.DiscriminatorOption = TrainConfig.discriminator,
    discriminator_width: options.DiscriminatorWidth = TrainConfig.discriminator_width,
    discriminator_steps: options.DiscriminatorSteps = TrainConfig.discriminator_steps,
    discriminator_limit: options.DiscriminatorLimit = TrainConfig.discriminator_limit,
    precision: PrecisionOption = TrainConfig.precision,
    device: DeviceOption = TrainConfig.device,
    compile: options.Compile = TrainConfig.compile,  # noqa: A002 - the option's name
    seed: options.Seed = TrainConfig.seed,
    json: JsonOption = False,
) -> ExitCode:
    """Train a generator on a prepared data set: pixel loss first, then against a discriminator.

    Ctrl-C saves the run; go on with --resume. Weights and checkpoint are also
    saved at every validation, so that a killed run loses little.

    Every option may stand in a file of [bold]--config[/]; a run's own is in its folder.

    [bold]Examples[/]

      srgan train --epochs 131 --batch 16
      srgan train --steps 20000 --pretrain 1 --name fidelity
      srgan train --config recipe.toml --batch 32
      srgan train --resume latest
    """
    if resume is not None:
        _refuse_others(_given(context, "COMMANDLINE") - {"resume", "json"})
    settings = _settings(_decided(context))
    screen = TrainingScreen()
    try:
        report = engine.train(settings, screen)
    finally:
        if screen.last is not None:
            with suppress(OSError):  # A disk that is full has been told by then.
                screen.say(f"report: {write_report(screen.last)}")
    if not report.leads:
        return ExitCode.OK
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
    say("next: srgan upscale IMAGE... -o out/, or srgan eval")
    return ExitCode.OK


def _refuse_others(given: set[str]) -> None:
    if given:
        raise UsageError(
            f"--resume uses the run's own options, not {', '.join(map(_option, sorted(given)))}",
            hint="leave them out, or start a new run without --resume",
        )


def _decided(context: typer.Context) -> dict[str, Any]:
    """Return the parameters, with those undone that the command line stands against.

    Raises:
        UsageError: Two options that set the same were given in one place.
    """
    typed, in_file = (_given(context, place) for place in ("COMMANDLINE", "DEFAULT_MAP"))
    params = dict(context.params)
    for exclusive in map(set, _EITHER):
        chosen = sorted(typed & exclusive or in_file & exclusive)
        if len(chosen) > 1:
            both = " and ".join(map(_option, chosen))
            raise UsageError(f"{both} set the same length", hint="leave one out")
        params |= {name: getattr(TrainConfig, name) for name in exclusive - set(chosen)}
    if "preset" in typed:
        params |= dict.fromkeys(in_file & set(SIZES))
    return params


def _settings(params: Mapping[str, Any]) -> TrainConfig:
    """Make the configuration from the command's parameters, which are called as its fields."""
    values = {name: value for name, value in params.items() if name not in {"json", "config"}}
    weights = LossWeights(**{name: values.pop(f"{name}_weight") for name in _WEIGHTS})
    sizes = {name: values.pop(name) for name in SIZES}
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


def _given(context: typer.Context, place: str) -> set[str]:
    """Return the parameters that were given on the command line, or in the file."""
    return {
        name
        for name in context.params
        if (source := context.get_parameter_source(name)) and source.name == place
    }


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
