"""Find damage in an image by its pixels alone: JPEG compression and noise.

JPEG makes the coefficients of 8x8 blocks multiples of its steps, which are the larger the stronger
it compresses (Fan and de Queiroz, "Identification of bitmap compression history: JPEG detection and
quantizer estimation", IEEE Transactions on Image Processing 12 (2), 2003). Where something was done
to the pixels afterwards, edges of the blocks may be left. Noise is told from texture by its
spectrum: it is white.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np

from srgan_cli.imaging.frames import peak
from srgan_cli.imaging.levels import LUMA
from srgan_cli.imaging.types import Float64Array, ImageArray

_SIDE = 192
_PLACES = 3  # For each direction.
_GRID = 8  # Side of JPEG's blocks.

_LEAST_STEPS = 0.25
"""Quality 88: at 85, the models for damaged images are better in VGG16 distance, at 90 not yet."""
_LEAST_EDGES = 0.45
_LEAST_NOISE = 2.5
_LEAST_COLOUR_NOISE = 2.5
_WHITE = (0.7, 1.35)
"""Noise of neighbours' differences over that of second differences; texture has more than 1.4."""

_FREQUENCIES = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (2, 2), (0, 3), (3, 0))
_STEPS_AT_50 = np.array([11, 12, 12, 10, 14, 14, 13, 16, 16, 14])
"""Of these frequencies, across and down, in the table for luma of ITU-T T.81, annex K.1."""
_STEPS = np.arange(2, 81)
_BINS = 8  # Of coefficients, for each level.
_LARGEST = 512
"""Larger coefficients count as this."""
_FEWEST = 24
"""Coefficients, other than zero, that tell a step."""
_LEAST_AGREEMENT = 0.45
"""Mean cosine of coefficients' distances from multiples of a step: 1 if there are none."""
_FEWEST_FREQUENCIES = 4
_DISAGREEING = 0.3
"""Share of the frequencies that may tell of smaller steps."""
_LARGEST_EDGE = 8
"""Levels that a difference of neighbours counts at most."""
_EDGE_OF_IMAGE = 32
"""Levels of a difference that is not one of blocks."""

_NOISE_SIDE = 16
_QUIET = 0.1
"""Share of the blocks whose differences are taken for noise: those with the smallest."""
_FEWEST_BLOCKS = 16
_UNCLIPPED = (8, 247)
"""Mean luma of blocks in which noise shows on both sides."""


@dataclass(frozen=True, slots=True)
class Damage:
    """How an image is damaged."""

    jpeg: float
    """Steps of its JPEG compression over those of quality 50; 0 where none is seen. Quality 75 is
    0.5, quality 90 is 0.2."""
    edges: float
    """Levels of 255 by which neighbours differ more where 8x8 blocks meet than elsewhere."""
    noise: float
    """Standard deviation of noise in luma, in levels of 255; 0 where none can be told from
    texture."""
    colour_noise: float
    """That of noise in one channel alone; 0 for grey images."""

    @property
    def found(self) -> tuple[str, ...]:
        """What is strong enough to be restored, in words; empty for a clean image."""
        blocks = self.jpeg >= _LEAST_STEPS or self.edges >= _LEAST_EDGES
        noise = self.noise >= _LEAST_NOISE or self.colour_noise >= _LEAST_COLOUR_NOISE
        return ("JPEG blocks",) * blocks + ("noise",) * noise


def find_damage(pixels: ImageArray, alpha: ImageArray | None = None) -> Damage:
    """Measure the damage of an image, on nine squares of 192 pixels.

    Args:
        pixels: H, W (grey) or H, W, 3 (RGB), uint8 or uint16.
        alpha: H, W of the same type, of which only opaque squares count; None where all is opaque.
    """
    squares = list(_opaque_squares(pixels, alpha))
    lumas = [square if square.ndim == 2 else square @ LUMA for square in squares]
    edges, origin = _edges(lumas)
    height, width = pixels.shape[:2]
    # The image may have been turned upright since, or cropped.
    origins = {origin, *product({0, height % _GRID}, {0, width % _GRID})}
    channels = (0, 2) if pixels.ndim == 3 else ()
    colours = [[square[..., one] - square[..., 1] for square in squares] for one in channels]
    return Damage(
        jpeg=max(_steps(lumas, origin) for origin in origins),
        edges=edges,
        noise=_noise(lumas, lumas),
        colour_noise=min((_noise(one, lumas) for one in colours), default=0.0) / math.sqrt(2),
    )


