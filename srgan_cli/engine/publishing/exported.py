"""Export a model, run the file in its own program and compare results (``srgan models export``)."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from srgan_cli.config import ExportConfig, Target
from srgan_cli.engine.models.shelf import find_model
from srgan_cli.engine.models.weights import ModelSource, load_model
from srgan_cli.engine.networks.base import Network
from srgan_cli.engine.publishing.export import (
    quiet,
    to_ncnn_files,
    to_onnx,
    to_openvino,
    to_pth,
    to_torchscript,
)
from srgan_cli.engine.runtimes.backends import NcnnRuntime
from srgan_cli.engine.runtimes.ncnn_form import NcnnModel
from srgan_cli.errors import ResourceError, UsageError, WeightsError
from srgan_cli.imaging.tensors import from_image
from srgan_cli.observer import Observer
from srgan_cli.paths import take_new_name, write_bytes

TOLERANCE = 1e-4
"""Largest difference to PyTorch in fp32, of the range [0, 1]; a grey level is 4e-3."""
TOLERANCE_FP16 = 1e-2
"""Largest difference in fp16, whose numbers have 11 bits."""

Run = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What ``srgan models export`` wrote."""

    model: ModelSource
    to: Target
    files: tuple[Path, ...]
    architecture: str
    """Of the network in the file: with ``pth``, it can be another than the model's."""
    compared_in: str
    """The program that ran the file."""
    difference: float
    """Largest difference to PyTorch on a photograph, of the range [0, 1]."""
    tolerance: float
    """Above this it would have been refused."""


def export_model(config: ExportConfig, observer: Observer) -> ExportReport:
    """Write a model in another program's form, once its results are found to be the same.

    Raises:
        UsageError: Files are in the way, an extra is missing, or the form cannot hold the
            network.
        WeightsError: The model cannot be used, or the file gives other images.
        ResourceError: The disk is full or the folder cannot be written.
    """
    source = find_model(config.model, None)
    network = load_model(source).generator
    observer.say(f"model: {source.name}, ×{network.scale}")
    form = _FORMS[config.to]
    stem = source.path.parent.name if source.path.stem == "weights" else source.name
    stem = stem.removesuffix(source.path.suffix)
    targets = tuple(config.output / f"{stem}{suffix}" for suffix in form.suffixes)
    for target in targets:
        if target.is_dir():
            raise UsageError(f"{target} is a folder", hint="choose another --output folder")
        if os.path.lexists(target) and not config.overwrite:
            raise _exists(target)
    made = form.make(network, fp16=config.fp16)
    with _beside(config.output) as folder:
        paths = [Path(folder, target.name) for target in targets]
        for path, data in zip(paths, made, strict=True):
            write_bytes(path, data)
        run, program, architecture = form.open(paths[0])
        difference = largest_difference(network, run)
        tolerance = TOLERANCE_FP16 if config.fp16 else TOLERANCE
        if not difference <= tolerance:
            raise WeightsError(
                f"{source.name} as {config.to} in {program} differs from PyTorch "
                f"by {difference:.1g}, more than {tolerance:.0e}",
                hint="remove --fp16" if config.fp16 else "export it to another format",
            )
        _give_names(paths, targets, overwrite=config.overwrite)
    return ExportReport(
        source,
        config.to,
        targets,
        architecture or network.architecture,
        program,
        difference,
        tolerance,
    )


@contextmanager
def _beside(output: Path) -> Iterator[str]:
    """Give a temporary folder in the one that files are to go to, which is made if need be.

    Raises:
        ResourceError: The disk is full, or the folder cannot be written.
    """
    is_new = not output.exists()
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".srgan-", dir=output) as folder:
            yield folder
    except OSError as error:
        raise ResourceError(
            f"{output}: {error.strerror or error}",
            hint="free some disk space, or choose another --output folder",
        ) from error
    finally:
        if is_new:
            with suppress(OSError):  # It holds what was made, unless that failed.
                output.rmdir()


