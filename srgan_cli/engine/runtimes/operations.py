"""Trace a network to a list of operations by running it once.

Classes say how a network is put together, and each author does that in another way. What
reaches PyTorch in the end is a short list of operations that all have in common, from which
the network can be written in another form (ncnn, ONNX).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

_SIDE = 16  # Of the image that the operations are noted with; any size runs.
# They change nothing, as long as the shape stays: cutting and padding by nothing, copies.
_IDLE = {"slice", "alias", "clone", "replication_pad2d", "reflection_pad2d"}
_JOINS = {"cat", "add", "mul"}  # All others read one value; the rest of their arguments are fixed.


class UnsupportedError(Exception):
    """The network computes something that has no counterpart in another form."""


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor that follows from the input."""

    name: str
    shape: tuple[int, ...]
    """For the image that the operations were noted with."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One call that a network makes."""

    kind: str
    """PyTorch's name (``aten``), without underscores around it."""
    args: tuple[Any, ...]
    """What PyTorch was given, with a :class:`Value` for each tensor that follows from the input."""
    output: Value

    @property
    def inputs(self) -> tuple[Value, ...]:
        """The values that it reads, in their order."""
        return tuple(value for value in _flat(self.args) if isinstance(value, Value))


@dataclass(frozen=True, slots=True)
class Noted:
    """A network as operations in the order in which they run."""

    operations: tuple[Operation, ...]
    lr: str
    """Name of the input."""
    sr: str
    """Name of the result."""


def note_operations(network: nn.Module, align: int = 1) -> Noted:
    """Run a network on a small image and note what it computes.

    Args:
        network: Maps B, 3, H, W to B, 3, scale·H, scale·W; in fp32 on the CPU.
        align: What is noted holds for images whose sides are multiples of it, which is
            what a network that folds pixels into channels needs.

    Raises:
        UnsupportedError: An operation depends on the size, or the input is not used.
    """
    recorder = _Recorder()
    # Inference mode would show compound operations whole, under other names.
    with torch.inference_mode(mode=False), torch.no_grad():
        side = -(-_SIDE // align) * align
        lr = torch.rand(1, 3, side, side + align)
        recorder.name(lr, "lr")
        with recorder:
            sr = network(lr)
    result = recorder.value_of(sr)
    if not isinstance(result, Value) or result.name == "lr":
        raise UnsupportedError("the network's result does not depend on its input")
    return Noted(tuple(recorder.operations), "lr", result.name)


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the operations on tensors that follow from the input."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[Operation] = []
        self._values: dict[int, Value] = {}
        self._kept: list[Tensor] = []  # So that no other tensor gets the identity of one.

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keep PyTorch from importing its compiler, which takes seconds and is not used."""
        return False

    def name(self, tensor: Tensor, name: str) -> Value:
        value = self._values[id(tensor)] = Value(name, tuple(tensor.shape))
        self._kept.append(tensor)
        return value

    def value_of(self, argument: Any) -> Any:
        if isinstance(argument, list | tuple):
            return type(argument)(self.value_of(inner) for inner in argument)
        if isinstance(argument, Tensor):
            return self._values.get(id(argument), argument)
        return argument

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        noted = self.value_of(tuple(args))
        result = function(*args, **(kwargs or {}))
        inputs = [value for value in _flat(noted) if isinstance(value, Value)]
        if not inputs:
            return result  # Computed from parameters alone.
        kind = function.overloadpacket.__name__.rstrip("_").lstrip("_")
        if kwargs or not isinstance(result, Tensor):
            raise UnsupportedError(f"{function} has no counterpart")
        if kind not in _JOINS and any(isinstance(value, Value) for value in _flat(noted[1:])):
            raise UnsupportedError(f"the parameters of {kind} are computed")
        if kind in _IDLE:
            if inputs[0].shape != tuple(result.shape):
                raise UnsupportedError("padding and slicing depend on the size")
            self.name(result, inputs[0].name)
        else:
            output = self.name(result, f"t{len(self.operations)}")
            self.operations.append(Operation(kind, noted, output))
        return result


def _flat(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _flat(value)
        else:
            yield value
