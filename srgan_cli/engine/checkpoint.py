"""Everything that a resumed run needs, in one safetensors file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from srgan_cli.errors import WeightsError
from srgan_cli.paths import written_beside

CHECKPOINT_FILE = "checkpoint.safetensors"

_HEADER_KEY = "srgan-checkpoint"


def save_checkpoint(
    path: Path,
    modules: Mapping[str, nn.Module],
    optimizers: Mapping[str, Optimizer],
    progress: Mapping[str, Any],
) -> None:
    """Write networks, optimiser moments and progress in one step.

    Args:
        path: The file; replaced once the new one is complete.
        modules: Networks by name.
        optimizers: Optimisers by name; their learning rates follow from the step.
        progress: What JSON can hold: step, scaler state, configuration.

    Raises:
        OSError: The disk is full or the folder cannot be written.
    """
    tensors = {
        f"{name}/{key}": value.contiguous()
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }
    for name, optimizer in optimizers.items():
        for index, moments in optimizer.state_dict()["state"].items():
            tensors |= {f"{name}/{index}/{key}": value for key, value in moments.items()}
    tensors = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    with written_beside(path) as temporary:
        save_file(tensors, temporary, {"format": "pt", _HEADER_KEY: json.dumps(progress)})


class Checkpoint:
    """A checkpoint read back.

    Args:
        path: The file that :func:`save_checkpoint` wrote.

    Raises:
        WeightsError: The file is missing, damaged, or something else.
    """

    def __init__(self, path: Path) -> None:
        hint = "resume another run, or start anew"
        try:
            with safe_open(path, framework="pt") as file:
                self.progress: dict[str, Any] = json.loads((file.metadata() or {})[_HEADER_KEY])
                # Copies: the file may be replaced while they are in use.
                self._tensors = {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118
        except (KeyError, ValueError) as error:
            raise WeightsError(f"{path}: not a checkpoint of srgan train", hint=hint) from error
        except (OSError, SafetensorError) as error:
            raise WeightsError(f"{path}: {error}", hint=hint) from error

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
                for moment, value in moments.items():
                    if value.shape == parameter.shape:
                        moments[moment] = torch.empty_like(parameter).copy_(value)

    def _below(self, name: str) -> dict[str, Tensor]:
        prefix = f"{name}/"
        return {
            key.removeprefix(prefix): value
            for key, value in self._tensors.items()
            if key.startswith(prefix)
        }
