"""MSRResNet, SRGAN's generator as BasicSR publishes it."""

import math
from collections.abc import Iterable
from typing import Self

import torch.nn.functional as F
from torch import Tensor, nn

from srgan_cli.engine.networks.base import Network, Outline, Recognised, Shapes, count
from srgan_cli.engine.networks.layers import conv3x3


class _ResidualBlock(nn.Module):
    """Two convolutions added to their input, without batch normalisation (as in EDSR)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv3x3(channels, channels), conv3x3(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map B, C, H, W features to the same shape."""
        residual: Tensor = self.conv2(F.relu(self.conv1(x)))
        return x + residual


class MSRResNet(Network):
    """SRGAN's generator (Ledig et al. 2017) as BasicSR publishes it, without normalisation.

    Residual blocks at LR size, pixel shuffles, added to the bilinear upscaling
    (XPixelGroup/BasicSR, ``srresnet_arch.py``).

    Args:
        channels: Channels between blocks.
        num_blocks: Residual blocks.
        scale: Factor per side: 2, 3 or 4.
    """

    def __init__(self, channels: int, num_blocks: int, scale: int) -> None:
        super().__init__()
        self._factors = {2: (2,), 3: (3,), 4: (2, 2)}[scale]
        self._scale = scale
        self.conv_first = conv3x3(3, channels)
        self.body = nn.Sequential(*(_ResidualBlock(channels) for _ in range(num_blocks)))
        for i, factor in enumerate(self._factors, start=1):
            self.add_module(f"upconv{i}", conv3x3(channels, channels * factor**2))
        self.conv_hr = conv3x3(channels, channels)
        self.conv_last = conv3x3(channels, 3)

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale a batch: B, 3, H, W to B, 3, scale·H, scale·W, RGB."""
        features = self.body(_leaky(self.conv_first(lr)))
        for i, factor in enumerate(self._factors, start=1):
            grown = self.get_submodule(f"upconv{i}")(features)
            features = _leaky(F.pixel_shuffle(grown, factor))
        detail: Tensor = self.conv_last(_leaky(self.conv_hr(features)))
        return detail + F.interpolate(lr, scale_factor=float(self._scale), mode="bilinear")

    @property
    def scale(self) -> int:
        """Factor per side."""
        return self._scale

    @property
    def architecture(self) -> str:
        """Name by which people know it."""
        return "MSRResNet"

    @property
    def receptive_radius(self) -> int:
        """LR pixels that an output pixel depends on, to each side of its own."""
        # conv_first and upconv1 at LR size; what is done at growing size sums to under 2.
        return 2 * len(self.body) + 2 + 2

    @classmethod
    def recognise(cls, shapes: Shapes) -> Recognised | None:
        """Tell its sizes from the shapes of its first and its upsampling convolutions."""
        if "upconv1.weight" not in shapes or "body.0.conv1.weight" not in shapes:
            return None
        channels = shapes["conv_first.weight"][0]
        factor = math.isqrt(shapes["upconv1.weight"][0] // channels)
        scale = 4 if "upconv2.weight" in shapes else factor
        return Recognised(cls(channels, count(shapes, r"body\.(\d+)\..*"), scale), {})

    @classmethod
    def from_outline(cls, outline: Outline) -> Iterable[Self]:
        """Tell its sizes from the first convolution and the number of all."""
        others = 5 if outline.scale == 4 else 4
        blocks, rest = divmod(len(outline.convolutions) - others, 2)
        if not rest:
            yield cls(outline.convolutions[0][0], blocks, outline.scale)

    def as_basicsr(self) -> Self:
        """Return it as it is."""
        return self


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.1)
