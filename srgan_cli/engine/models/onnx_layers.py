"""ONNX's operators that are layers of networks that upscale images (onnx.ai/onnx/operators)."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from srgan_cli.engine.models.layer_files import LayerList, UnknownLayerError
from srgan_cli.engine.networks.layered import INPUT

if TYPE_CHECKING:
    import onnx

_SMALL = 1 << 16
_FLOATS = {1, 10}  # fp32 and fp16.


class Node(NamedTuple):
    """An operator with what it reads."""

    kind: str
    inputs: Sequence[str | Tensor | None]
    """The name of a layer's value, or a constant; None for an input that is left out."""
    attributes: Mapping[str, Any]

    def value(self, index: int = 0) -> str:
        """Return the name of a value that depends on the image."""
        given = self.inputs[index]
        if not isinstance(given, str):
            raise UnknownLayerError(f"{self.kind} of a constant")
        return given

    def constant(self, index: int) -> Tensor | None:
        """Return a constant; None if it is left out."""
        given = self.inputs[index] if index < len(self.inputs) else None
        if isinstance(given, str):
            raise UnknownLayerError(f"{self.kind} whose parameters are computed")
        return given

    def numbers(self, index: int) -> list[float]:
        """Return a constant of a few numbers; none if it is left out."""
        given = self.constant(index)
        if given is not None and given.numel() > _SMALL:
            raise UnknownLayerError(f"{self.kind} of many numbers")
        return [] if given is None else [float(number) for number in given.flatten().tolist()]

    def require(self, **usual: Any) -> None:
        """Refuse attributes that differ from what is supported."""
        for name, value in usual.items():
            if self.attributes.get(name, value) != value:
                raise UnknownLayerError(f"{self.kind} with another {name} than {value}")


Read = Callable[[LayerList, Node], str]


def node_of(node: "onnx.NodeProto", inputs: Sequence[str | Tensor | None]) -> Node:
    """Take an operator's attributes out of the file."""
    from onnx import helper

    attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    attributes = {
        name: value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        for name, value in attributes.items()
    }
    return Node(str(node.op_type), inputs, attributes)


def _parameters(node: Node) -> tuple[Tensor, Tensor | None]:
    weight = node.constant(1)
    if weight is None or weight.ndim != 4:
        raise UnknownLayerError(f"{node.kind} of other dimensions")
    bias = node.constant(2)
    return weight.float(), None if bias is None else bias.float()


def _convolution(made: LayerList, node: Node) -> str:
    weight, bias = _parameters(node)
    node.require(auto_pad="NOTSET")
    top, left, bottom, right = node.attributes.get("pads", (0, 0, 0, 0))
    groups = int(node.attributes.get("group", 1))
    return made.add(
        "convolution",
        [node.value()],
        {"weight": weight, "bias": bias},
        in_channels=weight.shape[1] * groups,
        out_channels=weight.shape[0],
        kernel_size=tuple(weight.shape[2:]),
        stride=tuple(node.attributes.get("strides", (1, 1))),
        sides=(left, right, top, bottom),
        dilation=tuple(node.attributes.get("dilations", (1, 1))),
        groups=groups,
        bias=bias is not None,
    )


def _deconvolution(made: LayerList, node: Node) -> str:
    weight, bias = _parameters(node)
    node.require(auto_pad="NOTSET", group=1, output_padding=[0, 0], output_shape=[])
    top, left, bottom, right = node.attributes.get("pads", (0, 0, 0, 0))
    if (top, left) != (bottom, right):
        raise UnknownLayerError("ConvTranspose with uneven pads")
    return made.add(
        "deconvolution",
        [node.value()],
        {"weight": weight, "bias": bias},
        in_channels=weight.shape[0],
        out_channels=weight.shape[1],
        kernel_size=tuple(weight.shape[2:]),
        stride=tuple(node.attributes.get("strides", (1, 1))),
        padding=(top, left),
        dilation=tuple(node.attributes.get("dilations", (1, 1))),
        bias=bias is not None,
    )


def _normalisation(made: LayerList, node: Node) -> str:
    node.require(training_mode=0)
    gain, shift, mean, variance = (node.constant(i) for i in range(1, 5))
    if gain is None or shift is None or mean is None or variance is None:
        raise UnknownLayerError("BatchNormalization without its numbers")
    factor = gain.double() / (variance.double() + node.attributes.get("epsilon", 1e-5)).sqrt()
    terms = (factor, shift.double() - mean.double() * factor)
    value = node.value()
    for kind, term in zip(("mul", "add"), terms, strict=True):
        value = made.add(kind, [value, _constant(made, term.reshape(1, -1, 1, 1))])
    return value


def _constant(made: LayerList, tensor: Tensor) -> str:
    if tensor.ndim > 4 or tensor.numel() > _SMALL:
        raise UnknownLayerError("arithmetic with many numbers")
    tensor = tensor.float().clone()
    return made.add("constant", [], {"weight": tensor}, shape=tuple(tensor.shape))


def _prelu(made: LayerList, node: Node) -> str:
    slopes = node.constant(1)
    if slopes is None or (slopes.numel() > 1 and (slopes.ndim < 3 or slopes.shape[-2:] != (1, 1))):
        raise UnknownLayerError("PRelu of other dimensions")
    slopes = slopes.float().flatten().clone()
    return made.add("prelu", [node.value()], {"weight": slopes}, num_parameters=len(slopes))


