"""The interface of every network that upscales images, ours or published by others."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Network(nn.Module, ABC):
    """A network that takes B, 3, H, W in [0, 1] and returns it ``scale`` times as large.

    The tile engine needs to know no more of a network than this. All sizes of at least
    one pixel are taken; the result is not clipped.
    """

    @property
    @abstractmethod
    def scale(self) -> int:
        """Factor per side."""

    @property
    @abstractmethod
    def architecture(self) -> str:
        """Name by which people know it."""

    @property
    @abstractmethod
    def receptive_radius(self) -> int:
        """LR pixels that an output pixel depends on, to each side of its own."""

    @property
    def align(self) -> int:
        """Tiles must start at multiples of it for the result to be that of the whole image."""
        return 1

    @abstractmethod
    def forward(self, lr: Tensor) -> Tensor:
        """Upscale a batch: B, 3, H, W to B, 3, scale·H, scale·W, RGB."""