def _opaque_squares(pixels: ImageArray, alpha: ImageArray | None) -> Iterator[Float64Array]:
    """Cut out squares, in levels of 255, that begin where blocks of JPEG do."""
    levels = 255 / peak(pixels)
    tops, lefts = (
        sorted({int(i) // _GRID * _GRID for i in np.linspace(0, max(side - _SIDE, 0), _PLACES)})
        for side in pixels.shape[:2]
    )
    for top, left in product(tops, lefts):
        place = np.s_[top : top + _SIDE, left : left + _SIDE]
        if alpha is None or alpha[place].min() == peak(pixels):
            yield pixels[place].astype(np.float64) * levels


def _blocks(image: Float64Array, side: int) -> Float64Array:
    """Cut an image into N, side, side; what is left over at the right and below is not used."""
    rows, columns = (length // side for length in image.shape)
    cut = image[: rows * side, : columns * side]
    return cut.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side, side)


def _edges(lumas: Sequence[Float64Array]) -> tuple[float, tuple[int, int]]:
    """Return by how much edges of blocks stand out, and the row and column of the first ones."""
    found = [_edges_along([luma.T if axis else luma for luma in lumas]) for axis in (0, 1)]
    (rows, top), (columns, left) = found
    return min(rows, columns), (top, left)


def _edges_along(lumas: Sequence[Float64Array]) -> tuple[float, int]:
    """Return by how much one row of eight differs more from the one above, and which."""
    sums, counts = np.zeros(_GRID), np.zeros(_GRID)
    for luma in lumas:
        differences = np.abs(np.diff(luma, axis=0))
        differences[differences >= _EDGE_OF_IMAGE] = 0
        means = np.minimum(differences, _LARGEST_EDGE).mean(axis=1)
        excess = means[1:-1] - (means[:-2] + means[2:]) / 2
        rows = np.arange(2, len(excess) + 2) % _GRID
        sums += np.bincount(rows, excess, _GRID)
        counts += np.bincount(rows, minlength=_GRID)
    if not counts.all():
        return 0.0, 0
    means = sums / counts
    first = int(means.argmax())
    return float(means[first] - np.delete(means, first).max()), first


def _steps(lumas: Sequence[Float64Array], origin: tuple[int, int]) -> float:
    """Return the steps of blocks that begin at a row and a column, over those of quality 50."""
    top, left = origin
    blocks = np.concatenate(
        [np.empty((0, _GRID, _GRID))] + [_blocks(luma[top:, left:], _GRID) for luma in lumas]
    )
    clipped = (blocks.min(axis=(1, 2)) < 0.5) | (blocks.max(axis=(1, 2)) > 254.5)
    blocks = _different(blocks[~clipped])
    cosines = _cosines()
    coefficients = np.abs(cosines @ blocks @ cosines.T)
    bins = np.minimum(np.rint(coefficients * _BINS), _LARGEST * _BINS - 1).astype(np.int64)
    counts = np.stack(
        [np.bincount(bins[:, v, u], minlength=_LARGEST * _BINS) for v, u in _FREQUENCIES]
    )
    agreements, counted = _agreements()
    numbers = counts @ counted
    agreement = counts @ agreements / np.maximum(numbers, 1)
    steps = ((numbers >= _FEWEST) & (agreement >= _LEAST_AGREEMENT)) * _STEPS
    telling = numbers[:, 0] >= _FEWEST
    if telling.sum() < _FEWEST_FREQUENCIES:
        return 0.0
    return float(np.quantile((steps.max(axis=1) / _STEPS_AT_50)[telling], _DISAGREEING))


def _different(blocks: Float64Array) -> Float64Array:
    """Drop repeated blocks: those of drawings have few coefficients, at distances of their own."""
    keys = blocks.reshape(len(blocks), _GRID**2) @ np.sqrt(np.arange(2.0, _GRID**2 + 2))
    different: Float64Array = blocks[np.unique(keys, return_index=True)[1]]
    return different


@cache
def _cosines() -> Float64Array:
    """Return the orthonormal DCT of eight values as a matrix."""
    n = np.arange(_GRID)
    matrix: Float64Array = np.cos(np.pi / _GRID * np.outer(n, n + 0.5)) * np.sqrt(2 / _GRID)
    matrix[0] /= np.sqrt(2)
    return matrix


@cache
def _agreements() -> tuple[Float64Array, Float64Array]:
    """Return, for each bin and step, the cosine of the distance, and whether it counts.

    Coefficients that are nearer to zero than to the first multiple say nothing.
    """
    levels = np.arange(_LARGEST * _BINS)[:, None] / _BINS
    counted = (levels > _STEPS / 2).astype(np.float64)
    return np.cos(2 * np.pi * levels / _STEPS) * counted, counted


def _noise(images: Sequence[Float64Array], lumas: Sequence[Float64Array]) -> float:
    """Return the standard deviation of white noise in the quietest blocks, or 0.

    Args:
        images: H, W each: a channel, or the difference of two.
        lumas: Of the same squares.
    """
    energies = [np.empty((2, 0))]
    for image, luma in zip(images, lumas, strict=True):
        if min(image.shape) < _NOISE_SIDE + 2:
            continue
        inner = image[1:-1, 1:-1]
        first = (inner - image[1:-1, :-2]) ** 2 + (inner - image[:-2, 1:-1]) ** 2
        second = np.diff(np.diff(image, 2, axis=0), 2, axis=1) ** 2
        # Of white noise of variance 1, the sums have 4 and 36 (Immerkaer 1996).
        means = [_blocks(each, _NOISE_SIDE).mean(axis=(1, 2)) for each in (first / 4, second / 36)]
        brightness = _blocks(luma[1:-1, 1:-1], _NOISE_SIDE).mean(axis=(1, 2))
        unclipped = (brightness > _UNCLIPPED[0]) & (brightness < _UNCLIPPED[1])
        energies.append(np.stack(means)[:, unclipped])
    found = np.concatenate(energies, axis=1)
    if found.shape[1] < _FEWEST_BLOCKS:
        return 0.0
    num_quiet = max(4, round(found.shape[1] * _QUIET))
    quiet = found[:, np.argsort(found[0], kind="stable")[:num_quiet]]
    first, second = np.sqrt(np.median(quiet, axis=1))
    is_white = _WHITE[0] * second < first < _WHITE[1] * second
    return float(second) if is_white else 0.0
