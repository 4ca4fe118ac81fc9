"""SPAN, the network that won NTIRE's challenges of efficiency in 2023 and 2024, as it runs."""

import math
from collections.abc import Iterable
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, cat, nn

from srgan_cli.config import SpanConfig
from srgan_cli.engine.networks.base import Network, Outline, Recognised, Shapes
from srgan_cli.engine.networks.layers import conv3x3

_BLOCKS = 6
_MEAN = (0.4488, 0.4371, 0.4040)
"""Mean colour of DIV2K, as the authors subtract it."""


class _Block(nn.Module):
    """Attention without parameters: features times what the last convolution makes of them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.c1_r, self.c2_r, self.c3_r = (conv3x3(channels, channels) for _ in range(3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map B, C, H, W features to two of the same shape: the result, and the first ones."""
        first = F.silu(self.c1_r(x))
        third: Tensor = self.c3_r(F.silu(self.c2_r(first)))
        return (third + x) * (torch.sigmoid(third) + -0.5), first


class SpanNetwork(Network):
    """Swift Parameter-free Attention Network (Wan et al. 2024; hongyuanyu/SPAN, ``span_arch.py``).

    Its published form trains three convolutions and a skip connection in the place of each; this
    is the form that it is run in, with the one convolution that they amount to.

    Args:
        channels: Channels of all features.
        scale: Factor per side.
        mean: What is subtracted from the image's colours; without it, a file has to tell.
        spread: What they are multiplied by then.
    """

    def __init__(
        self, channels: int, scale: int, mean: Tensor | None = None, spread: float = 1
    ) -> None:
        super().__init__()
        self._scale = scale
        self.norm = nn.Conv2d(3, 3, 1)
        if mean is not None:
            spreads = spread * torch.eye(3, device=mean.device)
            self.norm.weight = nn.Parameter(spreads.reshape(3, 3, 1, 1))
            self.norm.bias = nn.Parameter(-spread * mean.reshape(3))
        self.conv_1 = conv3x3(3, channels)
        for i in range(_BLOCKS):
            self.add_module(f"block_{i + 1}", _Block(channels))
        self.conv_2 = conv3x3(channels, channels)
        self.conv_cat = nn.Conv2d(4 * channels, channels, 1)
        self.upsampler = conv3x3(channels, 3 * scale**2)

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale a batch: B, 3, H, W to B, 3, scale·H, scale·W, RGB."""
        features: Tensor = self.conv_1(self.norm(lr))
        made = [features]
        first = features
        for i in range(_BLOCKS):
            features, first = self.get_submodule(f"block_{i + 1}")(features)
            made.append(features)
        joined = cat((made[0], self.conv_2(features), made[1], first), dim=1)
        return F.pixel_shuffle(self.upsampler(self.conv_cat(joined)), self._scale)

    @property
    def scale(self) -> int:
        """Factor per side."""
        return self._scale

    @property
    def architecture(self) -> str:
        """Name by which people know it."""
        return "SPAN"

    @property
    def config(self) -> SpanConfig:
        """Its sizes."""
        return SpanConfig(self._scale, self.conv_1.out_channels)

    @classmethod
    def for_training(cls, config: object) -> Self | None:
        """Build a network whose colours are centred by the mean of DIV2K, which is not trained.

        The last convolution starts with zeros, so that the first results are black.
        """
        if not isinstance(config, SpanConfig):
            return None
        network = cls(config.channels, config.scale, torch.tensor(_MEAN))
        network.norm.requires_grad_(requires_grad=False)
        for parameter in network.upsampler.parameters():
            nn.init.zeros_(parameter)
        return network

    @property
    def receptive_radius(self) -> int:
        """One pixel for each convolution of 3x3."""
        return 3 * _BLOCKS + 3

    @classmethod
    def recognise(cls, shapes: Shapes) -> Recognised | None:
        """Tell its sizes from the shapes of its first and its last convolution."""
        if "norm.weight" not in shapes or "block_1.c1_r.weight" not in shapes:
            return None
        scale = math.isqrt(shapes["upsampler.weight"][0] // 3)
        return Recognised(cls(shapes["conv_1.weight"][0], scale), {})

    @classmethod
    def from_outline(cls, outline: Outline) -> Iterable[Self]:
        """Tell its sizes from its convolutions, and how it normalises colours from the numbers."""
        *normalising, first = outline.convolutions[: len(outline.convolutions) - 3 * _BLOCKS - 3]
        channels = first[0]
        if normalising:
            yield cls(channels, outline.scale)
        means = [each for each in outline.constants if each.numel() == 3]
        for mean in (*means, torch.zeros(3, device="cpu")):
            for spread in (1.0, *(number for number in outline.numbers if number > 1)):
                yield cls(channels, outline.scale, mean, spread)
