"""Samples per second of training, beside others: python benchmarks/train.py PHASE.

The same architecture, batch, crops and losses in every row, in turns, on all cores. PHASE
is ``pixel`` (L1), ``vanilla`` (L1, VGG16 and the SRGAN game) or ``wgan-gp`` (that game with
its penalty, which the two repositories do not have). ``--basicsr`` and ``--lornatang`` name
checkouts whose own training steps take part. ``--processor`` counts seconds of processor time
instead, for a machine that has other work too; workers that decode PNG files are then left out.
``overhead`` shows what averaging, logging and checkpoints cost, and what a step waits for data.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

import torch
import train_peers as peers
from PIL import Image

from srgan_cli.config import TrainConfig, preset
from srgan_cli.data.dataset import BatchesAhead, PatchSampler
from srgan_cli.data.manifest import find_dataset
from srgan_cli.data.store import Store
from srgan_cli.engine.amp import Amp
from srgan_cli.engine.discriminators import Discriminator
from srgan_cli.engine.models import Generator
from srgan_cli.engine.perceptual import load_perceptual
from srgan_cli.engine.schedule import plan_phases
from srgan_cli.engine.trainer import Trainer
from srgan_cli.observer import SilentObserver

Clock = Callable[[], float]

PATCH = 48
SUB_IMAGE = 480  # What BasicSR's and Lornatang's instructions cut photographs into.
STEPS_PER_RECORD = 10


class Ours:
    """``srgan train``'s own step and batches."""

    def __init__(
        self, store: Store, phase: str, precision: str, options: argparse.Namespace
    ) -> None:
        self.config = TrainConfig(
            steps=1_000_000,
            pretrain=float(phase == "pixel"),
            batch=options.batch,
            patch=PATCH,
            adversarial="wgan-gp" if phase == "pixel" else phase,
            discriminator_width=options.width,
            precision=precision,
            compile=options.compile,
        )
        features = None if phase == "pixel" else load_perceptual("vgg16", SilentObserver())
        amp = Amp.create(torch.device("cpu"), precision)
        self.trainer = Trainer(self.config, preset(options.preset, 2), amp, features)
        self.sampler = PatchSampler(store, "train", patch=PATCH, batch=options.batch, seed=0)
        (self.phase,) = plan_phases(self.config, self.sampler.steps)
        self.batches, self.steps = BatchesAhead(self.sampler, 1), count()
        self.waited = 0.0

    def take(self, num_steps: int) -> None:
        """Train, and read the losses as often as a run does."""
        pending = []
        for step, _ in zip(self.steps, range(num_steps), strict=False):
            started = time.perf_counter()
            batch = self.batches.batch(step)
            self.waited += time.perf_counter() - started
            pending.append(self.trainer.step(self.phase, step, batch))
            if len(pending) == STEPS_PER_RECORD:
                [float(value) for terms in pending for value in terms.values()]
                pending = []


def timed_ours(ours: Ours, clock: Clock, num_steps: int) -> float:
    ours.take(1)
    started = clock()
    ours.take(num_steps)
    return clock() - started


def timed_peer(
    take: peers.TakeSteps, batches: peers.Batches, clock: Clock, num_steps: int
) -> float:
    """Time steps in the midst of an epoch: workers start and fill their queues before."""
    given: Iterator = batches()
    take(given, 2)
    started = clock()
    take(given, num_steps)
    return clock() - started


def networks(options: argparse.Namespace) -> peers.Networks:
    torch.manual_seed(0)
    generator = Generator(preset(options.preset, 2))
    features = load_perceptual("vgg16", SilentObserver())
    return peers.Networks(generator, Discriminator(options.width), features)


