"""Find images that look alike by perceptual hash and thumbnail. No torch here.

Perceptual hashes find candidates among millions of pairs. But bits that are almost undecided flip
easily, and images of little structure have many of these, so candidates are compared by their
thumbnails.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from srgan_cli.imaging.types import Float32Array, Float64Array, IndexArray, Uint8Image

NEAR = 80
"""Near-duplicates have hashes that differ in at most this many of 256 bits …"""
LIKENESS = 0.9
"""… and thumbnails whose gradients correlate by at least this."""

HASH_SIDE = 16
"""The perceptual hash has this many bits squared, the thumbnail this many pixels."""

_HASHED_SIDE = 8 * HASH_SIDE
_FAINT = 8.0
"""Gradients of a whole thumbnail that count as noise, in levels."""
_ROWS = 256


@dataclass(frozen=True, slots=True)
class Look:
    """What is compared of a photograph."""

    hash: str = ""
    """Perceptual hash (pHash, 256 bits), in hexadecimal."""
    thumbnail: str = ""
    """16×16 levels of grey, in hexadecimal."""

    @classmethod
    def of(cls, pixels: Uint8Image) -> "Look":
        """Look at an image.

        Args:
            pixels: H, W, 3, uint8.
        """
        # Lanczos is slow if it reduces far: most of the way is gone in cheap steps.
        step = max(1, min(pixels.shape[:2]) // (2 * _HASHED_SIDE))
        rows = np.asarray(Image.fromarray(pixels[::step]).convert("L"))
        small = Image.fromarray(rows[:, ::step])
        small = small.reduce(max(1, min(small.size) // _HASHED_SIDE))
        thumbnail = small.resize((HASH_SIDE, HASH_SIDE), Image.Resampling.BOX)
        return cls(phash(small), thumbnail.tobytes().hex())


def phash(grey: Image.Image) -> str:
    """Return the perceptual hash of an image, 256 bits in hexadecimal.

    Which of the lowest 16×16 frequencies of its reduction to 64×64 pixels exceed their median
    (pHash; Zauner 2010): that survives recompression and resizing. The bits are those of the
    package ImageHash.

    Args:
        grey: Mode L.
    """
    cosines = _cosines()
    pixels = np.asarray(grey.resize((len(cosines[0]),) * 2, Image.Resampling.LANCZOS), np.float64)
    # What would be 0 but for rounding errors is to be 0 on every machine.
    frequencies = (cosines @ pixels @ cosines.T).round(6)
    bits = frequencies > np.median(frequencies)
    return np.packbits(bits).tobytes().hex()


@cache
def _cosines() -> Float64Array:
    """Return the rows of the discrete cosine transform (type II) with the lowest frequencies."""
    length = 4 * HASH_SIDE
    odd = 2 * np.arange(length) + 1
    cosines: Float64Array = np.cos(np.pi / (2 * length) * np.outer(np.arange(HASH_SIDE), odd))
    return cosines


def near_duplicates(first: Sequence[Look], second: Sequence[Look]) -> IndexArray:
    """Return all pairs of which one photograph was probably made from the other.

    Returns:
        Indices into both, K, 2, in order.
    """
    hashes, others = (packed([look.hash for look in looks]) for looks in (first, second))
    pairs = similar_pairs(hashes, others, NEAR)
    likeness = (_outlines(first)[pairs[:, 0]] * _outlines(second)[pairs[:, 1]]).sum(axis=1)
    near: IndexArray = pairs[likeness >= LIKENESS]
    return near


def _outlines(looks: Sequence[Look]) -> Float32Array:
    """Return the gradients of thumbnails as vectors of length 1."""
    levels = np.frombuffer(bytes.fromhex("".join(look.thumbnail for look in looks)), np.uint8)
    images = levels.reshape(-1, HASH_SIDE, HASH_SIDE).astype(np.float32)
    size = HASH_SIDE * (HASH_SIDE - 1)
    gradients = [np.diff(images, axis=axis).reshape(-1, size) for axis in (1, 2)]
    # One more component: walls are like walls, and a wall is like nothing else.
    outlines = np.hstack([*gradients, np.full((len(images), 1), _FAINT, np.float32)])
    outlines /= np.linalg.norm(outlines, axis=1, keepdims=True)
    return outlines


def packed(hashes: Sequence[str]) -> npt.NDArray[np.uint64]:
    """Turn hexadecimal hashes into rows of machine words: N, 4."""
    words = [np.frombuffer(bytes.fromhex(text), np.uint64) for text in hashes]
    return np.stack(words) if words else np.empty((0, 4), np.uint64)


def similar_pairs(
    first: npt.NDArray[np.uint64], second: npt.NDArray[np.uint64], distance: int
) -> IndexArray:
    """Return all pairs of hashes that differ in at most ``distance`` bits.

    Args:
        first: Packed hashes, N, 4.
        second: Packed hashes, M, 4.
        distance: Bits.

    Returns:
        Indices into both, K, 2, in order.
    """
    found = [np.empty((0, 2), np.intp)]
    for start in range(0, len(first), _ROWS):
        rows = first[start : start + _ROWS]
        bits = np.zeros((len(rows), len(second)), np.uint16)
        for word in range(rows.shape[1]):  # A word at a time: the array of all would be large.
            bits += np.bitwise_count(rows[:, None, word] ^ second[None, :, word])
        found.append(np.argwhere(bits <= distance) + np.array([start, 0]))
    return np.concatenate(found)
