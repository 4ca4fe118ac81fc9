"""Estimate sizes, memory and time of a batch (``srgan upscale --dry-run``)."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from srgan_cli.config import UpscaleConfig
from srgan_cli.engine.devices.memory import peak_memory
from srgan_cli.engine.inference.sizes import num_passes
from srgan_cli.engine.inference.upscaler import Upscaler
from srgan_cli.engine.models.weights import ModelSource
from srgan_cli.engine.runtimes.speeds import only_read
from srgan_cli.engine.upscaling.batch import UpscaleJob, plan_batch
from srgan_cli.engine.upscaling.choice import Choice, Models, first_frame, load_models
from srgan_cli.engine.upscaling.failures import named_failures
from srgan_cli.engine.upscaling.inputs import Failed
from srgan_cli.engine.upscaling.ledger import Ledger
from srgan_cli.engine.upscaling.recipe import Recipe
from srgan_cli.errors import InputError
from srgan_cli.observer import Observer, SilentBar
from srgan_cli.paths import file_sha256

_SMALL = 64
"""LR pixels."""
_LONG = 5.0
"""Seconds for a tile from which on a small one is timed instead."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one image is going to be."""

    source: Path
    output: Path
    format: str
    width: int
    """Columns of the result."""
    height: int
    """Rows of the result."""
    frames: int
    tiles: int
    """Calls of the network, colour alone."""
    memory: int
    """Most host memory, in bytes."""
    seconds: float
    """Time in the network; decoding and encoding come on top."""
    notes: tuple[str, ...]
    model: str
    """Name of the model that is going to make it."""
    damage: tuple[str, ...]
    """What was found in the source, for which ``restoring`` is going to make it, in words."""
    replaces: bool
    """Whether an earlier result of srgan, of other options or another source, stands there."""


@dataclass(frozen=True, slots=True)
class EstimateReport:
    """What ``srgan upscale --dry-run`` found."""

    model: ModelSource
    scale: int
    images: tuple[Estimate, ...]
    failed: tuple[Failed, ...]
    restoring: ModelSource | None = None
    """The model of damaged images; None where one model makes all."""
    unchanged: tuple[Path, ...] = ()
    """Results that are up to date."""


def estimate(config: UpscaleConfig, observer: Observer) -> EstimateReport:
    """Plan a batch and write nothing; the speed is measured on one tile.

    What is remembered of runtimes' speeds is used, and nothing is added to it.

    Raises:
        As :func:`srgan_cli.engine.upscale`.
    """
    failed: list[Failed] = []
    chosen: list[tuple[UpscaleJob, Choice, bool]] = []
    unchanged: list[Path] = []
    with only_read():
        models = load_models(config.model, config, observer)
        model = models.upscaler.model
        plan = plan_batch(config, model.scale)
        recipe = Recipe(config, models)
        ledgers = {folder: Ledger.at(folder) for folder in {job.folder for job in plan.jobs}}
        for job in plan.jobs:
            ledger = ledgers[job.folder]
            try:
                with named_failures(job):
                    sha256 = file_sha256(job.source)
                    if recipe.is_done(job, ledger, sha256):
                        unchanged.append(job.output)
                        continue
                    recipe.require_free(job, ledger, sha256)
                    replaces = not config.in_place and ledger.made(job.output)
                    chosen.append((job, _choice(job, models, config, observer), replaces))
            except InputError as error:
                failed.append(Failed(job.source, error.message, error.hint))
    failures = (*plan.failed, *failed)
    for failure in failures:
        observer.warn(failure.reason, failure.hint)
    upscalers = {choice.upscaler for _, choice, _ in chosen}
    seconds = {upscaler: _seconds_per_pixel(upscaler) for upscaler in upscalers}
    constant = peak_memory()
    images = tuple(
        _estimate(job, choice, seconds[choice.upscaler], constant, replaces=replaces)
        for job, choice, replaces in chosen
    )
    source = model.source
    return EstimateReport(source, model.scale, images, failures, models.restoring, tuple(unchanged))


def _choice(job: UpscaleJob, models: Models, config: UpscaleConfig, observer: Observer) -> Choice:
    """Choose the model of an image, which is decoded only if there is a choice."""
    if models.restoring is None:
        return Choice(models.upscaler)
    choice = models.choose(first_frame(job.source, max_pixels=config.max_pixels))
    if choice.damage:
        observer.say(choice.explained(job.source, instead_of=models.upscaler.model.source))
    return choice


def _seconds_per_pixel(upscaler: Upscaler) -> float:
    """Time the second of two tiles; the first pays for what is set up once.

    Where a tile would take long, the time of a small square is enough.
    """
    small = _time_of(upscaler, min(_SMALL, upscaler.tile))
    return small if small * upscaler.tile**2 > _LONG else _time_of(upscaler, upscaler.tile)


def _time_of(upscaler: Upscaler, side: int) -> float:
    """Return the seconds per pixel of a square, once it has been upscaled before."""
    tile = np.zeros((side, side, 3), np.uint8)
    started = 0.0
    for _ in range(2):
        started = time.perf_counter()
        upscaler.upscale(tile, SilentBar())
    return (time.perf_counter() - started) / side**2


def _estimate(
    job: UpscaleJob, choice: Choice, seconds: float, constant: int, *, replaces: bool
) -> Estimate:
    upscaler = choice.upscaler
    scale = upscaler.model.scale
    width, height = job.header.width, job.header.height
    passes = num_passes((width, height), job.size, scale)
    grown = [scale**step for step in range(passes)]
    tiles = sum(upscaler.num_tiles(width * factor, height * factor) for factor in grown)
    pixels = sum(width * height * factor**2 for factor in grown)
    result = max(width * height * scale ** (2 * passes), job.size[0] * job.size[1])
    # Four bytes per pixel of the canvas; the source is held by its decoder and once more.
    memory = constant + 4 * result + 7 * width * height
    return Estimate(
        job.source,
        job.output,
        job.encoding.format.name,
        *job.size,
        job.num_frames,
        tiles * job.num_frames,
        memory,
        seconds * pixels * job.num_frames,
        job.notes,
        upscaler.model.source.name,
        choice.damage,
        replaces,
    )
