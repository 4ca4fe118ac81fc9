"""The layers of ncnn: what their options and numbers mean (github.com/Tencent/ncnn, ``layer/``)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from srgan_cli.engine.models.layer_files import LayerList, UnknownLayerError
from srgan_cli.engine.models.ncnn_values import Numbers, Options

_UNSET = -233

Read = Callable[[LayerList, Numbers, Sequence[str], Options], str]
"""Adds what a line stands for; returns the name of the value that it makes."""

_ACTIVATIONS: Mapping[int, tuple[str, tuple[str, ...]]] = {
    1: ("relu", ()),
    2: ("leaky", ("slope",)),
    3: ("clip", ("least", "most")),
    4: ("sigmoid", ()),
    5: ("mish", ()),
}


def _activated(made: LayerList, value: str, options: Options) -> str:
    """Add the activation that a convolution brings."""
    code = options.whole(9)
    if code == 0:
        return value
    if code not in _ACTIVATIONS:
        raise UnknownLayerError(f"activation {code} is not supported")
    kind, names = _ACTIVATIONS[code]
    given: dict[str, Any] = dict(zip(names, options.list(10)[: len(names)], strict=True))
    return made.add(kind, [value], **given)


def _matrix(numbers: Numbers, options: Options, *area: int, size: int, groups: int) -> Any:
    """Read weight and bias: outputs, inputs of one group, and the kernel's sides."""
    outputs = options.whole(0)
    cells = int(np.prod([max(1, side) for side in area], dtype=object)) * max(1, outputs)
    inputs, rest = divmod(options.whole(size), cells)
    if rest or inputs < 1 or outputs < 1 or groups < 1:
        raise ValueError("a layer of impossible size")
    weight = numbers.tagged(outputs, inputs, *area)
    return weight, numbers.plain(outputs) if options.whole(5 if area else 1) else None


def _convolution(made: LayerList, numbers: Numbers, inputs: Sequence[str], options: Options) -> str:
    options.refuse(pad_value=18, int8=8, dynamic=19)
    kernel, stride, dilation = (
        options.pair(1, 11, 0),
        options.pair(3, 13, 1),
        options.pair(2, 12, 1),
    )
    groups = options.whole(7, 1)
    weight, bias = _matrix(numbers, options, *kernel, size=6, groups=groups)
    value = made.add(
        "convolution",
        inputs,
        {"weight": weight, "bias": bias},
        in_channels=weight.shape[1] * groups,
        out_channels=weight.shape[0],
        kernel_size=kernel,
        stride=stride,
        sides=options.sides(),
        dilation=dilation,
        groups=groups,
        bias=bias is not None,
    )
    return _activated(made, value, options)


def _deconvolution(
    made: LayerList, numbers: Numbers, inputs: Sequence[str], options: Options
) -> str:
    options.refuse(
        output_pad=18, output_pad_below=19, output_width=20, output_height=21, dynamic=28
    )
    kernel, stride, dilation = (
        options.pair(1, 11, 0),
        options.pair(3, 13, 1),
        options.pair(2, 12, 1),
    )
    left, right, top, bottom = options.sides()
    if options.whole(7, 1) != 1 or (left, top) != (right, bottom):
        raise UnknownLayerError("a deconvolution of groups is not supported")
    weight, bias = _matrix(numbers, options, *kernel, size=6, groups=1)
    value = made.add(
        "deconvolution",
        inputs,
        {"weight": weight.transpose(0, 1).contiguous(), "bias": bias},
        in_channels=weight.shape[1],
        out_channels=weight.shape[0],
        kernel_size=kernel,
        stride=stride,
        padding=(top, left),
        dilation=dilation,
        bias=bias is not None,
    )
    return _activated(made, value, options)


def _dense(made: LayerList, numbers: Numbers, inputs: Sequence[str], options: Options) -> str:
    options.refuse(int8=8)
    weight, bias = _matrix(numbers, options, size=2, groups=1)
    value = made.add(
        "dense",
        inputs,
        {"weight": weight[:, :, None, None], "bias": bias},
        in_channels=weight.shape[1],
        out_channels=weight.shape[0],
        bias=bias is not None,
    )
    return _activated(made, value, options)


def _prelu(made: LayerList, numbers: Numbers, inputs: Sequence[str], options: Options) -> str:
    slopes = numbers.plain(options.whole(0))
    return made.add("prelu", inputs, {"weight": slopes}, num_parameters=len(slopes))


def _constant(made: LayerList, numbers: Numbers, _: Sequence[str], options: Options) -> str:
    width, height, channels = (options.whole(key) for key in (0, 1, 2))
    shape = (channels or 1, height or 1, width)
    options.refuse(depth=11)
    read = numbers.plain if options.whole(21, 1) else numbers.tagged
    tensor = read(*shape)[None]
    return made.add("constant", [], {"weight": tensor}, shape=tuple(tensor.shape))


def _relu(made: LayerList, _: Numbers, inputs: Sequence[str], options: Options) -> str:
    slope = options.number(0)
    return made.add("leaky", inputs, slope=slope) if slope else made.add("relu", inputs)


def _clip(made: LayerList, _: Numbers, inputs: Sequence[str], options: Options) -> str:
    least, most = options.number(0, -3e38), options.number(1, 3e38)
    return made.add("clip", inputs, least=least, most=most)


_ARITHMETIC = {0: "add", 1: "sub", 2: "mul", 3: "div", 7: "rsub", 8: "rdiv"}


