"""Make a result again from what its label says, and compare (``srgan upscale --verify``)."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any, get_args

import numpy as np

from srgan_cli.config import Precision, RuntimeName, UpscaleConfig
from srgan_cli.engine.devices.amp import KINDS, Amp
from srgan_cli.engine.inference.loading import load_upscaler
from srgan_cli.engine.models.shelf import find_model, known_models
from srgan_cli.engine.models.weights import Model, ModelSource
from srgan_cli.engine.runtimes.fastest import is_installed
from srgan_cli.engine.upscaling.choice import Models
from srgan_cli.engine.upscaling.recipe import OPTIONS, weights_sha256
from srgan_cli.engine.upscaling.upscale import upscale_with
from srgan_cli.errors import InputError, ResourceError, UsageError, WeightsError
from srgan_cli.imaging.files.decode import open_image
from srgan_cli.imaging.files.formats import written_format
from srgan_cli.imaging.frames import Frame, peak
from srgan_cli.imaging.metadata import xmp
from srgan_cli.observer import Observer, SilentObserver
from srgan_cli.paths import file_sha256

_MOST_PIXELS = 2**62
_SWAPPED = "the result comes first: srgan upscale --verify RESULT SOURCE"


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What ``srgan upscale --verify`` found."""

    result: Path
    source: Path
    label: Mapping[str, str]
    """What the result says of what made it."""
    runtime: str
    """What ran the network now."""
    device: str
    """Where it ran now, as ``--device`` takes it."""
    precision: str
    """In which it ran now."""
    difference: str | None
    """The largest difference, in words; None where all pixels are equal."""

    @property
    def equal(self) -> bool:
        """Whether the result is what its label says."""
        return self.difference is None


def verify(config: UpscaleConfig, observer: Observer) -> VerifyReport:
    """Make a result again, by the model and the options that it names, and compare all pixels.

    Args:
        config: Its inputs are the result and its source; of the options only those that do not
            change the result count, and ``model``, for weights that are not found by their name.
        observer: Is told what goes on.

    Raises:
        UsageError: There are not two inputs.
        InputError: The result has no label, or one of the two cannot be read.
        WeightsError: The model that the label names is not here.
    """
    if len(config.inputs) != 2:
        raise UsageError("--verify takes two images", hint=_SWAPPED)
    result, source = config.inputs
    if result.is_dir() or source.is_dir():
        raise UsageError(
            "--verify takes two images, not folders", hint="run it for each result and its source"
        )
    with open_image(result, max_pixels=_MOST_PIXELS) as image:
        next(image.frames())
        format_ = written_format(image.header.format)
        stated = image.metadata.blocks.xmp
    label = xmp.parse(stated).label if stated else {}
    if not {"Model", "ModelSHA256"} <= set(label) or format_ is None:
        raise InputError(
            f"{result}: it has no label that says what made it",
            hint=f"{_SWAPPED}; there is no label with --strip-metadata or in formats without XMP",
        )
    with tempfile.TemporaryDirectory(prefix="srgan-") as folder:
        again = replace(
            config,
            **_options(label, result),
            inputs=(source,),
            output=Path(folder),
            ext=format_.suffix,
        )
        again = _as_stated(again, label)
        upscaler = load_upscaler(_model_of(label, again, result), again, observer)
        if weights_sha256(upscaler.model) != label["ModelSHA256"]:
            raise _another_model(label, upscaler.model, result)
        report = upscale_with(Models(upscaler), again, SilentObserver())
        for failure in report.failed:
            raise InputError(failure.reason, hint=failure.hint)
        (made,) = report.written
        difference = _difference(result, made.output)
    where = (made.runtime, made.device, made.precision)
    return VerifyReport(result, source, dict(label), *where, difference)


def _options(label: Mapping[str, str], result: Path) -> dict[str, Any]:
    """Read the options of a label."""
    readers: dict[str, Callable[[str], Any]] = {
        **dict.fromkeys(("strength", "scale"), float),
        **dict.fromkeys(("width", "height", "max_side", "quality"), int),
        "precision": {name: name for name in get_args(Precision)}.__getitem__,
        "tta": {"True": True}.__getitem__,
        "background": str,
    }
    try:
        return {
            field: readers[field](label[name]) for name, field in OPTIONS.items() if name in label
        }
    except (ValueError, KeyError) as error:
        raise InputError(
            f"{result}: its label is damaged", hint="upscale its source again"
        ) from error


