"""The runtimes behind one interface: PyTorch, ncnn and ONNX Runtime."""

import os
import tempfile
import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from srgan_cli.allocator import lacks_memory
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.runtimes.ncnn_form import NcnnModel
from srgan_cli.engine.runtimes.operations import UnsupportedError
from srgan_cli.errors import ResourceError


class Runtime(Protocol):
    """Runs a network on batches of one tile; may be called from several threads at once.

    On a CPU it uses as many cores as PyTorch's setting of the calling thread says.
    """

    name: str
    threaded: bool
    """Whether it runs one tile on several cores of a CPU about as fast as one on each."""

    def run(self, lr: Tensor, *, exact: bool) -> Tensor:
        """Upscale a tile.

        Args:
            lr: 1, 3, H, W, RGB in [0, 1], fp32 on the CPU.
            exact: Compute in fp32, whatever the precision that was chosen.

        Returns:
            1, 3, scale·H, scale·W, about [0, 1] but not clipped.
        """
        ...


class TorchRuntime:
    """PyTorch, on any device and in any precision.

    Args:
        network: The network; it is moved to the device.
        amp: Where it runs, in what arithmetic.
    """

    name = "torch"
    threaded = False  # On a CPU its threads wait for each other after every layer.

    def __init__(self, network: nn.Module, amp: Amp) -> None:
        self._amp = amp
        self._network = amp.place(network)

    @torch.inference_mode()
    def run(self, lr: Tensor, *, exact: bool) -> Tensor:
        """Upscale a tile; see :class:`Runtime`."""
        device = self._amp.device
        if device.type == "cuda":
            # From pinned memory the copy runs beside the work on the tile before.
            lr = lr.pin_memory()
        with torch.autocast(device.type, enabled=False) if exact else self._amp.autocast():
            sr: Tensor = self._network(lr.to(device, non_blocking=True))
        return sr.float()


Loaded = TypeVar("Loaded")


class LibraryRuntime(ABC, Generic[Loaded]):
    """A library that runs a network in fp32 on the CPU.

    Libraries arrange a network for a number of threads when they load it, so it is loaded once for
    each number.

    Raises:
        UnsupportedError: The library does not take the network.
    """

    name: str
    library: str
    """Name of the library in messages."""
    threaded = True

    def __init__(self) -> None:
        self._loaded: dict[int, Loaded] = {}
        self._loading = threading.Lock()
        self._get()

    @abstractmethod
    def _load(self, num_threads: int) -> Loaded:
        """Load the network for so many threads."""

    @abstractmethod
    def _upscale(self, loaded: Loaded, lr: Tensor) -> Tensor:
        """Upscale a tile; see :class:`Runtime`."""

    def run(self, lr: Tensor, *, exact: bool) -> Tensor:  # noqa: ARG002 - it always is
        """Upscale a tile; see :class:`Runtime`.

        Raises:
            MemoryError: Memory does not suffice for it.
            ResourceError: The library fails for another reason.
        """
        loaded = self._get()
        try:
            return self._upscale(loaded, lr)
        except MemoryError:
            raise
        except Exception as error:  # Libraries do not document classes of their own.
            if lacks_memory(error):
                raise MemoryError(f"{self.library} could not run a tile: {error}") from error
            raise ResourceError(
                f"{self.library} could not run a tile: {error}", hint="pass --runtime torch"
            ) from error

    def _get(self) -> Loaded:
        """Return the network for as many threads as PyTorch would use here."""
        num_threads = torch.get_num_threads()
        with self._loading:
            if num_threads not in self._loaded:
                self._loaded[num_threads] = self._load(num_threads)
            return self._loaded[num_threads]


class NcnnRuntime(LibraryRuntime[Any]):
    """The ncnn library, in fp32 on the CPU.

    Args:
        model: The network in ncnn's form.

    Raises:
        UnsupportedError: ncnn does not take it.
    """

    name = library = "ncnn"

    def __init__(self, model: NcnnModel) -> None:
        self._model = model
        super().__init__()

    def _load(self, num_threads: int) -> Any:
        return ncnn_net(self._model, num_threads)

    def _upscale(self, loaded: Any, lr: Tensor) -> Tensor:
        import ncnn

        pixels = np.ascontiguousarray(lr[0].numpy())  # Named, since the matrix does not keep it.
        return ncnn_result(loaded, ncnn.Mat(pixels))


def ncnn_result(net: Any, lr: Any) -> Tensor:
    """Run a network that ncnn has loaded on an ``ncnn.Mat``; return 1, 3, scale·H, scale·W.

    Raises:
        MemoryError: Memory does not suffice for it.
    """
    extractor = net.create_extractor()
    extractor.input("lr", lr)
    code, sr = extractor.extract("sr")
    if code:
        raise MemoryError("ncnn could not run a tile")
    return torch.from_numpy(np.array(sr))[None]


def ncnn_net(
    model: NcnnModel, num_threads: int, *, gpu: int | None = None, fp16: bool = False
) -> Any:
    """Load a network into ncnn.

    Args:
        model: The network.
        num_threads: On the CPU.
        gpu: ncnn's number of the device with Vulkan that runs it; the CPU does when None.
        fp16: Keep weights and features in fp16 between sums, which are of fp32.

    Raises:
        UnsupportedError: ncnn does not take it.
    """
    import ncnn

    net = ncnn.Net()
    options = net.opt
    options.num_threads = num_threads
    options.use_vulkan_compute = gpu is not None
    if gpu is not None:
        net.set_vulkan_device(gpu)
    # By default it would round to half precision wherever the device can.
    options.use_fp16_packed = options.use_fp16_storage = fp16
    options.use_fp16_arithmetic = False
    options.use_bf16_packed = options.use_bf16_storage = False
    if net.load_param_mem(model.param):
        raise UnsupportedError("ncnn cannot load the layers")
    descriptor, name = tempfile.mkstemp(suffix=".bin")  # It reads weights from files only.
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(model.weights)
        if net.load_model(name):
            raise UnsupportedError("ncnn cannot load the weights")
    finally:
        Path(name).unlink()
    return net


class OnnxRuntime(LibraryRuntime[Any]):
    """ONNX Runtime, in fp32 on the CPU.

    Args:
        model: An ONNX file.

    Raises:
        UnsupportedError: It does not take the file.
    """

    name = "onnxruntime"
    library = "ONNX Runtime"

    def __init__(self, model: bytes) -> None:
        self._model = model
        super().__init__()

    def _load(self, num_threads: int) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        options.log_severity_level = 3  # Errors.
        providers = ["CPUExecutionProvider"]
        try:
            return onnxruntime.InferenceSession(self._model, options, providers=providers)
        except Exception as error:  # See above.
            raise UnsupportedError(f"ONNX Runtime cannot load the network: {error}") from error

    def _upscale(self, loaded: Any, lr: Tensor) -> Tensor:
        (sr,) = loaded.run(["sr"], {"lr": lr.contiguous().numpy()})
        return torch.from_numpy(sr)
