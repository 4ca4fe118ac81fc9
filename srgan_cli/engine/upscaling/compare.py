"""Upscale images with several models, to look at them side by side (``srgan compare``)."""

import math
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from srgan_cli.config import CompareConfig, UpscaleConfig
from srgan_cli.config.common import BUNDLED
from srgan_cli.engine.inference.frame import upscale_frame
from srgan_cli.engine.inference.loading import load_upscaler
from srgan_cli.engine.inference.upscaler import Upscaler
from srgan_cli.engine.models.shelf import (
    KnownModel,
    bundled_models,
    find_model_for_factor,
)
from srgan_cli.engine.upscaling.batch import plan_batch
from srgan_cli.engine.upscaling.drift import frame_drift
from srgan_cli.engine.upscaling.inputs import Failed, find_sources
from srgan_cli.engine.upscaling.report import UpscaleReport
from srgan_cli.engine.upscaling.views import FULL_COLOUR, INPUT, View, make_views
from srgan_cli.errors import InputError, UsageError
from srgan_cli.imaging.alpha import bleed
from srgan_cli.imaging.canvas import Canvas
from srgan_cli.imaging.exchange import canvas_of_frame, frame_of_canvas
from srgan_cli.imaging.files.decode import open_image
from srgan_cli.imaging.frames import Frame
from srgan_cli.imaging.levels import LUMA
from srgan_cli.imaging.types import Uint8Image
from srgan_cli.observer import Observer, SilentBar, SilentObserver

BICUBIC = "bicubic"
_PAGE_BYTES = 60_000
_BASE64 = 4 / 3
_MOST_PIXELS = 2**62  # Of results, whose sources were within the limit.


@dataclass(frozen=True, slots=True)
class VersionFigures:
    """What is known of one version of an image."""

    name: str
    seconds: float | None
    """Time in the network; for a batch, with reading and writing. None: not measured."""
    drift: float | None
    """PSNR in dB of the version, reduced again, to its source; None where they are equal."""
    invented: float
    """Mean difference of its luma from the reference, in levels of 255."""
    command: str | None
    """Makes it."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One image and its versions."""

    name: str
    width: int
    """Columns of the image."""
    height: int
    """Rows of the image."""
    result_width: int
    result_height: int
    versions: tuple[VersionFigures, ...]
    views: tuple[View, ...]


