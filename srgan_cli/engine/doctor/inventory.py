"""What srgan finds on this machine, for people who wonder and for bug reports (``srgan doctor``).

PyTorch is imported inside functions, because an installation in which that fails is what this
command has to describe.
"""

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TypeVar

from srgan_cli import __version__
from srgan_cli.config import DoctorConfig
from srgan_cli.engine.doctor.present_devices import Device, machine_memory, present_devices
from srgan_cli.errors import SrganError
from srgan_cli.imaging.files.formats import FORMATS, readable_formats, written_format
from srgan_cli.observer import Observer
from srgan_cli.paths import datasets_dir, downloads_dir, home, models_dir, runs_dir, teachers_dir
from srgan_cli.processes import num_cores, processor_name

T = TypeVar("T")

FORMAT = 1
"""Number of the form of the JSON document; it changes where a field changes its meaning."""

_PACKAGES = {
    "torch": ("any network on any device, and training", None),
    "torchvision": ("metrics and teachers", None),
    "numpy": ("arrays", None),
    "pillow": ("image formats", None),
    "tifffile": ("TIFF", None),
    "imagecodecs": ("16 bits", None),
    "safetensors": ("weights files", None),
    "typer": ("command line", None),
    "ncnn": ("--device vulkan; faster on a CPU: plain networks and RRDBs", "fast"),
    "onnxruntime": ("faster on a CPU: dense networks, and all with AVX-512", "fast"),
    "onnx": ("writes networks for onnxruntime", "fast"),
    "spandrel": ("weights of other architectures", "spandrel"),
    "torchmetrics": ("srgan eval --metric lpips and others", "perceptual"),
    "pillow-heif": ("HEIC images", "heic"),
    "pillow-jxl-plugin": ("JPEG XL images", "jxl"),
    "tensorboard": ("srgan train --tensorboard", "tensorboard"),
    "onnxscript": ("srgan models export to ONNX", "onnx"),
    "openvino": ("faster on some CPUs; srgan models export to OpenVINO", "openvino"),
}
"""What each package is for, and the extra that installs it; None for those that srgan needs."""
_VARIABLES = (
    *("SRGAN_HOME", "SRGAN_MEASURE", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "WORLD_SIZE"),
    *("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "COLUMNS", "TERM"),
)
_COMPLAINTS = (SrganError, ImportError, OSError, RuntimeError, AttributeError)


@dataclass(frozen=True, slots=True)
class Machine:
    """The computer and what runs on it."""

    system: str
    processor: str
    instructions: str | None
    """What PyTorch uses of the processor, such as AVX2; None without PyTorch."""
    cores: int
    """Cores that this process may use."""
    memory: int | None
    """Bytes of main memory; None where the system does not say."""
    free_memory: int | None
    """Bytes that this process may still take."""
    python: str


@dataclass(frozen=True, slots=True)
class Package:
    """A package that srgan uses."""

    name: str
    version: str | None
    """None: not installed."""
    purpose: str


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a runtime upscales here."""

    model: str
    runtime: str
    device: str
    precision: str
    megapixels: float | None
    """Megapixels of results in a second; None: not measured, or it cannot."""
    note: str
    """Why there is no figure, or that this is what ``auto`` takes."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of srgan's."""

    name: str
    path: str
    files: int
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system that srgan writes to."""

    path: str
    free: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What is not installed."""

    what: str
    command: str
    """Installs it."""


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """What ``srgan doctor`` found. The user's home folder is written as ``~``."""

    format: int
    version: str
    machine: Machine
    packages: tuple[Package, ...]
    devices: tuple[Device, ...]
    models: tuple[str, ...]
    """For ×2 and ×4 the model that is taken when none is named, and why."""
    speeds: tuple[Speed, ...]
    """Of each model that was to be measured; empty when not measured."""
    reads: tuple[str, ...]
    """Pillow's names of the formats that are read."""
    writes: tuple[str, ...]
    folders: tuple[Folder, ...]
    disks: tuple[Disk, ...]
    variables: dict[str, str]
    """Variables of the environment that matter, where they are set."""
    missing: tuple[Missing, ...]
    problems: tuple[str, ...]
    """What does not work, in words."""


def diagnose(config: DoctorConfig, observer: Observer) -> DoctorReport:
    """Describe this machine and this installation; only what is measured is remembered.

    Whatever fails is listed under ``problems`` and does not stop the rest.

    Raises:
        WeightsError: A model that is to be measured is not there.
    """
    problems: list[str] = []
    packages = tuple(
        Package(name, _version(name), purpose) for name, (purpose, _) in _PACKAGES.items()
    )
    devices = tuple(_tried(present_devices, problems))
    speeds: tuple[Speed, ...] = ()
    if config.measure or config.models:
        from srgan_cli.engine.doctor.measure import measured, named_models

        sources = named_models(config.models)
        speeds = tuple(_tried(lambda: measured(devices, sources, observer), problems))
    return DoctorReport(
        FORMAT,
        __version__,
        _machine(),
        packages,
        devices,
        tuple(_tried(_models, problems)),
        speeds,
        readable_formats(),
        tuple(name for name in FORMATS if written_format(name)),
        tuple(_folders()),
        tuple(_disks()),
        {name: _short(os.environ[name]) for name in _VARIABLES if name in os.environ},
        tuple(_missing(packages)),
        tuple(problems),
    )


def _tried(found: Callable[[], Iterator[T]], problems: list[str]) -> Iterator[T]:
    try:
        yield from found()
    except _COMPLAINTS as error:
        problems.append(_short(f"{type(error).__name__}: {error}"))


def _short(text: str) -> str:
    """Write the user's home folder as ``~``: reports are posted in public."""
    return text.replace(str(Path.home()), "~") if Path.home() != Path("/") else text


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _machine() -> Machine:
    instructions = free = None
    problems: list[str] = []

    def ask() -> Iterator[None]:
        nonlocal instructions, free
        import torch

        from srgan_cli.engine.devices.memory import free_memory

        instructions, free = torch.backends.cpu.get_cpu_capability(), free_memory()
        yield

    list(_tried(ask, problems))  # The devices complain of the same.
    return Machine(
        platform.platform(),
        processor_name(),
        instructions,
        num_cores(),
        machine_memory(),
        None if free is None else int(free),
        f"{platform.python_implementation()} {platform.python_version()} in {_short(sys.prefix)}",
    )


def _models() -> Iterator[str]:
    from srgan_cli.engine.models.shelf import find_model, find_restoring

    for scale in (2, 4):
        source = find_model(None, scale)
        restoring = find_restoring(source)
        others = f"; {restoring.name} for damaged images" if restoring else ""
        yield _short(f"×{scale}: {source.name} ({source.reason}){others}")


def _folders() -> Iterator[Folder]:
    own = {
        "data sets": datasets_dir(),
        "runs": runs_dir(),
        "models": models_dir(),
        "downloads": downloads_dir(),
        "teachers": teachers_dir(),
    }
    for name, path in own.items():
        sizes = [_size(Path(root, file)) for root, _, files in os.walk(path) for file in files]
        yield Folder(name, _short(str(path)), len(sizes), sum(sizes))


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:  # Gone in the meantime.
        return 0


def _disks() -> Iterator[Disk]:
    places = {home(), Path(tempfile.gettempdir()), Path()}
    for place in sorted(path.resolve() for path in places):
        existing = next(path for path in (place, *place.parents) if path.exists())
        yield Disk(_short(str(place)), shutil.disk_usage(existing).free)


def _missing(packages: tuple[Package, ...]) -> Iterator[Missing]:
    """List what is not installed, with what all of an extra would bring in one line."""
    absent: dict[str | None, list[Package]] = {}  # By extra.
    for package in packages:
        if package.version is None:
            absent.setdefault(_PACKAGES[package.name][1], []).append(package)
    for extra, lacking in absent.items():
        what = "; ".join(f"{package.name} ({package.purpose})" for package in lacking)
        names = " ".join(package.name for package in lacking)
        yield Missing(
            what, f"pip install 'srgan-cli[{extra}]'" if extra else f"pip install {names}"
        )