def write_pngs(store: Store, folder: Path, num: int) -> list[tuple[Path, Path]]:
    found = []
    for index, entry in enumerate(store.entries("train")[:num]):
        paths = []
        for side, size in zip(store.pair(entry), (SUB_IMAGE // 2, SUB_IMAGE), strict=True):
            path = folder / f"{index}-{size}.png"
            Image.fromarray(side[:size, :size].numpy()).save(path, compress_level=3)
            paths.append(path)
        found.append(tuple(paths))
    return found


def contenders(
    store: Store, folder: Path, options: argparse.Namespace
) -> dict[str, Callable[[int], float]]:
    pairs = write_pngs(store, folder, 200)
    dataset = peers.PngPatches(pairs, PATCH, 2, length=10_000)
    batches = peers.png_batches(dataset, options.batch, workers=2)
    phase = options.phase
    plain = peers.plain_pixel(networks(options)) if phase == "pixel" else None
    takes = {"plain PyTorch": plain or peers.plain_adversarial(networks(options), phase)}
    if options.basicsr and phase != "wgan-gp":
        takes["BasicSR"] = peers.basicsr(options.basicsr, networks(options), phase)
    if options.lornatang and phase != "wgan-gp":
        takes["SRGAN-PyTorch"] = peers.lornatang(options.lornatang, networks(options), phase)
    clock = time.process_time if options.processor else time.perf_counter
    timed = {}
    for precision in ("bf16", "fp32"):
        timed[f"srgan, {precision}"] = partial(
            timed_ours, Ours(store, phase, precision, options), clock
        )
    for name, take in takes.items():
        timed[name] = partial(timed_peer, take, batches, clock)
    return timed


def race(store: Store, options: argparse.Namespace) -> None:
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        timed = contenders(store, Path(folder), options)
        for _ in range(options.rounds):
            for name, run in timed.items():
                rate = options.steps * options.batch / run(options.steps)
                rates.setdefault(name, []).append(rate)
    ours = statistics.median(rates["srgan, bf16"])
    exact = statistics.median(rates["srgan, fp32"])
    print(f"{options.phase}: batch {options.batch}, {options.rounds} × {options.steps} steps each")
    print("| | samples/s | least, most | srgan bf16 | srgan fp32 |\n|---|---|---|---|---|")
    for name, found in rates.items():
        middle = statistics.median(found)
        spread = f"{min(found):.1f}, {max(found):.1f}"
        print(
            f"| {name} | {middle:.1f} | {spread} | {ours / middle:.2f}× | {exact / middle:.2f}× |"
        )


def overhead(store: Store, options: argparse.Namespace) -> None:
    ours = Ours(store, "pixel", "bf16", options)
    ours.take(5)
    ours.waited = 0.0

    def mean(action: Callable[[], object], times: int) -> float:
        started = time.perf_counter()
        for _ in range(times):
            action()
        return (time.perf_counter() - started) / times

    step = mean(lambda: ours.take(1), 40)
    waited = ours.waited / 40
    terms = ours.trainer.step(ours.phase, 100, ours.sampler.batch(100))
    average = mean(lambda: ours.trainer._average(1000), 50)  # noqa: SLF001 - a part of the step
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "metrics.jsonl")

        def record() -> None:
            with log.open("a") as file:
                file.write(json.dumps({n: float(v) for n, v in terms.items()}) + "\n")

        logging = mean(record, 50) / STEPS_PER_RECORD
        path = Path(folder, "checkpoint.safetensors")
        save = mean(lambda: ours.trainer.snapshot({}).write(path), 5) / ours.config.validate_every
    print(f"compact step, batch {options.batch}, bf16: {1e3 * step:.1f} ms")
    parts = {"data wait": waited, "averaging": average, "logging": logging, "checkpoint": save}
    for name, seconds in parts.items():
        print(f"{name:10s} {1e3 * seconds:7.3f} ms, {seconds / step:.3%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("phase", choices=["pixel", "vanilla", "wgan-gp", "overhead"])
    parser.add_argument("--data", help="prepared ×2 set; the newest when not given")
    parser.add_argument("--basicsr", type=Path)
    parser.add_argument("--lornatang", type=Path)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--processor", action="store_true")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--preset", default="compact")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    store = Store(find_dataset(options.data)[0], 2)
    (overhead if options.phase == "overhead" else race)(store, options)


if __name__ == "__main__":
    main()
