"""Measure how fast each device and runtime upscales with a model, in a few seconds."""

import time
from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
import torch
from PIL import Image

from srgan_cli.config import Precision, RuntimeName
from srgan_cli.engine.devices.accelerators import vulkan_devices
from srgan_cli.engine.devices.amp import Amp, resolve_device
from srgan_cli.engine.doctor.inventory import Speed
from srgan_cli.engine.doctor.present_devices import Device
from srgan_cli.engine.inference.loading import Execution
from srgan_cli.engine.inference.upscaler import Upscaler
from srgan_cli.engine.models.shelf import bundled_models, find_model
from srgan_cli.engine.models.weights import ModelSource, load_model
from srgan_cli.engine.runtimes.fastest import learn_speeds
from srgan_cli.engine.runtimes.speeds import Subject, forget
from srgan_cli.errors import SrganError
from srgan_cli.observer import Observer, SilentBar, SilentObserver

_SECONDS = 20.0
"""After which nothing further is begun for a model."""
_EACH = 0.5
"""About how long a measurement takes."""
_SIDES = (32, 512)
"""Least and most LR pixels of a measurement's image."""
_SLOW = 0.05
"""Megapixels of results in a second on the CPU from which on a program that acts as a GPU, and
takes some twenty times as long, is not measured: that would take minutes."""


def measured(
    devices: Sequence[Device], sources: Sequence[ModelSource], observer: Observer
) -> Iterator[Speed]:
    """Yield the speed of each device and runtime, for each model.

    What was remembered of the speeds of these models is measured anew.

    Args:
        devices: What there is.
        sources: The models.
        observer: Hears how many are done.
    """
    for source in sources:
        _renew(source, devices, observer)
        yield from _measured(source, devices, observer)


def named_models(names: Sequence[str]) -> Sequence[ModelSource]:
    """Find models by their names or files, or the bundled ×2 one if there are none.

    Raises:
        WeightsError: One is not there.
    """
    found = [find_model(name, None) for name in names]
    return found or [bundled_models(2)[0].source("bundled")]


def _measured(
    source: ModelSource, devices: Sequence[Device], observer: Observer
) -> Iterator[Speed]:
    kinds = list(_kinds(devices))
    began = time.perf_counter()
    on_cpu = 0.0
    with observer.bar(f"measuring {source.name}", total=len(kinds), unit="runtimes") as bar:
        for device, runtime, precision in kinds:
            kind = (source.name, runtime, device.name, precision)
            if time.perf_counter() - began > _SECONDS:
                yield Speed(*kind, None, f"the {_SECONDS:.0f} seconds were over")
            elif device.software and on_cpu < _SLOW:
                yield Speed(*kind, None, "a program on the CPU: it would take minutes")
            else:
                megapixels, note = _speed(source, device, runtime, precision)
                on_cpu = on_cpu or megapixels or 0.0
                yield Speed(*kind, megapixels, note)
            bar.advance()


def _renew(source: ModelSource, devices: Sequence[Device], observer: Observer) -> None:
    """Forget what was measured for a network on these devices, and measure it anew."""
    network = load_model(source).generator
    for gpu in vulkan_devices():
        forget(Subject.on_vulkan(network, gpu))
    for device in (resolve_device(one.name) for one in devices if not one.accelerator):
        forget(Subject.of(network, device))
        learn_speeds(network, network.align, Amp.fastest(device), observer)


def _kinds(devices: Sequence[Device]) -> Iterator[tuple[Device, RuntimeName, Precision]]:
    """Yield device, runtime and precision of all that is to be measured, the usual first.

    Args:
        devices: The CPU first.
    """
    cpu, *gpus = devices
    yield cpu, "auto", "auto"
    for device in (*gpus, cpu):
        for precision in device.precisions:
            runtime: RuntimeName = "auto" if device.accelerator else "torch"
            yield device, runtime, cast("Precision", precision)
    yield cpu, "ncnn", "fp32"
    yield cpu, "onnxruntime", "fp32"
    yield cpu, "openvino", "fp32"


def _speed(
    source: ModelSource, device: Device, runtime: RuntimeName, precision: Precision
) -> tuple[float | None, str]:
    """Return megapixels of results in a second, and what is to be said of them."""
    model = load_model(source)
    try:
        upscaler = Execution(device.name, precision, runtime).prepared(model, SilentObserver())
        first = _seconds(upscaler, _SIDES[0])  # Pays for what is set up once.
        first = min(first, _seconds(upscaler, _SIDES[0]))
        side = int(_SIDES[0] * (_EACH / max(first, 1e-6)) ** 0.5)
        side = min(max(side, _SIDES[0]), _SIDES[1])
        seconds = _seconds(upscaler, side) if side > _SIDES[0] else first
    except (SrganError, RuntimeError) as error:
        message = error.message if isinstance(error, SrganError) else str(error).partition("\n")[0]
        return None, message
    megapixels = (model.scale * side) ** 2 / 1e6 / seconds
    taken = f"takes {upscaler.runtime} in {upscaler.amp.precision}"
    if device.software:
        taken += ", a program on the CPU"
    return megapixels, upscaler.problem or (taken if runtime == "auto" else "")


def _seconds(upscaler: Upscaler, side: int) -> float:
    # As smooth as a photograph: on pure noise no half precision is accurate.
    coarse = np.random.default_rng(0).integers(0, 256, (side // 8, side // 8, 3), np.uint8)
    image = np.asarray(Image.fromarray(coarse).resize((side, side)))
    started = time.perf_counter()
    upscaler.upscale(image, SilentBar())
    if upscaler.amp.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started
