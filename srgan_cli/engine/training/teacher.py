"""Compute a teacher's results for patches once, before a run (``srgan train --teacher``).

Knowledge distillation (Hinton et al. 2015) for restoration: a large network that restores well
shows a small one what to make of its input, damaged or not. A teacher takes a hundred times as long
as a training step, so its results are kept on disk, for every run with the same teacher, data set,
degradation and seed.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from srgan_cli.config import TrainConfig
from srgan_cli.data.store import Store
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.devices.ranks import Ranks
from srgan_cli.engine.inference.upscaler import Upscaler
from srgan_cli.engine.models.shelf import find_model
from srgan_cli.engine.models.weights import Model, load_model
from srgan_cli.engine.training.forecast import duration
from srgan_cli.errors import InputError, ResourceError
from srgan_cli.imaging.degrade import degrade
from srgan_cli.imaging.levels import to_levels
from srgan_cli.imaging.resize import resample
from srgan_cli.imaging.types import Uint8Image
from srgan_cli.observer import Observer, SilentBar
from srgan_cli.paths import file_sha256, teachers_dir, written_beside

SIDE = 48
"""LR pixels of a side, so that a training patch can be cut from many places of it."""
CHUNK = 32
"""Patches of one file: what an interruption costs at most."""
_PROBED = 2


@dataclass(frozen=True, slots=True)
class Lessons:
    """What decides every patch of a cache: its key, but for how many patches there are."""

    teacher: str
    """SHA-256 of the teacher's file, or of each of them."""
    data: str
    """Fingerprint of the data set."""
    scale: int
    degrade: str
    seed: int
    side: int
    """LR pixels of a side."""
    precision: str
    """What the teacher computes in."""

    @property
    def folder(self) -> Path:
        """Where the patches are kept."""
        text = json.dumps(asdict(self), sort_keys=True)
        return teachers_dir() / hashlib.sha256(text.encode()).hexdigest()[:16]

    def num_bytes(self, num_patches: int) -> int:
        """Return the size of that many patches on disk."""
        return 3 * num_patches * self.side**2 * (1 + self.scale**2)


