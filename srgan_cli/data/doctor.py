"""Detect faults of a training image: flat, blurry, upscaled or blocky. No torch here.

``docs/data.md`` states all thresholds, with the share of good and of damaged images that each
of them catches.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from srgan_cli.data.similar import Look
from srgan_cli.imaging.types import Float32Array, Float64Array, Uint8Image

FLAT = 2.0
"""An image is flat when 9 of 10 of its blocks deviate less than this, in levels of 255."""
DETAIL = -2.55
"""Least power above 0.24 cycles per pixel against that at 0.06 to 0.15, in powers of ten."""
FALL = -2.3
"""Steepest fall of power over 0.12 cycles per pixel, in powers of ten."""
BLUR = -1.55
"""An image without fine detail is called blurry if its power falls by this from 0.08 to 0.17 cycles
per pixel, and upscaled otherwise, since upscaling keeps these frequencies."""
BLOCKY = 1.75
"""Most that steps of brightness along one 8×8 grid may exceed those beside it."""

_BLOCK = 64
_MAX_BLOCKS = 36
_BAND = 0.03
_NUM_BANDS = 16
_GRID = 8
_MAX_GRID_SIDE = 768


@dataclass(frozen=True, slots=True)
class Health:
    """What the doctor found."""

    findings: tuple[tuple[str, str], ...]
    """Kind and reason, with the measured value."""
    look: Look
    """For comparing it with others."""


def examine(pixels: Uint8Image) -> Health:
    """Examine an HR image.

    Args:
        pixels: H, W, 3, uint8.
    """
    findings = []
    blocks = sample_blocks(pixels)
    deviation = float(np.quantile(blocks.std(axis=(1, 2)), 0.9))
    if deviation < FLAT:
        reason = f"9 of 10 blocks deviate by less than {deviation:.1f} of 255, limit {FLAT}"
        findings.append(("flat", reason))
    else:
        findings += _lack_of_detail(band_powers(blocks))
    blockiness = grid_steps(pixels)
    if blockiness > BLOCKY:
        reason = (
            f"edges of 8×8 blocks are {blockiness:.2f} times as strong as others, limit {BLOCKY}"
        )
        findings.append(("blocky", reason))
    return Health(tuple(findings), Look.of(pixels))


def _lack_of_detail(powers: Float64Array) -> list[tuple[str, str]]:
    """Judge the spectrum: that of photographs falls evenly, without an early end."""
    detail = float(powers[8:16].mean() - powers[2:5].mean())
    # Of three neighbours the middle one: a fabric's single frequency is not the end of detail.
    smooth = np.median(np.stack([powers[:-2], powers[1:-1], powers[2:]]), axis=0)
    fall = float((smooth[5:14] - smooth[1:10]).min())
    broken = []
    if detail < DETAIL:
        broken.append(
            f"{-detail:.2f} decades less power above 0.24 cycles per pixel than at 0.06 to 0.15, "
            f"limit {-DETAIL}"
        )
    if fall < FALL:
        broken.append(
            f"fine detail ends suddenly: its power falls by {-fall:.2f} decades, limit {-FALL}"
        )
    kind = "blurry" if powers[5] - powers[2] < BLUR else "upscaled"
    return [(kind, "; ".join(broken))] if broken else []


def sample_blocks(pixels: Uint8Image) -> Float32Array:
    """Cut squares of brightness out of an image, spread evenly: N, 64, 64, in levels."""
    height, width = pixels.shape[:2]
    side = min(_BLOCK, height, width)
    per_axis = round(_MAX_BLOCKS**0.5)
    places = [
        np.linspace(0, length - side, min(per_axis, length // side)).round().astype(int)
        for length in (height, width)
    ]
    squares = np.stack(
        [pixels[top : top + side, left : left + side] for top in places[0] for left in places[1]]
    )
    # Pillow's mode F is luma that has not been rounded.
    grey = np.asarray(Image.fromarray(squares.reshape(-1, side, 3)).convert("F"))
    blocks = grey.reshape(-1, side, side)
    if side < _BLOCK:
        margin = _BLOCK - side
        blocks = np.pad(blocks, ((0, 0), (0, margin), (0, margin)), mode="symmetric")
    return blocks


def band_powers(blocks: Float32Array) -> Float64Array:
    """Return the mean power of the busiest quarter of blocks in rings of the spectrum.

    Args:
        blocks: N, 64, 64, brightness in levels.

    Returns:
        Logarithms to base 10; ring ``i`` lies between ``0.03·i`` and ``0.03·(i + 1)``
        cycles per pixel.
    """
    waves, rings = _waves()
    centred = blocks - blocks.mean(axis=(1, 2), keepdims=True)
    means = ((waves @ centred @ waves.T) ** 2).reshape(len(blocks), -1) @ rings
    busiest = np.argsort(means[:, 2:6].sum(axis=1))[-max(1, len(means) // 4) :]
    logarithms: Float64Array = np.log10(means[busiest].mean(axis=0) + 1e-3)
    return logarithms


@cache
def _waves() -> tuple[Float32Array, Float32Array]:
    """Return the Fourier transform of a block, and the matrix that averages its power over rings.

    The transform is a matrix, which is faster than NumPy's FFT for so few points: under a Hann
    window a cosine and a sine of each frequency, for columns as for rows. The power of a
    frequency and that of its mirror image add up to twice the squares of their four products.
    """
    half = _BLOCK // 2 + 1
    phases = 2 * np.pi / _BLOCK * np.outer(np.arange(half), np.arange(_BLOCK))
    waves = np.concatenate([np.cos(phases), np.sin(phases)]) * np.hanning(_BLOCK)
    frequencies = np.tile(np.arange(half) / _BLOCK, 2)
    ring = (np.hypot(frequencies[:, None], frequencies) / _BAND).astype(np.intp)
    mirrored = np.where(frequencies % 0.5, 2, 1)  # The mean and the finest have no mirror image.
    member = (ring[..., None] == np.arange(_NUM_BANDS)) * mirrored[:, None, None]
    rings = member / member[:half, :half].sum(axis=(0, 1))
    return waves.astype(np.float32), rings.reshape(-1, _NUM_BANDS).astype(np.float32)


def grid_steps(pixels: Uint8Image) -> float:
    """Return how much steps of brightness along an 8×8 grid exceed those elsewhere.

    The grid may lie anywhere, since photographs are cropped after compression.

    Args:
        pixels: H, W, 3, uint8; the middle of large images is looked at.
    """
    height, width = pixels.shape[:2]
    top, left = (max(0, side - _MAX_GRID_SIDE) // 2 for side in (height, width))
    green = pixels[top : top + _MAX_GRID_SIDE, left : left + _MAX_GRID_SIDE, 1].astype(np.int16)
    return min(_steps_along(green), _steps_along(green.T))


def _steps_along(green: npt.NDArray[np.int16]) -> float:
    steps = np.abs(green[:, 1:] - green[:, :-1]).mean(axis=0, dtype=np.float32)
    usable = len(steps) // _GRID * _GRID
    if not usable:
        return 0.0
    phases = np.sort(steps[:usable].reshape(-1, _GRID).mean(axis=0))
    return float(phases[-1] / max(phases[-2], 0.1))
