"""Write a network in ncnn's format (github.com/Tencent/ncnn) from its list of operations.

ncnn is a small inference library whose fp32 convolutions follow Winograd's minimal
filtering (Lavin and Gray 2016), with 2 to 5 times fewer multiplications. The form is a
text that lists layers (``.param``) and their numbers (``.bin``).
"""

import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from srgan_cli.engine.runtimes.operations import Noted, Operation, UnsupportedError, Value

_MAGIC = 7767517


@dataclass(frozen=True, slots=True)
class NcnnModel:
    """A network as ncnn loads it; the input is ``lr``, the result ``sr``, both in [0, 1]."""

    param: str
    """Layers, one a line."""
    weights: bytes
    """Numbers of all layers in their order, little-endian fp32."""


def to_ncnn(noted: Noted) -> NcnnModel:
    """Write down the layers that a network runs through.

    Args:
        noted: What it computes, in fp32 on the CPU.

    Raises:
        UnsupportedError: ncnn has no such layer.
    """
    layers = [_written(operation) for operation in noted.operations]
    # Values that are read more than once are split, as ncnn wants.
    uses = Counter(name for layer in layers for name in layer.inputs)
    uses[noted.sr] += 1
    taken: Counter[str] = Counter()

    def reading(name: str) -> str:
        taken[name] += 1
        return name if uses[name] == 1 else f"{name}_{taken[name]}"

    lines = [f"Input {noted.lr} 0 1 {noted.lr}", *_split(noted.lr, uses[noted.lr])]
    for layer in layers:
        inputs = " ".join(reading(name) for name in layer.inputs)
        lines.append(
            f"{layer.kind} {layer.output} {len(layer.inputs)} 1 {inputs} {layer.output} "
            f"{layer.options}"
        )
        lines += _split(layer.output, uses[layer.output])
    lines.append(f"Noop result 1 1 {reading(noted.sr)} sr")
    num_values = sum(int(line.split()[3]) for line in lines)
    text = "\n".join([str(_MAGIC), f"{len(lines)} {num_values}", *lines, ""])
    return NcnnModel(text, b"".join(layer.weights for layer in layers))


@dataclass(frozen=True, slots=True)
class _Layer:
    kind: str
    inputs: tuple[str, ...]
    output: str
    options: str
    weights: bytes


def _written(operation: Operation) -> _Layer:
    write = _WRITERS.get(operation.kind)
    if write is None:
        raise UnsupportedError(f"ncnn has no counterpart of {operation.kind}")
    kind, options, weights = write(operation.args, operation.output)
    inputs = tuple(value.name for value in operation.inputs)
    return _Layer(kind, inputs, operation.output.name, options, weights)


def _split(name: str, uses: int) -> list[str]:
    if uses < 2:
        return []
    parts = " ".join(f"{name}_{number}" for number in range(1, uses + 1))
    return [f"Split {name}_split 1 {uses} {name} {parts}"]


def _numbers(tensor: Tensor) -> bytes:
    return tensor.detach().float().contiguous().cpu().numpy().astype("<f4").tobytes()


_Written = tuple[str, str, bytes]
"""Kind, options and numbers of a layer."""


def _convolution(args: Any, _: Value) -> _Written:
    _, weight, bias, stride, padding, dilation, transposed, _, groups = args
    same = (stride, dilation, transposed, groups) == ([1, 1], [1, 1], False, 1)
    outputs, _, height, width = weight.shape
    if not same or padding != [height // 2, width // 2]:
        raise UnsupportedError("only convolutions that keep the size, of one group")
    # 0 before the numbers says that they are fp32 as they stand.
    numbers = struct.pack("<I", 0) + _numbers(weight) + (b"" if bias is None else _numbers(bias))
    options = f"0={outputs} 1={width} 11={height} 4={padding[1]} 14={padding[0]}"
    return "Convolution", f"{options} 5={int(bias is not None)} 6={weight.numel()}", numbers


def _leaky_relu(args: Any, _: Value) -> _Written:
    return "ReLU", f"0={args[1] if len(args) > 1 else 0.01}", b""


def _prelu(args: Any, _: Value) -> _Written:
    return "PReLU", f"0={args[1].numel()}", _numbers(args[1])


def _cat(args: Any, _: Value) -> _Written:
    if len(args) < 2 or args[1] != 1:
        raise UnsupportedError("only channels are joined")
    return "Concat", "0=0", b""


def _arithmetic(code: int) -> Callable[[Any, Value], _Written]:
    def write(args: Any, _: Value) -> _Written:
        if isinstance(args[1], int | float):
            return "BinaryOp", f"0={code} 1=1 2={float(args[1])}", b""
        both = isinstance(args[0], Value) and isinstance(args[1], Value)
        if not both or args[0].shape != args[1].shape:
            raise UnsupportedError("only values of one shape are combined")
        return "BinaryOp", f"0={code}", b""

    return write


def _interpolation(code: int) -> Callable[[Any, Value], _Written]:
    def write(args: Any, result: Value) -> _Written:
        height, width = (after / before for after, before in _sides(args[0], result))
        if code > 1 and args[2]:
            raise UnsupportedError("only interpolation with align_corners=False")
        return "Interp", f"0={code} 1={height} 2={width}", b""

    return write


def _sides(before: Value, after: Value) -> list[tuple[int, int]]:
    return list(zip(after.shape[-2:], before.shape[-2:], strict=True))


def _pixel_shuffle(args: Any, _: Value) -> _Written:
    return "PixelShuffle", f"0={args[1]}", b""


def _pixel_unshuffle(args: Any, _: Value) -> _Written:
    return "Reorg", f"0={args[1]}", b""


_WRITERS: dict[str, Callable[[Any, Value], _Written]] = {
    "convolution": _convolution,
    "leaky_relu": _leaky_relu,
    "relu": lambda _args, _result: ("ReLU", "", b""),
    "silu": lambda _args, _result: ("Swish", "", b""),
    "sigmoid": lambda _args, _result: ("Sigmoid", "", b""),
    "prelu_kernel": _prelu,
    "cat": _cat,
    "add": _arithmetic(0),
    "mul": _arithmetic(2),
    "upsample_nearest2d": _interpolation(1),
    "upsample_bilinear2d": _interpolation(2),
    "upsample_bicubic2d": _interpolation(3),
    "pixel_shuffle": _pixel_shuffle,
    "pixel_unshuffle": _pixel_unshuffle,
}
