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
    vulkan_devices,
)
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.networks.base import Network
from srgan_cli.engine.networks.onnx_network import OnnxNetwork
from srgan_cli.engine.runtimes.accelerated import OnnxFileRuntime, ProviderRuntime, VulkanRuntime
from srgan_cli.engine.runtimes.backends import Runtime
from srgan_cli.engine.runtimes.fastest import open_runtime
from srgan_cli.engine.runtimes.operations import UnsupportedError, note_operations
from srgan_cli.engine.runtimes.trust import require_equal
from srgan_cli.errors import UsageError

TOLERANCE_HALF = 1e-2
"""Largest difference to PyTorch in fp32 where an accelerator computes in fp16."""
_ODD = ((1, 1), (5, 7), (13, 33), (40, 41))
"""Heights and widths of the images that results are compared on: rows, columns and areas that are
no multiples of what GPUs read at once, and one of about a kilopixel."""
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


def open_network(name: RuntimeName, network: Network, amp: Amp) -> Opened:
    """Open a network where a command is to run it.

    A device that PyTorch does not know is trusted only once its results are those of PyTorch on
    the CPU, for images of odd sizes, in fp32 and in the precision that is used. Otherwise the CPU
    is taken. Where any device will do and PyTorch knows no GPU, one with Vulkan is taken if it
    can be trusted and is faster than the CPU.

    Args:
        name: What is to run it.
        network: In fp32 on the CPU.
        amp: Device and precision that were chosen.

    Raises:
        UsageError: The runtime is not installed, or cannot run this network there.
    """
    if amp.accelerator is not None:
        return _accelerated(name, network, amp, amp.accelerator)
    runtime = open_runtime(name, network, network.align, amp)
    found = _found(network, amp) if amp.may_accelerate and name in {"auto", "ncnn"} else None
    faster = found is not None and _seconds(found.runtime, network) < _seconds(runtime, network)
    return found if found is not None and faster else Opened(runtime, amp)


def _accelerated(name: RuntimeName, network: Network, amp: Amp, device: Accelerator) -> Opened:
    fitting = "ncnn" if device.kind == VULKAN else "onnxruntime"
    if name not in {"auto", fitting}:
        raise UsageError(
            f"--runtime {name} contradicts --device {device}", hint=f"pass --runtime {fitting}"
        )
    try:
        return _trusted(network, amp, device)
    except UnsupportedError as error:
        cpu = Amp(amp.device, torch.float32)
        runtime = open_runtime(name, network, network.align, cpu)
        return Opened(runtime, cpu, f"--device {device} cannot be used: {error}")


def _trusted(network: Network, amp: Amp, device: Accelerator) -> Opened:
    """Open a network on a device, and compare results.

    Raises:
        UnsupportedError: It cannot run there, or results differ in fp32.
    """
    fp16 = amp.dtype == torch.float16
    runtime = _opened(network, device, fp16=fp16)
    sizes = [(height * network.align, width * network.align) for height, width in _ODD]
    require_equal(runtime, network, sizes)
    if not fp16:
        return Opened(runtime, amp)
    try:
        require_equal(runtime, network, sizes, exact=False, tolerance=TOLERANCE_HALF)
    except UnsupportedError as error:
        return Opened(
            _opened(network, device, fp16=False),
            replace(amp, dtype=torch.float32),
            f"--device {device} cannot be used in fp16: {error}",
        )
    return Opened(runtime, amp)


def _opened(network: Network, device: Accelerator, *, fp16: bool) -> Runtime:
    if device.kind != VULKAN and isinstance(network, OnnxNetwork):
        return OnnxFileRuntime(network, device)
    noted = note_operations(network, network.align)
    if device.kind == VULKAN:
        index = default_vulkan_device() if device.index is None else device.index
        return VulkanRuntime(noted, index, fp16=fp16)
    return ProviderRuntime(noted, device, fp16=fp16)


def _found(network: Network, amp: Amp) -> Opened | None:
    """Look for a GPU with Vulkan that can be trusted; programs that act as one are none."""
    if not may_have_gpu():
        return None
    for device in vulkan_devices():
        accelerator = Accelerator(VULKAN, device.index)
        try:
            if not device.software:
                return _trusted(network, replace(amp, accelerator=accelerator), accelerator)
        except UnsupportedError:
            continue
    return None


def _seconds(runtime: Runtime, network: Network) -> float:
    """Time the second of two runs: the first one pays for what is set up once."""
    side = -(-_RACE // network.align) * network.align
    for _ in range(2):
        started = time.perf_counter()
        runtime.run(torch.full((1, 3, side, side), 0.5), exact=True)
    return time.perf_counter() - started
