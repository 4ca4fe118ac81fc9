"""Which photographs look alike, by their perceptual hashes. No torch here."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

NEAR = 48
"""Photographs whose hashes differ in at most this many of 256 bits are near-duplicates."""

_ROWS = 256


def packed(hashes: Sequence[str]) -> npt.NDArray[np.uint64]:
    """Turn hexadecimal hashes into rows of machine words: N, 4."""
    words = [np.frombuffer(bytes.fromhex(text), np.uint64) for text in hashes]
    return np.stack(words) if words else np.empty((0, 4), np.uint64)


def similar_pairs(
    first: npt.NDArray[np.uint64], second: npt.NDArray[np.uint64], distance: int
) -> npt.NDArray[np.intp]:
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
