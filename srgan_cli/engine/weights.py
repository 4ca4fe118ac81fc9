"""Generator weights: files that explain themselves, and how a command finds one."""

import difflib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from srgan_cli.config import GeneratorConfig
from srgan_cli.engine.models import Generator
from srgan_cli.errors import UsageError, WeightsError
from srgan_cli.paths import runs_dir, written_beside

WEIGHTS_FILE = "weights.safetensors"
BUNDLED = ("fidelity-x2",)

_HEADER_KEY = "srgan"


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Which weights a command takes, and why."""

    name: str
    """What people call it: the run's, the bundled model's or the file's name."""
    path: Path
    """The safetensors file."""
    reason: str
    """Why it was taken, in words."""


@dataclass(frozen=True, slots=True)
class Model:
    """A generator ready to run, with what its file says of it."""

    source: ModelSource
    generator: Generator
    trained: Mapping[str, Any]
    """How it was trained: steps, data, seed, scores."""

    @property
    def scale(self) -> int:
        """Factor per side."""
        return self.generator.config.scale


def save_weights(path: Path, generator: Generator, trained: Mapping[str, Any]) -> None:
    """Write a generator's weights with all that rebuilds it in the header.

    Raises:
        OSError: The disk is full or the folder cannot be written.
    """
    header = {"generator": asdict(generator.config), "trained": dict(trained)}
    tensors = {key: value.contiguous() for key, value in generator.state_dict().items()}
    with written_beside(path) as temporary:
        save_file(tensors, temporary, {"format": "pt", _HEADER_KEY: json.dumps(header)})


def load_model(source: ModelSource) -> Model:
    """Rebuild a generator from its weights file, in fp32 on the CPU, for inference.

    Raises:
        WeightsError: The file is damaged, or not weights of this program.
    """
    hint = "choose a run, a bundled model or a file that srgan train wrote"
    if not source.path.is_file():
        raise WeightsError(f"{source.path}: no such file", hint=hint)
    try:
        with safe_open(source.path, framework="pt") as file:
            header = json.loads((file.metadata() or {})[_HEADER_KEY])
            config = GeneratorConfig.from_dict(header["generator"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise WeightsError(f"{source.path}: no generator of srgan in it", hint=hint) from error
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{source.path}: {error}", hint=hint) from error
    if config.num_blocks * config.dense_blocks * config.num_convs > len(tensors):
        # Found before it is built: a made-up header can ask for a thousand million layers.
        raise WeightsError(f"{source.path}: weights do not fit their own header", hint=hint)
    with torch.device("meta"):
        generator = Generator(config)
    _load_strictly(generator, tensors, source.path)
    return Model(source, generator.eval().requires_grad_(False), header.get("trained", {}))


def _load_strictly(generator: Generator, tensors: Mapping[str, Tensor], path: Path) -> None:
    try:
        generator.load_state_dict(
            {key: value.float() for key, value in tensors.items()}, assign=True
        )
    except RuntimeError as error:
        problem = str(error).splitlines()[1].strip()
        raise WeightsError(
            f"{path}: weights do not fit their own header: {problem}", hint="the file is damaged"
        ) from error


def find_model(spec: str | None, scale: int | None) -> ModelSource:
    """Find the weights that a command is to use.

    Args:
        spec: A file, a run's folder or name, or a bundled model's name. When None:
            the newest run that has weights, else the bundled model.
        scale: Factor per side that the bundled model must have; ×2 when None.

    Raises:
        WeightsError: Nothing fits.
    """
    if spec is None:
        return _newest_run() or _bundled(f"fidelity-x{scale or 2}", "bundled; no run here yet")
    if spec in BUNDLED:
        return _bundled(spec, "as named")
    for path in (runs_dir() / spec, Path(spec)):
        if path.is_dir() and (path / WEIGHTS_FILE).is_file():
            return ModelSource(path.name, path / WEIGHTS_FILE, "as named")
        if path.is_file():
            return ModelSource(path.name, path, "as named")
    known = [*BUNDLED, *(path.parent.name for path in _run_weights())]
    close = difflib.get_close_matches(spec, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known models: {', '.join(known)}"
    raise WeightsError(f"no model or file is called {spec}", hint=hint)


def find_model_for_factor(spec: str | None, factor: float | None) -> ModelSource:
    """Find the weights for results of any size.

    As :func:`find_model`, but a factor that no bundled model has chooses the one
    whose result is reduced least: the smallest that reaches it, else the largest,
    which is then applied more than once.
    """
    scales = sorted(int(name.rpartition("x")[2]) for name in BUNDLED)
    best = next((scale for scale in scales if factor and scale >= factor), scales[-1])
    return find_model(spec, best if factor else None)


def require_scale(model: Model, scale: int | None) -> None:
    """Check that weights have the scale that was asked for.

    Raises:
        WeightsError: They have another.
    """
    if scale is not None and model.scale != scale:
        raise WeightsError(
            f"{model.source.name}: trained for ×{model.scale}, but --scale is {scale}",
            hint=f"pass --scale {model.scale}, or choose other weights with --model",
        )


def _newest_run() -> ModelSource | None:
    weights = _run_weights()
    if not weights:
        return None
    newest = max(weights, key=lambda path: path.stat().st_mtime_ns)
    return ModelSource(newest.parent.name, newest, "the newest run")


def _run_weights() -> list[Path]:
    return sorted(runs_dir().glob(f"[!.]*/{WEIGHTS_FILE}"))


def _bundled(name: str, reason: str) -> ModelSource:
    if name not in BUNDLED:
        raise WeightsError(
            f"no bundled model is called {name}",
            hint=f"bundled: {', '.join(BUNDLED)}; or train one: srgan train",
        )
    with as_file(files("srgan_cli") / "weights" / f"{name}.safetensors") as path:
        return ModelSource(name, path, reason)
