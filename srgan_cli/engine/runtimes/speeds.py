"""How fast each runtime runs a form of network on this machine: measured once, then remembered.

What is remembered decides what ``auto`` takes, so that the same command gives the same pixels.
"""

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Self

import torch
from filelock import Timeout
from torch import Tensor, nn

from srgan_cli import __version__
from srgan_cli.engine.devices.accelerators import VulkanDevice
from srgan_cli.paths import home, write_text
from srgan_cli.processes import Node, locked, processor_name
from srgan_cli.records import read_json
from srgan_cli.typed import RecordError

FORMAT = 2
"""Number of the form of the file; it changes where a field changes its meaning."""
_FILE = "speeds.json"
_PACKAGES = ("torch", "ncnn", "onnx", "onnxruntime", "openvino")
_MOST = 200  # Forms that are remembered; the oldest go.
_WAIT = 120.0  # Seconds for another process that measures.
_SIDES = (32, 192)  # LR pixels of what is measured, at least and at most.
_EACH = 0.15  # Seconds that a run takes, about.
_ROUNDS = 2
_MOST_CORES = 16  # That are kept busy.

Run = Callable[[Tensor], object]
_only_read = ContextVar("only_read", default=False)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a measurement holds for."""

    processor: str
    """Model of the processor or GPU, and the instructions that PyTorch uses of it."""
    network: str
    """SHA-256 of the network's form: the names and shapes of its parameters; for a GPU with Vulkan
    of their values, too, since results were checked with these."""
    versions: dict[str, str]
    """Of srgan and of the runtimes that are installed."""

    @classmethod
    def of(cls, network: nn.Module, device: torch.device) -> Self:
        """Describe a network on a device."""
        return cls(processor_of(device), _form_of(network).hexdigest(), _versions())

    @classmethod
    def on_vulkan(cls, network: nn.Module, device: VulkanDevice) -> Self:
        """Describe a network, in fp32 on the CPU, on a GPU with Vulkan and its driver."""
        digest = _form_of(network)
        for tensor in network.state_dict().values():
            digest.update(tensor.contiguous().numpy().tobytes())
        return cls(f"{device.name}, driver {device.driver}", digest.hexdigest(), _versions())


@dataclass(frozen=True, slots=True)
class Measurement:
    """How long each way to run a network takes for the same pixels."""

    subject: Subject
    seconds: dict[str, float]
    """By runtime and precision, such as ``onnxruntime fp32``; of one core's time on a CPU while all
    are at work. Of a GPU with Vulkan: of its check against the CPU, and of both in the race between
    them."""
    date: str
    """When it was measured, UTC."""


@dataclass(frozen=True, slots=True)
class _Remembered:
    format: int
    measurements: tuple[Measurement, ...]


def may_measure() -> bool:
    """Say whether ``SRGAN_MEASURE=0`` forbids to measure and to remember."""
    return os.environ.get("SRGAN_MEASURE", "") != "0"


def remembered(subject: Subject) -> Mapping[str, float]:
    """Return the seconds of each way to run a network, or nothing where they are not known."""
    if not may_measure():
        return {}
    return next((one.seconds for one in _read() if one.subject == subject), {})


def learn(subject: Subject, measure: Callable[[], Mapping[str, float]]) -> None:
    """Measure what is not remembered yet, and remember it.

    Of several processes one measures while the others wait. Where nothing can be written, nothing
    is measured: it could come out another way the next time.
    """
    if not may_measure() or _only_read.get() or remembered(subject):
        return
    with suppress(OSError, Timeout), _opened():
        if not remembered(subject):
            _add(subject, measure())


def remember(subject: Subject, seconds: Mapping[str, float]) -> None:
    """Add to what is remembered of a network, where that is allowed and can be written."""
    if may_measure() and not _only_read.get():
        with suppress(OSError, Timeout), _opened():
            _add(subject, seconds)


@contextmanager
def only_read() -> Iterator[None]:
    """Measure and remember nothing meanwhile; what is remembered already is used."""
    token = _only_read.set(True)
    try:
        yield
    finally:
        _only_read.reset(token)


def forget(subject: Subject) -> None:
    """Forget what was measured for a network on a processor, with any versions."""
    forgotten = (subject.processor, subject.network)
    with suppress(OSError, Timeout), _opened():
        kept = [one for one in _read() if (one.subject.processor, one.subject.network) != forgotten]
        _write(kept)


def processor_of(device: torch.device) -> str:
    """Name the processor or GPU, and what PyTorch uses of it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    named = processor_name()
    if device.type != "cpu":
        return f"{device.type} of {named}"
    return f"{named}, {platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"


