"""Read a network from an ONNX file, without running anything in it."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from srgan_cli.engine.models.adoption import adopt
from srgan_cli.engine.models.layer_files import LayerFile, LayerList, UnknownLayerError
from srgan_cli.engine.models.onnx_layers import OPERATORS, node_of
from srgan_cli.engine.networks.base import Network
from srgan_cli.engine.networks.layered import INPUT
from srgan_cli.engine.networks.onnx_network import (
    OnnxNetwork,
    parse,
    require_image_to_image,
    tensors_of,
)

if TYPE_CHECKING:
    import onnx

SUFFIX = ".onnx"
_MOST_BYTES = (1 << 31) - 1


def load_onnx(path: Path) -> Network:
    """Build the network of an ONNX file: in PyTorch if its operators are known, else as a file.

    Raises:
        ValueError: It is damaged, or no network that upscales RGB images of any size.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError("larger than an ONNX file can be")
    model = parse(path.read_bytes())
    _take_in(model, path)
    name = require_image_to_image(model)
    try:
        return adopt(_layers(model, name))
    except UnknownLayerError:
        content = model.SerializeToString()
        file = torch.from_numpy(np.frombuffer(content, np.uint8).copy())
        return OnnxNetwork(file).eval()


def _take_in(model: "onnx.ModelProto", path: Path) -> None:
    """Put numbers that stand in files beside the model into it."""
    total = 0
    for tensor in tensors_of(model):
        if tensor.data_location != tensor.EXTERNAL:
            continue
        told = {entry.key: entry.value for entry in tensor.external_data}
        beside = _beside(path, told.get("location", ""))
        offset, size = int(told.get("offset", 0)), beside.stat().st_size
        length = int(told.get("length", size - offset))
        total += length
        if min(offset, length) < 0 or offset + length > size or total > _MOST_BYTES:
            raise ValueError(f"{beside.name} beside it is shorter than it says, or too large")
        with beside.open("rb") as file:
            file.seek(offset)
            tensor.raw_data = file.read(length)
        del tensor.external_data[:]
        tensor.data_location = tensor.DEFAULT


def _beside(path: Path, location: str) -> Path:
    """Return a file in a model's folder; refuse all others."""
    folder = path.parent.resolve()
    beside = folder / location
    if not location or not beside.resolve().is_relative_to(folder):
        raise ValueError(f"it asks for numbers outside its folder: {location[:80]}")
    if not beside.is_file():
        raise ValueError(f"{location[:80]}, which should stand beside it, is missing")
    return beside


def _layers(model: "onnx.ModelProto", name: str) -> LayerFile:
    """Turn operators into layers.

    Raises:
        UnknownLayerError: One of them is not known.
        ValueError: The file is damaged.
    """
    made = LayerList()
    values: dict[str, str | Tensor | None] = {"": None, name: INPUT}
    for tensor in model.graph.initializer:
        values[tensor.name] = _numbers(tensor)
    for node in model.graph.node:
        if missing := [each for each in node.input if each not in values]:
            raise ValueError(f"damaged: {missing[0][:40]} is read before it is made")
        read = node_of(node, [values[each] for each in node.input])
        if node.op_type == "Constant" and "value" in read.attributes:
            result: str | Tensor = _numbers(read.attributes["value"])
        elif node.op_type not in OPERATORS or len(node.output) != 1:
            raise UnknownLayerError(f"the operator {node.op_type}")
        else:
            try:
                result = OPERATORS[node.op_type](made, read)
            except (LookupError, TypeError, ArithmeticError) as error:
                raise ValueError(f"damaged: {node.op_type[:40]} without what it needs") from error
        values[node.output[0]] = result
    result = values.get(model.graph.output[0].name) or ""
    if not isinstance(result, str) or not result:
        raise ValueError("its result does not depend on the image")
    return made.finish(result)


def _numbers(tensor: "onnx.TensorProto") -> Tensor:
    """Return a file's numbers, whose shape must fit what is there."""
    from onnx import numpy_helper

    try:
        return torch.from_numpy(numpy_helper.to_array(tensor).copy())
    except (TypeError, ValueError, RuntimeError) as error:
        name = tensor.name[:40]
        raise ValueError(f"damaged: {name} holds other numbers than it says") from error
