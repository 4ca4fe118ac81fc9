"""The contenders of ``srgan eval``: two baselines, models, and folders of other tools' results."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from srgan_cli.config import EvalConfig, RuntimeName
from srgan_cli.engine.devices.accelerators import named_accelerator
from srgan_cli.engine.evaluation.sets import EvaluationImage, require_folder
from srgan_cli.engine.inference.loading import Execution
from srgan_cli.engine.inference.upscaler import Upscaler
from srgan_cli.engine.models.shelf import bundled_models, bundled_rival, find_model
from srgan_cli.engine.models.trained_runs import trained_runs
from srgan_cli.engine.models.weights import Model, ModelSource, load_model, require_scale
from srgan_cli.errors import UsageError, WeightsError
from srgan_cli.imaging.resize import Kernel, upscale
from srgan_cli.imaging.types import Levels
from srgan_cli.observer import Observer, SilentBar

BASELINES: tuple[Kernel, ...] = ("bicubic", "lanczos")
_REFERENCES = ("LR", "HR")  # What the report calls the images that are not scored.


@dataclass(frozen=True, slots=True)
class Contender:
    """One row of the table."""

    name: str
    kind: Literal["baseline", "model", "images"]
    path: Path | None
    """The weights file or the folder of images."""
    reason: str
    """What it is or why it was taken, in words."""


@dataclass(frozen=True)
class Lineup:
    """All that is compared, with what runs the models."""

    contenders: tuple[Contender, ...]
    """Baselines, then models, then folders, in the order in which they were named."""
    upscalers: Mapping[str, Upscaler]
    """What runs each model, by name."""
    folders: Mapping[str, Path]
    """Folders of images that other tools made, by name."""

    @property
    def models(self) -> tuple[Model, ...]:
        """The models that run."""
        return tuple(upscaler.model for upscaler in self.upscalers.values())

    def run_models(self, image: EvaluationImage) -> dict[str, Levels]:
        """Upscale an image's LR with every model, to 8 bits as ``srgan upscale`` does."""
        return {
            name: upscaler.upscale(image.lr, SilentBar())
            for name, upscaler in self.upscalers.items()
        }


def upscale_baselines(image: EvaluationImage) -> dict[str, Levels]:
    """Upscale an image's LR with every baseline, in floating point."""
    scale = image.hr.shape[0] // image.lr.shape[0]
    return {kernel: upscale(image.lr, scale, kernel) for kernel in BASELINES}


def open_lineup(config: EvalConfig, observer: Observer) -> Lineup:
    """Load the models that a config names; if it names none, the newest run and its rival.

    Raises:
        InputError: A folder of images is missing.
        UsageError: Two contenders have the same name and folder, or models differ in scale.
        WeightsError: Weights cannot be used, or have another scale.
    """
    for folder in config.sr:
        require_folder(folder)
    models = [load_model(source) for source in _sources(config)]
    for model in models:
        require_scale(model, config.scale)
        if model.scale != models[0].scale:
            raise WeightsError(
                f"{models[0].source.name} is ×{models[0].scale}, "
                f"{model.source.name} ×{model.scale}",
                hint="compare models of the same scale",
            )
    runtime: RuntimeName = "auto" if named_accelerator(config.device) else "torch"
    execution = Execution(config.device, config.precision, runtime, tile=config.tile)
    upscalers = [execution.prepared(one, observer) for one in models]
    model_names, folder_names = _distinct_names(models, config.sr)
    for name, one in zip(model_names, upscalers, strict=True):
        observer.say(
            f"model: {name} ({one.model.source.reason}), ×{one.model.scale}, {one.amp.precision} "
            f"on {one.amp.where}"
        )
    return Lineup(
        (
            *(Contender(name, "baseline", None, "interpolation") for name in BASELINES),
            *(
                Contender(name, "model", model.source.path, model.source.reason)
                for name, model in zip(model_names, models, strict=True)
            ),
            *(
                Contender(name, "images", folder, "images as they are")
                for name, folder in zip(folder_names, config.sr, strict=True)
            ),
        ),
        dict(zip(model_names, upscalers, strict=True)),
        dict(zip(folder_names, config.sr, strict=True)),
    )


def _sources(config: EvalConfig) -> list[ModelSource]:
    """Return the weights that a config names; else the newest run beside its bundled rival.

    Where a score decides over the exit code, the one model that commands use is scored.
    """
    if config.models or config.sr:
        return [find_model(spec, config.scale) for spec in config.models]
    gated = config.not_worse_than or config.min_psnr is not None or config.min_ssim is not None
    run = next(iter(trained_runs(config.scale)), None)
    if gated or run is None:
        return [find_model(None, config.scale)]
    rival = bundled_rival(run.scale, adversarial=run.adversarial)
    sources = [rival.source("bundled")] if rival else []
    sources.append(run.source("the newest run"))
    used = find_model(None, run.scale)
    known = {source.path for source in sources} | {one.path for one in bundled_models(run.scale)}
    return [*sources, *([used] if used.path not in known else [])]


def _distinct_names(models: list[Model], folders: tuple[Path, ...]) -> tuple[list[str], list[str]]:
    """Name models and folders; those that share a name get their parent folder's in front."""
    short = [model.source.name for model in models]
    short += [folder.resolve().name for folder in folders]
    paths = [model.source.path for model in models] + [folder.resolve() for folder in folders]
    counts = Counter([*BASELINES, *_REFERENCES, *short])
    names = [
        name if counts[name] == 1 else f"{path.parent.name}/{name}"
        for name, path in zip(short, paths, strict=True)
    ]
    repeated = [
        name for name, count in Counter([*BASELINES, *_REFERENCES, *names]).items() if count > 1
    ]
    if repeated:
        raise UsageError(
            f"two models or folders have the name {repeated[0]}",
            hint="pass each model and folder once, or rename one of them",
        )
    return names[: len(models)], names[len(models) :]
