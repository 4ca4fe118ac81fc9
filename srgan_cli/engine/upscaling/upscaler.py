"""Run a network over images of any size, tile by tile."""

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from srgan_cli.config import RuntimeName, UpscaleConfig
from srgan_cli.engine.devices.amp import Amp, resolve_device
from srgan_cli.engine.models.interpolation import load_between
from srgan_cli.engine.models.weights import Model, ModelSource, load_model
from srgan_cli.engine.runtimes.fastest import gains_from_extra, open_runtime
from srgan_cli.engine.upscaling.threads import Cores, in_order
from srgan_cli.engine.upscaling.tiling import plan_tiles
from srgan_cli.errors import InputError, ResourceError, WeightsError
from srgan_cli.imaging.tensors import from_image, to_image
from srgan_cli.imaging.tiles import Span
from srgan_cli.imaging.types import ImageArray, Uint8Image
from srgan_cli.observer import Bar, Observer


class Upscaler:
    """Runs a network over whole images in tiles.

    Only a few tiles are on the device at a time; the result is assembled in host
    memory. Neighbouring tiles overlap by the network's receptive field, so that
    the result equals that of the whole image at once, except for networks whose
    field is too large for that (23 RRDBs); they get 64 LR pixels to each side.

    Args:
        model: The network, in fp32 on the CPU.
        amp: Where it runs, in what precision.
        tile: Side of a tile's result-bearing middle, in LR pixels; None to choose it.
        runtime: What runs it.
        tta: Average the results of the image in all eight orientations
            (self-ensemble; Timofte et al. 2016, section 3.5).
    """

    def __init__(
        self,
        model: Model,
        amp: Amp,
        *,
        tile: int | None = None,
        runtime: RuntimeName = "torch",
        tta: bool = False,
    ) -> None:
        self.model, self.amp = model, amp
        self.stopped = threading.Event()
        """Once it is set, a tile that has not begun raises ``CancelledError``."""
        network, align = model.generator, model.generator.align
        tiling = plan_tiles(
            network, radius=network.receptive_radius, align=align, device=amp.device, tile=tile
        )
        self._runtime = open_runtime(runtime, network, align, amp)
        self._tiling = replace(tiling, threaded=self._runtime.threaded)
        self._tile = self._tiling.tile
        self._tta = tta
        num_parallel = self._tiling.num_parallel
        self._cores = Cores(tiling.num_cores, num_parallel, threaded=self._tiling.threaded)
        # Asking for it settles a new thread's number, which could be settled later otherwise.
        self._pool = ThreadPoolExecutor(num_parallel, "tile", torch.get_num_threads)

    def upscale(self, pixels: Uint8Image, bar: Bar) -> Uint8Image:
        """Upscale an image of 8 bits per channel.

        Args:
            pixels: H, W (grey) or H, W, 3 (RGB), uint8.
            bar: Advanced by the LR megapixels of every tile.

        Returns:
            uint8 with both sides ``scale`` times as long; grey stays grey.

        Raises:
            ResourceError: The device's memory does not suffice for one tile.
        """
        return np.concatenate(list(self.bands(pixels, bar))).astype(np.uint8, copy=False)

    def bands(self, pixels: ImageArray, bar: Bar) -> Iterator[ImageArray]:
        """Upscale an image of 8 or 16 bits per channel, from top to bottom.

        Args:
            pixels: H, W (grey) or H, W, 3 (RGB).
            bar: Advanced by the LR megapixels of every tile.

        Yields:
            Full-width rows of the result, of the same type; together they are all of it.

        Raises:
            InputError: The array is of another type or shape.
            ResourceError: The device's memory does not suffice for one tile.
        """
        if pixels.dtype not in {np.dtype(np.uint8), np.dtype(np.uint16)} or not (
            pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
        ):
            raise InputError(
                f"pixels of type {pixels.dtype} and shape {pixels.shape}; "
                "wanted: uint8 or uint16, H, W or H, W, 3",
                hint="srgan_cli.upscale_image takes floats and transparency, too",
            )
        scale = self.model.scale
        height, width = pixels.shape[:2]
        rows, columns = self._tiling.grid(width, height, self._tile)
        tiles = self._upscaled(pixels, rows, columns)
        for row in rows:
            band = np.empty((row.kept * scale, width * scale, *pixels.shape[2:]), pixels.dtype)
            for column in columns:
                inner = next(tiles)[row.kept_of_tile(scale), column.kept_of_tile(scale)]
                band[:, column.kept_of_result(scale)] = inner
                bar.advance(row.kept * column.kept / 1e6)
            yield band

    def num_tiles(self, width: int, height: int) -> int:
        """Return how many tiles cover an image."""
        rows, columns = self._tiling.grid(width, height, self._tile)
        return len(rows) * len(columns)

    @property
    def tile(self) -> int:
        """Side of what the network is given at once, overlap included, in LR pixels."""
        return self._tile

    @property
    def runtime(self) -> str:
        """What runs the network: ``torch``, ``ncnn`` or ``onnxruntime``."""
        return self._runtime.name

    def _upscaled(
        self, pixels: ImageArray, rows: list[Span], columns: list[Span]
    ) -> Iterator[ImageArray]:
        """Yield the upscaled tiles row by row, with the next ones already being made."""
        waiting = len(rows) * len(columns)
        self._cores.expect(waiting)

        def submit(spans: tuple[Span, Span]) -> Future[ImageArray]:
            nonlocal waiting
            row, column = spans
            tile = pixels[row.start : row.stop, column.start : column.stop]
            future = self._pool.submit(self._upscale_on_its_cores, tile)
            waiting -= 1
            future.add_done_callback(self._give_up_if_cancelled)
            return future

        try:
            ahead = self._tiling.num_parallel + 1
            yield from in_order(submit, product(rows, columns), ahead=ahead)
        finally:
            self._cores.expect(-waiting)

    def _give_up_if_cancelled(self, tile: Future[ImageArray]) -> None:
        if tile.cancelled():
            self._cores.expect(-1)

    def _upscale_on_its_cores(self, tile: ImageArray) -> ImageArray:
        with self._cores.taken() as num_threads:
            if self.stopped.is_set():
                raise CancelledError
            torch.set_num_threads(num_threads)  # Of this thread alone.
            return self._upscale_tile(tile)

    def _upscale_tile(self, tile: ImageArray) -> ImageArray:
        """Upscale a tile, in parts if memory does not suffice for the whole."""
        side = max(tile.shape[:2])
        if side <= self._tile or self._tile <= self._tiling.smallest:
            try:
                return self._upscale_at_once(tile)
            except (RuntimeError, MemoryError) as error:
                if not _is_out_of_memory(error):
                    raise
                if side <= self._tiling.smallest:
                    raise ResourceError(
                        f"{self.amp.device}: out of memory for a tile of {side}x{side} pixels",
                        hint="close other programs, or pass --device cpu",
                    ) from error
            if self.amp.device.type == "cuda":
                torch.cuda.empty_cache()
            self._tile = min(self._tile, self._tiling.halved(side))
        return self._upscale_in_parts(tile)

    def _upscale_in_parts(self, tile: ImageArray) -> ImageArray:
        scale = self.model.scale
        height, width = tile.shape[:2]
        rows, columns = self._tiling.grid(width, height, self._tile)
        result = np.empty((height * scale, width * scale, *tile.shape[2:]), tile.dtype)
        for row, column in product(rows, columns):
            part = self._upscale_tile(tile[row.start : row.stop, column.start : column.stop])
            result[row.kept_of_result(scale), column.kept_of_result(scale)] = part[
                row.kept_of_tile(scale), column.kept_of_tile(scale)
            ]
        return result

    @torch.inference_mode()
    def _upscale_at_once(self, tile: ImageArray) -> ImageArray:
        deep = tile.dtype == np.uint16
        height, width = (self.model.scale * side for side in tile.shape[:2])
        lr = _aligned(from_image(tile), self._tiling.align)
        # Half precision has 8 to 11 bits of mantissa, which is not enough for 16-bit images.
        exact = deep or self.amp.dtype == torch.float32
        sr = self._run(lr, exact=exact)
        if not exact and not _is_finite(sr):
            sr = self._run(lr, exact=True)
        if not _is_finite(sr):
            raise WeightsError(
                f"{self.model.source.name}: the network's output is NaN or infinite",
                hint="the weights are probably damaged: choose another --model",
            )
        return to_image(sr[..., :height, :width], grey=tile.ndim == 2, deep=deep)

    def _run(self, lr: Tensor, *, exact: bool) -> Tensor:
        if not self._tta:
            return self._runtime.run(lr, exact=exact)
        results = (
            orientation.undone(self._runtime.run(orientation.applied(lr), exact=exact))
            for orientation in _ORIENTATIONS
        )
        return torch.stack(tuple(results)).mean(dim=0)


