"""Open a network on the device that a command is to use, or where it can be trusted instead."""

import time
from dataclasses import dataclass, replace

import torch

from srgan_cli.config import RuntimeName
from srgan_cli.engine.devices.accelerators import (
    VULKAN,
    Accelerator,
    default_vulkan_device,
    may_have_gpu,
    vulkan_device,
    vulkan_devices,
)
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.networks.base import Network
from srgan_cli.engine.networks.onnx_network import OnnxNetwork
from srgan_cli.engine.runtimes.accelerated import OnnxFileRuntime, ProviderRuntime, VulkanRuntime
from srgan_cli.engine.runtimes.backends import Runtime
from srgan_cli.engine.runtimes.fastest import open_runtime
from srgan_cli.engine.runtimes.operations import UnsupportedError, note_operations
from srgan_cli.engine.runtimes.speeds import Subject, remember, remembered
from srgan_cli.engine.runtimes.trust import TOLERANCE, require_equal
from srgan_cli.errors import UsageError
from srgan_cli.observer import Observer, SilentObserver

TOLERANCE_HALF = 0.1
"""Largest difference to PyTorch in fp32 where an accelerator computes in fp16. Only faults such as
misread rows exceed it; whether fp16 will do for an image is judged on the image."""
_ODD = ((1, 1), (5, 7), (13, 33), (40, 41))
"""Heights and widths of the images that results are compared on: rows, columns and areas that are
no multiples of what GPUs read at once, and one of about a kilopixel."""
_CHECKED, _CHECKED_HALF = "check fp32", "check fp16"
_RACE = 64
"""Side of the image on which a GPU has to be faster than the CPU, in LR pixels."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A network ready to run."""

    runtime: Runtime
    amp: Amp
    """Where it runs in fact, and in what precision."""
    problem: str | None = None
    """Why that is not what was asked for, in words."""


def open_network(
    name: RuntimeName, network: Network, amp: Amp, observer: Observer | None = None
) -> Opened:
    """Open a network where a command is to run it.

    A device that PyTorch does not know is trusted only once its results are those of PyTorch on
    the CPU, for images of odd sizes, in fp32 and in the precision that is used. Otherwise the CPU
    is taken. Where any device will do and PyTorch knows no GPU, one with Vulkan is taken if it
    can be trusted and is faster than the CPU. For Vulkan both are remembered.

    Args:
        name: What is to run it.
        network: In fp32 on the CPU.
        amp: Device and precision that were chosen.
        observer: Hears that a device is being checked.

    Raises:
        UsageError: The runtime is not installed, or cannot run this network there.
    """
    observer = observer or SilentObserver()
    if amp.accelerator is not None:
        return _accelerated(name, network, amp, amp.accelerator, observer)
    runtime = open_runtime(name, network, network.align, amp)
    wanted = amp.may_accelerate and name in {"auto", "ncnn"}
    found = _found(network, amp, observer) if wanted else None
    if found is not None and _is_faster(found, runtime, network):
        return found
    return Opened(runtime, amp)


def _accelerated(
    name: RuntimeName, network: Network, amp: Amp, device: Accelerator, observer: Observer
) -> Opened:
    fitting = "ncnn" if device.kind == VULKAN else "onnxruntime"
    if name not in {"auto", fitting}:
        raise UsageError(
            f"--runtime {name} contradicts --device {device}", hint=f"pass --runtime {fitting}"
        )
    try:
        return _trusted(network, amp, device, observer)
    except UnsupportedError as error:
        cpu = Amp(amp.device, torch.float32)
        runtime = open_runtime(name, network, network.align, cpu)
        problem = f"--device {device} cannot be used, the CPU is used instead: {error}"
        return Opened(runtime, cpu, problem)


