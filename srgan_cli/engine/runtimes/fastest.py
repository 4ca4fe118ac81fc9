"""Choose the fastest runtime for a network on this machine, and check that its results agree."""

import copy
import importlib.util
from collections.abc import Mapping, Sequence
from contextlib import suppress

import torch
from torch import nn

from srgan_cli.config import RuntimeName
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.runtimes.backends import NcnnRuntime, OnnxRuntime, Runtime, TorchRuntime
from srgan_cli.engine.runtimes.ncnn_form import to_ncnn
from srgan_cli.engine.runtimes.onnx_form import to_onnx_bytes
from srgan_cli.engine.runtimes.openvino_runtime import OpenVinoRuntime
from srgan_cli.engine.runtimes.operations import Noted, UnsupportedError, note_operations
from srgan_cli.engine.runtimes.speeds import Run, Subject, in_turns, learn, remembered
from srgan_cli.engine.runtimes.trust import require_equal
from srgan_cli.errors import UsageError
from srgan_cli.observer import Observer

_WIDE_DENSE = 112
"""Joined channels, on average, from which on ncnn is faster than ONNX Runtime: it was not with 80
(preset ``compact``) and was with 144 (``standard`` and RRDBs)."""
_MODULES = {
    "ncnn": ("ncnn",),
    "onnxruntime": ("onnx", "onnxruntime"),
    "openvino": ("onnx", "openvino"),
}
"""The packages that each runtime needs."""
_EXTRAS = {"ncnn": "fast", "onnxruntime": "fast", "openvino": "openvino"}
_GAIN = 1.1
"""How many times as fast as fp32 half precision has to be, to be worth its errors."""


def open_runtime(name: RuntimeName, network: nn.Module, align: int, amp: Amp) -> Runtime:
    """Choose what runs a network.

    ``auto`` takes the fastest that is installed, knows all of the network's layers and
    gives what PyTorch gives; all but PyTorch run on the CPU in fp32 alone. Which one is the
    fastest was measured (:func:`learn_speeds`); where it was not, a rule says it.

    Args:
        name: ``auto``, ``torch``, ``ncnn``, ``onnxruntime`` or ``openvino``.
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
    if not is_installed(name):
        raise UsageError(
            f"--runtime {name} is not installed",
            hint=f"pip install 'srgan-cli[{_EXTRAS[name]}]', or pass --runtime torch",
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
    fast = [runtime for runtime, extra in _EXTRAS.items() if extra == "fast"]
    if name != "auto" or not _fits(amp) or any(map(is_installed, fast)):
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
    if not any(map(is_installed, _MODULES)):
        return None
    try:
        noted = note_operations(network, align)
    except UnsupportedError:
        return None
    known = remembered(Subject.of(network, torch.device("cpu")))
    for name in _by_seconds(known) or filter(is_installed, _fastest_first(noted)):
        if name == "torch":
            break
        try:
            return _checked(name, noted, network, align)
        except UnsupportedError:
            continue
    return None


def _checked(name: str, noted: Noted, network: nn.Module, align: int) -> Runtime:
    runtime: Runtime
    if name == "ncnn":
        runtime = NcnnRuntime(to_ncnn(noted))
    elif name == "openvino":
        runtime = OpenVinoRuntime(to_onnx_bytes(noted))
    else:
        runtime = OnnxRuntime(to_onnx_bytes(noted))
    side = -(-24 // align) * align
    require_equal(runtime, network, [(side, side + align)])
    return runtime


def learn_speeds(network: nn.Module, align: int, half: Amp, observer: Observer) -> None:
    """Measure all ways to run a network on a device, unless they are remembered already.

    Args:
        network: In fp32 on the CPU; it is not changed.
        align: Sides of all tiles are multiples of it.
        half: The device and its half precision, or fp32 where it has none.
        observer: Hears that it takes a while.
    """

    def measure() -> Mapping[str, float]:
        observer.say("measuring which runtime is the fastest for this kind of network (once)")
        return _measured(network, align, half)

    if network.state_dict():  # Else nothing tells its form.
        learn(Subject.of(network, half.device), measure)


def gains_from_half(name: RuntimeName, network: nn.Module, half: Amp) -> bool:
    """Say whether half precision was measured to be faster than fp32.

    Args:
        name: The runtime that is asked for; all but PyTorch compute in fp32.
        network: As in :func:`learn_speeds`.
        half: The device and its half precision.
    """
    if name not in {"auto", "torch"}:
        return False
    seconds = remembered(Subject.of(network, half.device))
    rivals = _by_seconds(seconds) if name == "auto" else ["torch"]
    key = _way("torch", half.precision)
    if key not in seconds or not rivals:
        return False
    return seconds[key] * _GAIN < seconds[_way(rivals[0], "fp32")]


def _measured(network: nn.Module, align: int, half: Amp) -> Mapping[str, float]:
    runs: dict[str, Run] = {}
    for amp in {Amp(half.device, torch.float32), half}:
        runs[_way("torch", amp.precision)] = _run(TorchRuntime(copy.deepcopy(network), amp))
    if half.device.type == "cpu":
        with suppress(UnsupportedError):
            noted = note_operations(network, align)
            for name in filter(is_installed, _MODULES):
                with suppress(UnsupportedError):
                    runs[_way(name, "fp32")] = _run(_checked(name, noted, network, align))
    return in_turns(runs, align, half.device)


def _run(runtime: Runtime) -> Run:
    return lambda lr: runtime.run(lr, exact=False)


def _way(runtime: str, precision: str) -> str:
    return f"{runtime} {precision}"


def _by_seconds(seconds: Mapping[str, float]) -> list[str]:
    """Return the runtimes that were measured in fp32 and are installed, the fastest first."""
    names = [name for name in _MODULES if is_installed(name)]
    known = [name for name in ("torch", *names) if _way(name, "fp32") in seconds]
    return sorted(known, key=lambda name: seconds[_way(name, "fp32")])


def _fastest_first(noted: Noted) -> Sequence[str]:
    """Order the other runtimes by a rule, where nothing was measured.

    On one CPU with AVX-512 ONNX Runtime was ahead in all networks. On others ncnn needs the fewest
    multiplications, but copies channels wherever they are joined; in narrow dense blocks that
    costs more.
    """
    if torch.backends.cpu.get_cpu_capability() == "AVX512":
        return ("onnxruntime", "ncnn")
    joined = [value.output.shape[1] for value in noted.operations if value.kind == "cat"]
    if joined and sum(joined) < _WIDE_DENSE * len(joined):
        return ("onnxruntime", "ncnn")
    return ("ncnn", "onnxruntime")


def is_installed(name: str) -> bool:
    """Say whether the packages of a runtime that is not PyTorch are installed."""
    return all(importlib.util.find_spec(module) is not None for module in _MODULES[name])