def in_turns(runs: Mapping[str, Run], align: int, device: torch.device) -> dict[str, float]:
    """Time several ways to do the same on random images, in turns.

    On a CPU each runs on every core at once, as the tiles of a large image do, which share the
    cache; what counts is the processor's time, which other programs disturb little. On other
    devices it is the wall clock of one.

    Args:
        runs: Each upscales 1, 3, H, W; one that fails is left out.
        align: Sides are multiples of it.
        device: Where they run.

    Returns:
        The least seconds of each for one image, all of the same size.
    """
    on_cpu = device.type == "cpu"
    count = min(Node.from_environment().num_threads, _MOST_CORES) if on_cpu else 1
    with ThreadPoolExecutor(count, "measuring", _use_one_thread) as pool:

        def seconds(run: Run, lr: Tensor) -> float:
            return _seconds(lambda: list(pool.map(run, [lr] * count)), device) / count

        return _in_turns(runs, align, seconds)


def _use_one_thread() -> None:
    torch.get_num_threads()  # Settles a new thread's number, which could be settled later else.
    torch.set_num_threads(1)  # Of this thread alone.


def _in_turns(
    runs: Mapping[str, Run], align: int, seconds: Callable[[Run, Tensor], float]
) -> dict[str, float]:
    least, most = _SIDES
    small = _image(least, align)
    working = {name: run for name, run in runs.items() if seconds(run, small) < float("inf")}
    first = {name: seconds(run, small) for name, run in working.items()}
    side = least * (_EACH / min(first.values(), default=_EACH)) ** 0.5
    if side <= least:  # They take long enough as it is.
        return {name: taken for name, taken in first.items() if taken < float("inf")}
    lr = _image(int(min(side, most)), align)
    found: dict[str, list[float]] = {name: [] for name in working}
    for _ in range(1 + _ROUNDS):
        for name, run in working.items():
            found[name].append(seconds(run, lr))
    # The first round pays for what is set up once.
    return {name: min(times[1:]) for name, times in found.items() if max(times) < float("inf")}


def _image(side: int, align: int) -> Tensor:
    side = -(-side // align) * align
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    """Time some work; it takes forever if it fails."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    started = clock()
    try:
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    except (RuntimeError, MemoryError):
        return float("inf")
    return max(clock() - started, 1e-9)


def _form_of(network: nn.Module) -> "hashlib._Hash":
    form = [(name, tuple(tensor.shape)) for name, tensor in network.state_dict().items()]
    return hashlib.sha256(json.dumps([type(network).__name__, form]).encode())


def _add(subject: Subject, seconds: Mapping[str, float]) -> None:
    """Write what is remembered and this, while no other process writes."""
    known = remembered(subject)
    others = [one for one in _read() if one.subject != subject]
    _write([*others, Measurement(subject, {**known, **seconds}, _now())][-_MOST:])


def _versions() -> dict[str, str]:
    found = {"srgan": __version__}
    for name in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _path() -> Path:
    return home() / _FILE


@contextmanager
def _opened() -> Iterator[None]:
    """Keep other processes from writing.

    Raises:
        OSError: The folder cannot be written.
        filelock.Timeout: Another process takes too long.
    """
    _path().parent.mkdir(parents=True, exist_ok=True)
    with locked(_path().with_suffix(".lock"), wait=_WAIT):
        yield


def _read() -> tuple[Measurement, ...]:
    """Read what is remembered; a damaged file counts for nothing and is replaced."""
    try:
        found = read_json(_path(), _Remembered)
    except (RecordError, OSError):
        return ()
    if found.format != FORMAT:
        return ()
    return tuple(one for one in found.measurements if all(s > 0 for s in one.seconds.values()))


def _write(measurements: Iterable[Measurement]) -> None:
    document = asdict(_Remembered(FORMAT, tuple(measurements)))
    write_text(_path(), json.dumps(document, indent=1) + "\n")
