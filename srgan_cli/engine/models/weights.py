"""Load a weights file into a network, and write srgan's own with all that describes them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from srgan_cli.engine.models.foreign_files import files_of, load_foreign
from srgan_cli.engine.models.installable import published_with
from srgan_cli.engine.models.recognise import fill, is_discriminator, recognise
from srgan_cli.engine.models.spandrel_network import load_with_spandrel
from srgan_cli.engine.models.tensor_files import (
    DIGEST_KEY,
    HEADER_KEY,
    HINT,
    TensorFile,
    read_tensors,
    tensors_digest,
    write_tensors,
)
from srgan_cli.engine.networks import architectures
from srgan_cli.engine.networks.base import Network
from srgan_cli.errors import UsageError, WeightsError

WEIGHTS_FILE = "weights.safetensors"
PRETRAIN_FILE = "pretrain.safetensors"
"""What a run's weights were before the adversarial phase."""


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Which weights a command takes, and why."""

    name: str
    """What people call it: the run's, the bundled model's or the file's name."""
    path: Path
    """The weights file; of a pair of ncnn, the ``.param``."""
    reason: str
    """Why it was taken, in words."""


@dataclass(frozen=True, slots=True)
class Model:
    """A network ready to run, with what its file says of it."""

    source: ModelSource
    generator: Network
    trained: Mapping[str, Any]
    """How it was trained: steps, data, seed, scores; empty for weights that others made."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Licence, origin and the like, as the shelf keeps them."""
    between: tuple[Path, ...] = ()
    """The two files that the weights lie between; empty where they are those of the source."""

    @property
    def scale(self) -> int:
        """Factor per side."""
        return self.generator.scale

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that its numbers depend on; the last one holds numbers."""
        return self.between or files_of(self.source.path)

    @property
    def trainings(self) -> Mapping[str, Mapping[str, Any]]:
        """How it was trained, by its name; or each model that it was blended of, by theirs."""
        blended = _object(self.about.get("blend")).get("of")
        parts = [_object(part) for part in blended] if isinstance(blended, list) else []
        named = {str(part.get("name")): _object(part.get("trained")) for part in parts}
        named = named or {self.source.name: self.trained}
        return {name: trained for name, trained in named.items() if trained}

    @property
    def invents(self) -> bool:
        """Whether it may invent detail: all but weights that say they know a pixel loss alone."""
        phases = {trained.get("phase") for trained in self.trainings.values()}
        return phases != {"pretrain"}

    @property
    def origin(self) -> Mapping[str, Any]:
        """``file`` and ``sha256`` of what was put on the shelf, or what was blended."""
        return _object(self.about.get("origin"))

    @property
    def licence(self) -> str | None:
        """As its file states it."""
        stated = self.about.get("licence")
        return stated if isinstance(stated, str) else None


def save_weights(path: Path, generator: Network, trained: Mapping[str, Any]) -> None:
    """Write a generator's weights with all that rebuilds it in the header.

    Raises:
        OSError: The disk is full or the folder cannot be written.
    """
    header = {"trained": dict(trained), **generator.to_header()}
    save_tensors(path, generator.state_dict(), header)


def save_tensors(
    path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any], *, new: bool = False
) -> None:
    """Write a safetensors file with a header and a checksum of our own, in one step.

    Raises:
        FileExistsError: There is one of that name, and it is to be a new one.
        OSError: The disk is full or the folder cannot be written.
    """
    contiguous = {key: value.contiguous() for key, value in tensors.items()}
    text = json.dumps(header)
    metadata = {HEADER_KEY: text, DIGEST_KEY: tensors_digest(contiguous, text)}
    write_tensors(path, contiguous, metadata, new=new)


def load_model(source: ModelSource) -> Model:
    """Rebuild a network from its weights file, in fp32 on the CPU, for inference.

    The header of our own files says which network it is; in others it is told from the
    names and shapes of the parameters, at last by spandrel. Files of ncnn and ONNX list layers.

    Raises:
        WeightsError: The file is damaged, or holds the weights of no network that upscales
            images.
    """
    foreign = load_foreign(source.path)
    if foreign is not None:
        known = published_with(files_of(source.path)[-1])
        stated = {"licence": known.licence, "published": known.name} if known else {}
        return Model(source, foreign.eval().requires_grad_(requires_grad=False), {}, stated)
    file = read_tensors(source.path)
    header = file.header or {}
    network = _build(file)
    told = {"trained", *network.to_header()}
    about = {key: value for key, value in header.items() if key not in told}
    trained = _object(header.get("trained"))
    return Model(source, network.eval().requires_grad_(False), trained, about)


def _object(value: Any) -> Mapping[str, Any]:
    """Return an object of a header, which anybody may have written; else an empty one."""
    return value if isinstance(value, dict) else {}


def _build(file: TensorFile) -> Network:
    network = _described(file)
    if network is not None:
        try:
            fill(network, file.tensors, {}, file.path)
        except ValueError as error:
            raise WeightsError(f"{file.path}: cannot be used: {error}", hint=HINT) from error
        return network
    shapes = {key: value.shape for key, value in file.tensors.items()}
    if is_discriminator(shapes):
        raise WeightsError(
            f"{file.path}: a discriminator, which cannot upscale images",
            hint="pass the generator that was trained with it",
        )
    recognised = recognise(shapes)
    if recognised is None:
        return load_with_spandrel(file.tensors, file.path)
    fill(recognised.network, file.tensors, recognised.names, file.path)
    return recognised.network


def _described(file: TensorFile) -> Network | None:
    """Rebuild what a header describes, without values."""
    try:
        with torch.device("meta"):
            for architecture in architectures.ARCHITECTURES:
                network = architecture.from_header(file.header or {}, len(file.tensors))
                if network is not None:
                    return network
    except (TypeError, UsageError) as error:
        raise WeightsError(f"{file.path}: not an srgan weights file", hint=HINT) from error
    except ValueError as error:
        raise WeightsError(
            f"{file.path}: the weights do not match their header", hint=HINT
        ) from error
    return None


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
