"""Measure how far a result has drifted from its source: reduce it again, and compare by PSNR."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from srgan_cli.errors import InputError
from srgan_cli.imaging.files.decode import open_image
from srgan_cli.imaging.frames import Frame, peak
from srgan_cli.imaging.types import Float32Array


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the worst frame of a result has drifted."""

    psnr: float
    """In dB, all channels together, peak 1."""
    frame: int
    """Its number, from 1."""


def drift(source: Path, made: Path, *, num_frames: int, max_pixels: int) -> Drift:
    """Measure the frame, or page, that has the lowest PSNR to its source.

    The result is read back from its file, so that losses of its format count,
    and reduced by Pillow's antialiased bicubic. Colours are weighted by alpha:
    what is transparent is not compared.

    Args:
        source: The image that was upscaled.
        made: Its result.
        num_frames: Frames to compare.
        max_pixels: Limit on the size of ``source``.
    """
    with (
        open_image(source, max_pixels=max_pixels) as before,
        open_image(made, max_pixels=2**62) as after,
    ):
        pairs = zip(before.frames(), after.frames(), strict=False)
        measured = [frame_drift(*pair) for pair in islice(pairs, num_frames)]
    worst = min(measured)
    return Drift(worst, measured.index(worst) + 1)


def require_drift(
    source: Path, measured: Drift, limit: float, *, place: str = "", lossy: bool
) -> None:
    """Fail a result that is too far from its source.

    Args:
        source: The image that was upscaled.
        measured: Its worst frame.
        limit: Least PSNR in dB.
        place: That frame in words, where the image has several.
        lossy: Whether the result's format loses something, so that its quality matters.

    Raises:
        InputError: The PSNR is below ``limit``.
    """
    if measured.psnr < limit:
        raise InputError(
            f"{source}: the result, reduced again, has {measured.psnr:.1f} dB PSNR to its source"
            f"{place}, below --max-drift {limit:g}",
            hint="try another --model" + " or a higher --quality" * lossy,
        )


def frame_drift(source: Frame, result: Frame) -> float:
    """Return the PSNR in dB of a result, reduced to its source's size, to its source."""
    size = (source.width, source.height)
    # Where the kinds differ, both are laid on white, as transparency is without alpha.
    flat = (source.grey, source.alpha is None) != (result.grey, result.alpha is None)
    errors = [
        float(np.mean((wanted - _reduced(plane, size)) ** 2, dtype=np.float64))
        for wanted, plane in zip(_planes(source, flat), _planes(result, flat), strict=True)
    ]
    error = sum(errors) / len(errors)
    return math.inf if error == 0 else -10 * math.log10(error)


def _planes(frame: Frame, flat: bool) -> Iterator[Float32Array]:
    """Yield the channels in [0, 1] one by one: premultiplied and alpha, or RGB on white."""
    unit = np.float32(1 / peak(frame.pixels))
    alpha = None if frame.alpha is None else frame.alpha * unit
    channels = [frame.pixels] if frame.grey else [frame.pixels[..., i] for i in range(3)]
    for channel in channels * 3 if flat and frame.grey else channels:
        plane = channel * unit
        if alpha is not None:
            plane = plane * alpha + (1 - alpha) if flat else plane * alpha
        yield plane
    if alpha is not None and not flat:
        yield alpha


def _reduced(plane: Float32Array, size: tuple[int, int]) -> Float32Array:
    image = Image.fromarray(np.ascontiguousarray(plane, np.float32))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))