def _trusted(network: Network, amp: Amp, device: Accelerator, observer: Observer) -> Opened:
    """Open a network on a device, and compare results unless that is remembered.

    Raises:
        UnsupportedError: It cannot run there, or results differ in fp32.
    """
    fp16 = amp.dtype == torch.float16
    runtime = _opened(network, device, fp16=fp16)
    subject = _subject(network, device)
    checked = set(remembered(subject)) if subject else set()
    if not checked >= {_CHECKED, *([_CHECKED_HALF] if fp16 else [])}:
        observer.say(f"checking {device} against the CPU")
    if _CHECKED not in checked:
        _check(runtime, network, subject, exact=True)
    if not fp16:
        return Opened(runtime, amp)
    try:
        if _CHECKED_HALF not in checked:
            _check(runtime, network, subject, exact=False)
    except UnsupportedError as error:
        return Opened(
            _opened(network, device, fp16=False),
            replace(amp, dtype=torch.float32),
            f"--device {device} is used in fp32, because fp16 is too inexact there: {error}",
        )
    return Opened(runtime, amp)


def _check(runtime: Runtime, network: Network, subject: Subject | None, *, exact: bool) -> None:
    """Compare results with those of the CPU, and remember it if they agree.

    Raises:
        UnsupportedError: They differ.
    """
    sizes = [(height * network.align, width * network.align) for height, width in _ODD]
    tolerance = TOLERANCE if exact else TOLERANCE_HALF
    started = time.perf_counter()
    require_equal(runtime, network, sizes, exact=exact, tolerance=tolerance)
    if subject:
        remember(subject, {_CHECKED if exact else _CHECKED_HALF: time.perf_counter() - started})


def _subject(network: Network, device: Accelerator) -> Subject | None:
    """Describe a network on a GPU; None where its driver's version is not known."""
    gpu = vulkan_device(device.index) if device.kind == VULKAN else None
    return Subject.on_vulkan(network, gpu) if gpu else None


def _opened(network: Network, device: Accelerator, *, fp16: bool) -> Runtime:
    if device.kind != VULKAN and isinstance(network, OnnxNetwork):
        return OnnxFileRuntime(network, device)
    try:
        noted = note_operations(network, network.align)
        if device.kind == VULKAN:
            index = default_vulkan_device() if device.index is None else device.index
            return VulkanRuntime(noted, index, fp16=fp16)
    except UnsupportedError as error:
        library = "ncnn" if device.kind == VULKAN else "ONNX Runtime"
        raise UnsupportedError(f"this network has no equivalent in {library}: {error}") from error
    return ProviderRuntime(noted, device, fp16=fp16)


def _found(network: Network, amp: Amp, observer: Observer) -> Opened | None:
    """Look for a GPU with Vulkan that can be trusted; programs that act as one are none."""
    if not may_have_gpu():
        return None
    for device in vulkan_devices():
        accelerator = Accelerator(VULKAN, device.index)
        try:
            if not device.software:
                on_gpu = replace(amp, accelerator=accelerator)
                return _trusted(network, on_gpu, accelerator, observer)
        except UnsupportedError:
            continue
    return None


def _is_faster(found: Opened, runtime: Runtime, network: Network) -> bool:
    """Let a GPU race against the CPU, unless it is remembered how that ended."""
    device = found.amp.accelerator
    subject = _subject(network, device) if device else None
    seconds = dict(remembered(subject)) if subject else {}
    gpu, cpu = "race vulkan", f"race {runtime.name} on the CPU"
    if not seconds.keys() >= {gpu, cpu}:
        seconds = {gpu: _seconds(found.runtime, network), cpu: _seconds(runtime, network)}
        if subject:
            remember(subject, seconds)
    return seconds[gpu] < seconds[cpu]


def _seconds(runtime: Runtime, network: Network) -> float:
    """Time the second of two runs: the first one pays for what is set up once."""
    side = -(-_RACE // network.align) * network.align
    for _ in range(2):
        started = time.perf_counter()
        runtime.run(torch.full((1, 3, side, side), 0.5), exact=True)
    return time.perf_counter() - started
