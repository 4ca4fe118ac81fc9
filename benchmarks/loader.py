"""Measure random 128² HR + 64² LR crops per second of one core: python benchmarks/loader.py.

The newest prepared ×2 set beside a data set that decodes PNG files at every crop, and
one that keeps the same PNG files in an LMDB (needs ``pip install lmdb``). Then, with
``--train``, the share of a compact training step that is spent waiting for data.
"""

import argparse
import io
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import torch

    from srgan_cli.data.store import Store


def rate(draw: Callable[[int], object], per_call: int, seconds: float) -> float:
    """Return crops per second of processor time."""
    draw(0)
    started, calls = time.process_time(), 0
    while time.process_time() - started < seconds:
        calls += 1
        draw(calls)
    return calls * per_call / (time.process_time() - started)


def decoding(pairs: Sequence[Callable[[], tuple[IO[bytes], IO[bytes]]]]) -> Callable[[int], object]:
    import torch

    random = np.random.default_rng(0)

    def draw(_: int) -> "list[torch.Tensor]":
        hr_file, lr_file = pairs[int(random.integers(len(pairs)))]()
        with hr_file, lr_file:
            hr, lr = (np.asarray(Image.open(file)) for file in (hr_file, lr_file))
        top, left = (int(random.integers(side - 63)) for side in lr.shape[:2])
        flips = [axis for axis in (0, 1) if random.random() < 0.5]
        crops = lr[top:, left:][:64, :64], hr[2 * top :, 2 * left :][:128, :128]
        return [torch.from_numpy(np.flip(crop, tuple(flips)).copy()) for crop in crops]

    return draw


def waiting(store: "Store", steps: int) -> tuple[float, float]:
    """Return seconds per step, and those of it that were spent waiting for a batch."""
    import torch

    from srgan_cli.config import TrainConfig, preset
    from srgan_cli.engine.devices.amp import Amp
    from srgan_cli.engine.training.patches import BatchesAhead, PatchSampler
    from srgan_cli.engine.training.schedule import plan_phases
    from srgan_cli.engine.training.trainer import Trainer

    config = TrainConfig(precision="fp32", steps=steps, pretrain=1, warmup=5)
    sampler = PatchSampler(store, "train", patch=config.patch, batch=config.batch, seed=0)
    batches = BatchesAhead(sampler, 1)
    trainer = Trainer(
        config, preset("compact", store.scale), Amp.create(torch.device("cpu"), "fp32"), None
    )
    (phase,) = plan_phases(config, sampler.steps)
    waited, started = 0.0, time.perf_counter()
    for step in range(steps):
        before = time.perf_counter()
        batch = batches.batch(step)
        waited += time.perf_counter() - before if step else 0
        trainer.step(phase, step, batch)
    return (time.perf_counter() - started) / steps, waited / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=60, help="that are written as PNG")
    parser.add_argument("--seconds", type=float, default=5, help="of processor time for each")
    parser.add_argument("--train", action="store_true", help="measure the wait of a step, too")
    options = parser.parse_args()

    import torch

    from srgan_cli.data.manifest import find_dataset
    from srgan_cli.data.store import Store
    from srgan_cli.engine.training.patches import PatchSampler

    torch.set_num_threads(1)
    store = Store(find_dataset(None)[0], 2)
    sampler = PatchSampler(store, "train", patch=64, batch=16, seed=0)
    ours = rate(sampler.batch, 16, options.seconds)
    print(f"srgan shards        {ours:9.0f} crops/s per core")
    pairs = [
        store.pair(entry)
        for entry in store.entries("train")[:: max(1, len(sampler) // options.images)]
    ]
    with tempfile.TemporaryDirectory() as folder:
        files, blobs = [], []
        for i, (lr, hr) in enumerate(pairs):
            paths = [Path(folder, f"{side}{i}.png") for side in ("hr", "lr")]
            for path, pixels in zip(paths, (hr, lr), strict=True):
                Image.fromarray(pixels.numpy()).save(path, compress_level=3)
            files.append(paths)
            blobs.append([path.read_bytes() for path in paths])
        peers = {"Pillow, PNG files": [lambda p=p: tuple(x.open("rb") for x in p) for p in files]}
        try:
            import lmdb
        except ImportError:
            print("PNG in LMDB: not measured, lmdb is not installed")
        else:
            base = lmdb.open(f"{folder}/set.lmdb", map_size=2**33)
            with base.begin(write=True) as transaction:
                for i, (hr, lr) in enumerate(blobs):
                    transaction.put(b"h%d" % i, hr)
                    transaction.put(b"l%d" % i, lr)
            read = base.begin()
            peers["PNG in LMDB"] = [
                lambda i=i: (io.BytesIO(read.get(b"h%d" % i)), io.BytesIO(read.get(b"l%d" % i)))
                for i in range(len(blobs))
            ]
        for name, images in peers.items():
            theirs = rate(decoding(images), 1, options.seconds)
            print(f"{name:18s} {theirs:9.1f} crops/s per core, {ours / theirs:.0f} times fewer")
    if options.train:
        step, waited = waiting(store, 30)
        print(
            f"compact step {1e3 * step:.0f} ms, waiting {1e3 * waited:.2f} ms: {waited / step:.2%}"
        )


if __name__ == "__main__":
    main()
