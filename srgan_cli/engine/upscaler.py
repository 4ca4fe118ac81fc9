"""Run a generator over pictures of any size, tile by tile."""

from collections.abc import Iterator
from contextlib import nullcontext

import numpy as np
import numpy.typing as npt
import torch

from srgan_cli.config import UpscaleConfig
from srgan_cli.engine.amp import Amp, resolve_device
from srgan_cli.engine.models import Generator
from srgan_cli.engine.weights import Model, ModelSource, load_model
from srgan_cli.errors import ResourceError
from srgan_cli.imaging.frames import Pixels
from srgan_cli.imaging.tensors import from_picture, to_picture
from srgan_cli.imaging.tiles import Span, tile_spans
from srgan_cli.observer import Bar, Observer

_LARGEST_OVERLAP = 128


class Upscaler:
    """Runs a generator over whole pictures in tiles.

    Only one tile is on the device at a time; the result is assembled in host
    memory. Neighbouring tiles overlap by the generator's receptive field, so that
    the result equals that of the whole picture at once, except for generators whose
    field is too large for that (23 RRDBs); they get 64 LR pixels to each side.

    Args:
        model: The generator.
        amp: Where it runs, in what precision.
        tile: Side of a tile's result-bearing middle, in LR pixels.
    """

    def __init__(self, model: Model, amp: Amp, *, tile: int) -> None:
        self.model, self.amp = model, amp
        self._generator: Generator = amp.place(model.generator)
        self._overlap = min(2 * self._generator.receptive_radius, _LARGEST_OVERLAP)
        self._align = self._generator.unshuffle
        self._tile = -(-tile // self._align) * self._align + self._overlap

    def enlarge(self, pixels: npt.NDArray[np.uint8], bar: Bar) -> npt.NDArray[np.uint8]:
        """Enlarge a picture of 8 bits per channel.

        Args:
            pixels: H, W (grey) or H, W, 3 (RGB), uint8.
            bar: Advanced by the LR megapixels of every tile.

        Returns:
            uint8 with both sides ``scale`` times as long; grey stays grey.

        Raises:
            ResourceError: The device's memory does not suffice for one tile.
        """
        return np.concatenate(list(self.bands(pixels, bar))).astype(np.uint8, copy=False)

    def bands(self, pixels: Pixels, bar: Bar) -> Iterator[Pixels]:
        """Enlarge a picture of 8 or 16 bits per channel, from top to bottom.

        Args:
            pixels: H, W (grey) or H, W, 3 (RGB).
            bar: Advanced by the LR megapixels of every tile.

        Yields:
            Full-width rows of the result, of the same type; together they are all of it.

        Raises:
            ResourceError: The device's memory does not suffice for one tile.
        """
        scale = self.model.scale
        height, width = pixels.shape[:2]
        columns = self._spans(width)
        for row in self._spans(height):
            band = np.empty((row.kept * scale, width * scale, *pixels.shape[2:]), pixels.dtype)
            for column in columns:
                tile = pixels[row.start : row.stop, column.start : column.stop]
                inner = self._enlarge_tile(tile)[
                    row.kept_of_tile(scale), column.kept_of_tile(scale)
                ]
                band[:, column.kept_of_result(scale)] = inner
                bar.advance(row.kept * column.kept / 1e6)
            yield band

    def num_tiles(self, width: int, height: int) -> int:
        """Return how many tiles cover a picture."""
        return len(self._spans(height)) * len(self._spans(width))

    @property
    def tile(self) -> int:
        """Side of what the generator is given at once, overlap included, in LR pixels."""
        return self._tile

    def _spans(self, length: int) -> list[Span]:
        return tile_spans(length, tile=self._tile, overlap=self._overlap, align=self._align)

    @torch.inference_mode()
    def _enlarge_tile(self, tile: Pixels) -> Pixels:
        deep = tile.dtype == np.uint16
        # Half precision has 8 to 11 bits of mantissa, which is not enough for 16-bit pictures.
        context = nullcontext() if deep else self.amp.autocast()
        try:
            with context:
                sr = self._generator(from_picture(tile).to(self.amp.device))
        except torch.OutOfMemoryError as error:
            raise ResourceError(
                f"{self.amp.device}: out of memory for a tile of {self._tile}",
                hint="pass a smaller --tile",
            ) from error
        if not bool(torch.isfinite(sr).all()):
            raise ResourceError(
                f"{self.model.source.name} gives numbers that are not finite in "
                f"{self.amp.precision}",
                hint="pass --precision fp32",
            )
        return to_picture(sr, grey=tile.ndim == 2, deep=deep)


def load_upscaler(source: ModelSource, config: UpscaleConfig, observer: Observer) -> Upscaler:
    """Load weights onto the device that a command is to use, and say which and why."""
    model = load_model(source)
    amp = Amp.create(resolve_device(config.device), config.precision)
    observer.say(
        f"model: {source.name} ({source.reason}), ×{model.scale}, {amp.precision} on {amp.device}"
    )
    return Upscaler(model, amp, tile=config.tile)
