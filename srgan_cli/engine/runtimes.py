"""What runs a network: PyTorch, or a library that is faster on a CPU."""

import importlib.util
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from srgan_cli.config import RuntimeName
from srgan_cli.engine.amp import Amp
from srgan_cli.engine.ncnn import NcnnModel, to_ncnn
from srgan_cli.engine.onnx_form import to_onnx_bytes
from srgan_cli.engine.operations import UnsupportedError, note_operations
from srgan_cli.engine.program import Program
from srgan_cli.errors import UsageError

TOLERANCE = 1e-3
"""How far a runtime may be from PyTorch in fp32, of the range [0, 1] and before rounding."""
_WIDE_DENSE = 112
"""Joined channels, on average, from which on ncnn is faster than ONNX Runtime: it was not with 80
(preset ``compact``) and was with 144 (``standard`` and RRDBs)."""
_EXACT = 1e-5
"""How far PyTorch may be from itself, when it computes in another order."""


class Runtime(Protocol):
    """Runs a network on batches of one tile; may be called from several threads at once.

    On a CPU it uses as many cores as PyTorch's setting of the calling thread says.
    """

    name: str
    threaded: bool
    """Whether it runs one tile on several cores of a CPU about as fast as one on each."""

    def run(self, lr: Tensor, *, exact: bool) -> Tensor:
        """Enlarge a tile.

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
        program: What runs in its place, in fp32 on the CPU.
    """

    name = "torch"
    threaded = False  # The products of a strip are too small to be shared.

    def __init__(self, network: nn.Module, amp: Amp, program: Program | None = None) -> None:
        self._amp, self._program = amp, program
        self._network = amp.place(network)

    @torch.inference_mode()
    def run(self, lr: Tensor, *, exact: bool) -> Tensor:
        """Enlarge a tile; see :class:`Runtime`."""
        if self._program is not None:
            return self._program(lr)
        device = self._amp.device
        if device.type == "cuda":
            # From pinned memory the copy runs beside the work on the tile before.
            lr = lr.pin_memory()
        with torch.autocast(device.type, enabled=False) if exact else self._amp.autocast():
            sr: Tensor = self._network(lr.to(device, non_blocking=True))
        return sr.float()


Loaded = TypeVar("Loaded")


class _ByThreads(Generic[Loaded]):
    """What a library arranges for a number of threads when it loads a network.

    Args:
        load: Loads it for so many.
    """

    def __init__(self, load: Callable[[int], Loaded]) -> None:
        self._load = load
        self._loaded: dict[int, Loaded] = {}
        self._loading = threading.Lock()

    def get(self) -> Loaded:
        """Return it for as many threads as PyTorch would use here."""
        num_threads = torch.get_num_threads()
        with self._loading:
            if num_threads not in self._loaded:
                self._loaded[num_threads] = self._load(num_threads)
            return self._loaded[num_threads]


class NcnnRuntime:
    """The ncnn library, in fp32 on the CPU.

    Args:
        model: The network in ncnn's form.

    Raises:
        UnsupportedError: ncnn does not take it.
    """

    name = "ncnn"
    threaded = True

    def __init__(self, model: NcnnModel) -> None:
        import ncnn

        self._mat = ncnn.Mat
        self._nets = _ByThreads(lambda num_threads: _ncnn_net(model, num_threads))
        self._nets.get()

    def run(self, lr: Tensor, *, exact: bool) -> Tensor:  # noqa: ARG002 - it always is
        """Enlarge a tile; see :class:`Runtime`."""
        pixels = np.ascontiguousarray(lr[0].numpy())
        extractor = self._nets.get().create_extractor()
        extractor.input("lr", self._mat(pixels))
        code, sr = extractor.extract("sr")
        if code:
            raise MemoryError("ncnn could not run a tile")
        return torch.from_numpy(np.array(sr))[None]


def _ncnn_net(model: NcnnModel, num_threads: int) -> Any:
    import ncnn

    net = ncnn.Net()
    options = net.opt
    options.num_threads = num_threads
    options.use_vulkan_compute = False
    # It would round weights and features to half precision where the CPU can.
    options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
    options.use_bf16_packed = options.use_bf16_storage = False
    if net.load_param_mem(model.param):
        raise UnsupportedError("ncnn does not take the layers")
    descriptor, name = tempfile.mkstemp(suffix=".bin")  # It reads weights from files only.
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(model.weights)
        if net.load_model(name):
            raise UnsupportedError("ncnn does not take the weights")
    finally:
        Path(name).unlink()
    return net


