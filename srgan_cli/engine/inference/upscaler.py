"""Run a network over images of any size, tile by tile."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from srgan_cli.config import RuntimeName
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.inference.orientations import ORIENTATIONS
from srgan_cli.engine.inference.probe import is_accurate, telling_part
from srgan_cli.engine.inference.threads import Cores, in_order
from srgan_cli.engine.inference.tiling import plan_tiles
from srgan_cli.engine.models.weights import Model
from srgan_cli.engine.runtimes.opening import open_network
from srgan_cli.errors import InputError, ResourceError, WeightsError
from srgan_cli.imaging.tensors import from_image, to_image, to_pixels
from srgan_cli.imaging.tiles import Span
from srgan_cli.imaging.types import ImageArray, Uint8Image
from srgan_cli.observer import Bar, Observer

Made = TypeVar("Made")


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
        in_fp32: Makes what upscales images for which half precision will not do; None to
            upscale all in the precision of ``amp``.
        observer: Hears that a device is being checked.
    """

    def __init__(
        self,
        model: Model,
        amp: Amp,
        *,
        tile: int | None = None,
        runtime: RuntimeName = "torch",
        tta: bool = False,
        in_fp32: Callable[[], "Upscaler"] | None = None,
        observer: Observer | None = None,
    ) -> None:
        opened = open_network(runtime, model.generator, amp, observer)
        self.model, self.amp, self.problem = model, opened.amp, opened.problem
        self._make_exact = None if self.amp.dtype == torch.float32 else in_fp32
        self._exact = self
        self._making = threading.Lock()
        self.stopped = threading.Event()
        """Once it is set, a tile that has not begun raises ``CancelledError``."""
        network, align = model.generator, model.generator.align
        tiling = plan_tiles(
            network, radius=network.receptive_radius, align=align, amp=self.amp, tile=tile
        )
        self._runtime = opened.runtime
        self._tiling = replace(tiling, threaded=self._runtime.threaded)
        self._tile = self._tiling.tile
        self._tta = tta
        num_parallel = self._tiling.num_parallel
        self._cores = Cores(tiling.num_cores, num_parallel)
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
        bands = self.suited_to(pixels).bands(pixels, bar)
        return np.concatenate(list(bands)).astype(np.uint8, copy=False)

    def suited_to(self, pixels: ImageArray) -> "Upscaler":
        """Return what is to upscale an image: this, or its like in fp32.

        Half precision will do for 8 bits if it agrees with fp32 on a part of the image
        (:mod:`srgan_cli.engine.inference.probe`).

        Args:
            pixels: H, W (grey) or H, W, 3 (RGB), uint8 or uint16.
        """
        if self._make_exact is None:
            return self
        if pixels.dtype == np.uint8:
            part = telling_part(pixels)
            self._cores.expect(1)
            cores = self._tiling.cores_for_each(max(part.shape[:2]), 1)
            probe = self._pool.submit(self._on_its_cores, self._is_accurate, part, cores)
            probe.add_done_callback(self._give_up_if_cancelled)
            if probe.result():
                return self
        with self._making:
            if self._exact is self:
                self._exact = self._make_exact()
                self._exact.stopped = self.stopped
        return self._exact

    @torch.inference_mode()
    def _is_accurate(self, part: ImageArray) -> bool:
        lr = _aligned(from_image(part), self._tiling.align)
        half, full = (to_pixels(self._runtime.run(lr, exact=exact)) for exact in (False, True))
        return is_accurate(half, full)

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
                "expected: uint8 or uint16, H, W or H, W, 3",
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
        """What runs the network: ``torch``, ``ncnn``, ``onnxruntime`` or ``openvino``."""
        return self._runtime.name

    @property
    def chooses(self) -> bool:
        """Whether some images are upscaled in fp32 instead."""
        return self._make_exact is not None

    def _upscaled(
        self, pixels: ImageArray, rows: list[Span], columns: list[Span]
    ) -> Iterator[ImageArray]:
        """Yield the upscaled tiles row by row, with the next ones already being made."""
        waiting = len(rows) * len(columns)
        self._cores.expect(waiting)
        cores = self._tiling.cores_for_each(max(pixels.shape[:2]), waiting)

        def submit(spans: tuple[Span, Span]) -> Future[ImageArray]:
            nonlocal waiting
            row, column = spans
            tile = pixels[row.start : row.stop, column.start : column.stop]
            future = self._pool.submit(self._on_its_cores, self._upscale_tile, tile, cores)
            waiting -= 1
            future.add_done_callback(self._give_up_if_cancelled)
            return future

        try:
            ahead = self._tiling.num_parallel + 1
            yield from in_order(submit, product(rows, columns), ahead=ahead)
        finally:
            self._cores.expect(-waiting)

    def _give_up_if_cancelled(self, tile: Future[Any]) -> None:
        if tile.cancelled():
            self._cores.expect(-1)

    def _on_its_cores(
        self, work: Callable[[ImageArray], Made], tile: ImageArray, cores: int | None
    ) -> Made:
        with self._cores.taken(cores) as num_threads:
            if self.stopped.is_set():
                raise CancelledError
            torch.set_num_threads(num_threads)  # Of this thread alone.
            return work(tile)

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
                        f"{self.amp.where}: out of memory for a tile of {side}x{side} pixels",
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
            for orientation in ORIENTATIONS
        )
        return torch.stack(tuple(results)).mean(dim=0)


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
