"""Recognise a network by the names and shapes of its parameters, and load its weights strictly."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Size, Tensor

from srgan_cli.config import GeneratorConfig, PlainConfig
from srgan_cli.engine.networks.base import Network
from srgan_cli.engine.networks.generators import Generator, PlainNetwork
from srgan_cli.engine.networks.published import MSRResNet, SRVGGNetCompact
from srgan_cli.errors import UsageError, WeightsError

Shapes = Mapping[str, Size]
_HINT = "the file is damaged, or the network is a variant that srgan does not support"
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@dataclass(frozen=True, slots=True)
class Recognised:
    """A network that fits a file's parameters, as far as their names tell."""

    network: Network
    """Without values: on the meta device."""
    names: Mapping[str, str]
    """The file's name of a parameter to the network's; the others are the same."""


def recognise(shapes: Shapes) -> Recognised | None:
    """Find the network that published weights belong to, or None.

    Args:
        shapes: Parameters by name, without wrappers such as ``module.``.
    """
    builders: tuple[Callable[[Shapes], Network | None], ...]
    builders = (_rrdbnet, _plain, _srvgg, _msrresnet)
    names = _new_names(shapes)
    renamed = {names.get(key, key): shape for key, shape in shapes.items()}
    for build in builders:
        try:
            with torch.device("meta"):
                network = build(renamed)
        except (KeyError, IndexError, ValueError, ArithmeticError, RuntimeError, UsageError):
            continue  # Not that one, or of sizes that it cannot have.
        if network is not None:
            return Recognised(network, names)
    return None


def build_generator(config: GeneratorConfig, num_tensors: int) -> Generator:
    """Build a generator without values, if a file with so many tensors can fill it.

    A made-up file can ask for a thousand million layers.

    Raises:
        ValueError: It cannot.
    """
    if config.num_blocks * config.dense_blocks * config.num_convs > num_tensors:
        raise ValueError("fewer tensors than layers")
    with torch.device("meta"):
        return Generator(config)


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
    wanted = {key: value.shape for key, value in network.state_dict().items()}
    for key, tensor in tensors.items():
        shape = wanted.get(names.get(key, key))
        if shape is None:
            raise WeightsError(
                f"{path}: unexpected parameter {key} for {_kind(network)}", hint=_HINT
            )
        if tensor.shape != shape:
            found, right = ("×".join(map(str, size)) or "1" for size in (tensor.shape, shape))
            raise WeightsError(
                f"{path}: {key} has shape {found}, but {_kind(network)} needs {right}", hint=_HINT
            )
        if tensor.dtype not in _FLOATS:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise WeightsError(
                f"{path}: {key} of {_kind(network)} has type {kind} instead of floats", hint=_HINT
            )
    present = {names.get(key, key) for key in tensors}
    for key in wanted:
        if key not in present:
            raise WeightsError(f"{path}: {key} is missing for {_kind(network)}", hint=_HINT)
    values = {names.get(key, key): value.float().contiguous() for key, value in tensors.items()}
    network.load_state_dict(values, assign=True)


def _kind(network: Network) -> str:
    return f"this {network.architecture}"


# The RRDBNet of ESRGAN has been published under three sets of names.
_OLD_NAMES = (
    (r"model\.0\.(\w+)", r"conv_first.\1"),
    (r"model\.1\.sub\.(\d+)\.RDB(\d+)\.conv(\d+)\.0\.(\w+)", r"body.\1.rdb\2.conv\3.\4"),
    (r"model\.1\.sub\.\d+\.(\w+)", r"conv_body.\1"),
    (r"RRDB_trunk\.(\d+)\.RDB(\d+)\.conv(\d+)\.(\w+)", r"body.\1.rdb\2.conv\3.\4"),
    (r"trunk_conv\.(\w+)", r"conv_body.\1"),
    (r"upconv(\d)\.(\w+)", r"conv_up\1.\2"),
    (r"HRconv\.(\w+)", r"conv_hr.\1"),
)


