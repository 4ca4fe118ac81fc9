"""Write networks to ONNX, OpenVINO, TorchScript, ncnn and .pth files.

Every function takes a network in fp32 on the CPU and writes one file, whose input ``lr``
and result ``sr`` are N, 3, H, W, fp32, RGB in [0, 1], of any size.
"""

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from srgan_cli.engine.networks.base import Network
from srgan_cli.engine.runtimes.ncnn_form import to_ncnn
from srgan_cli.engine.runtimes.onnx_form import to_onnx_bytes
from srgan_cli.engine.runtimes.operations import UnsupportedError, note_operations
from srgan_cli.errors import UsageError

_EXAMPLE = (1, 3, 48, 40)  # Sides that all networks' windows and folds divide or pad.


class _Half(nn.Module):
    """Computes in fp16 between an input and a result of fp32."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).half()

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale a batch."""
        sr: Tensor = self.network(lr.half())
        return sr.float()


def to_onnx(network: Network, path: Path, *, fp16: bool = False) -> None:
    """Write an ONNX file, with sizes and batch left open.

    Networks whose operations depend on the size, or are not known here, are left to PyTorch's
    exporter.

    Raises:
        UsageError: The extra ``onnx`` is not installed.
    """
    with _extra("onnx", "onnx"):
        try:
            path.write_bytes(to_onnx_bytes(note_operations(network), fp16=fp16))
        except UnsupportedError:
            _to_onnx_by_exporter(network, path, fp16=fp16)


def _to_onnx_by_exporter(network: Network, path: Path, *, fp16: bool) -> None:
    with _extra("onnx", "onnxscript"), quiet():
        import onnxscript

        del onnxscript
        open_size = torch.export.Dim.DYNAMIC
        torch.onnx.export(
            _Half(network) if fp16 else network,
            (torch.rand(2, *_EXAMPLE[1:]),),
            path,
            input_names=["lr"],
            output_names=["sr"],
            dynamic_shapes=({0: open_size, 2: open_size, 3: open_size},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def to_openvino(network: Network, path: Path, *, fp16: bool = False) -> None:
    """Write OpenVINO's ``.xml``, with its numbers in a ``.bin`` beside it.

    Raises:
        UsageError: The extra ``openvino`` is not installed.
    """
    with _extra("openvino", "openvino"), quiet():
        import openvino

        model = openvino.convert_model(
            network, example_input=torch.rand(_EXAMPLE), input=[(-1, 3, -1, -1)]
        )
        model.inputs[0].tensor.set_names({"lr"})
        model.outputs[0].tensor.set_names({"sr"})
        openvino.save_model(model, path, compress_to_fp16=fp16)


def to_torchscript(network: Network, path: Path, *, fp16: bool = False) -> None:
    """Write a TorchScript program, for C++ and for programs that have no class of the network."""
    with quiet(), torch.no_grad():
        module = _Half(network) if fp16 else network
        program = torch.jit.trace(module.eval(), torch.rand(_EXAMPLE))  # type: ignore[no-untyped-call]
        program.save(str(path))


def to_ncnn_files(network: Network, path: Path, *, fp16: bool = False) -> None:
    """Write ncnn's ``.param``, with its numbers in a ``.bin`` beside it.

    A network that folds pixels into channels takes sides that are multiples of its fold.

    Raises:
        UsageError: ncnn lacks a layer of the network, or fp16 is asked for.
    """
    if fp16:
        raise UsageError(
            "--to ncnn writes fp32", hint="leave out --fp16: ncnn halves numbers when it loads them"
        )
    try:
        model = to_ncnn(note_operations(network, network.align))
    except UnsupportedError as error:
        raise UsageError(
            f"--to ncnn: {error}", hint="export it to onnx, openvino or torchscript"
        ) from error
    path.write_text(model.param, encoding="ascii")
    path.with_suffix(".bin").write_bytes(model.weights)


def to_pth(network: Network, path: Path, *, fp16: bool = False) -> None:
    """Write a .pth in BasicSR's style, as Real-ESRGAN, chaiNNer and ComfyUI load it.

    Raises:
        UsageError: The network is none of BasicSR's, nor can be written as one.
    """
    form = network.as_basicsr()
    if form is None:
        raise UsageError(
            f"--to pth: BasicSR has no class for this {network.architecture}",
            hint="export it to onnx, openvino, torchscript or ncnn",
        )
    state = form.state_dict()
    if fp16:
        state = {key: value.half() for key, value in state.items()}
    torch.save({"params_ema": state}, path)


@contextmanager
def _extra(extra: str, *modules: str) -> Iterator[None]:
    """Name the extra that brings what a block imports."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in modules:
            raise
        raise UsageError(
            f"--to {extra} needs {error.name}, which is not installed",
            hint=f"pip install 'srgan-cli[{extra}]'",
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep exporters from talking: what they warn of is found by comparing results."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)
