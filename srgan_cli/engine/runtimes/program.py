"""A network rewritten for the CPU: the operations that it was noted to run through.

Convolutions of 3×3 follow :mod:`srgan_cli.engine.winograd`, each with the activation after it,
while the numbers are still in the cache; joined channels are never copied.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srgan_cli.engine.runtimes.operations import (
    Noted,
    Operation,
    UnsupportedError,
    Value,
    note_operations,
)
from srgan_cli.engine.runtimes.winograd import Convolution, Frame

_Held = Frame | Tensor
_ACTIVATIONS = {"leaky_relu", "relu", "prelu_kernel"}
_WIDE = 32
"""Channels from which on Winograd's products are faster than direct convolutions."""


@dataclass(frozen=True, slots=True)
class _Step:
    run: "Callable[[list[_Held], _Buffers], _Held]"
    inputs: tuple[str, ...]
    output: str
    last: frozenset[str]
    """What nothing after it reads."""


class Program:
    """Runs a network on a batch of one image, in fp32 on the CPU.

    May be called from several threads at once.

    Args:
        network: In fp32 on the CPU.
        align: Sides of all images are multiples of it.

    Raises:
        UnsupportedError: The network has an operation that is not known here, or so few
            channels that PyTorch's own convolutions are faster.
    """

    def __init__(self, network: nn.Module, align: int) -> None:
        noted = note_operations(network, align)
        _require(_pays(noted), "too few channels")
        self._lr, self._sr = noted.lr, noted.sr
        self._steps = _steps(noted)

    def __call__(self, lr: Tensor) -> Tensor:
        """Upscale a tile: 1, 3, H, W to 1, 3, scale·H, scale·W."""
        held: dict[str, _Held] = {self._lr: lr}
        buffers = _Buffers()
        for step in self._steps:
            if isinstance(step.run, _Convolve):
                for name in step.inputs:  # Framed once, for all that read it.
                    held[name] = _framed(held[name])
            result = step.run([held[name] for name in step.inputs], buffers)
            for name in step.last:
                buffers.take_back(held.pop(name))
            held[step.output] = result
        return _plain(held[self._sr])


class _Buffers:
    """Memory of frames that nobody reads any more, for the next ones of that size."""

    def __init__(self) -> None:
        self._free: list[Tensor] = []

    def frame(self, height: int, width: int, channels: int) -> Frame:
        """Return a frame whose content is undefined."""
        shape = Frame.shape(height, width, channels)
        for number, rows in enumerate(self._free):
            if rows.shape == shape:
                return Frame(self._free.pop(number), height, width)
        return Frame(torch.empty(shape), height, width)

    def take_back(self, value: _Held) -> None:
        if isinstance(value, Frame):
            self._free.append(value.rows)


class _Convolve:
    def __init__(self, convolution: Convolution) -> None:
        self._convolution = convolution

    def __call__(self, values: list[Any], buffers: _Buffers) -> Frame:
        frames: list[Frame] = values
        first = frames[0]
        result = buffers.frame(first.height, first.width, self._convolution.num_outputs)
        self._convolution.run(frames, result)
        return result


def _pays(noted: Noted) -> bool:
    """Say whether most multiplications are in convolutions that run faster here."""
    fewer = total = 0
    for operation in noted.operations:
        if operation.kind == "convolution":
            weight = operation.args[1]
            work = weight.numel() * operation.output.shape[2] * operation.output.shape[3]
            total += work
            fewer += work * (_is_3x3(operation) and min(weight.shape[:2]) >= _WIDE)
    return 2 * fewer > total


def _steps(noted: Noted) -> list[_Step]:
    """Choose how each operation is run, and find when each value is read last."""
    readers = Counter(value.name for operation in noted.operations for value in operation.inputs)
    readers[noted.sr] += 1
    joined: dict[str, tuple[Value, ...]] = {}
    steps: list[tuple[Any, tuple[str, ...], str]] = []
    operations = list(noted.operations)
    while operations:
        operation = operations.pop(0)
        if operation.kind == "cat":
            parts = [joined.get(value.name, (value,)) for value in operation.inputs]
            _require(operation.args[1:] == (1,), "only channels are joined")
            joined[operation.output.name] = tuple(value for part in parts for value in part)
            continue
        sources = _sources(operation, joined)
        output = operation.output.name
        if operation.kind == "convolution" and _is_3x3(operation):
            activation = None
            if operations and readers[output] == 1 and _activates(operations[0], output):
                after = operations.pop(0)
                activation, output = _activation(after, in_place=True), after.output.name
            _, weight, bias, *_ = operation.args
            channels = [value.shape[1] for value in sources]
            run: Any = _Convolve(Convolution(weight, bias, channels, activation))
        else:
            run = _runner(operation)
        steps.append((run, tuple(value.name for value in sources), output))
    _require(noted.sr not in joined, "joined channels")
    return _with_last(steps, noted.sr)


def _with_last(steps: Sequence[tuple[Any, tuple[str, ...], str]], sr: str) -> list[_Step]:
    later, finished = {sr}, []
    for run, inputs, output in reversed(steps):
        finished.append(_Step(run, inputs, output, frozenset(inputs) - later))
        later |= set(inputs)
    return finished[::-1]


