"""Run networks on devices that PyTorch does not know: Vulkan, and ONNX Runtime's providers."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from srgan_cli.allocator import lacks_memory
from srgan_cli.engine.devices.accelerators import PROVIDERS, Accelerator
from srgan_cli.engine.networks.onnx_network import OnnxNetwork
from srgan_cli.engine.runtimes.backends import ncnn_net, ncnn_result
from srgan_cli.engine.runtimes.ncnn_form import to_ncnn
from srgan_cli.engine.runtimes.onnx_form import to_onnx_bytes
from srgan_cli.engine.runtimes.operations import Noted, UnsupportedError
from srgan_cli.errors import ResourceError
from srgan_cli.quiet import quiet

_DARK = 0.05
"""Mean of a tile, of the range [0, 1], up to which its result may be black."""


class VulkanRuntime:
    """The ncnn library on a GPU with Vulkan.

    Args:
        noted: What the network computes.
        index: ncnn's number of the GPU.
        fp16: Keep weights and features in fp16, unless a result has to be exact.

    Raises:
        UnsupportedError: ncnn does not take the network.
    """

    name = "ncnn"
    threaded = False

    def __init__(self, noted: Noted, index: int, *, fp16: bool) -> None:
        model = to_ncnn(noted)
        with quiet():
            self._net = ncnn_net(model, 1, gpu=index)
            self._half = ncnn_net(model, 1, gpu=index, fp16=True) if fp16 else self._net

    def run(self, lr: Tensor, *, exact: bool) -> Tensor:
        """Upscale a tile; see :class:`~srgan_cli.engine.runtimes.backends.Runtime`.

        Raises:
            MemoryError: Memory does not suffice for it.
        """
        import ncnn

        pixels = np.ascontiguousarray(lr[0].numpy())  # Named, since the matrix does not keep it.
        # GPUs expect gaps after channels that are no multiple of 16 bytes; the copy has them.
        result = ncnn_result(self._net if exact else self._half, ncnn.Mat(pixels).clone())
        if is_black(lr, result):
            raise MemoryError("ncnn could not run a tile")
        return result


class ProviderRuntime:
    """ONNX Runtime on a device that one of its execution providers brings.

    Args:
        noted: What the network computes.
        accelerator: The device.
        fp16: Compute in fp16, unless a result has to be exact.

    Raises:
        UnsupportedError: The provider does not take the network, or fails to start.
    """

    name = "onnxruntime"
    threaded = False

    def __init__(self, noted: Noted, accelerator: Accelerator, *, fp16: bool) -> None:
        self._accelerator = accelerator
        self._session = provider_session(to_onnx_bytes(noted), accelerator)
        self._half = (
            provider_session(to_onnx_bytes(noted, fp16=True), accelerator)
            if fp16
            else self._session
        )

    def run(self, lr: Tensor, *, exact: bool) -> Tensor:
        """Upscale a tile; see :class:`~srgan_cli.engine.runtimes.backends.Runtime`.

        Raises:
            MemoryError: Memory does not suffice for it.
            ResourceError: The provider fails for another reason.
        """
        session = self._session if exact else self._half
        try:
            (sr,) = session.run(None, {"lr": lr.contiguous().numpy()})
        except Exception as error:  # Its errors have no class of their own that is documented.
            raise _failure(error, self._accelerator) from error
        result = torch.from_numpy(sr)
        if is_black(lr, result):
            raise MemoryError(f"{self._accelerator} returned a black tile")
        return result


class OnnxFileRuntime:
    """A network of which there is only an ONNX file, on a device of a provider, in fp32.

    Args:
        network: The network.
        accelerator: The device.

    Raises:
        UnsupportedError: The provider does not take the network, or fails to start.
    """

    name = "onnxruntime"
    threaded = False

    def __init__(self, network: OnnxNetwork, accelerator: Accelerator) -> None:
        session = provider_session(network.file.numpy().tobytes(), accelerator)
        self._network = network.with_session(session)

    @torch.inference_mode()
    def run(self, lr: Tensor, *, exact: bool) -> Tensor:  # noqa: ARG002 - it always is
        """Upscale a tile; see :class:`~srgan_cli.engine.runtimes.backends.Runtime`.

        Raises:
            MemoryError: Memory does not suffice for it.
        """
        result: Tensor = self._network(lr)
        if is_black(lr, result):
            raise MemoryError("the provider returned a black tile")
        return result


def provider_session(file: bytes, accelerator: Accelerator) -> Any:
    """Open an ONNX file with the execution provider of a device.

    Raises:
        UnsupportedError: The provider does not take the network, or fails to start.
    """
    import onnxruntime

    provider = PROVIDERS[accelerator.kind]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # What it prints is in its exceptions, too.
    options.enable_mem_pattern = False  # DirectML asks for it; tiles have different sizes.
    chosen = (provider.name, provider.options_for(accelerator.index))
    try:
        with quiet():
            session = onnxruntime.InferenceSession(
                file,
                options,
                providers=[chosen],  # What it does not know, the CPU computes.
                enable_fallback=0,  # It would print on stdout, and use the CPU.
            )
    except Exception as error:  # See above.
        raise UnsupportedError(f"ONNX Runtime cannot load the network: {_short(error)}") from error
    if provider.name not in session.get_providers():
        raise UnsupportedError(f"ONNX Runtime could not start {provider.name}")
    return session


def is_black(lr: Tensor, sr: Tensor) -> bool:
    """Say whether a result is black though its tile is not: drivers that lack memory do that."""
    return not bool(sr.any()) and float(lr.mean()) > _DARK


def _failure(error: Exception, accelerator: Accelerator) -> Exception:
    problem = f"{accelerator} could not run a tile: {_short(error)}"
    if lacks_memory(error):
        return MemoryError(problem)
    return ResourceError(problem, hint="pass --device cpu")


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[-160:]
