"""Estimate sizes, memory and time of a batch (``srgan upscale --dry-run``)."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from srgan_cli.config import UpscaleConfig
from srgan_cli.engine.devices.memory import peak_memory
from srgan_cli.engine.inference.loading import load_upscaler
from srgan_cli.engine.inference.sizes import num_passes
from srgan_cli.engine.inference.upscaler import Upscaler
from srgan_cli.engine.models.shelf import find_model_for_factor
from srgan_cli.engine.models.weights import ModelSource
from srgan_cli.engine.runtimes.speeds import only_read
from srgan_cli.engine.upscaling.batch import UpscaleJob, plan_batch
from srgan_cli.engine.upscaling.inputs import Failed
from srgan_cli.observer import Observer, SilentBar


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


@dataclass(frozen=True, slots=True)
class EstimateReport:
    """What ``srgan upscale --dry-run`` found."""

    model: ModelSource
    scale: int
    images: tuple[Estimate, ...]
    failed: tuple[Failed, ...]


def estimate(config: UpscaleConfig, observer: Observer) -> EstimateReport:
    """Plan a batch and write nothing; the speed is measured on one tile.

    What is remembered of runtimes' speeds is used, and nothing is added to it.

    Raises:
        As :func:`srgan_cli.engine.upscale`.
    """
    source = find_model_for_factor(config.model, config.scale)
    with only_read():
        upscaler = load_upscaler(source, config, observer)
    plan = plan_batch(config, upscaler.model.scale)
    for failure in plan.failed:
        observer.warn(failure.reason, failure.hint)
    seconds = _seconds_per_pixel(upscaler) if plan.jobs else 0.0
    constant = peak_memory()
    images = tuple(_estimate(job, upscaler, seconds, constant) for job in plan.jobs)
    return EstimateReport(source, upscaler.model.scale, images, plan.failed)


def _seconds_per_pixel(upscaler: Upscaler) -> float:
    """Time the second of two tiles; the first pays for what is set up once."""
    tile = np.zeros((upscaler.tile, upscaler.tile, 3), np.uint8)
    started = 0.0
    for _ in range(2):
        started = time.perf_counter()
        upscaler.upscale(tile, SilentBar())
    return (time.perf_counter() - started) / upscaler.tile**2


def _estimate(job: UpscaleJob, upscaler: Upscaler, seconds: float, constant: int) -> Estimate:
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
    )
