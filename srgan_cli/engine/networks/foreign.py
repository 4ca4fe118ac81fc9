"""Networks of which no more is known than what they do: their sizes are found by running them."""

from abc import abstractmethod
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from srgan_cli.engine.networks.base import Network

_ALIGNMENTS = (1, 2, 4, 8, 16, 32, 64)
_WIDEST = 64
"""LR pixels to each side beyond which a receptive field is not measured: tiles overlap no more."""
_SCALES = range(1, 17)


class ForeignNetwork(Network):
    """A network whose scale, alignment, margin and receptive field are measured.

    A network may return less than ``scale`` times its input: convolutions without padding take
    a margin from each side. It is then given that much more, by repeated border pixels.
    """

    _scale = _align = _smallest = 1
    _margin = 0
    _base = 128
    """LR pixels of the sides with which sizes are measured."""

    @abstractmethod
    def result_shape(self, height: int, width: int) -> tuple[int, int, int] | None:
        """Return channels, rows and columns for an image of a size; None if it is not taken."""

    @abstractmethod
    def compute(self, lr: Tensor) -> Tensor:
        """Run on B, 3, H, W of a size that it takes."""

    def measure(self) -> None:
        """Find scale, alignment, margin and the smallest size.

        Raises:
            ValueError: It is none that upscales RGB images of any size; the message says why.
        """
        for align in _ALIGNMENTS:
            if self._measured(align):
                break
        else:
            raise ValueError("it takes no RGB images of any size: its size is fixed or computed")
        sides = [align, *(align << i for i in range(1, 8)), self._base]
        whole = (side for side in sides if self._fits(side))
        self._smallest = next(whole, self._base)

    def _measured(self, align: int) -> bool:
        sides = [self._base + i * align for i in range(3)]
        shapes = [self.result_shape(side, side + self._base) for side in sides]
        first, second, third = shapes
        if first is None or second is None or third is None:
            return False
        if first[0] != 3:
            raise ValueError(f"it returns {first[0]} channels instead of RGB")
        scale, rest = divmod(third[1] - first[1], 2 * align)
        gap = scale * sides[0] - first[1]
        if rest or scale not in _SCALES or gap < 0 or gap % (2 * scale):
            return False
        self._scale, self._align, self._margin = scale, align, gap // (2 * scale)
        return all(
            shape is not None
            and shape[1:] == (scale * side - gap, scale * (side + self._base) - gap)
            for side, shape in zip(sides, shapes, strict=True)
        )

    def _fits(self, side: int) -> bool:
        wanted = self._scale * (side - 2 * self._margin)
        return side > 2 * self._margin and self.result_shape(side, side) == (3, wanted, wanted)

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale a batch; sides that the network cannot take are continued and cut off."""
        height, width = lr.shape[-2:]
        before = self._margin
        after = [self._padded(side) - side - before for side in (width, height)]
        if any((before, *after)):
            lr = F.pad(lr, (before, after[0], before, after[1]), mode="replicate")
        sr = self.compute(lr)
        return sr[..., : height * self._scale, : width * self._scale]

    def _padded(self, side: int) -> int:
        wanted = max(side + 2 * self._margin, self._smallest)
        return -(-wanted // self._align) * self._align

    @property
    def scale(self) -> int:
        """Factor per side."""
        return self._scale

    @property
    def align(self) -> int:
        """Sides that the network takes are multiples of it."""
        return self._align

    @property
    def receptive_radius(self) -> int:
        """LR pixels that an output pixel depends on; 65 where it is more than 64."""
        return self._radius

    @property
    def receptive_radius_is_least(self) -> bool:
        """Whether it is more than 64."""
        return self._radius > _WIDEST

    @cached_property
    def _radius(self) -> int:
        """Change one pixel of a strip, and see which pixels of the result change.

        A value that is not a number passes through every layer that reads it, however small its
        weight; another colour passes where such values are replaced.
        """
        self.eval()
        length = -(-(2 * _WIDEST + 3 + self._align) // self._align) * self._align
        short = max(2 * self._align, 8 // self._align * self._align)
        return max(self._reach(short, length), self._reach(length, short))

    @torch.inference_mode()
    def _reach(self, height: int, width: int) -> int:
        lr = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
        along = 2 if height > width else 3
        size = lr.shape[along]
        centre = size // 2
        plain = self(lr)
        farthest = 0
        for value in (float("nan"), None):
            changed = lr.clone()
            pixel = changed[..., height // 2, width // 2]
            pixel.copy_(1 - pixel if value is None else torch.full_like(pixel, value))
            different = (self(changed) != plain)[0].any(0).any(0 if along == 3 else 1)
            places = different.nonzero().flatten() // self._scale
            if len(places):
                farthest = max(farthest, int((places - centre).abs().max()))
        return min(farthest + self._align - 1, _WIDEST + 1)
