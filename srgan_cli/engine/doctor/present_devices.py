"""What networks can run on here (``srgan doctor``). PyTorch is imported inside functions."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from srgan_cli.processes import num_cores


@dataclass(frozen=True, slots=True)
class Device:
    """What a network can run on."""

    name: str
    """What ``--device`` takes."""
    description: str
    memory: int | None
    """Bytes; None where that is not known."""
    free_memory: int | None
    precisions: tuple[str, ...]
    """Those that it computes in hardware, the one that ``auto`` takes first."""
    accelerator: bool = False
    """Whether it upscales without PyTorch, by Vulkan or a provider of ONNX Runtime."""
    software: bool = False
    """Whether it is a program that acts as a GPU, which ``auto`` never takes."""


def present_devices() -> Iterator[Device]:
    """Yield the devices of PyTorch, then those that only upscale."""
    import torch

    from srgan_cli.engine.devices.amp import Amp
    from srgan_cli.engine.devices.memory import free_memory

    def precisions(name: str) -> tuple[str, ...]:
        auto = Amp.create(torch.device(name), "auto").precision
        return tuple(dict.fromkeys((auto, "fp32", *(["fp16"] if name != "cpu" else []))))

    free = free_memory()
    about = f"{num_cores()} core{'s' * (num_cores() != 1)}"
    yield Device(
        "cpu", about, machine_memory(), None if free is None else int(free), precisions("cpu")
    )
    for index in range(torch.cuda.device_count()):
        name = f"cuda:{index}"
        left, total = torch.cuda.mem_get_info(index)
        yield Device(name, torch.cuda.get_device_name(index), total, left, precisions(name))
    if torch.backends.mps.is_available():
        yield Device("mps", "Apple GPU", None, None, precisions("mps"))
    if torch.xpu.is_available():
        for index in range(torch.xpu.device_count()):
            properties = torch.xpu.get_device_properties(index)
            memory = int(properties.total_memory)
            yield Device(f"xpu:{index}", str(properties.name), memory, None, ("fp32",))
    yield from _accelerators()


def _accelerators() -> Iterator[Device]:
    from srgan_cli.engine.devices.accelerators import (
        PROVIDERS,
        VULKAN,
        offered_providers,
        vulkan_devices,
    )

    precisions = ("fp16", "fp32")
    for one in vulkan_devices():
        about = f"{one.name}, {'a program on the CPU' if one.software else 'by Vulkan'}"
        name = f"{VULKAN}:{one.index}"
        yield Device(name, about, one.memory, None, precisions, True, one.software)
    for name in offered_providers():
        about = f"ONNX Runtime's {PROVIDERS[name].name}"
        yield Device(name, about, None, None, precisions, True)


def machine_memory() -> int | None:
    """Return the bytes of main memory, or None where the system does not say."""
    names = getattr(os, "sysconf_names", {})
    if {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= {*names}:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None
