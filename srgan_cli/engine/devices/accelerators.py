"""Devices that only upscale: GPUs by Vulkan (ncnn), and what ONNX Runtime's wheels bring.

Their libraries are optional, and imported only where somebody may want such a device.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srgan_cli.errors import ResourceError, UsageError
from srgan_cli.quiet import quiet

VULKAN = "vulkan"


@dataclass(frozen=True, slots=True)
class Provider:
    """An execution provider of ONNX Runtime."""

    name: str
    """ONNX Runtime's name for it."""
    wheel: str
    """The package that brings it."""
    numbered: str
    """Option that chooses among several devices."""
    options: Mapping[str, str]
    """Options without which it would not be what the device's name says."""

    def options_for(self, index: int | None) -> dict[str, str]:
        """Return the options that choose a device; the first one, or its own choice, when None."""
        if index is None:
            return dict(self.options)
        number = f"GPU.{index}" if self.numbered == "device_type" else str(index)
        return {**self.options, self.numbered: number}


PROVIDERS: Mapping[str, Provider] = {
    "onnx-cuda": Provider("CUDAExecutionProvider", "onnxruntime-gpu", "device_id", {}),
    "directml": Provider("DmlExecutionProvider", "onnxruntime-directml", "device_id", {}),
    "coreml": Provider("CoreMLExecutionProvider", "onnxruntime", "", {"ModelFormat": "MLProgram"}),
    "openvino": Provider(
        "OpenVINOExecutionProvider", "onnxruntime-openvino", "device_type", {"device_type": "AUTO"}
    ),
    "webgpu": Provider("WebGpuExecutionProvider", "onnxruntime-webgpu", "deviceId", {}),
    "migraphx": Provider("MIGraphXExecutionProvider", "onnxruntime-migraphx", "device_id", {}),
}
"""By the name that ``--device`` takes. ``cuda`` is PyTorch's."""


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A device by its name."""

    kind: str
    """``vulkan`` or a key of ``PROVIDERS``."""
    index: int | None = None
    """Its number; None for the first, or the one that its library prefers."""

    def __str__(self) -> str:
        """Return its name, as ``--device`` takes it."""
        return self.kind if self.index is None else f"{self.kind}:{self.index}"


@dataclass(frozen=True, slots=True)
class VulkanDevice:
    """A device that ncnn finds by Vulkan."""

    index: int
    name: str
    software: bool
    """Whether it is a program that runs on the CPU, such as Mesa's llvmpipe."""
    memory: int
    """Bytes that it lets a program take."""
    driver: str = ""
    """Version of its driver, as the driver numbers it."""


_SOFTWARE = 3  # ncnn's number for a device of type CPU; 0 to 2 are GPUs.


def named_accelerator(name: str) -> Accelerator | None:
    """Read a name such as ``vulkan:1``; None where it is a device of PyTorch or unknown.

    Raises:
        UsageError: Its number is none, or it has no numbers.
    """
    kind, colon, number = name.partition(":")
    if kind != VULKAN and kind not in PROVIDERS:
        return None
    if not colon:
        return Accelerator(kind)
    if not re.fullmatch(r"\d{1,3}", number) or (kind in PROVIDERS and not PROVIDERS[kind].numbered):
        raise UsageError(f"--device {name!r} is unknown", hint=f"pass {kind}")
    return Accelerator(kind, int(number))


def vulkan_devices() -> tuple[VulkanDevice, ...]:
    """List the devices that ncnn finds by Vulkan; none where ncnn or Vulkan is not installed."""
    try:
        import ncnn
    except ImportError:
        return ()
    with quiet():  # It prints what they can.
        count = int(ncnn.get_gpu_count())
        return tuple(_described(ncnn, index) for index in range(count))


def default_vulkan_device() -> int:
    """Return the number of the device that ncnn prefers, of at least one."""
    import ncnn

    return int(ncnn.get_default_gpu_index())


def vulkan_device(index: int | None) -> VulkanDevice | None:
    """Find a device by its number, or the one that ncnn prefers; None where there is none."""
    found = vulkan_devices()
    if index is None and found:
        index = default_vulkan_device()
    return next((device for device in found if device.index == index), None)


def _described(ncnn: Any, index: int) -> VulkanDevice:
    info = ncnn.get_gpu_info(index)
    memory = int(ncnn.get_gpu_device(index).get_heap_budget()) << 20
    driver = f"{info.driver_version()}, Vulkan {info.api_version()}"
    software = info.type() == _SOFTWARE
    return VulkanDevice(index, str(info.device_name()), software, memory, driver)


def may_have_gpu() -> bool:
    """Say whether it is worth the time to ask Vulkan: on Linux, GPUs have files."""
    if sys.platform != "linux":
        return True
    return Path("/dev/dxg").exists() or any(
        next(Path("/dev").glob(pattern), None) for pattern in ("dri/renderD*", "nvidia[0-9]*")
    )


def offered_providers() -> tuple[str, ...]:
    """Return the names of the devices that the installed ONNX Runtime was built for."""
    try:
        import onnxruntime
    except ImportError:
        return ()
    available = {*onnxruntime.get_available_providers()}
    return tuple(name for name, provider in PROVIDERS.items() if provider.name in available)


def require_present(accelerator: Accelerator) -> None:
    """Check that a device can be used here.

    Raises:
        ResourceError: Its library is not installed, or finds no such device.
    """
    if accelerator.kind == VULKAN:
        _require_vulkan(accelerator)
    elif accelerator.kind not in offered_providers():
        wheel = PROVIDERS[accelerator.kind].wheel
        raise ResourceError(
            f"--device {accelerator}: the installed ONNX Runtime does not offer it",
            hint=f"pip install onnx {wheel} (instead of onnxruntime), or pass --device cpu",
        )


def _require_vulkan(accelerator: Accelerator) -> None:
    try:
        import ncnn  # noqa: F401 - whether it is there is asked.
    except ImportError as error:
        raise ResourceError(
            f"--device {accelerator} needs ncnn",
            hint="pip install 'srgan-cli[fast]', or pass --device cpu",
        ) from error
    found = vulkan_devices()
    if not found:
        raise ResourceError(
            f"--device {accelerator}: no device with Vulkan was found",
            hint="install the Vulkan driver of your GPU, or pass --device cpu",
        )
    if (accelerator.index or 0) >= len(found):
        names = ", ".join(f"{VULKAN}:{device.index} ({device.name})" for device in found)
        raise ResourceError(
            f"--device {accelerator}: this machine has no such device", hint=f"there is {names}"
        )