class _Orientation(NamedTuple):
    """A way to turn and mirror an image."""

    quarters: int
    mirrored: bool

    def applied(self, batch: Tensor) -> Tensor:
        turned = batch.rot90(self.quarters, (2, 3))
        return turned.flip(3) if self.mirrored else turned

    def undone(self, batch: Tensor) -> Tensor:
        upright = batch.flip(3) if self.mirrored else batch
        return upright.rot90(-self.quarters, (2, 3))


_ORIENTATIONS = tuple(_Orientation(*both) for both in product(range(4), (False, True)))


def _aligned(lr: Tensor, align: int) -> Tensor:
    """Continue a tile by its last pixels to sides that are multiples of ``align``."""
    height, width = lr.shape[-2:]
    missing = (-width % align, -height % align)
    if missing == (0, 0):
        return lr
    return F.pad(lr, (0, missing[0], 0, missing[1]), mode="replicate")


def _is_finite(batch: Tensor) -> bool:
    # What is not a number is both extremes; and they need no mask as large as the batch.
    return all(bool(torch.isfinite(extreme)) for extreme in torch.aminmax(batch))


def _is_out_of_memory(error: Exception) -> bool:
    # PyTorch has no class of its own for a CPU that has run out of memory.
    known = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return known or "can't allocate memory" in str(error)


def load_upscaler(source: ModelSource, config: UpscaleConfig, observer: Observer) -> Upscaler:
    """Load weights onto the device that a command is to use, and say which and why."""
    model = load_model(source) if config.strength is None else load_between(source, config.strength)
    amp = Amp.create(resolve_device(config.device), config.precision)
    upscaler = Upscaler(model, amp, tile=config.tile, runtime=config.runtime, tta=config.tta)
    means = "" if upscaler.runtime == "torch" else f" with {upscaler.runtime}"
    if gains_from_extra(config.runtime, model.generator, model.generator.align, amp):
        means = "; pip install 'srgan-cli[fast]' is faster"
    strength = "" if config.strength is None else f", strength {config.strength:g}"
    observer.say(
        f"model: {source.name} ({source.reason}), ×{model.scale}{strength}, {amp.precision} on "
        f"{amp.device}{means}"
    )
    return upscaler
