"""Measure how fast each device and runtime upscales with a bundled model, in a few seconds."""

import time
from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
import torch

from srgan_cli.config import Precision, RuntimeName
from srgan_cli.engine.devices.amp import Amp, resolve_device
from srgan_cli.engine.doctor.inventory import Speed
from srgan_cli.engine.doctor.present_devices import Device
from srgan_cli.engine.inference.loading import Execution
from srgan_cli.engine.inference.upscaler import Upscaler
from srgan_cli.engine.models.shelf import bundled_models
from srgan_cli.engine.models.weights import load_model
from srgan_cli.engine.runtimes.fastest import learn_speeds
from srgan_cli.engine.runtimes.speeds import forget, processor_of
from srgan_cli.errors import SrganError
from srgan_cli.observer import Observer, SilentBar, SilentObserver

_SECONDS = 8.0
"""After which nothing further is begun."""
_EACH = 0.5
"""About how long a measurement takes."""
_SIDES = (64, 512)
"""Least and most LR pixels of a measurement's image."""


def measured(devices: Sequence[Device], observer: Observer) -> Iterator[Speed]:
    """Yield the speed of each device and runtime.

    Args:
        devices: What there is.
        observer: Hears how many are done.
    """
    _renew(devices, observer)
    kinds = list(_kinds(devices))
    began = time.perf_counter()
    with observer.bar("measuring", total=len(kinds), unit="runtimes") as bar:
        for device, runtime, precision in kinds:
            if time.perf_counter() - began > _SECONDS:
                yield Speed(runtime, device, precision, None, "the ten seconds were over")
            else:
                yield _speed(device, runtime, precision)
            bar.advance()


def _renew(devices: Sequence[Device], observer: Observer) -> None:
    """Forget what was measured on these devices, and measure the bundled networks anew."""
    for device in (resolve_device(one.name) for one in devices if not one.accelerator):
        forget(processor_of(device))
        for scale in (2, 4):
            network = load_model(bundled_models(scale)[0].source("bundled")).generator
            learn_speeds(network, network.align, Amp.fastest(device), observer)


def _kinds(devices: Sequence[Device]) -> Iterator[tuple[str, RuntimeName, Precision]]:
    """Yield device, runtime and precision of all that is to be measured, the usual first."""
    yield devices[0].name, "auto", "auto"
    for device in devices:
        for precision in () if device.accelerator else device.precisions:
            yield device.name, "torch", cast("Precision", precision)
    yield "cpu", "ncnn", "fp32"
    yield "cpu", "onnxruntime", "fp32"
    yield "cpu", "openvino", "fp32"
    for device in devices:
        if device.accelerator and not device.software:
            for precision in device.precisions:
                yield device.name, "auto", cast("Precision", precision)


def _speed(device: str, runtime: RuntimeName, precision: Precision) -> Speed:
    model = load_model(bundled_models(2)[0].source("bundled"))
    try:
        upscaler = Execution(device, precision, runtime).prepared(model, SilentObserver())
        first = _seconds(upscaler, _SIDES[0])  # Pays for what is set up once.
        first = min(first, _seconds(upscaler, _SIDES[0]))
        side = int(_SIDES[0] * (_EACH / max(first, 1e-6)) ** 0.5)
        side = min(max(side, _SIDES[0]), _SIDES[1])
        seconds = _seconds(upscaler, side) if side > _SIDES[0] else first
    except (SrganError, RuntimeError) as error:
        message = error.message if isinstance(error, SrganError) else str(error).partition("\n")[0]
        return Speed(runtime, device, precision, None, message)
    megapixels = (model.scale * side) ** 2 / 1e6 / seconds
    taken = f"takes {upscaler.runtime} in {upscaler.amp.precision}"
    note = upscaler.problem or (taken if runtime == "auto" else "")
    return Speed(runtime, device, precision, megapixels, note)


def _seconds(upscaler: Upscaler, side: int) -> float:
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    started = time.perf_counter()
    upscaler.upscale(image, SilentBar())
    if upscaler.amp.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started
