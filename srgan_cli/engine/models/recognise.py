"""Tell a network from the names and shapes of its parameters, and put a file's numbers into it."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from srgan_cli.engine.networks import architectures
from srgan_cli.engine.networks.base import Network, Recognised, Shapes
from srgan_cli.errors import UsageError, WeightsError

_HINT = "the file is damaged, or the network is a variant that srgan does not support"
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def recognise(shapes: Shapes) -> Recognised | None:
    """Find the network that published weights belong to, or None."""
    for architecture in architectures.ARCHITECTURES:
        try:
            with torch.device("meta"):
                recognised = architecture.recognise(shapes)
        except (KeyError, IndexError, ValueError, ArithmeticError, RuntimeError, UsageError):
            continue  # Not that one, or of sizes that it cannot have.
        if recognised is not None:
            return recognised
    return None


def is_discriminator(shapes: Shapes) -> bool:
    """Say whether parameters are those of a critic: SRGAN's, BasicSR's or ours."""
    ours = {"features.0.weight", "head.0.weight"} <= set(shapes)
    vgg_style = {"conv0_0.weight", "linear1.weight"} <= set(shapes)
    marks = (".weight_orig", ".parametrizations.weight.")  # Of spectral normalisation.
    unet = {"conv0.weight", "conv9.weight"} <= set(shapes)
    return ours or vgg_style or unet or any(mark in key for key in shapes for mark in marks)


def fill(
    network: Network, tensors: Mapping[str, Tensor], names: Mapping[str, str], path: Path
) -> None:
    """Put a file's numbers into a network on the meta device, as fp32.

    Raises:
        WeightsError: A parameter is missing, surplus, of another shape, or holds no
            floating-point numbers. The message names it.
    """
    wanted = network.state_dict()
    for key, tensor in tensors.items():
        parameter = wanted.get(names.get(key, key))
        if parameter is None:
            raise WeightsError(
                f"{path}: unexpected parameter {key} for {_kind(network)}", hint=_HINT
            )
        if tensor.shape != parameter.shape:
            sizes = (tensor.shape, parameter.shape)
            found, right = ("×".join(map(str, size)) or "1" for size in sizes)
            raise WeightsError(
                f"{path}: {key} has shape {found}, but {_kind(network)} needs {right}", hint=_HINT
            )
        if tensor.dtype not in {*_FLOATS, parameter.dtype}:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise WeightsError(
                f"{path}: {key} of {_kind(network)} has type {kind} instead of floats", hint=_HINT
            )
    present = {names.get(key, key) for key in tensors}
    for key in wanted:
        if key not in present:
            raise WeightsError(f"{path}: {key} is missing for {_kind(network)}", hint=_HINT)
    values = {
        names.get(key, key): (value.float() if value.dtype in _FLOATS else value).contiguous()
        for key, value in tensors.items()
    }
    network.load_state_dict(values, assign=True)


def _kind(network: Network) -> str:
    return f"this {network.architecture}"
