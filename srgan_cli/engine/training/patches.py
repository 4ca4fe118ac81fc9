"""Sample training patches; which ones depends on the seed and the step only."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from srgan_cli.data.manifest import Split
from srgan_cli.data.store import Store
from srgan_cli.engine.training.teacher import TeacherCache
from srgan_cli.errors import InputError
from srgan_cli.imaging.degrade import degrade
from srgan_cli.imaging.types import Float64Array, Uint8Image


@dataclass(frozen=True, slots=True)
class Batch:
    """Training pairs."""

    lr: Tensor
    """uint8, B, H, W, 3."""
    hr: Tensor
    """uint8, B, scale·H, scale·W, 3."""
    judged: Float64Array | None = None
    """How much discriminator and features count each patch: B, with a mean of 1 over all
    processes (0 if nothing is judged); None is all alike."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a patch comes from, in LR pixels."""

    photograph: int
    """Number of its photograph in the split."""
    top: int
    left: int
    turn: int
    """Which of the eight symmetries of the square it is shown in, as :func:`_turn` does."""


class PatchSampler:
    """Draws one random patch of every photograph per epoch, in an order of its own.

    A batch follows from ``(seed, step)`` alone, so that a resumed run sees the
    data that an uninterrupted one would have seen, with no state to save.

    Args:
        store: The data set.
        split: Which images to draw from.
        patch: Side of a patch, in LR pixels.
        batch: Patches per step.
        seed: Fixes order, places, orientations and degradations.
        detail: Places to choose from for each patch; the more detail one has, the more
            likely it is taken. 1 takes every place alike.
        share: Which places of each batch to make; all unless several processes share it.
        degrade: ``none`` takes the prepared LR images; ``mild`` and ``strong`` make LR
            from HR as :func:`srgan_cli.imaging.degrade.degrade` does.
        degrade_share: Chance of each patch to be degraded.
        judge: ``clean`` says in each batch that degraded patches are not to be judged.
        taught: Patches with what a teacher made of them, to take instead of new degraded ones.

    Raises:
        InputError: An image of the split is smaller than a patch.
    """

    def __init__(
        self,
        store: Store,
        split: Split,
        *,
        patch: int,
        batch: int,
        seed: int,
        degrade: str = "none",
        degrade_share: float = 1.0,
        judge: str = "all",
        taught: TeacherCache | None = None,
        detail: int = 1,
        share: slice = slice(None),
    ) -> None:
        self._pairs: list[tuple[Tensor, Tensor]] = []
        for entry in store.entries(split):
            lr, hr = store.pair(entry)
            if min(lr.shape[:2]) < patch:
                raise InputError(
                    f"{entry.source}: its LR image of {lr.shape[1]}x{lr.shape[0]} pixels "
                    f"is smaller than --patch {patch}",
                    hint=f"pass --patch {min(lr.shape[:2])} or less, "
                    "or prepare with a larger --min-side",
                )
            self._pairs.append((lr, hr))
        self._scale = store.scale
        self._patch, self._batch, self._seed = patch, batch, seed
        self._degrade, self._degrade_share, self._detail = degrade, degrade_share, detail
        self._judge, self._share, self._taught = judge, range(batch)[share], taught

    def __len__(self) -> int:
        """Return the number of photographs."""
        return len(self._pairs)

    def steps(self, epochs: int) -> int:
        """Return how many batches cover every photograph ``epochs`` times."""
        return -(-epochs * len(self._pairs) // self._batch)

    @property
    def pairs(self) -> list[tuple[Tensor, Tensor]]:
        """LR and HR pixels of every photograph: uint8, H, W, 3."""
        return self._pairs

    @property
    def as_prepared(self) -> bool:
        """Whether patches are the pixels of the data set: neither damaged nor a teacher's."""
        return self._degrade == "none" and self._taught is None

    @property
    def patch(self) -> int:
        """Side of a patch, in LR pixels."""
        return self._patch

    def batch(self, step: int) -> Batch:
        """Return this share of the patches of one step, counted from 0."""
        batch = self._room()
        places = self.places(step)
        for place, lr, hr in zip(places, batch.lr.numpy(), batch.hr.numpy(), strict=True):
            self._cut(place, lr, hr)
        return batch if self.as_prepared else self._changed(batch, step)

    def places(self, step: int) -> list[Place]:
        """Return where this share of the patches of one step comes from."""
        # One generator per step: making one costs as much as cutting a patch.
        draws = np.random.default_rng((self._seed, 1, step)).random((self._batch, 3))
        if self._detail > 1:
            random = np.random.default_rng((self._seed, 3, step))
            more = random.random((self._batch, self._detail, 2))
            for i in self._share:
                draws[i, :2] = self._detailed(step * self._batch + i, draws[i, :2], more[i])
        return [self._place(step * self._batch + i, *draws[i]) for i in self._share]

    def _place(self, number: int, down: float, right: float, way: float) -> Place:
        """Say where one patch of the endless sequence of epochs comes from.

        Args:
            number: Of the patch, from the first epoch on.
            down: Where to cut, from 0 (top) to 1 (bottom).
            right: Where to cut, from 0 (left) to 1 (right).
            way: Which way round, from 0 to 1.
        """
        photograph = self._photograph(number)
        top, left = self._corner(self._pairs[photograph][0], down, right)
        return Place(photograph, top, left, int(way * 8))

    def _photograph(self, number: int) -> int:
        """Return which photograph one patch of the endless sequence of epochs is cut from."""
        epoch, position = divmod(number, len(self._pairs))
        return int(_epoch_order(self._seed, epoch, len(self._pairs))[position])

    def _room(self) -> Batch:
        sides = (self._patch, self._scale * self._patch)
        lr, hr = (torch.empty(len(self._share), side, side, 3, dtype=torch.uint8) for side in sides)
        return Batch(lr, hr)

    def _cut(self, place: Place, lr_patch: Uint8Image, hr_patch: Uint8Image) -> None:
        """Copy the pixels of a patch."""
        lr, hr = self._pairs[place.photograph]
        corner = (place.top, place.left, self._patch)
        _turn(_crop(lr, *corner), place.turn, lr_patch)
        _turn(_crop(hr, *(self._scale * n for n in corner)), place.turn, hr_patch)

    def _corner(self, lr: Tensor, down: float, right: float) -> tuple[int, int]:
        height, width, _ = lr.shape
        return int(down * (height - self._patch + 1)), int(right * (width - self._patch + 1))

    def _detailed(self, number: int, first: Float64Array, more: Float64Array) -> Float64Array:
        """Choose among several places, each as likely as it has detail.

        Sampling by importance (Rubin 1987) needs no map of every photograph, nor a pass
        over the set to make one: it looks at a few patches where one is wanted.

        Args:
            number: Of the patch, from the first epoch on.
            first: Where to cut, from 0 to 1, as it would be without a choice.
            more: Further places to cut, but for the last row, whose first number chooses.
        """
        lr, _ = self._pairs[self._photograph(number)]
        places: list[Float64Array] = [first, *more[:-1]]
        weights = [_detail(_crop(lr, *self._corner(lr, *at), self._patch)) for at in places]
        reached = np.cumsum(weights)
        chosen = int(np.searchsorted(reached, more[-1, 0] * reached[-1], side="right"))
        return places[chosen]

    def _changed(self, batch: Batch, step: int) -> Batch:
        """Make LR patches anew, as damaged as the world's images are, or take the teacher's."""
        lr = batch.lr.clone()
        randoms = [np.random.default_rng((self._seed, 2, step, i)) for i in range(self._batch)]
        share = self._degrade_share
        clean = np.array([share < 1 and random.random() >= share for random in randoms])
        for row, i, hr in zip(lr.numpy(), self._share, batch.hr.numpy(), strict=True):
            if clean[i]:
                continue
            if self._taught is None:
                row[:] = degrade(hr, self._scale, self._degrade, randoms[i])
            else:
                self._taught.cut(randoms[i], row, hr)
        if self._judge == "all":
            return Batch(lr, batch.hr)
        weights = clean / max(clean.mean(), 1e-9)
        return Batch(lr, batch.hr, weights[self._share])


class BatchesAhead:
    """Makes the next batches on other threads while the current one is trained on.

    Args:
        sampler: Where they come from.
        num_ahead: How many to make ahead, each on a thread of its own.
        pinned: Whether to put them into memory from which a GPU copies by itself.
    """

    def __init__(self, sampler: PatchSampler, num_ahead: int, *, pinned: bool = False) -> None:
        self._sampler, self._num_ahead, self._pinned = sampler, num_ahead, pinned
        self._pool = ThreadPoolExecutor(num_ahead, thread_name_prefix="batches")
        self._made: dict[int, Future[Batch]] = {}

    def batch(self, step: int) -> Batch:
        """Return the patches of one step; steps may be asked for in any order."""
        wanted = range(step, step + self._num_ahead + 1)
        self._made = {n: self._made.get(n) or self._pool.submit(self._make, n) for n in wanted}
        return self._made[step].result()

    def _make(self, step: int) -> Batch:
        batch = self._sampler.batch(step)
        if self._pinned:
            return replace(batch, lr=batch.lr.pin_memory(), hr=batch.hr.pin_memory())
        return batch


def example_sheet(batch: Batch, num_pairs: int = 8) -> Uint8Image:
    """Lay LR patches, upscaled to see their pixels, under their HR ones: H, W, 3."""
    scale = batch.hr.shape[1] // batch.lr.shape[1]
    large = batch.lr.repeat_interleave(scale, 1).repeat_interleave(scale, 2)
    rows = [torch.cat(tuple(side[:num_pairs]), dim=1) for side in (batch.hr, large)]
    return torch.cat(rows).numpy()


@lru_cache(maxsize=4)  # A batch may straddle several epochs of a small set.
def _epoch_order(seed: int, epoch: int, size: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng((seed, 0, epoch)).permutation(size)


def _crop(image: Tensor, top: int, left: int, side: int) -> Tensor:
    return image[top : top + side, left : left + side]


def _detail(patch: Tensor) -> float:
    """Return a patch's mean absolute gradient, in levels of green; a little for a flat one."""
    green = patch[..., 1].numpy().astype(np.int16)
    slopes = (np.abs(np.diff(green, axis=axis)).mean() for axis in (0, 1))
    return float(sum(slopes)) + 0.1


def _turn(image: Tensor, turn: int, result: Uint8Image) -> None:
    """Copy an H, W, 3 image in one of the eight symmetries of the square."""
    pixels = np.ascontiguousarray(image.numpy())  # Rows that lie apart are slow to read across.
    if turn & 1:
        pixels = pixels[::-1]
    if turn & 2:
        pixels = pixels[:, ::-1]
    if turn & 4:
        pixels = pixels.transpose(1, 0, 2)
    # Long runs of single bytes are copied faster than runs of three.
    for channel in range(3):
        result[..., channel] = pixels[..., channel]
