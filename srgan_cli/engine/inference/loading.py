"""Load a model onto the device and into the precision that a command is to use."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from srgan_cli.config import Precision, RuntimeName, UpscaleConfig
from srgan_cli.engine.devices.accelerators import may_have_gpu, named_accelerator
from srgan_cli.engine.devices.amp import Amp, resolve_device
from srgan_cli.engine.inference.upscaler import Upscaler
from srgan_cli.engine.models.interpolation import load_between
from srgan_cli.engine.models.weights import Model, ModelSource, load_model
from srgan_cli.engine.runtimes.fastest import gains_from_extra, gains_from_half, learn_speeds
from srgan_cli.observer import Observer, SilentObserver


def load_upscaler(
    source: ModelSource, config: UpscaleConfig, observer: Observer, *, others: str = ""
) -> Upscaler:
    """Load weights onto the device that a command is to use, and say which and why.

    Args:
        source: The weights.
        config: Of the command.
        observer: Hears it.
        others: What is said of the models that some images get instead.
    """
    model = load_model(source) if config.strength is None else load_between(source, config.strength)
    execution = Execution(
        config.device, config.precision, config.runtime, tile=config.tile, tta=config.tta
    )
    upscaler = execution.prepared(model, observer)
    means = "" if upscaler.runtime == "torch" else f" with {upscaler.runtime}"
    if gains_from_extra(config.runtime, model.generator, model.generator.align, upscaler.amp):
        means = "; pip install 'srgan-cli[fast]' is faster"
    if upscaler.chooses:
        means += f" (fp32 for 16-bit images and where {upscaler.amp.precision} is not accurate)"
    strength = "" if config.strength is None else f", strength {config.strength:g}"
    observer.say(
        f"model: {source.name} ({source.reason}), ×{model.scale}{strength}, "
        f"{upscaler.amp.precision} on {upscaler.amp.described}{means}{others}"
    )
    return upscaler


@dataclass(frozen=True, slots=True)
class Execution:
    """Where and how a command runs its networks; the options of these names say it."""

    device: str
    precision: Precision
    runtime: RuntimeName
    tile: int | None = None
    tta: bool = False

    def prepared(self, model: Model, observer: Observer) -> Upscaler:
        """Make what upscales with a model.

        Precision ``auto`` is half precision where that is faster, and fp32 for images on which it
        would show.

        Args:
            model: The network, in fp32 on the CPU.
            observer: Hears that something is measured, and which device is used instead of one
                that cannot be trusted.
        """
        if named_accelerator(self.device) is not None:
            return self._on_accelerator(model, observer)
        device = resolve_device(self.device)
        found = self._on_found_gpu(model, device, observer)
        return found or self._on_device(model, device, observer)

    def _on_accelerator(self, model: Model, observer: Observer) -> Upscaler:
        """Use a device that PyTorch does not know; ``auto`` is fp16 there."""
        amp = Amp.to_upscale(self.device, self.precision)
        if self.precision == "auto":
            upscaler = self._choosing(model, amp, replace(amp, dtype=torch.float32), observer)
        else:
            upscaler = self._upscaler(model, amp, observer)
        if upscaler.problem:
            without = "--precision fp32" if upscaler.amp.accelerator else "--device cpu"
            observer.warn(upscaler.problem, f"{without} runs without this line")
        return upscaler

    def _on_found_gpu(
        self, model: Model, device: torch.device, observer: Observer
    ) -> Upscaler | None:
        """Use a GPU that was not named, in fp32, if it is faster than the CPU."""
        wanted = self.device == "auto" and self.precision in {"auto", "fp32"}
        if not wanted or device.type != "cpu" or not may_have_gpu():
            return None
        amp = Amp(device, torch.float32, may_accelerate=True)
        upscaler = self._upscaler(_copied(model), amp, observer)
        return upscaler if upscaler.amp.accelerator else None

    def _on_device(self, model: Model, device: torch.device, observer: Observer) -> Upscaler:
        """Use a device that PyTorch knows; ``auto`` measures once what is the fastest."""
        network = model.generator
        half, fp32 = Amp.fastest(device), Amp(device, torch.float32)
        if "auto" in {self.precision, self.runtime}:
            learn_speeds(network, network.align, half, observer)
        if self.precision != "auto":
            return self._upscaler(model, Amp.create(device, self.precision), observer)
        if half.dtype == fp32.dtype or not gains_from_half(self.runtime, network, half):
            return self._upscaler(model, fp32, observer)
        return self._choosing(model, half, fp32, observer)

    def _choosing(self, model: Model, half: Amp, fp32: Amp, observer: Observer) -> Upscaler:
        """Upscale in half precision, and in fp32 what would show it."""
        other = _copied(model)
        return self._upscaler(
            model, half, observer, in_fp32=lambda: self._upscaler(other, fp32, SilentObserver())
        )

    def _upscaler(
        self,
        model: Model,
        amp: Amp,
        observer: Observer,
        in_fp32: Callable[[], Upscaler] | None = None,
    ) -> Upscaler:
        return Upscaler(
            model,
            amp,
            tile=self.tile,
            runtime=self.runtime,
            tta=self.tta,
            in_fp32=in_fp32,
            observer=observer,
        )


def _copied(model: Model) -> Model:
    """Copy the network: a runtime may move its own to the device."""
    return replace(model, generator=copy.deepcopy(model.generator))
