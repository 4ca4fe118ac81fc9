"""Random training patches, reproducible from the seed and the step alone."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from srgan_cli.data.manifest import Split
from srgan_cli.data.store import Store
from srgan_cli.errors import InputError


@dataclass(frozen=True, slots=True)
class Batch:
    """Training pairs."""

    lr: Tensor
    """uint8, B, H, W, 3."""
    hr: Tensor
    """uint8, B, scale·H, scale·W, 3."""


class PatchSampler:
    """Draws one random patch of every photograph per epoch, in an order of its own.

    A batch follows from ``(seed, step)`` alone, so that a resumed run sees the
    data that an uninterrupted one would have seen, with no state to save.

    Args:
        store: The data set.
        split: Which pictures to draw from.
        patch: Side of a patch, in LR pixels.
        batch: Patches per step.
        seed: Fixes order, places and orientations.

    Raises:
        InputError: A picture of the split is smaller than a patch.
    """

    def __init__(self, store: Store, split: Split, *, patch: int, batch: int, seed: int) -> None:
        self._pairs = []
        for entry in store.entries(split):
            lr, hr = store.pair(entry)
            if min(lr.shape[:2]) < patch:
                raise InputError(
                    f"{entry.source} is {lr.shape[1]}x{lr.shape[0]} at LR, "
                    f"smaller than a patch of {patch}",
                    hint=f"pass --patch {min(lr.shape[:2])} or less, "
                    "or prepare with a larger --min-side",
                )
            self._pairs.append((lr, hr))
        self._scale = store.manifest.scale
        self._patch, self._batch, self._seed = patch, batch, seed

    def __len__(self) -> int:
        """Return the number of photographs."""
        return len(self._pairs)

    def steps(self, epochs: int) -> int:
        """Return how many batches cover every photograph ``epochs`` times."""
        return -(-epochs * len(self._pairs) // self._batch)

    def batch(self, step: int) -> Batch:
        """Return the patches of one step, counted from 0."""
        places = range(step * self._batch, (step + 1) * self._batch)
        lr, hr = zip(*(self._patch_at(place) for place in places), strict=True)
        return Batch(torch.stack(lr), torch.stack(hr))

    def _patch_at(self, place: int) -> tuple[Tensor, Tensor]:
        """Return the patch at one place of the endless sequence of epochs."""
        epoch, position = divmod(place, len(self._pairs))
        lr, hr = self._pairs[_epoch_order(self._seed, epoch, len(self._pairs))[position]]
        random = np.random.default_rng((self._seed, 1, place))
        top = int(random.integers(lr.shape[0] - self._patch + 1))
        left = int(random.integers(lr.shape[1] - self._patch + 1))
        turn = int(random.integers(8))
        return (
            _turned(_crop(lr, top, left, self._patch), turn),
            _turned(_crop(hr, *(self._scale * n for n in (top, left, self._patch))), turn),
        )


@lru_cache(maxsize=4)  # A batch may straddle several epochs of a small set.
def _epoch_order(seed: int, epoch: int, size: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng((seed, 0, epoch)).permutation(size)


def _crop(image: Tensor, top: int, left: int, side: int) -> Tensor:
    return image[top : top + side, left : left + side]


def _turned(image: Tensor, turn: int) -> Tensor:
    """Apply one of the eight symmetries of the square to an H, W, C picture."""
    image = image.flip([axis for axis in (0, 1) if turn >> axis & 1])
    return image.transpose(0, 1) if turn & 4 else image
