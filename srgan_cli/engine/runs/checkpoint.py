"""Checkpoints: the whole state of a run in one safetensors file, and the folder of recent ones."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.optim import Optimizer

from srgan_cli.engine.models.tensor_files import DIGEST_KEY, tensors_digest, write_tensors
from srgan_cli.errors import WeightsError
from srgan_cli.observer import Observer

CHECKPOINTS = "checkpoints"

_HEADER_KEY = "srgan-checkpoint"
_HINT = "resume another run, or start a new one"


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run at one moment, apart from the networks that go on."""

    tensors: Mapping[str, Tensor]
    """Parameters and moments, copied to the CPU."""
    progress: Mapping[str, Any]
    """What JSON can hold: step, scaler state, configuration."""

    @classmethod
    def of(
        cls,
        modules: Mapping[str, nn.Module],
        optimizers: Mapping[str, Optimizer],
        progress: Mapping[str, Any],
    ) -> Self:
        """Copy networks and optimiser moments as they are now.

        Args:
            modules: Networks by name.
            optimizers: Optimisers by name; their learning rates follow from the step.
            progress: What JSON can hold.
        """
        tensors = {
            f"{name}/{key}": value
            for name, module in modules.items()
            for key, value in module.state_dict().items()
        }
        for name, optimizer in optimizers.items():
            for index, moments in optimizer.state_dict()["state"].items():
                tensors |= {f"{name}/{index}/{key}": value for key, value in moments.items()}
        copies = {
            key: torch.empty(value.shape, dtype=value.dtype).copy_(value.detach())
            for key, value in tensors.items()
        }
        return cls(copies, dict(progress))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what :meth:`write` wrote.

        Raises:
            WeightsError: The file is missing, damaged, or something else.
        """
        try:
            with safe_open(path, framework="pt") as file:
                header = file.metadata() or {}
                text = header[_HEADER_KEY]
                progress = json.loads(text)
                # Copies: the file may be replaced while they are in use.
                tensors = {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118
                digest = header[DIGEST_KEY]
        except (KeyError, ValueError, RecursionError) as error:
            raise WeightsError(f"{path}: not a checkpoint of srgan train", hint=_HINT) from error
        except (OSError, SafetensorError) as error:
            raise WeightsError(f"{path}: {error}", hint=_HINT) from error
        # Those of older versions are of the tensors alone.
        if digest not in (tensors_digest(tensors, text), tensors_digest(tensors)):
            raise WeightsError(f"{path}: damaged, its checksum does not match", hint=_HINT)
        return cls(tensors, progress)

    @classmethod
    def read_progress(cls, path: Path) -> Mapping[str, Any]:
        """Read what JSON can hold of it, without its tensors.

        Raises:
            WeightsError: The file is missing, damaged, or something else.
        """
        try:
            with safe_open(path, framework="pt") as file:
                progress = json.loads((file.metadata() or {})[_HEADER_KEY])
        except (KeyError, ValueError, RecursionError, OSError, SafetensorError) as error:
            raise WeightsError(f"{path}: not a checkpoint of srgan train", hint=_HINT) from error
        return dict(progress)

    def write(self, path: Path) -> None:
        """Write the file in one step; an older one of that name stays until this is complete.

        Raises:
            OSError: The disk is full or the folder cannot be written.
        """
        text = json.dumps(self.progress)
        header = {_HEADER_KEY: text, DIGEST_KEY: tensors_digest(self.tensors, text)}
        write_tensors(path, self.tensors, header)

    def restore(
        self, modules: Mapping[str, nn.Module], optimizers: Mapping[str, Optimizer]
    ) -> None:
        """Put the saved state into networks and optimisers of the same shapes."""
        for name, module in modules.items():
            module.load_state_dict(self._below(name))
        for name, optimizer in optimizers.items():
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in self._below(name).items():
                index, _, moment = key.partition("/")
                state.setdefault(int(index), {})[moment] = value
            optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
            for parameter, moments in optimizer.state.items():
                # Fused kernels walk memory, so a moment must lie there as its parameter does.
                # A copy in any case: this state may be gone back to once more.
                for moment, value in moments.items():
                    like = parameter if value.shape == parameter.shape else value
                    moments[moment] = torch.empty_like(like).copy_(value)

    def _below(self, name: str) -> dict[str, Tensor]:
        prefix = f"{name}/"
        return {
            key.removeprefix(prefix): value
            for key, value in self.tensors.items()
            if key.startswith(prefix)
        }


class CheckpointFolder:
    """The last checkpoints of a run, and the best.

    Args:
        run: The run's folder.
        keep: How many of the last ones stay.
    """

    def __init__(self, run: Path, keep: int) -> None:
        self.folder = run / CHECKPOINTS
        self._keep = keep

    def save(self, checkpoint: Checkpoint, *, best: int | None) -> None:
        """Write the checkpoint of its ``step``, then remove those that are too many.

        Args:
            checkpoint: The state.
            best: Step of the one that stays however old it gets.

        Raises:
            OSError: The disk is full or the folder cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        checkpoint.write(self._path(checkpoint.progress["step"]))
        for step in self.steps()[: -self._keep]:
            if step != best:
                self._path(step).unlink()

    def steps(self) -> list[int]:
        """Return the steps that have a checkpoint, readable or not."""
        return sorted(
            int(path.stem.removeprefix("step-"))
            for path in self.folder.glob("step-*.safetensors")
            if path.stem.removeprefix("step-").isdecimal()
        )

    def forget_after(self, step: int) -> None:
        """Remove what was saved after a step, because the run went another way from there."""
        for later in self.steps():
            if later > step:
                self._path(later).unlink()

    def last(self, observer: Observer, *, good: bool = False) -> Checkpoint:
        """Return the newest one that can be read, saying which ones cannot.

        Args:
            observer: Is warned of damaged ones.
            good: Take only those that a validation has passed.

        Raises:
            WeightsError: There is none; the message is about the newest.
        """
        first: WeightsError | None = None
        for checkpoint in self._readable(observer):
            if isinstance(checkpoint, WeightsError):
                first = first or checkpoint
            elif checkpoint.progress["good"] or not good:
                return checkpoint
        hint = "start a new run; if there is a weights.safetensors, pass it as --init"
        message = first.message if first else f"{self.folder}: no checkpoint"
        raise WeightsError(message, hint=hint) from first

    def _readable(self, observer: Observer) -> Iterator[Checkpoint | WeightsError]:
        for step in reversed(self.steps()):
            try:
                yield Checkpoint.read(self._path(step))
            except WeightsError as error:
                observer.warn(f"{error.message}; using the checkpoint before it")
                yield error

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step:08}.safetensors"
