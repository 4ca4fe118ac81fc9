"""Choose the model of each image: one for all, or another one for images that are damaged."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from srgan_cli.config import UpscaleConfig
from srgan_cli.engine.inference.loading import load_upscaler
from srgan_cli.engine.inference.upscaler import Upscaler
from srgan_cli.engine.models.shelf import find_model_for_factor, find_restoring
from srgan_cli.engine.models.weights import ModelSource
from srgan_cli.imaging.damage import find_damage
from srgan_cli.imaging.files.decode import open_image
from srgan_cli.imaging.frames import Frame
from srgan_cli.observer import Observer


@dataclass(frozen=True, slots=True)
class Choice:
    """What upscales an image, and why."""

    upscaler: Upscaler
    damage: tuple[str, ...] = ()
    """What was found in the image, for which this model was taken, in words."""

    def explained(self, source: Path, *, instead_of: ModelSource) -> str:
        """Say why a damaged image gets its model, and how to choose the other."""
        were, them = ("were", "them") if self.damage[0] != "noise" else ("was", "it")
        family = instead_of.name.rpartition("-x")[0]
        return (
            f"{source}: {self.upscaler.model.source.name}, since {' and '.join(self.damage)} "
            f"{were} found; --model {family} keeps {them}"
        )


class Models:
    """The models of a command: one for all images, or one for clean and one for damaged images.

    Args:
        upscaler: Upscales clean images, or all.
        restoring: Weights for damaged images; None to upscale all alike.
        load: Loads these, once the first damaged image is found.
    """

    def __init__(
        self,
        upscaler: Upscaler,
        restoring: ModelSource | None = None,
        load: Callable[[], Upscaler] | None = None,
    ) -> None:
        self.upscaler, self.restoring, self._load = upscaler, restoring, load
        self._restorer: Upscaler | None = None
        self._loading = threading.Lock()

    def damage_of(self, frame: Frame) -> tuple[str, ...]:
        """Say for which damage an image gets the model for damaged images, in words."""
        if self.restoring is None:
            return ()
        return find_damage(frame.pixels, frame.alpha).found

    def choose(self, frame: Frame) -> Choice:
        """Choose the model of a file by its first frame.

        Raises:
            WeightsError: The model for damaged images cannot be used.
            ResourceError: Device or memory are lacking.
        """
        damage = self.damage_of(frame)
        if not damage or self._load is None:
            return Choice(self.upscaler)
        with self._loading:
            if self._restorer is None:
                self._restorer = self._load()
                self._restorer.stopped = self.upscaler.stopped
        return Choice(self._restorer, damage)


def load_models(model: str | None, config: UpscaleConfig, observer: Observer) -> Models:
    """Load the model that was named, or what images get if none is.

    Args:
        model: As ``--model`` takes it.
        config: Of the command.
        observer: Hears which weights are taken, and why.

    Raises:
        WeightsError: The weights cannot be used.
        ResourceError: Device or memory are lacking.
    """
    source = find_model_for_factor(model, config.scale)
    # Models for damaged images have no counterpart that --strength could blend them with.
    is_open = model is None and config.strength is None
    restoring = find_restoring(source) if is_open else None
    if restoring is None:
        return Models(load_upscaler(source, config, observer))
    others = f"; {restoring.name} for damaged images"
    upscaler = load_upscaler(source, config, observer, others=others)
    return Models(upscaler, restoring, partial(load_upscaler, restoring, config, observer))


def first_frame(source: Path, *, max_pixels: int) -> Frame:
    """Decode the frame of a file by which its model is chosen.

    Raises:
        InputError: The file cannot be read.
    """
    with open_image(source, max_pixels=max_pixels) as image:
        return next(image.frames())
