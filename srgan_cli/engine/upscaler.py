"""Enlarge pictures tile by tile: ``srgan upscale``."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from srgan_cli.config import UpscaleConfig
from srgan_cli.engine.amp import Amp, resolve_device
from srgan_cli.engine.models import Generator
from srgan_cli.engine.weights import Model, ModelSource, find_model, load_model, require_scale
from srgan_cli.errors import InputError, ResourceError, UsageError
from srgan_cli.imaging.io import (
    Picture,
    list_pictures,
    megapixels,
    read_picture,
    writable,
    write_picture,
)
from srgan_cli.imaging.resize import upscale_bicubic
from srgan_cli.imaging.tensors import from_picture, to_grey, to_pixels
from srgan_cli.imaging.tiles import tile_spans
from srgan_cli.observer import Bar, Observer

_LARGEST_OVERLAP = 128


@dataclass(frozen=True, slots=True)
class Upscaled:
    """A picture that was written."""

    source: Path
    output: Path
    width: int
    """Columns of the result."""
    height: int
    """Rows of the result."""
    seconds: float
    """Reading, enlarging and writing."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A picture that could not be enlarged."""

    source: Path
    reason: str
    hint: str


@dataclass(frozen=True, slots=True)
class UpscaleReport:
    """What ``srgan upscale`` did."""

    model: ModelSource
    scale: int
    written: tuple[Upscaled, ...]
    failed: tuple[Failed, ...]