def _give_names(paths: Sequence[Path], targets: Sequence[Path], *, overwrite: bool) -> None:
    """Give finished files their names: all of them or, where one is taken by now, none.

    Raises:
        UsageError: One is.
    """
    named: list[Path] = []
    # The file that names the others comes last.
    for path, target in reversed([*zip(paths, targets, strict=True)]):
        if overwrite:
            path.replace(target)
            continue
        try:
            take_new_name(path, target)
        except FileExistsError as error:
            for other in named:
                other.unlink(missing_ok=True)
            raise _exists(target) from error
        named.append(target)


def _exists(target: Path) -> UsageError:
    return UsageError(f"{target} exists already", hint="pass --overwrite to replace it")


@torch.inference_mode()
def largest_difference(network: Network, run: Run) -> float:
    """Compare with PyTorch on a photograph of two sizes, neither that of the export."""
    whole = photograph()
    align = network.align if network.align <= 4 else 1
    part = whole[..., : 44 + align, : 60 + align]
    return max(float((run(lr) - network(lr)).abs().max()) for lr in (whole, part))


def photograph() -> Tensor:
    """Return the photograph that comes with srgan: 1, 3, 72, 96, RGB in [0, 1]."""
    with as_file(files("srgan_cli") / "images" / "cat.png") as path, Image.open(path) as image:
        return from_image(np.asarray(image.convert("RGB"))).contiguous()


def _open_onnx(path: Path) -> tuple[Run, str, None]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = f"ONNX Runtime {onnxruntime.__version__}"
    return lambda lr: torch.from_numpy(session.run(None, {"lr": lr.numpy()})[0]), name, None


def _open_openvino(path: Path) -> tuple[Run, str, None]:
    import openvino

    options = {"INFERENCE_PRECISION_HINT": "f32"}
    model = openvino.compile_model(path, "CPU", options)
    name = f"OpenVINO {openvino.__version__.partition('-')[0]}"
    return lambda lr: torch.from_numpy(model(lr.numpy())[0]), name, None


def _open_torchscript(path: Path) -> tuple[Run, str, None]:
    with quiet():
        program: Run = torch.jit.load(str(path))  # type: ignore[no-untyped-call]
    return program, f"PyTorch {torch.__version__}", None


def _open_ncnn(path: Path) -> tuple[Run, str, None]:
    try:
        import ncnn
    except ImportError as error:
        raise UsageError(
            "--to ncnn needs ncnn to compare the results",
            hint="pip install 'srgan-cli[fast]'",
        ) from error
    model = NcnnModel(path.read_text(encoding="ascii"), path.with_suffix(".bin").read_bytes())
    runtime = NcnnRuntime(model)
    return lambda lr: runtime.run(lr, exact=True), f"ncnn {ncnn.__version__}", None


def _open_pth(path: Path) -> tuple[Run, str, str]:
    network = load_model(ModelSource(path.name, path, "")).generator
    try:
        import spandrel
    except ImportError:
        return network, "srgan", network.architecture
    model = spandrel.ModelLoader().load_from_file(path).model.eval()
    return model, "spandrel", network.architecture


@dataclass(frozen=True, slots=True)
class _Form:
    """How a form is made, opened and named."""

    suffixes: tuple[str, ...]
    make: Callable[..., tuple[bytes, ...]]
    open: Callable[[Path], tuple[Run, str, str | None]]


_FORMS = {
    "onnx": _Form((".onnx",), to_onnx, _open_onnx),
    "openvino": _Form((".xml", ".bin"), to_openvino, _open_openvino),
    "torchscript": _Form((".pt",), to_torchscript, _open_torchscript),
    "ncnn": _Form((".ncnn.param", ".ncnn.bin"), to_ncnn_files, _open_ncnn),
    "pth": _Form((".pth",), to_pth, _open_pth),
}
