"""Choose the fastest runtime for a network on this machine, and check that its results agree."""

import importlib.util
from collections.abc import Sequence

import torch
from torch import nn

from srgan_cli.config import RuntimeName
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.runtimes.backends import NcnnRuntime, OnnxRuntime, Runtime, TorchRuntime
from srgan_cli.engine.runtimes.ncnn_form import to_ncnn
from srgan_cli.engine.runtimes.onnx_form import to_onnx_bytes
from srgan_cli.engine.runtimes.operations import Noted, UnsupportedError, note_operations
from srgan_cli.errors import ResourceError, UsageError

TOLERANCE = 1e-3
"""Largest difference of a runtime to PyTorch in fp32, in the range [0, 1] and before rounding."""
_WIDE_DENSE = 112
"""Joined channels, on average, from which on ncnn is faster than ONNX Runtime: it was not with 80
(preset ``compact``) and was with 144 (``standard`` and RRDBs)."""
_MODULES = {"ncnn": ("ncnn",), "onnxruntime": ("onnx", "onnxruntime")}
"""The packages that each runtime needs."""


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
    if name == "auto":
        found = _fastest(network, align) if _fits(amp) else None
        return found or TorchRuntime(network, amp)
    if name == "torch":
        return TorchRuntime(network, amp)
    if not _fits(amp):
        raise UsageError(
            f"--runtime {name} needs fp32 on the CPU, not {amp.precision} on {amp.device}",
            hint="pass --runtime torch, or --device cpu --precision fp32",
        )
    if not _is_installed(name):
        raise UsageError(
            f"--runtime {name} is not installed",
            hint="pip install 'srgan-cli[fast]', or pass --runtime torch",
        )
    try:
        return _checked(name, note_operations(network, align), network, align)
    except UnsupportedError as error:
        raise UsageError(
            f"--runtime {name} cannot run this network: {error}", hint="pass --runtime torch"
        ) from error


def gains_from_extra(name: RuntimeName, network: nn.Module, align: int, amp: Amp) -> bool:
    """Say whether a network runs in PyTorch only because the extra ``fast`` is not installed.

    Takes the arguments of :func:`open_runtime`.
    """
    if name != "auto" or not _fits(amp) or any(map(_is_installed, _MODULES)):
        return False
    try:
        to_ncnn(note_operations(network, align))
    except UnsupportedError:
        return False
    return True


def _fits(amp: Amp) -> bool:
    return amp.device.type == "cpu" and amp.dtype == torch.float32


def _fastest(network: nn.Module, align: int) -> Runtime | None:
    """Open the fastest runtime that is installed and can be trusted with a network."""
    if not any(map(_is_installed, _MODULES)):
        return None
    try:
        noted = note_operations(network, align)
    except UnsupportedError:
        return None
    for name in filter(_is_installed, _fastest_first(noted)):
        try:
            return _checked(name, noted, network, align)
        except UnsupportedError:
            continue
    return None


def _checked(name: str, noted: Noted, network: nn.Module, align: int) -> Runtime:
    ncnn = name == "ncnn"
    runtime: Runtime = NcnnRuntime(to_ncnn(noted)) if ncnn else OnnxRuntime(to_onnx_bytes(noted))
    _require_equal(runtime, network, align)
    return runtime


def _fastest_first(noted: Noted) -> Sequence[str]:
    """Order the other runtimes by what was measured; see docs/speed.md.

    On CPUs with AVX-512 ONNX Runtime is ahead in all networks. On others ncnn needs the fewest
    multiplications, but copies channels wherever they are joined; in narrow dense blocks that
    costs more.
    """
    if torch.backends.cpu.get_cpu_capability() == "AVX512":
        return ("onnxruntime", "ncnn")
    joined = [value.output.shape[1] for value in noted.operations if value.kind == "cat"]
    if joined and sum(joined) < _WIDE_DENSE * len(joined):
        return ("onnxruntime", "ncnn")
    return ("ncnn", "onnxruntime")


def _is_installed(name: str) -> bool:
    return all(importlib.util.find_spec(module) is not None for module in _MODULES[name])


def _require_equal(runtime: Runtime, network: nn.Module, align: int) -> None:
    """Check a runtime on this very machine, on few pixels, before it is trusted with more."""
    side = -(-24 // align) * align
    lr = torch.rand(1, 3, side, side + align, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network(lr)
    try:
        made = runtime.run(lr, exact=True)
    except (MemoryError, ResourceError) as error:  # So few pixels fit: it cannot run them.
        raise UnsupportedError(str(error)) from error
    difference = (made - expected).abs().max()
    if not float(difference) <= TOLERANCE * max(1.0, float(expected.abs().max())):
        raise UnsupportedError(f"its results differ from PyTorch's by {float(difference):.2g}")
