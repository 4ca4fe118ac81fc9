"""A network that is a list of layers, as files of ncnn and ONNX hold it, run by PyTorch."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srgan_cli.engine.networks.foreign import ForeignNetwork
from srgan_cli.engine.networks.layer_kinds import KINDS

INPUT = "lr"
"""Name of the image that the first layers read."""
_HEADER_KEY = "layers"
_MOST_LAYERS = 20_000
_MOST_VALUES = 1 << 15
"""Numbers that a layer may return for each LR pixel; the widest published one returns 4096."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a network."""

    kind: str
    """A key of ``MODULES`` or ``KINDS``."""
    inputs: tuple[str, ...]
    """Names of the values that it reads."""
    output: str
    """Name of the value that it makes."""
    options: Mapping[str, Any] = field(default_factory=dict)


class LayerNetwork(ForeignNetwork):
    """Runs layers one after the other; their parameters are ``layers.N.weight`` and the like.

    Args:
        layers: In the order in which they run; the last one makes the result.

    Raises:
        ValueError: They are no network that upscales RGB images of any size.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        if not 0 < len(layers) <= _MOST_LAYERS:
            raise ValueError(f"a network of {len(layers)} layers")
        self.steps = tuple(layers)
        self._uses = Counter(name for layer in layers for name in layer.inputs)
        _require_order(self.steps)
        with torch.device("meta"):
            self.layers = nn.ModuleList(_module(layer) for layer in layers)
            self.eval().measure()

    @property
    def architecture(self) -> str:
        """All that is known of it."""
        return f"network of {len(self.steps)} layers"

    def result_shape(self, height: int, width: int) -> tuple[int, int, int] | None:
        """Compute shapes alone, on the meta device; see :class:`ForeignNetwork`."""
        try:
            with torch.inference_mode():
                result = self.compute(torch.empty(1, 3, height, width, device="meta"))
        except (RuntimeError, IndexError, ArithmeticError):
            return None
        return tuple(result.shape[1:]) if result.ndim == 4 else None  # type: ignore[return-value]

    def compute(self, lr: Tensor) -> Tensor:
        """Run the layers; a value is kept until the last layer has read it."""
        values, left = {INPUT: lr}, dict(self._uses)
        most = _MOST_VALUES * lr.shape[-2] * lr.shape[-1]
        result = lr
        for layer, module in zip(self.steps, self.layers, strict=True):
            inputs = [values[name] for name in layer.inputs]
            known = KINDS.get(layer.kind)
            result = known(inputs, layer.options) if known else module(*inputs)
            if result.is_meta and result.numel() > most:
                raise ValueError("a layer makes too many numbers for each pixel")
            values[layer.output] = result
            for name in layer.inputs:
                left[name] -= 1
                if not left[name]:
                    del values[name]
        return result

    def to_header(self) -> Mapping[str, Any]:
        """Return the layers."""
        return {_HEADER_KEY: [asdict(layer) for layer in self.steps]}

    @classmethod
    def from_header(cls, header: Mapping[str, Any], num_tensors: int) -> Self | None:
        """Rebuild the layers."""
        del num_tensors
        if _HEADER_KEY not in header:
            return None
        described = [Layer(**layer) for layer in header[_HEADER_KEY]]
        try:
            return cls(described)
        except (KeyError, TypeError, RuntimeError, AttributeError) as error:
            raise ValueError("no layers of a network") from error


def _require_order(layers: Sequence[Layer]) -> None:
    """Refuse values that are read before they are made, or are made twice."""
    made = {INPUT}
    for layer in layers:
        if missing := [name for name in layer.inputs if name not in made]:
            raise ValueError(f"{layer.kind} reads {missing[0]!r}, which no layer before it makes")
        if layer.output in made:
            raise ValueError(f"two layers make {layer.output!r}")
        made.add(layer.output)


class Constant(nn.Module):
    """Numbers that do not depend on the image: 1, C, H, W, or fewer axes at their end."""

    weight: Tensor

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("weight", torch.empty(tuple(shape)))

    def forward(self) -> Tensor:
        """Return them."""
        return self.weight


class _Convolution(nn.Conv2d):
    """Pads by left, right, top and bottom, which may differ."""

    def __init__(self, *, sides: Sequence[int], **options: Any) -> None:
        left, right, top, bottom = (int(side) for side in sides)
        even = left == right and top == bottom
        super().__init__(**options, padding=(top, left) if even else 0)
        self._sides = None if even else (left, right, top, bottom)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve a batch."""
        return super().forward(x if self._sides is None else F.pad(x, self._sides))


class _Dense(nn.Conv2d):
    """Joins all channels of one pixel: B, C, 1, 1."""

    def forward(self, x: Tensor) -> Tensor:
        """Multiply a batch by the matrix."""
        if x.shape[-2:] != (1, 1):
            raise RuntimeError("a dense layer for images of one size")
        return super().forward(x)


MODULES: Mapping[str, Callable[..., nn.Module]] = {
    "convolution": _Convolution,
    "deconvolution": nn.ConvTranspose2d,
    "dense": lambda **options: _Dense(kernel_size=1, **options),
    "prelu": nn.PReLU,
    "constant": Constant,
}
"""Layers that have parameters, made of their options."""


def _module(layer: Layer) -> nn.Module:
    if layer.kind in KINDS:
        return nn.Identity()
    if layer.kind not in MODULES:
        raise ValueError(f"a layer of unknown kind {layer.kind}")
    return MODULES[layer.kind](**layer.options)