@dataclass(frozen=True, slots=True)
class CompareReport:
    """What ``srgan compare`` shows."""

    title: str
    versions: tuple[str, ...]
    """Names, bicubic first."""
    reference: str
    """The model that differences are shown from."""
    full_colour: int
    """Levels of difference, of 255, that are shown in full colour."""
    images: tuple[Compared, ...]
    num_omitted: int
    """Images beyond the number that is compared."""
    failed: tuple[Failed, ...]


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes one version of an image."""

    name: str
    make: Callable[[Path, Frame, tuple[int, int]], tuple[Canvas, float | None]]
    """Takes a file, its first frame and the size of the result; returns that and the seconds."""
    options: str | None
    """Of the command that makes it."""


def compare(config: CompareConfig, observer: Observer) -> CompareReport:
    """Upscale images with each model and show where the results differ.

    The difference of a model from the bundled ``fidelity`` model of its scale, which is trained
    to invent nothing, shows what it invented.

    Raises:
        InputError: No image was found, or none can be used.
        WeightsError: A model cannot be used.
        ResourceError: Device or memory are lacking.
    """
    named = [find_model_for_factor(spec, config.scale) for spec in config.models]
    settings = _settings(config)
    loaded = [load_upscaler(source, settings, observer) for source in named]
    scale = config.scale or (loaded[0].model.scale if loaded else 2)
    if not loaded:
        sources = [model.source("bundled") for model in _bundled(scale)]
        loaded = [load_upscaler(source, settings, observer) for source in sources]
    names = [one.model.source.name for one in loaded]
    if len(set(names)) < len(names):
        raise UsageError(
            f"two models have the same name: {', '.join(sorted(names))}",
            hint="name each model once, and give files different names",
        )
    found = find_sources(UpscaleConfig(config.inputs, recursive=config.recursive))
    for failure in found.failed:
        observer.warn(failure.reason, failure.hint)
    fidelity = _fidelity(loaded, scale, settings)
    makers = [
        _by_model(upscaler, f" --model {shlex.quote(spec)} -s {scale:g}")
        for upscaler, spec in zip(loaded, config.models or names, strict=True)
    ]
    done, num_omitted, failed = _compared(
        [_bicubic(), *makers],
        _by_model(fidelity, None),
        [(source.path, scale) for source in found.images],
        observer,
        config,
    )
    return CompareReport(
        f"{', '.join(names)} at ×{scale:g}",
        (BICUBIC, *names),
        fidelity.model.source.name,
        FULL_COLOUR,
        done,
        num_omitted,
        found.failed + failed,
    )


def show_batch(
    config: UpscaleConfig, report: UpscaleReport, page: CompareConfig, observer: Observer
) -> CompareReport:
    """Show the results of a batch beside their sources, as :func:`compare` does.

    Args:
        config: What made the batch.
        report: What it made or found made; results are read from their files.
        page: How many images and how many megabytes.
        observer: Hears of images that cannot be shown.
    """
    seconds = {item.output: item.seconds for item in report.written}
    there = {*seconds, *report.unchanged}
    jobs = [job for job in plan_batch(config, report.scale).jobs if job.output in there]
    outputs = {job.source: job.output for job in jobs}
    names = [model.name for model in (report.model, report.restoring) if model is not None]
    name = " or ".join(names)
    sized = (config.width, config.height, config.max_side) != (None, None, None)
    scale = config.scale or report.scale
    # Without a name, the command chooses each image's model again.
    options = "" if report.restoring else f" --model {shlex.quote(config.model or name)}"
    options += "" if sized else f" -s {scale:g}"
    for flag in ("width", "height", "max_side", "strength"):
        value = getattr(config, flag)
        options += f" --{flag.replace('_', '-')} {value:g}" if value is not None else ""

    def read(path: Path, *_: object) -> tuple[Canvas, float | None]:
        made = outputs[path]
        with open_image(made, max_pixels=_MOST_PIXELS) as image:
            return canvas_of_frame(next(image.frames())), seconds.get(made)

    fidelity = _fidelity([], scale, _settings(page))
    pictured = _compared(
        [_bicubic(), _Maker(name, read, options)],
        _by_model(fidelity, None),
        [(job.source, job.size) for job in jobs],
        observer,
        page,
    )
    reference = fidelity.model.source.name
    title = f"{name} at ×{scale:g}"
    return CompareReport(title, (BICUBIC, name), reference, FULL_COLOUR, *pictured)


def _settings(config: CompareConfig) -> UpscaleConfig:
    return UpscaleConfig(
        (Path(),),
        runtime=config.runtime,
        tile=config.tile,
        precision=config.precision,
        device=config.device,
    )


def _fidelity(loaded: Sequence[Upscaler], scale: float, settings: UpscaleConfig) -> Upscaler:
    """Return the bundled fidelity model that reaches a scale, the loaded one where it is among."""
    source = next(m.source("bundled") for m in _bundled(scale) if m.name.startswith("fidelity"))
    for upscaler in loaded:
        if upscaler.model.source.name == source.name:
            return upscaler
    return load_upscaler(source, settings, SilentObserver())


def _bundled(scale: float) -> list[KnownModel]:
    """Return the bundled models of the smallest scale that reaches a factor, or the largest."""
    scales = sorted({int(name.rpartition("x")[2]) for name in BUNDLED})
    return bundled_models(next((one for one in scales if one >= scale), scales[-1]))


def _bicubic() -> _Maker:
    def make(_: Path, frame: Frame, size: tuple[int, int]) -> tuple[Canvas, None]:
        if frame.alpha is not None:
            frame = Frame(bleed(frame.pixels, frame.alpha), frame.alpha)
        return canvas_of_frame(frame).resized(*size, Image.Resampling.BICUBIC), None

    return _Maker(BICUBIC, make, None)


def _by_model(upscaler: Upscaler, options: str | None) -> _Maker:
    def make(_: Path, frame: Frame, size: tuple[int, int]) -> tuple[Canvas, float]:
        started = time.perf_counter()
        canvas = upscale_frame(upscaler.suited_to(frame.pixels), frame, size, SilentBar())
        return canvas, time.perf_counter() - started

    return _Maker(upscaler.model.source.name, make, options)


def _compared(
    makers: Sequence[_Maker],
    reference: _Maker,
    images: Sequence[tuple[Path, float | tuple[int, int]]],
    observer: Observer,
    config: CompareConfig,
) -> tuple[tuple[Compared, ...], int, tuple[Failed, ...]]:
    """Make all versions of all images.

    Args:
        makers: Of the versions, in the order in which they are shown.
        reference: What differences are shown from.
        images: Files, each with the factor or the size of its results.
        observer: Hears of images that cannot be used.
        config: Numbers and limits.

    Returns:
        The images, the number of those omitted, and those that failed.

    Raises:
        InputError: None of them can be used.
    """
    taken = images[: config.images]
    bytes_each = (config.page_mb * 1e6 - _PAGE_BYTES) / len(taken) / _BASE64 if taken else 0
    done, failed = [], []
    with observer.bar("comparing", total=len(taken), unit="images") as bar:
        for path, wanted in taken:
            try:
                done.append(_one(path, wanted, makers, reference, config, bytes_each, observer))
            except InputError as error:
                observer.warn(error.message, error.hint)
                failed.append(Failed(path, error.message, error.hint))
            bar.advance()
    if not done:
        raise InputError(failed[0].reason, hint=failed[0].hint)
    return tuple(done), len(images) - len(taken), tuple(failed)


def _one(
    path: Path,
    wanted: float | tuple[int, int],
    makers: Sequence[_Maker],
    reference: _Maker,
    config: CompareConfig,
    most_bytes: float,
    observer: Observer,
) -> Compared:
    with open_image(path, max_pixels=config.max_pixels) as image:
        frame = next(image.frames())
        if image.header.num_frames > 1:
            kind = "pages" if image.header.format == "TIFF" else "frames"
            observer.say(f"{path}: the first of {image.header.num_frames} {kind} is compared")
    size = wanted if isinstance(wanted, tuple) else _times(frame, wanted)
    canvases, seconds = {}, {}
    for maker in makers:
        canvases[maker.name], seconds[maker.name] = maker.make(path, frame, size)
    drifts = {name: frame_drift(frame, frame_of_canvas(one)) for name, one in canvases.items()}
    shown = {name: _on_white(canvas) for name, canvas in canvases.items()}
    truth = shown.get(reference.name)
    if truth is None:
        truth = _on_white(reference.make(path, frame, size)[0])
    figures = [
        VersionFigures(
            maker.name,
            seconds[maker.name],
            drifts[maker.name] if math.isfinite(drifts[maker.name]) else None,
            _mean_difference(shown[maker.name], truth),
            maker.options and f"srgan upscale {shlex.quote(str(path))}{maker.options}",
        )
        for maker in makers
    ]
    source = _on_white(canvas_of_frame(frame).resized(*size, Image.Resampling.NEAREST))
    views = make_views(
        {INPUT: source, **shown}, truth, num_crops=config.crops, most_bytes=most_bytes
    )
    return Compared(str(path), frame.width, frame.height, *size, tuple(figures), views)


def _times(frame: Frame, factor: float) -> tuple[int, int]:
    return max(1, round(frame.width * factor)), max(1, round(frame.height * factor))


def _on_white(canvas: Canvas) -> Uint8Image:
    """Return H, W, 3 pixels with 8 bits, transparency laid on white."""
    image = canvas.image()
    if canvas.has_alpha:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))


def _mean_difference(image: Uint8Image, reference: Uint8Image) -> float:
    return float(np.abs(image @ LUMA - reference @ LUMA).mean())
