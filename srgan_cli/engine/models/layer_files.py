"""Networks that other programs' files hold as lists of layers, while they are read."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from srgan_cli.engine.networks.layered import Layer


class UnknownLayerError(Exception):
    """A network has what PyTorch cannot be told to compute here; the message says what."""


class LayerFile(NamedTuple):
    """What a file says of a network."""

    layers: Sequence[Layer]
    """In the order in which they run; the last one makes the result."""
    tensors: Mapping[str, Tensor]
    """Parameters under the names that they have in a ``LayerNetwork``, fp32."""


class LayerList:
    """Layers with their parameters, to which others are added."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.tensors: dict[str, Tensor] = {}

    def add(
        self,
        kind: str,
        inputs: Sequence[str],
        parameters: Mapping[str, Tensor | None] | None = None,
        **options: Any,
    ) -> str:
        """Add a layer.

        Args:
            kind: A key of ``MODULES`` or ``KINDS``.
            inputs: Names of the values that it reads.
            parameters: ``weight`` and ``bias``.
            options: As the kind takes them; they can be written as JSON.

        Returns:
            The name of the value that it makes.
        """
        prefix = f"layers.{len(self.layers)}"
        for name, tensor in (parameters or {}).items():
            if tensor is not None:
                self.tensors[f"{prefix}.{name}"] = tensor
        output = f"t{len(self.layers)}"
        self.layers.append(Layer(kind, tuple(inputs), output, options))
        return output

    def finish(self, result: str) -> LayerFile:
        """Return all layers, of which the last one makes the result."""
        if not self.layers or self.layers[-1].output != result:
            self.add("join", [result])
        return LayerFile(self.layers, self.tensors)
