"""Turn networks into ONNX, OpenVINO, TorchScript, ncnn and .pth files.

Every function takes a network in fp32 on the CPU and returns the bytes of its files, the one
that programs are given first. Input ``lr`` and result ``sr`` are N, 3, H, W, fp32, RGB in [0, 1],
of any size. Nothing is written here: libraries that meet a full disk abort the process.
"""

import copy
import io
import logging
import tempfile
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


def to_onnx(network: Network, *, fp16: bool = False) -> tuple[bytes]:
    """Make an ONNX file, with sizes and batch left open.

    Networks whose operations depend on the size, or are not known here, are left to PyTorch's
    exporter.

    Raises:
        UsageError: The extra ``onnx`` is not installed.
    """
    with _extra("onnx", "onnx"):
        try:
            return (to_onnx_bytes(note_operations(network), fp16=fp16),)
        except UnsupportedError:
            return (_to_onnx_by_exporter(network, fp16=fp16),)


def _to_onnx_by_exporter(network: Network, *, fp16: bool) -> bytes:
    with _extra("onnx", "onnxscript"), quiet():
        import onnxscript

        del onnxscript
        open_size = torch.export.Dim.DYNAMIC
        program = torch.onnx.export(
            _Half(network) if fp16 else network,
            (torch.rand(2, *_EXAMPLE[1:]),),
            input_names=["lr"],
            output_names=["sr"],
            dynamic_shapes=({0: open_size, 2: open_size, 3: open_size},),
            dynamo=True,
            verbose=False,
        )
    if program is None:  # As its type allows.
        raise RuntimeError("PyTorch's exporter returned nothing")
    return bytes(program.model_proto.SerializeToString())


def to_openvino(network: Network, *, fp16: bool = False) -> tuple[bytes, bytes]:
    """Make OpenVINO's ``.xml`` and the ``.bin`` that has its numbers.

    OpenVINO only writes files, and raises what comes to its mind: they go through the system's
    folder for temporary files.

    Raises:
        UsageError: The extra ``openvino`` is not installed.
        OSError: OpenVINO cannot write there.
    """
    with _extra("openvino", "openvino"), quiet():
        import openvino

        model = openvino.convert_model(
            network, example_input=torch.rand(_EXAMPLE), input=[(-1, 3, -1, -1)]
        )
        model.inputs[0].tensor.set_names({"lr"})
        model.outputs[0].tensor.set_names({"sr"})
        with tempfile.TemporaryDirectory(prefix="srgan-") as folder:
            path = Path(folder, "network.xml")
            try:
                openvino.save_model(model, path, compress_to_fp16=fp16)
            except RuntimeError as error:
                raise OSError(f"{folder}: OpenVINO cannot write there: {error}") from error
            return path.read_bytes(), path.with_suffix(".bin").read_bytes()


def to_torchscript(network: Network, *, fp16: bool = False) -> tuple[bytes]:
    """Make a TorchScript program, for C++ and for programs that have no class of the network."""
    with quiet(), torch.no_grad():
        module = _Half(network) if fp16 else network
        program = torch.jit.trace(module.eval(), torch.rand(_EXAMPLE))  # type: ignore[no-untyped-call]
        buffer = io.BytesIO()
        torch.jit.save(program, buffer)
    return (buffer.getvalue(),)


def to_ncnn_files(network: Network, *, fp16: bool = False) -> tuple[bytes, bytes]:
    """Make ncnn's ``.param`` and the ``.bin`` that has its numbers.

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
    return model.param.encode("ascii"), model.weights


def to_pth(network: Network, *, fp16: bool = False) -> tuple[bytes]:
    """Make a .pth in BasicSR's style, as Real-ESRGAN, chaiNNer and ComfyUI load it.

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
    buffer = io.BytesIO()
    torch.save({"params_ema": state}, buffer)
    return (buffer.getvalue(),)


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
