"""Files of ncnn and ONNX, written by hand or by the exporters."""

import struct
from pathlib import Path

import numpy as np
from torch import nn

from srgan_cli.engine.runtimes.ncnn_form import to_ncnn
from srgan_cli.engine.runtimes.onnx_form import to_onnx_bytes
from srgan_cli.engine.runtimes.operations import note_operations


def write_ncnn(path: Path, network: nn.Module, align: int = 1) -> Path:
    """Write a network as ``path`` and the ``.bin`` beside it."""
    model = to_ncnn(note_operations(network, align))
    path.with_suffix(".bin").write_bytes(model.weights)
    path.write_text(model.param, encoding="ascii")
    return path


def write_onnx(path: Path, network: nn.Module, *, fp16: bool = False) -> Path:
    """Write a network as an ONNX file."""
    path.write_bytes(to_onnx_bytes(note_operations(network), fp16=fp16))
    return path


def write_param(path: Path, *lines: str, numbers: bytes = b"") -> Path:
    """Write layers of ncnn, one a line, with their numbers."""
    path.with_suffix(".bin").write_bytes(numbers)
    path.write_text("\n".join(["7767517", f"{len(lines)} {len(lines)}", *lines, ""]), "utf-8")
    return path


def convolution_numbers(*shape: int, seed: int = 0) -> bytes:
    """Return small random weights and no biases, tagged as fp32."""
    numbers = np.random.default_rng(seed).normal(0, 0.05, shape).astype("<f4")
    return struct.pack("<I", 0) + numbers.tobytes()


def onnx_file(nodes, numbers=(), *, sides=(None, None), channels=3, kind=1, **options) -> bytes:
    """Return an ONNX file that maps ``lr`` to ``sr``.

    Args:
        nodes: Operators.
        numbers: Tensors that they read, by ``onnx.TensorProto``.
        sides: Height and width of the input; None leaves one open.
        channels: Of the input.
        kind: Type of the input, 1 for fp32.
        options: Passed to ``make_model``.
    """
    from onnx import helper

    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info("lr", kind, [1, channels, *sides])],
        [helper.make_tensor_value_info("sr", 1, None)],
        list(numbers),
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("org.example", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, **options)
    content: bytes = model.SerializeToString()
    return content