def _as_stated(config: UpscaleConfig, label: Mapping[str, str]) -> UpscaleConfig:
    """Choose device, precision and runtime of the label, if they are here and no other is asked.

    Another device, and a runtime that knows no other precision, computes in fp32, which comes
    closest to all others.
    """
    stated = label.get("Device", "")
    if config.device == "auto" and stated in KINDS:
        config = replace(config, device=stated if _is_here(stated) else "cpu")
    if stated and config.device.partition(":")[0] != stated:
        return replace(config, precision="fp32")
    asks_for_fp32 = config.runtime not in {"auto", "torch"}
    if asks_for_fp32 or (stated and "Precision" not in label):
        config = replace(config, precision="fp32")
    return replace(config, runtime=_runtime(config.runtime, label.get("Runtime", "")))


def _is_here(device: str) -> bool:
    try:
        Amp.to_upscale(device, "fp32")
    except ResourceError:
        return False
    return True


def _runtime(asked: RuntimeName, stated: str) -> RuntimeName:
    """Return what is to run the network: what ran it, if that is here and nothing else is asked."""
    runtimes: dict[str, RuntimeName] = {name: name for name in get_args(RuntimeName)}
    runtime = runtimes.get(stated, "auto")
    is_here = runtime in {"auto", "torch"} or is_installed(runtime)
    return runtime if asked == "auto" and is_here else asked


def _model_of(label: Mapping[str, str], config: UpscaleConfig, result: Path) -> ModelSource:
    """Find the weights by the name that the label gives, or else by their content."""
    if config.model is not None:
        return find_model(config.model, None)
    name = label["Model"]
    known = known_models()
    for model in sorted(known, key=lambda model: model.name != name):
        if file_sha256(model.path) in label["ModelSHA256"].split():
            return model.source("as the result says")
    try:
        return find_model(Path(name).name, None)  # A label leads to no other folder.
    except WeightsError as error:
        raise WeightsError(
            f"{result} was made by {name}, which is not installed here",
            hint="pass its weights file: --model FILE",
        ) from error


def _another_model(label: Mapping[str, str], model: Model, result: Path) -> WeightsError:
    stated, here = (text[:12] for text in (label["ModelSHA256"], weights_sha256(model)))
    return WeightsError(
        f"{result} was made by a different {label['Model']} ({stated}…) than {model.source.name} "
        f"here ({here}…)",
        hint="pass the weights file that made it: --model FILE",
    )


def _difference(result: Path, again: Path) -> str | None:
    """Return the largest difference of two files' pixels, in words."""
    worst, where = 0, ""
    with (
        open_image(result, max_pixels=_MOST_PIXELS) as one,
        open_image(again, max_pixels=_MOST_PIXELS) as other,
    ):
        pairs = zip_longest(one.frames(), other.frames())
        for number, (left, right) in enumerate(pairs, start=1):
            if left is None or right is None:
                return f"{one.header.num_frames} frames instead of {other.header.num_frames}"
            if _shape(left) != _shape(right):
                return f"{_shape(left)} instead of {_shape(right)}"
            found, x, y = _largest(left, right)
            if found > worst:
                levels = peak(left.pixels)
                worst, where = found, f"{found} of {levels} levels, at {x}, {y}"
                where += f" of frame {number}" if one.header.num_frames > 1 else ""
    return where or None


def _shape(frame: Frame) -> str:
    kind = "grey" if frame.grey else "RGB"
    alpha = " with transparency" if frame.alpha is not None else ""
    return f"{frame.width}×{frame.height} {kind}{alpha}, {16 if frame.deep else 8} bits"


def _largest(one: Frame, other: Frame) -> tuple[int, int, int]:
    """Return the largest difference of frames of one shape, and its column and row."""
    found = np.abs(one.pixels.astype(np.int32) - other.pixels)
    found = found if found.ndim == 2 else found.max(axis=2)
    if one.alpha is not None and other.alpha is not None:
        found = np.maximum(found, np.abs(one.alpha.astype(np.int32) - other.alpha))
    row, column = np.unravel_index(int(found.argmax()), found.shape)
    return int(found.max()), int(column), int(row)
