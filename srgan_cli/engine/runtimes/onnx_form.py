"""A network in the form of ONNX (onnx.ai), written from what it computes.

PyTorch's own exporter takes seconds, which a command that is to start at once does not have,
and more libraries.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from srgan_cli.engine.runtimes.operations import Noted, Operation, UnsupportedError, Value

if TYPE_CHECKING:
    import onnx

_OPSET, _IR = 17, 8
"""Versions of the operations and of the file that runtimes since 2022 read."""
_INPUT = "lr_inside"
"""The input in the type that is computed in."""


def to_onnx_bytes(noted: Noted, *, fp16: bool = False) -> bytes:
    """Write down the operations that a network runs through.

    Args:
        noted: What it computes, in fp32 on the CPU.
        fp16: Compute in fp16 between an input and a result of fp32.

    Returns:
        An ONNX file; the input is ``lr``, the result ``sr``, both in [0, 1], of any size.

    Raises:
        ImportError: onnx is not installed.
        UnsupportedError: An operation has no counterpart here.
    """
    from onnx import TensorProto, helper

    graph = _Graph(torch.float16 if fp16 else torch.float32)
    inside = TensorProto.FLOAT16 if fp16 else TensorProto.FLOAT
    graph.node("Cast", [noted.lr], _INPUT, to=inside)
    for operation in noted.operations:
        names = [value.name for value in operation.inputs]
        graph.add(operation, [_INPUT if name == noted.lr else name for name in names])
    graph.node("Cast", [noted.sr], "sr", to=TensorProto.FLOAT)
    size: list[str | int | None] = ["batch", 3, None, None]
    made = helper.make_graph(
        graph.nodes,
        "srgan",
        [helper.make_tensor_value_info(noted.lr, TensorProto.FLOAT, size)],
        [helper.make_tensor_value_info("sr", TensorProto.FLOAT, size)],
        graph.numbers,
    )
    opsets = [helper.make_opsetid("", _OPSET)]
    file: bytes = helper.make_model(made, opset_imports=opsets, ir_version=_IR).SerializeToString()
    return file


class _Graph:
    def __init__(self, dtype: torch.dtype) -> None:
        self._dtype = dtype
        self.nodes: list[onnx.NodeProto] = []
        self.numbers: list[onnx.TensorProto] = []

    def add(self, operation: Operation, inputs: list[str]) -> None:
        write = _WRITERS.get(operation.kind)
        if write is None:
            raise UnsupportedError(f"ONNX has no counterpart of {operation.kind} here")
        write(self, operation.args, inputs, operation.output)

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    def numbers_of(self, tensor: Tensor) -> str:
        """Keep what is computed with, in the type that is computed in; return its name."""
        return self.constant(tensor.to(self._dtype))

    def constant(self, tensor: Tensor) -> str:
        """Keep numbers in the file as they are; return their name."""
        from onnx import numpy_helper

        name = f"n{len(self.numbers)}"
        array = tensor.detach().cpu().numpy()
        self.numbers.append(numpy_helper.from_array(array, name))
        return name


_Write = Callable[[_Graph, Any, list[str], Value], None]


def _convolution(graph: _Graph, args: Any, inputs: list[str], output: Value) -> None:
    _, weight, bias, stride, padding, dilation, transposed, _, groups = args
    if transposed:
        raise UnsupportedError("only convolutions that keep the size or shrink it")
    numbers = [graph.numbers_of(tensor) for tensor in (weight, bias) if tensor is not None]
    graph.node(
        "Conv",
        inputs + numbers,
        output.name,
        strides=stride,
        pads=[*padding, *padding],
        dilations=dilation,
        group=groups,
    )


def _leaky_relu(graph: _Graph, args: Any, inputs: list[str], output: Value) -> None:
    graph.node("LeakyRelu", inputs, output.name, alpha=args[1] if len(args) > 1 else 0.01)


def _silu(graph: _Graph, _: Any, inputs: list[str], output: Value) -> None:
    graph.node("Sigmoid", inputs, f"{output.name}_gate")
    graph.node("Mul", [*inputs, f"{output.name}_gate"], output.name)


def _prelu(graph: _Graph, args: Any, inputs: list[str], output: Value) -> None:
    slopes = graph.numbers_of(args[1].reshape(-1, 1, 1))
    graph.node("PRelu", [*inputs, slopes], output.name)


def _cat(graph: _Graph, args: Any, inputs: list[str], output: Value) -> None:
    graph.node("Concat", inputs, output.name, axis=args[1] if len(args) > 1 else 0)


def _arithmetic(kind: str) -> _Write:
    def write(graph: _Graph, args: Any, inputs: list[str], output: Value) -> None:
        if isinstance(args[1], int | float):
            inputs = [*inputs, graph.numbers_of(Tensor([float(args[1])]))]
        if len(inputs) != 2:
            raise UnsupportedError("only values and numbers are combined")
        graph.node(kind, inputs, output.name)

    return write


def _interpolation(**attributes: str | float) -> _Write:
    def write(graph: _Graph, args: Any, inputs: list[str], output: Value) -> None:
        before, after = args[0].shape, output.shape
        if attributes["mode"] != "nearest" and args[2]:
            raise UnsupportedError("only interpolation with align_corners=False")
        factors = [new / old for new, old in zip(after, before, strict=True)]
        graph.node(
            "Resize", [*inputs, "", graph.constant(Tensor(factors))], output.name, **attributes
        )

    return write


def _pixel_shuffle(graph: _Graph, args: Any, inputs: list[str], output: Value) -> None:
    graph.node("DepthToSpace", inputs, output.name, blocksize=args[1], mode="CRD")


def _pixel_unshuffle(graph: _Graph, args: Any, inputs: list[str], output: Value) -> None:
    folded, channels, factor = f"{output.name}_folded", args[0].shape[1], args[1]
    graph.node("SpaceToDepth", inputs, folded, blocksize=factor)
    # ONNX puts the channels of one pixel side by side, PyTorch the pixels of one channel.
    order = torch.arange(channels * factor**2).view(-1, channels).T.flatten()
    graph.node("Gather", [folded, graph.constant(order)], output.name, axis=1)


_WRITERS: dict[str, _Write] = {
    "convolution": _convolution,
    "leaky_relu": _leaky_relu,
    "silu": _silu,
    "sigmoid": lambda graph, _, inputs, output: graph.node("Sigmoid", inputs, output.name),
    "relu": lambda graph, _, inputs, output: graph.node("Relu", inputs, output.name),
    "prelu_kernel": _prelu,
    "cat": _cat,
    "add": _arithmetic("Add"),
    "mul": _arithmetic("Mul"),
    "upsample_nearest2d": _interpolation(
        mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
    ),
    "upsample_bilinear2d": _interpolation(
        mode="linear", coordinate_transformation_mode="half_pixel"
    ),
    "upsample_bicubic2d": _interpolation(
        mode="cubic", coordinate_transformation_mode="half_pixel", cubic_coeff_a=-0.75
    ),
    "pixel_shuffle": _pixel_shuffle,
    "pixel_unshuffle": _pixel_unshuffle,
}
