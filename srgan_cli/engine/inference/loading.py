"""Load a model onto the device and into the precision that a command is to use."""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch

from srgan_cli.config import Precision, RuntimeName, UpscaleConfig
from srgan_cli.engine.devices.accelerators import may_have_gpu, named_accelerator
from srgan_cli.engine.devices.amp import Amp, resolve_device
from srgan_cli.engine.inference.upscaler import Upscaler
from srgan_cli.engine.models.interpolation import load_between
from srgan_cli.engine.models.weights import Model, ModelSource, load_model
from srgan_cli.engine.runtimes.fastest import gains_from_extra, gains_from_half, learn_speeds
from srgan_cli.observer import Observer


def load_upscaler(source: ModelSource, config: UpscaleConfig, observer: Observer) -> Upscaler:
    """Load weights onto the device that a command is to use, and say which and why."""
    model = load_model(source) if config.strength is None else load_between(source, config.strength)
    make = partial(Upscaler, tile=config.tile, runtime=config.runtime, tta=config.tta)
    upscaler = ready_on(config.device, model, config.precision, config.runtime, make, observer)
    means = "" if upscaler.runtime == "torch" else f" with {upscaler.runtime}"
    if gains_from_extra(config.runtime, model.generator, model.generator.align, upscaler.amp):
        means = "; pip install 'srgan-cli[fast]' is faster"
    if upscaler.chooses:
        means += " (fp32 for 16 bits and where it would show)"
    strength = "" if config.strength is None else f", strength {config.strength:g}"
    observer.say(
        f"model: {source.name} ({source.reason}), ×{model.scale}{strength}, "
        f"{upscaler.amp.precision} on {upscaler.amp.where}{means}"
    )
    return upscaler


def ready_on(
    name: str,
    model: Model,
    precision: Precision,
    runtime: RuntimeName,
    make: Callable[..., Upscaler],
    observer: Observer,
) -> Upscaler:
    """Make what upscales with a model as :func:`ready` does, also on what PyTorch does not know.

    Args:
        name: The device, as ``--device`` takes it.
        model: The network, in fp32 on the CPU.
        precision: ``auto`` is fp16 on these, and fp32 for images on which that would show.
        runtime: What runs it.
        make: As in :func:`ready`.
        observer: Hears which device is used instead of one that cannot be trusted.
    """
    if named_accelerator(name) is None:
        device = resolve_device(name)
        found = _accelerated(model, device, name, precision, make)
        return found or ready(model, device, precision, runtime, make, observer)
    amp = Amp.to_upscale(name, precision)
    if precision == "auto":
        other = replace(model, generator=copy.deepcopy(model.generator))
        fp32 = replace(amp, dtype=torch.float32)
        upscaler = make(model, amp, in_fp32=lambda: make(other, fp32))
    else:
        upscaler = make(model, amp)
    if upscaler.problem:
        observer.warn(upscaler.problem, f"{upscaler.amp.where} is used instead")
    return upscaler


def _accelerated(
    model: Model,
    device: torch.device,
    name: str,
    precision: Precision,
    make: Callable[..., Upscaler],
) -> Upscaler | None:
    """Make what upscales on a GPU that was not named, in fp32, if it is faster than the CPU."""
    wanted = name == "auto" and precision in {"auto", "fp32"}
    if not wanted or device.type != "cpu" or not may_have_gpu():
        return None
    other = replace(model, generator=copy.deepcopy(model.generator))
    upscaler = make(other, Amp(device, torch.float32, may_accelerate=True))
    return upscaler if upscaler.amp.accelerator else None


def ready(
    model: Model,
    device: torch.device,
    precision: Precision,
    runtime: RuntimeName,
    make: Callable[..., Upscaler],
    observer: Observer,
) -> Upscaler:
    """Make what upscales with a model, in half precision where that is faster and asked for.

    Args:
        model: The network, in fp32 on the CPU.
        device: Where it is to run.
        precision: ``auto`` measures once which precision is the fastest.
        runtime: What runs it; ``auto`` measures as well.
        make: Called with model, precision and what upscales in fp32.
        observer: Hears that something is measured.
    """
    network = model.generator
    half, fp32 = Amp.fastest(device), Amp(device, torch.float32)
    if "auto" in {precision, runtime}:
        learn_speeds(network, network.align, half, observer)
    if precision != "auto":
        return make(model, Amp.create(device, precision))
    if half.dtype == fp32.dtype or not gains_from_half(runtime, network, half):
        return make(model, fp32)
    # A runtime may move its network to the device.
    other = replace(model, generator=copy.deepcopy(network))
    return make(model, half, in_fp32=lambda: make(other, fp32))
