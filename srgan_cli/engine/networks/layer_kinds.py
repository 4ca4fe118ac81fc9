"""The layers without parameters that networks of other programs' files are made of."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Options = Mapping[str, Any]
_Run = Callable[[Sequence[Tensor], Options], Tensor]


def _each(function: Callable[..., Tensor], *names: str) -> _Run:
    """Apply a function with these options to every number."""

    def run(values: Sequence[Tensor], options: Options) -> Tensor:
        image = values[0]
        if image.is_meta:  # Shapes alone are wanted, which PyTorch computes by a slow detour.
            return image
        return function(image, *(float(options[name]) for name in names))

    return run


def _arithmetic(function: Callable[[Any, Any], Tensor]) -> _Run:
    def run(values: Sequence[Tensor], options: Options) -> Tensor:
        first, second = (*values, float(options["number"])) if len(values) == 1 else values
        return function(first, second)

    return run


def _resized(values: Sequence[Tensor], options: Options) -> Tensor:
    """Resize by factors of height and width."""
    (image,) = values
    factors = [float(factor) for factor in options["factors"]]
    mode = options["mode"]
    if mode not in {"nearest", "bilinear", "bicubic"} or not all(0 < f <= 64 for f in factors):
        raise ValueError("an unknown interpolation")
    # As ncnn and ONNX do, sizes are rounded down.
    size = [int(side * factor) for side, factor in zip(image.shape[-2:], factors, strict=True)]
    return F.interpolate(image, size, mode=mode)


def _cut(values: Sequence[Tensor], options: Options) -> Tensor:
    """Cut off rows and columns: left, right, top, bottom."""
    left, right, top, bottom = (int(number) for number in options["sides"])
    height, width = values[0].shape[-2:]
    if min(left, right, top, bottom) < 0 or left + right >= width or top + bottom >= height:
        raise ValueError("nothing is left of an image that is cut")
    return values[0][..., top : height - bottom, left : width - right]


def _cut_like(values: Sequence[Tensor], options: Options) -> Tensor:
    """Cut the first value to the size of the second."""
    left, top = int(options["left"]), int(options["top"])
    height, width = values[1].shape[-2:]
    cut = values[0][..., top : top + height, left : left + width]
    if cut.shape[-2:] != values[1].shape[-2:]:
        raise ValueError("nothing is left of an image that is cut")
    return cut


def _padded(values: Sequence[Tensor], options: Options) -> Tensor:
    sides = [int(number) for number in options["sides"]]
    if len(sides) != 4 or not all(0 <= side <= 1024 for side in sides):
        raise ValueError("a padding that is too wide")
    mode = options["mode"]
    return F.pad(values[0], sides, mode, float(options["number"]) if mode == "constant" else None)


def _pooled(values: Sequence[Tensor], options: Options) -> Tensor:
    if options.get("everywhere"):
        return values[0].mean((2, 3), keepdim=True)
    pool = F.max_pool2d if options["most"] else F.avg_pool2d
    result: Tensor = pool(values[0], options["size"], options["stride"])
    return result


def _chosen(values: Sequence[Tensor], options: Options) -> Tensor:
    channels = torch.tensor(options["channels"], device=values[0].device)
    return values[0].index_select(1, channels)


KINDS: Mapping[str, _Run] = {
    "relu": _each(F.relu),
    "sigmoid": _each(torch.sigmoid),
    "silu": _each(F.silu),
    "mish": _each(F.mish),
    "tanh": _each(torch.tanh),
    "leaky": _each(F.leaky_relu, "slope"),
    "clip": _each(torch.clamp, "least", "most"),
    "add": _arithmetic(operator.add),
    "sub": _arithmetic(operator.sub),
    "mul": _arithmetic(operator.mul),
    "div": _arithmetic(operator.truediv),
    "rsub": _arithmetic(lambda first, second: second - first),
    "rdiv": _arithmetic(lambda first, second: second / first),
    "join": lambda values, _: torch.cat(tuple(values), 1),
    "resize": _resized,
    "shuffle": lambda values, options: F.pixel_shuffle(values[0], int(options["factor"])),
    "unshuffle": lambda values, options: F.pixel_unshuffle(values[0], int(options["factor"])),
    "cut": _cut,
    "cut_like": _cut_like,
    "pad": _padded,
    "pool": _pooled,
    "channels": _chosen,
}
"""What each kind computes from B, C, H, W."""