class TeacherCache:
    """LR patches, damaged or as they were prepared, and what a teacher made of each.

    Patch ``i`` follows from the lessons and ``i`` alone, so a cache that was interrupted goes on
    where it was, a larger one begins with a smaller one, and processes share the work by chunk.

    Args:
        lessons: What decides the patches.
        num_patches: How many there are; rounded up to whole chunks.
        store: The data set, of the same scale.
        original_share: Share of the original in each target, from 0 (the teacher alone) to 1.
        about: What weights that learned from it say of the teacher: name, SHA-256, licence.

    Raises:
        InputError: No training image is large enough for a patch.
    """

    def __init__(
        self,
        lessons: Lessons,
        num_patches: int,
        store: Store,
        *,
        original_share: float = 0.0,
        about: Mapping[str, str | None] | None = None,
    ) -> None:
        self.lessons, self.about, self._share = lessons, dict(about or {}), original_share
        self._num_chunks = -(-num_patches // CHUNK)
        entries = store.entries("train")
        pairs = map(store.pair, entries)
        self._pairs = [(lr, hr) for lr, hr in pairs if min(lr.shape[:2]) >= lessons.side]
        self._chunks: dict[int, tuple[Tensor, Tensor]] = {}
        if not self._pairs:
            raise InputError(
                f"no training image has the {lessons.side}×{lessons.side} LR pixels of --teacher",
                hint="prepare larger images",
            )

    def __len__(self) -> int:
        """Return the number of patches."""
        return self._num_chunks * CHUNK

    def missing(self) -> list[int]:
        """Return the chunks that are still to be made; those that can be read are opened."""
        return [number for number in range(self._num_chunks) if not self._opened(number)]

    def fill(
        self,
        missing: Sequence[int],
        upscaler: Upscaler,
        name: str,
        ranks: Ranks,
        observer: Observer,
    ) -> None:
        """Make what is missing, in all processes.

        Args:
            missing: The chunks, the same in every process.
            upscaler: The teacher.
            name: What it is called.
            ranks: The processes.
            observer: Told of the time and of progress.

        Raises:
            ResourceError: The disk is full, or the teacher gives numbers that are not finite.
        """
        self._announce(upscaler, name, len(missing), ranks, observer)
        mine = missing[ranks.rank :: ranks.size]
        with observer.bar(f"teacher {name}", total=len(mine) * CHUNK, unit="patches") as bar:
            for number in mine:
                self._make(number, upscaler)
                bar.advance(CHUNK)
        ranks.wait()
        if lost := self.missing():
            raise ResourceError(
                f"{self._path(lost[0])}: cannot be read, although it was written",
                hint="all processes must share one user data directory",
            )

    def cut(self, random: np.random.Generator, lr: Uint8Image, hr: Uint8Image) -> None:
        """Fill a pair of patches from a random place of a random patch, in a random orientation.

        Args:
            random: Fixes all that is drawn.
            lr: P, P, 3, with P no larger than the lessons' side; written to.
            hr: scale·P, scale·P, 3; written to.
        """
        index, turn = int(random.integers(len(self))), int(random.integers(8))
        side, scale = len(lr), self.lessons.scale
        top, left = (int(n) for n in random.integers(0, self.lessons.side - side + 1, 2))
        inputs, targets = (tensor[index % CHUNK].numpy() for tensor in self._chunks[index // CHUNK])
        target = targets[scale * top :, scale * left :][: scale * side, : scale * side]
        if self._share:
            original = self._clean(index)[1][scale * top :, scale * left :]
            both = (1 - self._share) * target + self._share * original[: len(hr), : len(hr)]
            target = to_levels(both)
        lr[:] = _turned(inputs[top : top + side, left : left + side], turn)
        hr[:] = _turned(target, turn)

    def _announce(
        self, upscaler: Upscaler, name: str, chunks: int, ranks: Ranks, observer: Observer
    ) -> None:
        size = self.lessons.num_bytes(chunks * CHUNK)
        folder = self.lessons.folder
        folder.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(folder).free < size:
            raise ResourceError(
                f"{folder}: not enough disk space for {size / 1e6:,.0f} MB of teacher results",
                hint="free some disk space, or pass a smaller --teacher-patches",
            )
        probe = self._input(0)
        for _ in range(_PROBED):
            started = time.perf_counter()
            upscaler.upscale(probe, SilentBar())
            seconds = time.perf_counter() - started
        takes = duration(seconds * chunks * CHUNK / ranks.size)
        observer.say(
            f"teacher: {name} upscales {chunks * CHUNK:,} of {len(self):,} patches first, "
            f"about {takes}; {size / 1e6:,.0f} MB in {folder}"
        )

    def _make(self, number: int, upscaler: Upscaler) -> None:
        side = self.lessons.side * self.lessons.scale
        inputs, targets = [], []
        for index in range(number * CHUNK, (number + 1) * CHUNK):
            lr = self._input(index)
            sr = upscaler.upscale(lr, SilentBar())
            inputs.append(lr)
            targets.append(sr if len(sr) == side else to_levels(resample(sr, side, side)))
        tensors = {"lr": _stacked(inputs), "hr": _stacked(targets)}
        path = self._path(number)
        try:
            with written_beside(path) as temporary:
                save_file(tensors, temporary)
        except (OSError, SafetensorError) as error:
            raise ResourceError(
                f"{path}: {getattr(error, 'strerror', None) or error}",
                hint="free some disk space and run the same command again: what is done is kept",
            ) from error

    def _opened(self, number: int) -> bool:
        """Open a chunk; say whether it is there and whole."""
        if number in self._chunks:
            return True
        side, scale = self.lessons.side, self.lessons.scale
        try:
            with safe_open(self._path(number), framework="pt") as file:
                pair = (file.get_tensor("lr"), file.get_tensor("hr"))
        except (OSError, SafetensorError):
            return False
        shapes = [(CHUNK, factor * side, factor * side, 3) for factor in (1, scale)]
        whole = all(t.dtype == torch.uint8 for t in pair) and [tuple(t.shape) for t in pair]
        if whole != shapes:
            return False
        self._chunks[number] = pair
        return True

    def _path(self, number: int) -> Path:
        return self.lessons.folder / f"{number:05}.safetensors"

    def _clean(self, index: int) -> tuple[Uint8Image, Uint8Image]:
        """Return the prepared LR and HR pixels of a patch."""
        random = np.random.default_rng((self.lessons.seed, 4, index))
        epoch, position = divmod(index, len(self._pairs))
        order = np.random.default_rng((self.lessons.seed, 5, epoch)).permutation(len(self._pairs))
        lr, hr = self._pairs[order[position]]
        scale, side = self.lessons.scale, self.lessons.side
        top, left = (int(random.integers(0, length - side + 1)) for length in lr.shape[:2])
        small = lr[top:, left:][:side, :side].numpy()
        large = hr[scale * top :, scale * left :][: scale * side, : scale * side].numpy()
        return small, large

    def _input(self, index: int) -> Uint8Image:
        """Return the LR pixels that the teacher upscales."""
        lr, hr = self._clean(index)
        if self.lessons.degrade == "none":
            return lr
        random = np.random.default_rng((self.lessons.seed, 6, index))
        return degrade(hr, self.lessons.scale, self.lessons.degrade, random)


def ask_teacher(
    config: TrainConfig, store: Store, amp: Amp, ranks: Ranks, observer: Observer
) -> TeacherCache | None:
    """Return the teacher's results that a run learns from, computing those that are missing.

    Raises:
        InputError: There is no such model, or no training image is large enough.
        WeightsError: The teacher cannot be used.
        ResourceError: The disk is full, or the teacher gives numbers that are not finite.
    """
    if config.teacher is None:
        return None
    source = find_model(config.teacher, store.scale)
    teacher = load_model(source)
    about = identity(source.name, teacher)
    lessons = Lessons(
        str(about["sha256"]),
        store.manifest.fingerprint,
        store.scale,
        config.degrade,
        config.seed,
        max(SIDE, config.patch),
        amp.precision,
    )
    cache = TeacherCache(
        lessons,
        config.teacher_patches,
        store,
        original_share=config.original_share,
        about=about,
    )
    # One looks for all: a process that is late would find what another has already made.
    if missing := ranks.agreed(cache.missing()):
        upscaler = Upscaler(teacher, amp, runtime="auto")
        cache.fill(missing, upscaler, source.name, ranks, observer)
    return cache


def identity(name: str, teacher: Model) -> dict[str, str | None]:
    """Say which model a teacher is: name, SHA-256 of its files, licence."""
    sha256 = "+".join(file_sha256(path) for path in teacher.files)
    return {"name": name, "sha256": sha256, "licence": teacher.licence}


def _stacked(patches: Sequence[Uint8Image]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.stack(patches)))


def _turned(pixels: Uint8Image, turn: int) -> Uint8Image:
    """Show a patch in one of the eight symmetries of the square."""
    turned = np.rot90(pixels, turn % 4)
    return turned[:, ::-1] if turn & 4 else turned