class Upscaler:
    """Runs a generator over whole pictures in tiles.

    Only one tile is on the device at a time; the result is assembled in host
    memory. Neighbouring tiles overlap by the generator's receptive field, so that
    the result equals that of the whole picture at once, except for generators whose
    field is too large for that (23 RRDBs); they get 64 LR pixels to each side.

    Args:
        model: The generator.
        device: Where it runs.
        amp: Its precision.
        tile: Side of a tile's result-bearing middle, in LR pixels.
    """

    def __init__(self, model: Model, amp: Amp, *, tile: int) -> None:
        self.model, self._amp = model, amp
        self._generator: Generator = amp.place(model.generator)
        self._overlap = min(2 * self._generator.receptive_radius, _LARGEST_OVERLAP)
        self._align = self._generator.unshuffle
        self._tile = -(-tile // self._align) * self._align + self._overlap

    def enlarge(self, pixels: npt.NDArray[np.uint8], bar: Bar) -> npt.NDArray[np.uint8]:
        """Enlarge a picture.

        Args:
            pixels: H, W (grey) or H, W, 3 (RGB), uint8.
            bar: Advanced by the LR megapixels of every tile.

        Returns:
            uint8 with both sides ``scale`` times as long; grey stays grey.

        Raises:
            ResourceError: The device's memory does not suffice for one tile.
        """
        scale = self.model.scale
        height, width = pixels.shape[:2]
        result = np.empty((height * scale, width * scale, *pixels.shape[2:]), np.uint8)
        rows, columns = (
            tile_spans(side, tile=self._tile, overlap=self._overlap, align=self._align)
            for side in (height, width)
        )
        for row in rows:
            for column in columns:
                tile = pixels[row.start : row.stop, column.start : column.stop]
                inner = self._enlarge_tile(tile)[
                    row.kept_of_tile(scale), column.kept_of_tile(scale)
                ]
                result[row.kept_of_result(scale), column.kept_of_result(scale)] = inner
                bar.advance(row.kept * column.kept / 1e6)
        return result

    @torch.inference_mode()
    def _enlarge_tile(self, tile: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        try:
            with self._amp.autocast():
                sr = self._generator(from_picture(tile).to(self._amp.device))
        except torch.OutOfMemoryError as error:
            raise ResourceError(
                f"{self._amp.device}: out of memory for a tile of {self._tile}",
                hint="pass a smaller --tile",
            ) from error
        if not bool(torch.isfinite(sr).all()):
            raise ResourceError(
                f"{self.model.source.name} gives numbers that are not finite in "
                f"{self._amp.precision}",
                hint="pass --precision fp32",
            )
        enlarged = to_pixels(sr)
        return to_grey(enlarged) if tile.ndim == 2 else enlarged


def open_upscaler(config: UpscaleConfig, observer: Observer) -> Upscaler:
    """Load the weights that a command is to use, and say which they are and why."""
    source = find_model(config.model, config.scale)
    model = load_model(source)
    require_scale(model, config.scale)
    amp = Amp.create(resolve_device(config.device), config.precision)
    observer.say(
        f"model: {source.name} ({source.reason}), ×{model.scale}, {amp.precision} on {amp.device}"
    )
    return Upscaler(model, amp, tile=config.tile)


def upscale(config: UpscaleConfig, observer: Observer) -> UpscaleReport:
    """Enlarge pictures into a folder.

    A picture that cannot be read, or whose result exists already, costs only
    itself: it is reported and the rest goes on.

    Raises:
        InputError: No picture was found.
        UsageError: Two pictures would be written to one file, or one over its source.
        WeightsError: The weights cannot be used, or have another scale.
        ResourceError: Device, memory or disk are lacking.
    """
    jobs = _plan(config)
    upscaler = open_upscaler(config, observer)
    sizes = {source: megapixels(source) for source in jobs}
    written: list[Upscaled] = []
    failed: list[Failed] = []
    with observer.bar("upscaling", total=sum(sizes.values()), unit="MP") as bar:
        for number, (source, output) in enumerate(jobs.items(), start=1):
            bar.advance(0, picture=f"{number}/{len(jobs)}")
            try:
                written.append(_upscale_one(upscaler, source, output, config, observer, bar))
            except InputError as error:
                failed.append(Failed(source, error.message, error.hint))
                observer.warn(error.message)
                bar.advance(sizes[source])
    return UpscaleReport(upscaler.model.source, upscaler.model.scale, tuple(written), tuple(failed))


def _plan(config: UpscaleConfig) -> dict[Path, Path]:
    """Give every input its output file, and refuse before work starts what would collide."""
    if config.output.is_file() or (not config.output.exists() and writable(config.output)):
        raise UsageError(
            f"--output {config.output} is a file's name, but results go into a folder",
            hint="name a folder, such as: -o out/",
        )
    jobs: dict[Path, Path] = {}
    for source in _sources(config.inputs):
        suffix = source.suffix if writable(source) else ".png"
        output = config.output / f"{source.stem}{config.suffix}{suffix}"
        jobs[source] = output
    sources = {source.resolve(): source for source in jobs}
    owners: dict[Path, Path] = {}
    for source, output in jobs.items():
        if output.resolve() in sources:
            raise UsageError(
                f"{sources[output.resolve()]} would be overwritten by the result of {source}",
                hint="choose another --output folder, or another --suffix",
            )
        other = owners.setdefault(output, source)
        if other != source:
            raise UsageError(
                f"{other} and {source} would both be written to {output}",
                hint="rename one of them, or upscale them into different folders",
            )
    return jobs


def _sources(inputs: tuple[Path, ...]) -> list[Path]:
    sources: dict[Path, None] = {}
    for path in inputs:
        if path.is_dir():
            found = [file for file in list_pictures(path) if file.parent == path]
            if not found:
                raise InputError(f"{path}: no pictures in this folder", hint="name another folder")
            sources |= dict.fromkeys(found)
        elif path.exists() or path.is_symlink():
            sources[path] = None
        else:
            raise InputError(f"{path}: no such file or folder", hint="check the name")
    return list(sources)


def _upscale_one(
    upscaler: Upscaler,
    source: Path,
    output: Path,
    config: UpscaleConfig,
    observer: Observer,
    bar: Bar,
) -> Upscaled:
    started = time.perf_counter()
    if output.exists() and not config.overwrite:
        raise InputError(f"{output} exists already", hint="pass --overwrite to replace it")
    picture = read_picture(source, max_pixels=config.max_pixels)
    if picture.num_frames > 1:
        observer.warn(f"{source}: only the first of {picture.num_frames} frames is enlarged")
    pixels = upscaler.enlarge(picture.pixels, bar)
    alpha = None
    if picture.alpha is not None:
        alpha = upscale_bicubic(picture.alpha, upscaler.model.scale)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_picture(output, Picture(pixels, alpha, picture.metadata))
    except OSError as error:
        raise ResourceError(
            f"{output}: {error.strerror or error}",
            hint="check permissions and free space, or choose another --output folder",
        ) from error
    seconds = time.perf_counter() - started
    return Upscaled(source, output, pixels.shape[1], pixels.shape[0], seconds)