def _new_names(shapes: Shapes) -> dict[str, str]:
    """Map the older names of RRDBNet's parameters to those of Real-ESRGAN."""
    if not any("RDB1.conv1" in key for key in shapes):
        return {}
    names = {}
    heads = sorted({int(match[1]) for key in shapes if (match := re.match(r"model\.(\d+)\.", key))})
    tail = ["conv_hr", "conv_last"]
    tail = [f"conv_up{i + 1}" for i in range(len(heads) - 4)] + tail
    numbered = dict(zip(heads[2:], tail, strict=False))
    for key in shapes:
        for old, new in _OLD_NAMES:
            if re.fullmatch(old, key):
                names[key] = re.sub(old, new, key)
        if (match := re.fullmatch(r"model\.(\d+)\.(\w+)", key)) and int(match[1]) in numbered:
            names[key] = f"{numbered[int(match[1])]}.{match[2]}"
    return names


def _rrdbnet(shapes: Shapes) -> Network | None:
    if "body.0.rdb1.conv1.weight" not in shapes or "conv_first.weight" not in shapes:
        return None
    channels, folded = shapes["conv_first.weight"][:2]
    fold = math.isqrt(folded // 3)
    if folded != 3 * fold**2 or shapes["conv_last.weight"][0] != 3:
        return None
    total = 2 ** _count(shapes, r"conv_up(\d+)\.weight")
    if total % fold:
        return None
    config = GeneratorConfig(
        scale=total // fold,
        channels=channels,
        growth=shapes["body.0.rdb1.conv1.weight"][0],
        num_blocks=_count(shapes, r"body\.(\d+)\..*"),
        dense_blocks=_count(shapes, r"body\.0\.rdb(\d+)\..*"),
        num_convs=_count(shapes, r"body\.0\.rdb1\.conv(\d+)\.weight"),
        residual_scale=0.2,
        upsampler="nearest",
    )
    if config.fold != fold:
        config = replace(config, unshuffle=fold)
    return build_generator(config, len(shapes))


def _plain(shapes: Shapes) -> Network | None:
    num_convs = _count(shapes, r"body\.(\d+)\.weight")
    if "conv_first.weight" not in shapes or len(shapes) != 2 * num_convs + 4:
        return None
    scale = math.isqrt(shapes["conv_last.weight"][0] // 3)
    return PlainNetwork(PlainConfig(scale, shapes["conv_first.weight"][0], num_convs))


def _srvgg(shapes: Shapes) -> Network | None:
    if not all(re.fullmatch(r"body\.\d+\.(weight|bias)", key) for key in shapes):
        return None
    first, slopes = shapes["body.0.weight"], shapes["body.1.weight"]
    last = max(int(key.split(".")[1]) for key in shapes)
    scale = math.isqrt(shapes[f"body.{last}.weight"][0] // 3)
    if len(first) != 4 or first[1] != 3 or slopes != first[:1] or last > len(shapes) or not scale:
        return None
    return SRVGGNetCompact(first[0], last // 2 - 1, scale)


def _msrresnet(shapes: Shapes) -> Network | None:
    # The older RRDBNet calls its upsampling convolutions upconv too, and was renamed above.
    if "upconv1.weight" not in shapes or "body.0.conv1.weight" not in shapes:
        return None
    channels = shapes["conv_first.weight"][0]
    factor = math.isqrt(shapes["upconv1.weight"][0] // channels)
    scale = 4 if "upconv2.weight" in shapes else factor
    num_blocks = _count(shapes, r"body\.(\d+)\..*")
    return MSRResNet(channels, num_blocks, scale)


def _count(shapes: Shapes, pattern: str) -> int:
    """Count the different numbers in the names that fit a pattern."""
    return len({match[1] for key in shapes if (match := re.fullmatch(pattern, key))})
