"""Choose the size of tiles, and how many of them run at a time."""

import os
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from srgan_cli.engine.devices.accelerators import VULKAN, Accelerator, vulkan_device
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.imaging.tiles import Span, tile_spans
from srgan_cli.processes import Node

_LARGEST_OVERLAP = 128
_SMALLEST, _ENOUGH, _LARGEST = 64, 384, 576
"""Sides of a tile without its overlap: the smallest that is chosen, one at which the overlap costs
little, and the largest, beyond which nothing is gained."""
_WORTH_A_CUT = 16
"""An image is cut only to keep more cores busy if its side is at least this many overlaps: then the
work that both tiles repeat costs no more than threads lose by waiting for each other."""
_SHARE_OF_MEMORY = {"cpu": 0.25, "cuda": 0.6, "accelerator": 0.5}
_MEMORY_WHERE_NOT_TOLD, _GPU_WHERE_NOT_TOLD = 8 << 30, 2 << 30


@dataclass(frozen=True, slots=True)
class Tiling:
    """How images are cut for one network on one device."""

    overlap: int
    """LR pixels that neighbours share: twice the receptive radius, at most 128."""
    align: int
    """Tiles start at multiples of it."""
    tile: int
    """Longest side of what the network is given at once, overlap included, in LR pixels."""
    num_parallel: int
    """Tiles that run at the same time."""
    num_cores: int
    """Cores that they share."""
    threaded: bool = False
    """Whether one tile on all cores is about as fast as one on each, with the same result."""

    @property
    def smallest(self) -> int:
        """Side under which a tile is not halved any more."""
        return self.overlap + _rounded_up(16, self.align)

    def halved(self, side: int) -> int:
        """Return the tile whose middle is half as long as that of one of this side."""
        inner = (side - self.overlap) // 2 // self.align * self.align
        return max(self.smallest, inner + self.overlap)

    def grid(self, width: int, height: int, tile: int) -> tuple[list[Span], list[Span]]:
        """Cut an image into rows and columns of tiles that are about equally large.

        There are as few as ``tile`` allows, but as many as run at the same time unless
        they would get so small that the overlap costs more than that gains.
        """
        inner = tile - self.overlap
        counts = [max(1, -(-(side - self.overlap) // inner)) for side in (height, width)]
        shortest = max(2 * _SMALLEST, _WORTH_A_CUT * self.overlap)
        while counts[0] * counts[1] < self.num_parallel:
            sides = [height / counts[0], width / counts[1]]
            axis = sides.index(max(sides))
            if sides[axis] < shortest:
                break
            counts[axis] += 1
        return self._spans(height, counts[0]), self._spans(width, counts[1])

    def cores_for_each(self, longest: int, num_tiles: int) -> int | None:
        """Return the cores that each tile of an image takes, whatever else there is to do.

        Results can depend in their last bits on the number of threads; so where they do, that
        must not depend on what happens to run beside.

        Args:
            longest: The image's longer side.
            num_tiles: What :meth:`grid` cuts it into.

        Returns:
            None where a tile may take what is free.
        """
        if self.threaded:
            return None
        at_once = min(self.num_parallel, num_tiles)
        if longest < 2 * _SMALLEST:  # Threads would wait longer than they work.
            at_once = self.num_parallel
        return max(1, self.num_cores // at_once)

    def _spans(self, length: int, count: int) -> list[Span]:
        inner = -(-max(length - self.overlap, 1) // count)
        tile = _rounded_up(inner, self.align) + self.overlap
        return tile_spans(length, tile=tile, overlap=self.overlap, align=self.align)


def plan_tiles(
    network: nn.Module, *, radius: int, align: int, amp: Amp, tile: int | None
) -> Tiling:
    """Choose the size of tiles by the memory that they take.

    On a CPU, one tile for each core runs faster than one tile on all of them: nobody
    waits for the slowest thread after each layer, and a core keeps its tile in its own
    cache. Where memory is too short for that, or an image too small, fewer run, each on
    several threads.

    Args:
        network: In fp32 on the CPU.
        radius: Its receptive radius in LR pixels.
        align: As in :class:`Tiling`.
        amp: Where it is going to run.
        tile: Result-bearing side that the user asks for; None to choose it.
    """
    overlap = _rounded_up(min(2 * radius, _LARGEST_OVERLAP), align)
    budget = _memory(amp)
    per_pixel = _bytes_per_pixel(network, align)
    on_cpu = amp.device.type == "cpu" and amp.accelerator is None
    cores = Node.from_environment().num_threads if on_cpu else 1
    if tile is None:
        affordable, one_each = (
            int((budget / tiles / per_pixel) ** 0.5) - overlap for tiles in (1, cores)
        )
        tile = max(_SMALLEST, min(affordable, max(_ENOUGH, min(one_each, _LARGEST))))
    side = _rounded_up(tile, align) + overlap
    num_parallel = max(1, min(cores, int(budget / (per_pixel * side**2))))
    return Tiling(overlap, align, side, num_parallel, cores)


def _rounded_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _memory(amp: Amp) -> float:
    """Return the bytes that tiles may take together: part of what is free, or there."""
    if amp.accelerator is not None:
        return _SHARE_OF_MEMORY["accelerator"] * _memory_of(amp.accelerator)
    if amp.device.type == "cuda":
        return _SHARE_OF_MEMORY["cuda"] * int(torch.cuda.mem_get_info(amp.device)[0])
    try:
        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows.
        machine = _MEMORY_WHERE_NOT_TOLD
    return _SHARE_OF_MEMORY["cpu"] * machine


def _memory_of(accelerator: Accelerator) -> int:
    if accelerator.kind != VULKAN:
        return _GPU_WHERE_NOT_TOLD
    gpu = vulkan_device(accelerator.index)
    return gpu.memory if gpu else _GPU_WHERE_NOT_TOLD


def _bytes_per_pixel(network: nn.Module, align: int) -> float:
    """Return what a tile takes for each LR pixel.

    That is the input and result of the largest convolution, and half as much again for
    values that skip connections hold and for the library's workspace.
    """
    most, side = 0, _rounded_up(8, align)

    def note(_: nn.Module, inputs: tuple[Tensor, ...], result: Tensor) -> None:
        nonlocal most
        most = max(most, inputs[0].nbytes + result.nbytes)

    convolutions = [part for part in network.modules() if isinstance(part, nn.Conv2d)]
    hooks = [convolution.register_forward_hook(note) for convolution in convolutions]
    try:
        with torch.inference_mode():
            network(torch.zeros(1, 3, side, side))
    finally:
        for hook in hooks:
            hook.remove()
    return 1.5 * max(most, 1) / side**2
