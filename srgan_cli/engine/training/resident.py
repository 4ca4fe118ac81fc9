"""Cut training patches on the GPU, from images that it holds in memory."""

from collections.abc import Sequence

import torch
from torch import Tensor

from srgan_cli.engine.training.patches import Batch, PatchSampler, Place


class ResidentPatches:
    """Keeps every photograph in the device's memory, and cuts the patches there.

    A GPU takes a step of a small generator in less time than the host needs to cut its
    patches. The patches are those of the sampler, bit for bit.

    Args:
        sampler: Says where the patches come from; it must not degrade.
        device: Keeps the photographs.
    """

    def __init__(self, sampler: PatchSampler, device: torch.device) -> None:
        self._sampler = sampler
        lr, hr = (_Pixels(side, device) for side in zip(*sampler.pairs, strict=True))
        self._lr, self._hr = lr, hr
        self._scale = hr.widths[0] // lr.widths[0]

    @staticmethod
    def num_bytes(sampler: PatchSampler) -> int:
        """Return the memory that the photographs take."""
        return sum(lr.numel() + hr.numel() for lr, hr in sampler.pairs)

    def batch(self, step: int) -> Batch:
        """Return the patches of one step; steps may be asked for in any order."""
        places = self._sampler.places(step)
        patch = self._sampler.patch
        return Batch(self._lr.cut(places, patch, 1), self._hr.cut(places, patch, self._scale))


class _Pixels:
    """The pixels of all photographs, one after the other.

    Args:
        images: uint8, H, W, 3 each.
        device: Keeps them.
    """

    def __init__(self, images: Sequence[Tensor], device: torch.device) -> None:
        self.widths = [image.shape[1] for image in images]
        sizes = torch.tensor([image.shape[0] * image.shape[1] for image in images])
        self._starts: list[int] = (sizes.cumsum(0) - sizes).tolist()
        self._pixels = torch.empty(int(sizes.sum()), 3, dtype=torch.uint8, device=device)
        for start, image in zip(self._starts, images, strict=True):
            flat = image.reshape(-1, 3)
            self._pixels[start : start + len(flat)] = flat.to(device)

    def cut(self, places: Sequence[Place], patch: int, scale: int) -> Tensor:
        """Return patches, B, scale·patch, scale·patch, 3, places being counted in LR pixels."""
        rows = [
            (
                self._starts[place.photograph] + scale * place.left,
                self.widths[place.photograph],
                scale * place.top,
                place.turn,
            )
            for place in places
        ]
        where = torch.tensor(rows, device=self._device).mT[..., None, None]
        start, width, top, turn = where
        side = scale * patch
        y, x = (torch.arange(side, device=self._device).view(shape) for shape in ((-1, 1), (1, -1)))
        across = (turn & 4) > 0
        row, column = torch.where(across, x, y), torch.where(across, y, x)
        row = torch.where((turn & 1) > 0, side - 1 - row, row)
        column = torch.where((turn & 2) > 0, side - 1 - column, column)
        return self._pixels[start + (top + row) * width + column]

    @property
    def _device(self) -> torch.device:
        return self._pixels.device