class OnnxRuntime:
    """ONNX Runtime, in fp32 on the CPU.

    Args:
        model: An ONNX file.

    Raises:
        UnsupportedError: It does not take the file.
    """

    name = "onnxruntime"
    threaded = True

    def __init__(self, model: bytes) -> None:
        self._sessions = _ByThreads(lambda num_threads: _onnx_session(model, num_threads))
        self._sessions.get()

    def run(self, lr: Tensor, *, exact: bool) -> Tensor:  # noqa: ARG002 - it always is
        """Enlarge a tile; see :class:`Runtime`."""
        try:
            (sr,) = self._sessions.get().run(["sr"], {"lr": lr.contiguous().numpy()})
        except Exception as error:  # Its errors have no class of their own that is documented.
            raise MemoryError(f"ONNX Runtime could not run a tile: {error}") from error
        return torch.from_numpy(sr)


def _onnx_session(model: bytes, num_threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.log_severity_level = 3  # Errors.
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # See above.
        raise UnsupportedError(f"ONNX Runtime does not take the network: {error}") from error


_MODULES = {"ncnn": ("ncnn",), "onnxruntime": ("onnx", "onnxruntime")}
"""What each runtime needs to be installed."""


def open_runtime(name: RuntimeName, network: nn.Module, align: int, amp: Amp) -> Runtime:
    """Choose what runs a network.

    ``auto`` takes the fastest that is installed, knows all of the network's layers and
    gives what PyTorch gives; all but PyTorch run on the CPU in fp32 alone.

    Args:
        name: ``auto``, ``torch``, ``ncnn`` or ``onnxruntime``.
        network: In fp32 on the CPU.
        align: Sides of all tiles are multiples of it.
        amp: Device and precision.

    Raises:
        UsageError: The runtime is not installed, or cannot run this network there.
    """
    fits = amp.device.type == "cpu" and amp.dtype == torch.float32
    if name == "auto":
        for each in filter(_is_installed, _fastest_first(network, align) if fits else ()):
            try:
                return _checked(each, network, align)
            except UnsupportedError:
                continue
    if name in {"auto", "torch"}:
        return _torch_runtime(network, align, amp)
    if not fits:
        raise UsageError(
            f"--runtime {name} runs in fp32 on the CPU, not in {amp.precision} on {amp.device}",
            hint="pass --runtime torch, or --device cpu --precision fp32",
        )
    if not _is_installed(name):
        raise UsageError(
            f"--runtime {name} is not installed",
            hint="pip install 'srgan-cli[fast]', or pass torch",
        )
    try:
        return _checked(name, network, align)
    except UnsupportedError as error:
        raise UsageError(
            f"--runtime {name} cannot run this network: {error}", hint="pass --runtime torch"
        ) from error


def _checked(name: str, network: nn.Module, align: int) -> Runtime:
    runtime: Runtime
    if name == "ncnn":
        runtime = NcnnRuntime(to_ncnn(network, align))
    else:
        runtime = OnnxRuntime(to_onnx_bytes(network, align))
    _require_equal(runtime, network, align)
    return runtime


def _fastest_first(network: nn.Module, align: int) -> Sequence[str]:
    """Order the other runtimes by what was measured; see docs/speed.md.

    ncnn needs the fewest multiplications, but copies channels wherever they are joined; in
    narrow dense blocks that costs more.
    """
    try:
        noted = note_operations(network, align)
    except UnsupportedError:
        return ()
    joined = [value.output.shape[1] for value in noted.operations if value.kind == "cat"]
    if joined and sum(joined) < _WIDE_DENSE * len(joined):
        return ("onnxruntime", "ncnn")
    return ("ncnn", "onnxruntime")


def _torch_runtime(network: nn.Module, align: int, amp: Amp) -> TorchRuntime:
    """Return PyTorch with fewer multiplications, where that pays and comes to the same."""
    if amp.device.type == "cpu" and amp.dtype == torch.float32:
        try:
            program = Program(network, align)
            runtime = TorchRuntime(network, amp, program)
            _require_equal(runtime, network, align, tolerance=_EXACT)
        except UnsupportedError:
            pass
        else:
            return runtime
    return TorchRuntime(network, amp)


def _is_installed(name: str) -> bool:
    return all(importlib.util.find_spec(module) is not None for module in _MODULES[name])


def _require_equal(
    runtime: Runtime, network: nn.Module, align: int, *, tolerance: float = TOLERANCE
) -> None:
    """Check a runtime on this very machine, on few pixels, before it is trusted with more."""
    side = -(-24 // align) * align
    lr = torch.rand(1, 3, side, side + align, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network(lr)
    try:
        made = runtime.run(lr, exact=True)
    except MemoryError as error:  # So few pixels fit: it cannot run them.
        raise UnsupportedError(str(error)) from error
    difference = (made - expected).abs().max()
    if not float(difference) <= tolerance * max(1.0, float(expected.abs().max())):
        raise UnsupportedError(f"it is {float(difference):.2g} from PyTorch")
