"""Choose the device, and run networks in mixed precision (autocast, loss scaling)."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import nn
from torch.amp import GradScaler

from srgan_cli.allocator import keep_freed_memory
from srgan_cli.config import Precision
from srgan_cli.engine.devices.accelerators import (
    PROVIDERS,
    VULKAN,
    Accelerator,
    named_accelerator,
    require_present,
    vulkan_device,
)
from srgan_cli.errors import ResourceError, UsageError

ModuleT = TypeVar("ModuleT", bound=nn.Module)

KINDS = ("cpu", "cuda", "mps", "xpu", VULKAN, *PROVIDERS)
"""Devices by their names, without numbers."""
_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def resolve_device(name: str) -> torch.device:
    """Turn ``--device`` into a device; ``auto`` takes CUDA, then Apple's MPS, then the CPU.

    Where it is the CPU, this process keeps the memory that its tensors free.

    Raises:
        UsageError: No such kind of device, or one that only upscales.
        ResourceError: The device is not present.
    """
    if named_accelerator(name):
        raise UsageError(
            f"--device {name} only upscales", hint="pass auto, cpu, cuda, cuda:1, mps or xpu"
        )
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
        if name == "cpu" and torch.backends.mps.is_available():
            name = "mps"
    if name.partition(":")[0] not in KINDS:
        raise UsageError(
            f"--device {name!r} is unknown",
            hint="pass auto, cpu, cuda, cuda:1, mps or xpu; to upscale also "
            f"{VULKAN} (AMD, Intel and others), {', '.join(PROVIDERS)}",
        )
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ResourceError(
            f"--device {name}: this machine has no such device, or PyTorch does not support it",
            hint="pass --device cpu, or install a PyTorch build for that device",
        ) from error
    if device.type == "cpu":
        keep_freed_memory()
    return device


@dataclass(frozen=True, slots=True)
class Amp:
    """Mixed precision for one training run: where it runs, in what arithmetic."""

    device: torch.device
    """Device of both networks."""
    dtype: torch.dtype
    """Arithmetic of the forward passes; float32 switches autocast off."""
    init_scale: float = 2.0**16
    """Where the search for a loss scale begins, in fp16."""
    accelerator: Accelerator | None = None
    """What upscales in PyTorch's place, which is on the CPU then."""
    may_accelerate: bool = False
    """Whether a GPU may be looked for that PyTorch does not know."""

    @classmethod
    def create(cls, device: torch.device, precision: Precision) -> "Amp":
        """Choose the arithmetic for a device.

        ``auto`` is bf16 where the hardware computes in it (its range needs no loss
        scaling), else fp16 on CUDA, else fp32.
        """
        return cls(device, _automatic_dtype(device) if precision == "auto" else _DTYPES[precision])

    @classmethod
    def fastest(cls, device: torch.device) -> "Amp":
        """Choose what a network that only runs may compute in: half precision, or else fp32."""
        if device.type == "mps":
            return cls(device, torch.float16)
        return cls.create(device, "auto")

    @classmethod
    def to_upscale(cls, name: str, precision: Precision) -> "Amp":
        """Choose device and arithmetic for a network that only runs.

        Args:
            name: As ``--device`` takes it: also a device that is not PyTorch's.
            precision: ``auto`` is fp16 on these.

        Raises:
            UsageError: No such kind of device, or not in this precision.
            ResourceError: The device is not present.
        """
        accelerator = named_accelerator(name)
        if accelerator is None:
            amp = cls.create(resolve_device(name), precision)
            on_cpu = amp.device.type == "cpu" and amp.dtype == torch.float32
            return replace(amp, may_accelerate=on_cpu and name == "auto")
        if precision == "bf16":
            raise UsageError(
                f"--device {accelerator} does not compute in bf16", hint="pass fp16 or fp32"
            )
        require_present(accelerator)
        dtype = torch.float32 if precision == "fp32" else torch.float16
        return cls(resolve_device("cpu"), dtype, accelerator=accelerator)

    @property
    def where(self) -> str:
        """Name of the device, as ``--device`` takes it."""
        return str(self.accelerator or self.device)

    @property
    def kind(self) -> str:
        """Kind of the device, such as ``cpu``, ``cuda`` or ``vulkan``, without its number."""
        return self.where.partition(":")[0]

    @property
    def described(self) -> str:
        """Name of the device, of a GPU with its number and the card's name where it is known."""
        if self.device.type == "cuda":
            index = torch.cuda.current_device() if self.device.index is None else self.device.index
            return f"cuda:{index} ({torch.cuda.get_device_name(index)})"
        device = self.accelerator
        gpu = vulkan_device(device.index) if device and device.kind == VULKAN else None
        return f"{VULKAN}:{gpu.index} ({gpu.name})" if gpu else self.where

    @property
    def scales(self) -> bool:
        """Whether losses are scaled, so that fp16 gradients do not vanish."""
        return self.dtype == torch.float16

    def scaler(self) -> GradScaler:
        """Make the loss scaler of one network; its scale is 1 for all but fp16."""
        return GradScaler(self.device.type, init_scale=self.init_scale if self.scales else 1.0)

    def autocast(self) -> AbstractContextManager[None]:
        """Return the context for forward passes."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)

    def place(self, module: ModuleT) -> ModuleT:
        """Move a network to the device, its convolutions in the layout that runs fastest."""
        return module.to(self.device).to(memory_format=torch.channels_last)

    @property
    def precision(self) -> str:
        """``fp32``, ``fp16`` or ``bf16``."""
        return next(name for name, dtype in _DTYPES.items() if dtype == self.dtype)


def _automatic_dtype(device: torch.device) -> torch.dtype:
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(False) else torch.float16
    if device.type == "cpu" and _cpu_computes_bf16():
        return torch.bfloat16
    return torch.float32


def _cpu_computes_bf16() -> bool:
    """Say whether this CPU multiplies bf16 in hardware; emulation is slower than fp32."""
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, bool)() for probe in probes)
