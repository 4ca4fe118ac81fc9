"""Find the network that a file of layers holds, of those that srgan has a class for.

Files of ncnn and ONNX list layers, whose order and names their converters choose. So each class
proposes what it would look like (``Network.from_outline``), gets the file's numbers in the order in
which its own layers run, and is taken if it computes the same. What no class computes stays a list
of layers.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from srgan_cli.engine.models.layer_files import LayerFile
from srgan_cli.engine.networks import architectures
from srgan_cli.engine.networks.base import Network, Outline
from srgan_cli.engine.networks.layered import Layer, LayerNetwork
from srgan_cli.errors import UsageError

_TOLERANCE = 1e-4
"""Largest difference of results, of the largest result: sums are rounded in another order."""
_SIDES = (21, 26)  # LR pixels, of the image that results are compared on.
_SMALL = 64


def adopt(file: LayerFile) -> Network:
    """Build the network that layers describe, in fp32 on the CPU.

    Raises:
        ValueError: They upscale no RGB images; the message says why.
    """
    layered = LayerNetwork(file.layers)
    expected = {name: value.shape for name, value in layered.state_dict().items()}
    if expected != {name: value.shape for name, value in file.tensors.items()}:
        raise ValueError("its numbers do not fit its layers")
    layered.load_state_dict(dict(file.tensors), assign=True)
    layered.eval().requires_grad_(False)
    for candidate in _candidates(_outline(layered, file)):
        if _filled(candidate, layered) and _is_same(candidate, layered):
            return candidate
    return layered


def _outline(layered: LayerNetwork, file: LayerFile) -> Outline:
    kinds = {f"layers.{i}.weight": layer.kind for i, layer in enumerate(file.layers)}
    numbers = {layer.options.get("number") for layer in file.layers if layer.kind == "mul"}
    return Outline(
        layered.scale,
        tuple(
            value.shape for name, value in file.tensors.items() if kinds.get(name) == "convolution"
        ),
        frozenset(float(number) for number in numbers if number is not None),
        tuple(
            value
            for name, value in file.tensors.items()
            if kinds.get(name) == "constant" and value.numel() <= _SMALL
        ),
    )


def _candidates(outline: Outline) -> Iterator[Network]:
    """Yield what each class makes of an outline; parameters have no values."""
    for architecture in architectures.ARCHITECTURES:
        proposals = iter(architecture.from_outline(outline))
        while (candidate := _next(proposals)) is not None:
            yield candidate


def _next(proposals: Iterator[Network]) -> Network | None:
    try:
        with torch.device("meta"):
            return next(proposals, None)
    except (LookupError, ValueError, ArithmeticError, RuntimeError, UsageError):
        return None  # None of that class has such shapes.


def _filled(candidate: Network, layered: LayerNetwork) -> bool:
    """Put a file's numbers into a network in the order in which its layers run, if they fit."""
    convolutions = [layer for layer in layered.layers if isinstance(layer, nn.Conv2d)]
    slopes = [value for layer, value in _slopes(layered)]
    if not _has_place_for(candidate, convolutions):
        return False
    given: dict[type[nn.Module], list[Mapping[str, Tensor]]] = {
        nn.Conv2d: [dict(layer.named_parameters()) for layer in convolutions],
        nn.PReLU: [{"weight": slope} for slope in slopes],
    }
    state = {key: value for key, value in candidate.state_dict().items() if not value.is_meta}
    for name, module in _in_running_order(candidate):
        waiting = given[type(module)]
        wanted = {key: value for key, value in module.named_parameters() if value.is_meta}
        if not wanted:
            continue  # It has its numbers already.
        values = waiting.pop(0) if waiting else {}
        for key, parameter in wanted.items():
            value = values.get(key)
            if value is not None and value.numel() == 1:
                value = value.expand(parameter.shape)
            if value is None or value.shape != parameter.shape:
                return False
            state[f"{name}.{key}"] = value.contiguous()
    # Slopes of activations that are no parameters are the network's own.
    complete = not given[nn.Conv2d] and state.keys() == candidate.state_dict().keys()
    if complete:
        candidate.load_state_dict(state, assign=True)
        candidate.eval().requires_grad_(False)
    return complete


def _has_place_for(candidate: Network, convolutions: list[nn.Conv2d]) -> bool:
    """Say whether a network lacks numbers of the same shapes, in any order: that is found fast."""
    waiting = (layer.weight for layer in candidate.modules() if type(layer) is nn.Conv2d)
    places = Counter(weight.shape for weight in waiting if weight.is_meta)
    return places == Counter(layer.weight.shape for layer in convolutions)


def _slopes(layered: LayerNetwork) -> Iterator[tuple[Layer, Tensor]]:
    """Yield the slopes of all leaky activations, one or one for each channel."""
    for layer, module in zip(layered.steps, layered.layers, strict=True):
        if layer.kind == "prelu":
            yield layer, module.get_parameter("weight")
        elif layer.kind == "leaky":
            yield layer, torch.tensor([float(layer.options["slope"])])


def _in_running_order(network: Network) -> list[tuple[str, nn.Module]]:
    """Return convolutions and learned activations as they run, by running on shapes alone."""
    order: dict[str, nn.Module] = {}
    hooks = [
        module.register_forward_pre_hook(
            lambda module, _, name=name: order.setdefault(name, module) and None
        )
        for name, module in network.named_modules()
        if type(module) in {nn.Conv2d, nn.PReLU}
    ]
    try:
        with torch.no_grad():
            on_meta = {key: value.to("meta") for key, value in network.state_dict().items()}
            torch.func.functional_call(network, on_meta, torch.empty(1, 3, 16, 16, device="meta"))
    finally:
        for hook in hooks:
            hook.remove()
    return list(order.items())


@torch.inference_mode()
def _is_same(candidate: Network, layered: LayerNetwork) -> bool:
    height, width = _SIDES
    lr = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    # Colours that change as little as in a photograph, where networks do not burst.
    lr = 0.5 + 0.2 * (lr - 0.5)
    expected = layered(lr)
    made = candidate(lr)
    if made.shape != expected.shape:
        return False
    limit = _TOLERANCE * max(1.0, float(expected.abs().max()))
    return float((made - expected).abs().max()) <= limit