def _sources(operation: Operation, joined: dict[str, tuple[Value, ...]]) -> tuple[Value, ...]:
    """Return the values that an operation reads, with those for whom others stand joined."""
    if operation.kind == "convolution" and _is_3x3(operation):
        (value,) = operation.inputs
        return joined.get(value.name, (value,))
    _require(not any(value.name in joined for value in operation.inputs), "joined channels")
    return operation.inputs


def _is_3x3(operation: Operation) -> bool:
    _, weight, _, stride, padding, dilation, transposed, _, groups = operation.args
    same = (stride, dilation, transposed, groups) == ([1, 1], [1, 1], False, 1)
    return same and weight.shape[2:] == (3, 3) and padding == [1, 1]


def _activates(operation: Operation, name: str) -> bool:
    return operation.kind in _ACTIVATIONS and operation.args[0].name == name


def _activation(operation: Operation, *, in_place: bool) -> Callable[[Tensor], Tensor]:
    """Return an activation of features whose channels are last (in place) or second."""
    _, *rest = operation.args
    if operation.kind == "prelu_kernel":
        slopes: Tensor = rest[0].flatten()
        if in_place:
            return lambda x: x.add_(x.clamp(max=0).mul_(slopes - 1))
        return lambda x: F.prelu(x, slopes)
    slope = 0.0 if operation.kind == "relu" else float(rest[0] if rest else 0.01)
    return lambda x: F.leaky_relu(x, slope, inplace=in_place)


def _runner(operation: Operation) -> Callable[[list[_Held], _Buffers], _Held]:
    make = _activation_step if operation.kind in _ACTIVATIONS else _MAKERS.get(operation.kind)
    if make is None:
        raise UnsupportedError(f"{operation.kind} has no counterpart")
    return make(operation)


def _on_tensors(function: Callable[..., Tensor]) -> Callable[[list[_Held], _Buffers], _Held]:
    return lambda values, _: function(*(_plain(value) for value in values))


def _activation_step(operation: Operation) -> Callable[[list[_Held], _Buffers], _Held]:
    return _on_tensors(_activation(operation, in_place=False))


def _convolution(operation: Operation) -> Callable[[list[_Held], _Buffers], _Held]:
    _, *rest = operation.args
    return _on_tensors(lambda x: torch.convolution(x, *rest))


def _arithmetic(
    function: Callable[..., Tensor],
) -> Callable[[Operation], Callable[[list[_Held], _Buffers], _Held]]:
    def make(operation: Operation) -> Callable[[list[_Held], _Buffers], _Held]:
        first, second = operation.args
        if isinstance(second, int | float):
            # A border of zeros stays one only where a number is multiplied with.
            _require(function is torch.mul, "only values are added")
            return lambda values, buffers: _combined(function, [*values, second], buffers)
        both = isinstance(first, Value) and isinstance(second, Value)
        _require(both and first.shape == second.shape, "shapes differ")
        return lambda values, buffers: _combined(function, values, buffers)

    return make


def _combined(function: Callable[..., Tensor], values: list[Any], buffers: _Buffers) -> _Held:
    """Calculate with whole frames where all are: their borders are 0 and stay so."""
    frames = [value for value in values if isinstance(value, Frame)]
    if any(isinstance(value, Tensor) for value in values):
        plain = [_plain(value) if isinstance(value, Frame) else value for value in values]
        return function(*plain)
    first = frames[0]
    result = buffers.frame(first.height, first.width, first.rows.shape[2])
    rows = [value.rows if isinstance(value, Frame) else value for value in values]
    function(*rows, out=result.rows)
    return result


def _interpolation(mode: str) -> Callable[[Operation], Callable[[list[_Held], _Buffers], _Held]]:
    def make(operation: Operation) -> Callable[[list[_Held], _Buffers], _Held]:
        before, after = operation.args[0].shape, operation.output.shape
        _require(mode == "nearest" or not operation.args[2], "align_corners")
        factors = tuple(new / old for new, old in zip(after[2:], before[2:], strict=True))
        return _on_tensors(lambda x: F.interpolate(x, scale_factor=factors, mode=mode))

    return make


def _shuffle(
    function: Callable[[Tensor, int], Tensor],
) -> Callable[[Operation], Callable[[list[_Held], _Buffers], _Held]]:
    def make(operation: Operation) -> Callable[[list[_Held], _Buffers], _Held]:
        factor = operation.args[1]
        return _on_tensors(lambda x: function(x, factor))

    return make


_MAKERS: dict[str, Callable[[Operation], Callable[[list[_Held], _Buffers], _Held]]] = {
    "convolution": _convolution,
    "add": _arithmetic(torch.add),
    "mul": _arithmetic(torch.mul),
    "upsample_nearest2d": _interpolation("nearest"),
    "upsample_bilinear2d": _interpolation("bilinear"),
    "pixel_shuffle": _shuffle(F.pixel_shuffle),
    "pixel_unshuffle": _shuffle(F.pixel_unshuffle),
}


def _plain(value: _Held) -> Tensor:
    return value.inner() if isinstance(value, Frame) else value


def _framed(value: _Held) -> Frame:
    return value if isinstance(value, Frame) else Frame.around(value)


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise UnsupportedError(otherwise)
