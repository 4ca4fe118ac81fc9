"""The contenders of ``benchmarks/train.py``, each in a process of its own, and their turns."""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import torch
import train_peers as peers
from PIL import Image
from torch import nn

from srgan_cli.allocator import keep_freed_memory
from srgan_cli.config import LossWeights, TrainConfig, preset
from srgan_cli.data.manifest import find_dataset
from srgan_cli.data.store import Store
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.networks.dense import DenseNetwork
from srgan_cli.engine.networks.discriminators import Discriminator
from srgan_cli.engine.networks.vgg import load_perceptual
from srgan_cli.engine.training.patches import BatchesAhead, PatchSampler
from srgan_cli.engine.training.schedule import plan_phases
from srgan_cli.engine.training.trainer import Trainer
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
            weights=LossWeights(fft=0),  # Which the peers do not have.
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
        for _, step in zip(range(num_steps), self.steps, strict=False):
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
    generator = DenseNetwork(preset(options.preset, 2))
    discriminator = Discriminator(options.width)
    for part in ("features", "head"):
        layers = (
            layer if list(layer.parameters()) else nn.LeakyReLU(0.2)  # PyTorch's own.
            for layer in getattr(discriminator, part)
        )
        setattr(discriminator, part, nn.Sequential(*layers))
    features = load_perceptual("vgg16", SilentObserver())
    return peers.Networks(generator, discriminator, features)


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


def measure(options: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    options.threads = options.threads or torch.get_num_threads()
    own = Amp.create(torch.device("cpu"), "auto").precision
    options.precision = options.precision or list(dict.fromkeys([own, "fp32"]))
    torch.set_num_threads(options.threads)
    store = Store(find_dataset(options.data)[0], 2)
    (overhead if options.phase == "overhead" else race)(store, options)


def rows(options: argparse.Namespace) -> list[str]:
    named = [f"srgan, {precision}" for precision in options.precision]
    named.append("plain PyTorch")
    if options.phase != "wgan-gp":
        named += ["BasicSR"] if options.basicsr else []
        named += ["SRGAN-PyTorch"] if options.lornatang else []
    return named


def contender(
    name: str, pairs: list[tuple[Path, Path]], options: argparse.Namespace
) -> Callable[[int], float]:
    """Return what takes a number of steps and says how many seconds they took."""
    clock = time.process_time if options.processor else time.perf_counter
    phase = options.phase
    if name.startswith("srgan"):
        keep_freed_memory()  # As train() does.
        ours = Ours(Store(find_dataset(options.data)[0], 2), phase, name[-4:], options)
        return partial(timed_ours, ours, clock)
    given = networks(options)
    match name:
        case "BasicSR":
            take = peers.basicsr(options.basicsr, given, phase)
        case "SRGAN-PyTorch":
            take = peers.lornatang(options.lornatang, given, phase)
        case _ if phase == "pixel":
            take = peers.plain_pixel(given)
        case _:
            take = peers.plain_adversarial(given, phase)
    dataset = peers.PngPatches(pairs, PATCH, 2, length=10_000)
    batches = peers.png_batches(dataset, options.batch, workers=2)
    return partial(timed_peer, take, batches, clock)


def serve(
    orders: Connection, name: str, pairs: list[tuple[Path, Path]], options: argparse.Namespace
) -> None:
    """Time as many steps as the other end asks for, until it asks for none."""
    torch.set_num_threads(options.threads)
    run = contender(name, pairs, options)
    orders.send(None)
    while num_steps := orders.recv():
        orders.send(run(num_steps))


def race(store: Store, options: argparse.Namespace) -> None:
    """Give each contender a process of its own, and let them take turns."""
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        pairs = write_pngs(store, Path(folder), 200)
        context, lines = get_context("spawn"), {}
        for name in rows(options):
            lines[name], other = context.Pipe()
            context.Process(target=serve, args=(other, name, pairs, options)).start()
            lines[name].recv()
        for _ in range(options.rounds):
            for name, line in lines.items():
                line.send(options.steps)
                rates.setdefault(name, []).append(options.steps * options.batch / line.recv())
        for line in lines.values():
            line.send(0)
    first = next(iter(rates))
    print(f"{options.phase}: batch {options.batch}, {options.rounds} × {options.steps} steps each")
    print(f"| | samples/s | least, most | {first} is |\n|---|---|---|---|")
    for name, found in rates.items():
        middle = statistics.median(found)
        ratio = statistics.median(rates[first]) / middle
        print(f"| {name} | {middle:.1f} | {min(found):.1f}, {max(found):.1f} | {ratio:.2f}× |")


def overhead(store: Store, options: argparse.Namespace) -> None:
    keep_freed_memory()
    for phase, num_steps in (("pixel", 4 * options.steps), ("wgan-gp", options.steps)):
        parts_of_a_step(Ours(store, phase, options.precision[0], options), phase, num_steps)


def parts_of_a_step(ours: Ours, phase: str, num_steps: int) -> None:
    def mean(action: Callable[[], object], times: int) -> float:
        started = time.perf_counter()
        for _ in range(times):
            action()
        return (time.perf_counter() - started) / times

    ours.take(2)
    ours.waited = 0.0
    step = mean(lambda: ours.take(1), num_steps)
    waited = ours.waited / num_steps
    terms = ours.trainer.step(ours.phase, 100, ours.sampler.batch(100))
    average = mean(lambda: ours.trainer._average(1000), 50)  # noqa: SLF001 - a part of the step
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "metrics.jsonl")

        def record() -> None:
            with log.open("a") as file:
                file.write(json.dumps({n: float(v) for n, v in terms.items()}) + "\n")

        logging = mean(record, 50) / STEPS_PER_RECORD
        path = Path(folder, "checkpoint.safetensors")
        save = mean(lambda: ours.trainer.snapshot({}).write(path), 5) / 500  # Steps between two.
    precision = ours.trainer.amp.precision
    print(f"{phase} step, batch {ours.config.batch}, {precision}: {1e3 * step:.1f} ms")
    parts = {"data wait": waited, "averaging": average, "logging": logging, "checkpoint": save}
    for name, seconds in parts.items():
        print(f"{name:10s} {1e3 * seconds:7.3f} ms, {seconds / step:.3%}")