def _binary(made: LayerList, _: Numbers, inputs: Sequence[str], options: Options) -> str:
    code = options.whole(0)
    if code not in _ARITHMETIC:
        raise UnknownLayerError(f"arithmetic of kind {code} is not supported")
    number: dict[str, Any] = {"number": options.number(2)} if options.whole(1) else {}
    if len(inputs) != 2 - len(number):
        raise ValueError("arithmetic of another number of values")
    return made.add(_ARITHMETIC[code], inputs, **number)


def _eltwise(made: LayerList, _: Numbers, inputs: Sequence[str], options: Options) -> str:
    factors = options.list(1)
    code = options.whole(0)
    if code not in {0, 1} or len(inputs) < 2 or len(factors) not in {0, len(inputs)}:
        raise UnknownLayerError(f"Eltwise of kind {code} is not supported")
    terms = list(inputs)
    for i, factor in enumerate(factors if code == 1 else []):
        if factor != 1:
            terms[i] = made.add("mul", [terms[i]], number=factor)
    value = terms[0]
    for term in terms[1:]:
        value = made.add("add" if code else "mul", [value, term])
    return value


def _scale(made: LayerList, _: Numbers, inputs: Sequence[str], options: Options) -> str:
    if options.whole(0) != _UNSET or len(inputs) != 2:
        raise UnknownLayerError("Scale with numbers of its own is not supported")
    return made.add("mul", inputs)


def _join(made: LayerList, _: Numbers, inputs: Sequence[str], options: Options) -> str:
    if options.whole(0) not in {0, -3} or not inputs:
        raise UnknownLayerError("only channels can be joined")
    return made.add("join", inputs)


def _resize(made: LayerList, _: Numbers, inputs: Sequence[str], options: Options) -> str:
    modes = {1: "nearest", 2: "bilinear", 3: "bicubic"}
    options.refuse(dynamic=5, align_corner=6)
    factors = (options.number(1, 1.0), options.number(2, 1.0))
    if options.whole(0) not in modes or len(inputs) != 1:
        raise UnknownLayerError(f"interpolation of kind {options.whole(0)} is not supported")
    if factors == (1.0, 1.0) and (options.whole(3) or options.whole(4)):
        raise UnknownLayerError("its size is fixed: it resizes to a number of pixels")
    return made.add("resize", inputs, mode=modes[options.whole(0)], factors=factors)


def _shuffle(kind: str) -> Read:
    def read(made: LayerList, _: Numbers, inputs: Sequence[str], options: Options) -> str:
        options.refuse(mode=1)
        return made.add(kind, inputs, factor=options.whole(0, 1))

    return read


def _crop(made: LayerList, _: Numbers, inputs: Sequence[str], options: Options) -> str:
    if len(inputs) == 2:
        return made.add("cut_like", inputs, left=options.whole(0), top=options.whole(1))
    starts, ends, axes = (options.list(key) for key in (9, 10, 11))
    sides = {-1: (0.0, 0.0), -2: (0.0, 0.0)}
    for start, end, axis in zip(starts, ends, axes, strict=True):
        behind = 0 if end == _UNSET else -end
        if axis not in sides or start < 0 or behind < 0:
            raise UnknownLayerError("cutting to a fixed size is not supported")
        sides[int(axis)] = (start, behind)
    if not axes:
        raise UnknownLayerError("cutting to a fixed size is not supported")
    return made.add("cut", inputs, sides=[int(side) for axis in (-1, -2) for side in sides[axis]])


def _padding(made: LayerList, _: Numbers, inputs: Sequence[str], options: Options) -> str:
    modes = {0: "constant", 1: "replicate", 2: "reflect"}
    options.refuse(channels=7, channels_behind=8, each_channel=6)
    sides = [options.whole(key) for key in (2, 3, 0, 1)]
    return made.add(
        "pad", inputs, sides=sides, mode=modes[options.whole(4)], number=options.number(5)
    )


def _pooling(made: LayerList, _: Numbers, inputs: Sequence[str], options: Options) -> str:
    most = options.whole(0) == 0
    if options.whole(4):
        if most:
            raise UnknownLayerError("the largest value of an image is not supported")
        return made.add("pool", inputs, everywhere=True)
    options.refuse(pad=3, pad_right=14, pad_top=13, pad_bottom=15, adaptive=7)
    size, stride = options.pair(1, 11, 1), options.pair(2, 12, 1)
    if options.whole(5) not in {0, 1} or size != stride:
        raise UnknownLayerError("pooling that overlaps is not supported")
    return made.add("pool", inputs, most=most, size=size, stride=stride)


def _simple(kind: str) -> Read:
    return lambda made, _numbers, inputs, _options: made.add(kind, inputs)


LAYERS: Mapping[str, Read] = {
    "Convolution": _convolution,
    "ConvolutionDepthWise": _convolution,
    "Deconvolution": _deconvolution,
    "InnerProduct": _dense,
    "PReLU": _prelu,
    "MemoryData": _constant,
    "ReLU": _relu,
    "Clip": _clip,
    "Sigmoid": _simple("sigmoid"),
    "Swish": _simple("silu"),
    "Mish": _simple("mish"),
    "TanH": _simple("tanh"),
    "BinaryOp": _binary,
    "Eltwise": _eltwise,
    "Scale": _scale,
    "Concat": _join,
    "Interp": _resize,
    "PixelShuffle": _shuffle("shuffle"),
    "Reorg": _shuffle("unshuffle"),
    "Crop": _crop,
    "Padding": _padding,
    "Pooling": _pooling,
    "Split": lambda _made, _numbers, inputs, _options: inputs[0],
    "Noop": lambda _made, _numbers, inputs, _options: inputs[0],
}
"""By ncnn's names. They are a list of what is known, not of what ncnn has."""
