"""A network in the form of ncnn (github.com/Tencent/ncnn), written from what it computes.

ncnn is a small inference library whose fp32 convolutions follow Winograd's minimal
filtering (Lavin and Gray 2016), with 2 to 5 times fewer multiplications. The form is a
text that lists layers (``.param``) and their numbers (``.bin``).
"""

import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

_MAGIC = 7767517
_SIDE = 16  # Of the picture that the layers are recorded with; any size runs.


class UnsupportedError(Exception):
    """The network computes something that has no counterpart in ncnn."""


@dataclass(frozen=True, slots=True)
class NcnnModel:
    """A network as ncnn loads it; the input is ``lr``, the result ``sr``, both in [0, 1]."""

    param: str
    """Layers, one a line."""
    weights: bytes
    """Numbers of all layers in their order, little-endian fp32."""


def to_ncnn(network: nn.Module, align: int = 1) -> NcnnModel:
    """Write down the layers that a network runs through.

    Args:
        network: Maps B, 3, H, W to B, 3, scale·H, scale·W; in fp32 on the CPU.
        align: The result holds for pictures whose sides are multiples of it, which is
            what a network that folds pixels into channels needs.

    Raises:
        UnsupportedError: ncnn has no such layer.
    """
    recorder = _Recorder()
    # Inference mode would show compound operations whole, under other names.
    with torch.inference_mode(mode=False), torch.no_grad():
        side = -(-_SIDE // align) * align
        lr = torch.rand(1, 3, side, side + align)
        recorder.name(lr, "lr")
        with recorder:
            sr = network(lr)
    return recorder.finished(sr)


@dataclass(frozen=True, slots=True)
class _Layer:
    kind: str
    inputs: tuple[str, ...]
    output: str
    options: str
    weights: bytes


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down the operations on tensors that follow from the input."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._layers: list[_Layer] = []
        self._names: dict[int, str] = {}
        self._kept: list[Tensor] = []  # So that no other tensor gets the identity of one.

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keep PyTorch from importing its compiler, which takes seconds and is not used."""
        return False

    def name(self, tensor: Tensor, name: str) -> None:
        self._names[id(tensor)] = name
        self._kept.append(tensor)

    def name_of(self, tensor: Any) -> str | None:
        return self._names.get(id(tensor)) if isinstance(tensor, Tensor) else None

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        inputs = [name for value in _flat(args) if (name := self.name_of(value)) is not None]
        if not inputs:
            return result  # Computed from parameters alone.
        kind = function.overloadpacket.__name__.rstrip("_").lstrip("_")
        write = _WRITERS.get(kind)
        if write is None or kwargs or not isinstance(result, Tensor):
            raise UnsupportedError(f"{function} has no counterpart in ncnn")
        written = write(args, result)
        if written is None:
            self.name(result, inputs[0])
            return result
        layer, options, weights = written
        output = f"t{len(self._layers)}"
        self._layers.append(_Layer(layer, tuple(inputs), output, options, weights))
        self.name(result, output)
        return result

    def finished(self, sr: Tensor) -> NcnnModel:
        """Return all layers; values that are read more than once are split, as ncnn wants."""
        result = self.name_of(sr)
        if result is None or result == "lr":
            raise UnsupportedError("the network does not compute on its input")
        uses = Counter(name for layer in self._layers for name in layer.inputs)
        uses[result] += 1
        lines = ["Input lr 0 1 lr", *_split("lr", uses["lr"])]
        taken: Counter[str] = Counter()

        def reading(name: str) -> str:
            taken[name] += 1
            return name if uses[name] == 1 else f"{name}_{taken[name]}"

        for layer in self._layers:
            inputs = " ".join(reading(name) for name in layer.inputs)
            lines.append(
                f"{layer.kind} {layer.output} {len(layer.inputs)} 1 {inputs} {layer.output} "
                f"{layer.options}"
            )
            lines += _split(layer.output, uses[layer.output])
        lines.append(f"Noop result 1 1 {reading(result)} sr")
        num_values = sum(int(line.split()[3]) for line in lines)
        text = "\n".join([str(_MAGIC), f"{len(lines)} {num_values}", *lines, ""])
        return NcnnModel(text, b"".join(layer.weights for layer in self._layers))


def _split(name: str, uses: int) -> list[str]:
    if uses < 2:
        return []
    parts = " ".join(f"{name}_{number}" for number in range(1, uses + 1))
    return [f"Split {name}_split 1 {uses} {name} {parts}"]


def _flat(values: Any) -> list[Any]:
    if isinstance(values, list | tuple):
        return [inner for value in values for inner in _flat(value)]
    return [values]


def _numbers(tensor: Tensor) -> bytes:
    return tensor.detach().float().contiguous().cpu().numpy().astype("<f4").tobytes()


_Written = tuple[str, str, bytes] | None
"""Kind, options and numbers of a layer; None where the operation changes nothing."""


def _convolution(args: Any, _: Tensor) -> _Written:
    _, weight, bias, stride, padding, dilation, transposed, _, groups = args
    same = (stride, dilation, transposed, groups) == ([1, 1], [1, 1], False, 1)
    outputs, _, height, width = weight.shape
    if not same or padding != [height // 2, width // 2]:
        raise UnsupportedError("only convolutions that keep the size, of one group")
    # 0 before the numbers says that they are fp32 as they stand.
    numbers = struct.pack("<I", 0) + _numbers(weight) + (b"" if bias is None else _numbers(bias))
    options = f"0={outputs} 1={width} 11={height} 4={padding[1]} 14={padding[0]}"
    return "Convolution", f"{options} 5={int(bias is not None)} 6={weight.numel()}", numbers


def _leaky_relu(args: Any, _: Tensor) -> _Written:
    return "ReLU", f"0={args[1] if len(args) > 1 else 0.01}", b""


def _prelu(args: Any, _: Tensor) -> _Written:
    return "PReLU", f"0={args[1].numel()}", _numbers(args[1])


def _cat(args: Any, _: Tensor) -> _Written:
    if len(args) < 2 or args[1] != 1:
        raise UnsupportedError("only channels are joined")
    return "Concat", "0=0", b""


def _arithmetic(code: int) -> Callable[[Any, Tensor], _Written]:
    def write(args: Any, _: Tensor) -> _Written:
        if isinstance(args[1], int | float):
            return "BinaryOp", f"0={code} 1=1 2={float(args[1])}", b""
        if args[0].shape != args[1].shape:
            raise UnsupportedError("only values of one shape are combined")
        return "BinaryOp", f"0={code}", b""

    return write


def _interpolation(code: int) -> Callable[[Any, Tensor], _Written]:
    def write(args: Any, result: Tensor) -> _Written:
        height, width = (after / before for after, before in _sides(args[0], result))
        if code == 2 and args[2]:
            raise UnsupportedError("only interpolation with align_corners=False")
        return "Interp", f"0={code} 1={height} 2={width}", b""

    return write


def _sides(before: Tensor, after: Tensor) -> list[tuple[int, int]]:
    return list(zip(after.shape[-2:], before.shape[-2:], strict=True))


def _pixel_shuffle(args: Any, _: Tensor) -> _Written:
    return "PixelShuffle", f"0={args[1]}", b""


def _pixel_unshuffle(args: Any, _: Tensor) -> _Written:
    return "Reorg", f"0={args[1]}", b""


def _nothing(args: Any, result: Tensor) -> _Written:
    """Write padding by nothing, slices of everything, and copies."""
    if args[0].shape != result.shape:
        raise UnsupportedError("padding and slicing depend on the size")
    return None


_WRITERS: dict[str, Callable[[Any, Tensor], _Written]] = {
    "convolution": _convolution,
    "leaky_relu": _leaky_relu,
    "relu": lambda _args, _result: ("ReLU", "", b""),
    "prelu_kernel": _prelu,
    "cat": _cat,
    "add": _arithmetic(0),
    "mul": _arithmetic(2),
    "upsample_nearest2d": _interpolation(1),
    "upsample_bilinear2d": _interpolation(2),
    "pixel_shuffle": _pixel_shuffle,
    "pixel_unshuffle": _pixel_unshuffle,
    "slice": _nothing,
    "alias": _nothing,
    "clone": _nothing,
    "replication_pad2d": _nothing,
    "reflection_pad2d": _nothing,
}
