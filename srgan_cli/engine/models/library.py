"""The commands ``srgan models list``, ``show``, ``add``, ``remove`` and ``default``."""

import copy
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from srgan_cli.config import require_plain_name
from srgan_cli.engine.models.foreign_files import is_foreign
from srgan_cli.engine.models.shelf import (
    defaults,
    find_model,
    installed_models,
    known_models,
    set_default,
)
from srgan_cli.engine.models.tensor_files import read_tensors
from srgan_cli.engine.models.weights import (
    Model,
    ModelSource,
    load_model,
    save_tensors,
)
from srgan_cli.engine.networks.base import Network, num_parameters
from srgan_cli.errors import UsageError, WeightsError
from srgan_cli.observer import Observer
from srgan_cli.paths import file_sha256, models_dir

_BUNDLED_LICENCE = "MIT"
_LIST = "see: srgan models list"


@dataclass(frozen=True, slots=True)
class Summary:
    """What a network is and costs."""

    architecture: str
    scale: int
    """Factor per side."""
    parameters: int
    macs_per_pixel: float
    """Multiply-accumulates for each pixel of the result."""
    receptive_radius: int
    """LR pixels that a pixel of the result depends on, to each side of its own."""
    receptive_radius_is_least: bool
    """Whether it may be more: of networks whose layers alone are known, 64 are measured."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """All that is known of a model."""

    name: str
    kind: str
    """``bundled``, ``shelf``, ``run``, ``installed`` or ``file``."""
    path: Path
    size: int
    """Bytes of its files."""
    sha256: str
    """Of the file that holds its numbers."""
    summary: Summary
    default: bool
    """Whether it is taken when nothing is named for its scale."""
    licence: str | None
    origin: Mapping[str, Any]
    """``file`` and ``sha256`` of what was put on the shelf, or what was blended."""
    trainings: Mapping[str, Mapping[str, Any]]
    """How it, or each model that it was blended of, was trained, and its validation scores;
    empty for weights that others made."""

    def told(self, name: str) -> dict[str, str]:
        """Return rows of a table on one of the trainings: all but the options, its teacher too."""
        trained = {key: value for key, value in self.trainings[name].items() if key != "config"}
        parts = {
            key: value if isinstance(value, dict) else {"": value} for key, value in trained.items()
        }
        return {
            f"{key} {part}".strip().replace("_", " "): str(value)
            for key, values in parts.items()
            for part, value in values.items()
            if value is not None
        }


@dataclass(frozen=True, slots=True)
class ModelList:
    """What ``srgan models list`` shows."""

    models: tuple[ModelInfo, ...]
    unusable: Mapping[str, str]
    """Names of files that cannot be used, each with the reason."""


def list_models() -> ModelList:
    """Describe every model that has a name; files that cannot be used cost only themselves."""
    models, unusable = [], {}
    defaults()  # Damaged defaults are not the models' fault.
    for entry in (*known_models(), *installed_models()):
        try:
            models.append(_describe(entry.source("--model"), entry.kind))
        except WeightsError as error:
            unusable[entry.name] = error.message
    return ModelList(tuple(models), unusable)


def show_model(spec: str) -> ModelInfo:
    """Describe a model, or any weights file.

    Raises:
        WeightsError: Nothing is called so, or it cannot be used.
    """
    source = find_model(spec, None)
    kinds = {entry.path: entry.kind for entry in (*known_models(), *installed_models())}
    return _describe(source, kinds.get(source.path, "file"))


def add_model(
    path: Path,
    name: str | None,
    observer: Observer,
    *,
    licence: str | None = None,
    fidelity: str | None = None,
) -> ModelInfo:
    """Put a copy of a weights file on the shelf, as safetensors.

    The numbers stay as they are; a pickle is opened for the last time.

    Args:
        path: ``.safetensors``, ``.pth``, ``.onnx``, or ``.param`` with a ``.bin`` beside it.
        name: What to call it; the file's name when None.
        observer: Hears what was found.
        licence: Its licence, such as ``CC-BY-4.0``.
        fidelity: For GAN weights, the model that they were trained from.

    Raises:
        UsageError: The name is taken or no name.
        WeightsError: The file cannot be used.
    """
    name = name or path.stem.removesuffix(".ncnn")
    require_plain_name(name)
    require_free_name(name)
    model = load_model(ModelSource(name, path, "--model"))
    summary = summarise(model)
    observer.say(f"{path}: {summary.architecture}, ×{summary.scale}")
    described = model.generator.to_header()
    header = {
        **described,
        "trained": dict(model.trained),
        **model.about,
        **({"licence": licence} if licence else {}),
        **({"fidelity": find_model(fidelity, None).name} if fidelity else {}),
        "origin": {"file": path.name, "sha256": file_sha256(model.files[-1])},
    }
    # What a header describes has our names for its parameters; others keep theirs.
    others = not described and not is_foreign(path)
    tensors = read_tensors(path).tensors if others else model.generator.state_dict()
    _require_finite(path, tensors)
    return put_on_shelf(name, tensors, header)


def _require_finite(path: Path, tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise WeightsError(
                f"{path}: {name} holds numbers that are NaN or infinite",
                hint="the weights are damaged: fetch or train them again",
            )


def require_free_name(name: str) -> None:
    """Refuse a name that a model has already.

    Raises:
        UsageError: One has.
    """
    for entry in (*known_models(), *installed_models()):
        if entry.name == name:
            raise _taken(name, entry.kind)


def put_on_shelf(name: str, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> ModelInfo:
    """Write a new model's weights; what another command put there meanwhile is never replaced.

    Raises:
        UsageError: The shelf has a model of that name by now.
        OSError: The disk is full or the folder cannot be written.
    """
    models_dir().mkdir(parents=True, exist_ok=True)
    try:
        save_tensors(models_dir() / f"{name}.safetensors", tensors, header, new=True)
    except FileExistsError as error:
        raise _taken(name, "shelf") from error
    return show_model(name)


def _taken(name: str, kind: str) -> UsageError:
    return UsageError(
        f"{name} is already the name of a {kind} model", hint="choose another: --name"
    )


def remove_model(name: str) -> ModelInfo:
    """Take a model off the shelf, by its full name.

    Raises:
        UsageError: It is bundled or a run's.
        WeightsError: Nothing on the shelf is called so.
    """
    entries = {entry.kind: entry for entry in known_models() if entry.name == name}
    if "shelf" not in entries:
        for kind, entry in entries.items():
            raise UsageError(
                f"{name} is a {kind} model, not on the shelf",
                hint=f"delete {entry.path.parent}" if kind == "run" else "it comes with srgan",
            )
        find_model(name, None)  # Suggests a name, if none is similar enough.
        raise WeightsError(f"{name} is not the full name of a model on the shelf", hint=_LIST)
    entry = entries["shelf"]
    info = _describe(entry.source("--model"), entry.kind)
    if info.default:
        set_default(info.summary.scale, None)
    entry.path.unlink()
    return info


def choose_default(spec: str) -> ModelInfo:
    """Take a model whenever nothing is named for its scale.

    Raises:
        UsageError: It is a file without a name.
        WeightsError: Nothing is called so, or it cannot be used.
    """
    info = show_model(spec)
    if info.kind == "file":
        raise UsageError(
            f"{spec} is a file, and a default model needs a name",
            hint=f"add it to your models first: srgan models add {spec}",
        )
    set_default(info.summary.scale, info.name)
    return show_model(info.name)


def summarise(model: Model) -> Summary:
    """Describe a network and count its work."""
    network = model.generator
    return Summary(
        network.architecture,
        network.scale,
        num_parameters(network),
        macs_per_pixel(network),
        network.receptive_radius,
        network.receptive_radius_is_least,
    )


def _describe(source: ModelSource, kind: str) -> ModelInfo:
    model = load_model(source)
    summary = summarise(model)
    return ModelInfo(
        source.name,
        kind,
        source.path,
        sum(file.stat().st_size for file in model.files),
        file_sha256(model.files[-1]),
        summary,
        kind != "file" and _in_use(summary.scale) == source.path,
        _BUNDLED_LICENCE if kind == "bundled" else model.licence,
        model.origin,
        model.trainings,
    )


def _in_use(scale: int) -> Path | None:
    try:
        return find_model(None, scale).path
    except WeightsError:  # There is none of this scale, or the chosen one is gone.
        return None


_SIDE = 64  # LR pixels; a whole number of everybody's windows.
_SMALL = 1_000_000  # Parameters; smaller networks run sooner than PyTorch imports what meta needs.


def macs_per_pixel(network: Network) -> float:
    """Count multiply-accumulates for each pixel of the result.

    Counted by PyTorch's own counter: convolutions, matrix products and attention; sums
    and activations are not counted, as is usual in the literature.
    """
    flops = None
    if num_parameters(network) >= _SMALL:
        with suppress(RuntimeError, NotImplementedError):  # Some compute with the numbers.
            on_meta = copy.deepcopy(network).to("meta")
            flops = _flops(on_meta, torch.zeros(1, 3, _SIDE, _SIDE, device="meta"))
    if flops is None:
        flops = _flops(network, torch.zeros(1, 3, _SIDE, _SIDE))
    return flops / 2 / (_SIDE * network.scale) ** 2


@torch.no_grad()
def _flops(network: Network, lr: torch.Tensor) -> int:
    from torch.utils.flop_counter import FlopCounterMode  # Brings a compiler, slow to import.

    with FlopCounterMode(display=False) as counter:
        network(lr)
    return int(counter.get_total_flops())