def _clip(made: LayerList, node: Node) -> str:
    low, high = (
        (*node.numbers(1), node.attributes.get("min")),
        (
            *node.numbers(2),
            node.attributes.get("max"),
        ),
    )
    return made.add(
        "clip",
        [node.value()],
        least=-3e38 if low[0] is None else float(low[0]),
        most=3e38 if high[0] is None else float(high[0]),
    )


def _arithmetic(kind: str, turned: str) -> Read:
    def read(made: LayerList, node: Node) -> str:
        first, second = node.inputs
        if isinstance(first, Tensor) and isinstance(second, str):
            if first.numel() == 1:
                return made.add(turned, [second], number=float(first))
            first = _constant(made, first)
        if isinstance(second, Tensor):
            if second.numel() == 1:
                return made.add(kind, [node.value()], number=float(second))
            second = _constant(made, second)
        if first is None or second is None or isinstance(first, Tensor):
            raise UnknownLayerError(f"{node.kind} of constants")
        return made.add(kind, [first, second])

    return read


def _join(made: LayerList, node: Node) -> str:
    node.require(axis=1)
    return made.add("join", [node.value(i) for i in range(len(node.inputs))])


_WAYS = {
    ("nearest", "asymmetric", "floor"): "nearest",
    ("nearest", "half_pixel", "round_prefer_floor"): "nearest",
    ("linear", "half_pixel", "round_prefer_floor"): "bilinear",
    ("linear", "pytorch_half_pixel", "round_prefer_floor"): "bilinear",
    ("cubic", "half_pixel", "round_prefer_floor"): "bicubic",
    ("cubic", "pytorch_half_pixel", "round_prefer_floor"): "bicubic",
}
"""Mode, coordinates and rounding; for whole factors, both ways of nearest are the same."""


def _resize(made: LayerList, node: Node) -> str:
    node.require(antialias=0, cubic_coeff_a=-0.75, exclude_outside=0, axes=[0, 1, 2, 3])
    mode = node.attributes.get("mode", "nearest")
    rounding = node.attributes.get("nearest_mode", "round_prefer_floor")
    way = _WAYS.get(
        (
            mode,
            node.attributes.get("coordinate_transformation_mode", "half_pixel"),
            rounding if mode == "nearest" else "round_prefer_floor",
        )
    )
    factors = node.numbers(2)
    whole = all(factor % 1 == 0 for factor in factors)
    if (
        way is None
        or len(factors) != 4
        or factors[:2] != [1, 1]
        or (way == "nearest" and not whole)
    ):
        raise UnknownLayerError("Resize of another kind")
    return made.add("resize", [node.value()], mode=way, factors=factors[2:])


def _depth_to_space(made: LayerList, node: Node) -> str:
    node.require(mode="CRD")
    return made.add("shuffle", [node.value()], factor=int(node.attributes["blocksize"]))


def _space_to_depth(made: LayerList, node: Node) -> str:
    """Fold pixels into channels: ONNX puts the channels of a pixel side by side."""
    factor = int(node.attributes["blocksize"])
    if node.value() != INPUT or factor > 16:
        raise UnknownLayerError("SpaceToDepth of anything but the image")
    order = torch.arange(3 * factor**2).view(3, -1).T.flatten().tolist()
    folded = made.add("unshuffle", [INPUT], factor=factor)
    return made.add("channels", [folded], channels=order)


def _gather(made: LayerList, node: Node) -> str:
    node.require(axis=1)
    if "axis" not in node.attributes:
        raise UnknownLayerError("Gather of images")
    channels = [int(number) for number in node.numbers(1)]
    return made.add("channels", [node.value()], channels=channels)


def _padding(made: LayerList, node: Node) -> str:
    modes = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}
    pads = [int(number) for number in node.numbers(1)]
    if len(pads) != 8 or any(pads[i] for i in (0, 1, 4, 5)) or len(node.inputs) > 3:
        raise UnknownLayerError("Pad of other dimensions")
    return made.add(
        "pad",
        [node.value()],
        sides=[pads[3], pads[7], pads[2], pads[6]],
        mode=modes[node.attributes.get("mode", "constant")],
        number=(*node.numbers(2), 0.0)[0],
    )


def _cast(_: LayerList, node: Node) -> str:
    if node.attributes.get("to") not in _FLOATS:
        raise UnknownLayerError("Cast to whole numbers")
    return node.value()


def _simple(kind: str) -> Read:
    return lambda made, node: made.add(kind, [node.value()])


OPERATORS: Mapping[str, Read] = {
    "Conv": _convolution,
    "ConvTranspose": _deconvolution,
    "BatchNormalization": _normalisation,
    "PRelu": _prelu,
    "LeakyRelu": lambda made, node: made.add(
        "leaky", [node.value()], slope=float(node.attributes.get("alpha", 0.01))
    ),
    "Relu": _simple("relu"),
    "Sigmoid": _simple("sigmoid"),
    "Tanh": _simple("tanh"),
    "Mish": _simple("mish"),
    "Clip": _clip,
    "Add": _arithmetic("add", "add"),
    "Sub": _arithmetic("sub", "rsub"),
    "Mul": _arithmetic("mul", "mul"),
    "Div": _arithmetic("div", "rdiv"),
    "Concat": _join,
    "Resize": _resize,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "Gather": _gather,
    "Pad": _padding,
    "GlobalAveragePool": lambda made, node: made.add("pool", [node.value()], everywhere=True),
    "Cast": _cast,
    "Identity": lambda _, node: node.value(),
    "Dropout": lambda _, node: node.value(),
}
"""By ONNX's names; what is not here runs in ONNX Runtime."""
