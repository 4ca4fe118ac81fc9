"""The plain network: convolutions one after the other, with a long skip connection."""

import math
from collections.abc import Iterable
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srgan_cli.config import PlainConfig
from srgan_cli.engine.networks.base import Network, Outline, Recognised, Shapes, count
from srgan_cli.engine.networks.layers import SLOPE, conv3x3, leaky, start_near_identity
from srgan_cli.engine.networks.srvgg import SRVGGNetCompact
from srgan_cli.engine.networks.wide_srvgg import WideSrvgg, numbers


class PlainNetwork(Network):
    """Restores an HR image by convolutions one after the other.

    VDSR's plain chain (Kim et al. 2016, section 3) at LR size, with one long skip from the
    first features to the last (as in SRResNet, Ledig et al. 2017), pixel shuffle, and the
    result added to the bilinear upscaling. Of all networks of its size it runs fastest,
    and in the races of docs/lab/recipes.md it comes furthest in the same time.

    Args:
        config: Sizes; see :class:`srgan_cli.config.PlainConfig`.
    """

    def __init__(self, config: PlainConfig) -> None:
        super().__init__()
        self._config = config
        channels = config.channels
        self.conv_first = conv3x3(3, channels)
        self.body = nn.Sequential(*(conv3x3(channels, channels) for _ in range(config.num_convs)))
        self.conv_last = conv3x3(channels, 3 * config.scale**2)

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale a batch: B, 3, H, W to B, 3, scale·H, scale·W, RGB, always fp32."""
        first: Tensor = self.conv_first(lr)
        features = first
        for conv in self.body:
            features = leaky(conv(features))
        detail = F.pixel_shuffle(self.conv_last(first + features), self.scale)
        return detail + F.interpolate(lr, scale_factor=float(self.scale), mode="bilinear")

    @property
    def scale(self) -> int:
        """Factor per side."""
        return self._config.scale

    @property
    def architecture(self) -> str:
        """Our own name."""
        return "plain"

    @property
    def receptive_radius(self) -> int:
        """One pixel for each convolution."""
        return self._config.num_convs + 2

    @property
    def config(self) -> PlainConfig:
        """Its sizes."""
        return self._config

    @classmethod
    def for_training(cls, config: object) -> Self | None:
        """Build a network that starts as the bilinear upscaling."""
        if not isinstance(config, PlainConfig):
            return None
        network = cls(config)
        for conv in network.body:
            assert isinstance(conv, nn.Conv2d)
            start_near_identity(conv)
        for parameter in network.conv_last.parameters():
            nn.init.zeros_(parameter)
        return network

    @torch.no_grad()
    def grow_from(self, source: "PlainNetwork") -> None:
        """Start as a network of fewer channels, or as many: widened, it computes the same.

        New features are made by the weights that this network has, and no old feature or pixel
        depends on them until training says so (the function-preserving growth of Chen et al.
        2016, "Net2Net"). For a scale that divides the source's, it computes the source's result
        reduced by block means; for another one ``conv_last`` stays as it is.

        Args:
            source: A network with as many convolutions, and no more channels.
        """
        own, given = (
            [module for module in network.modules() if isinstance(module, nn.Conv2d)]
            for network in (self, source)
        )
        for new, old in zip(own, given, strict=True):
            assert new.bias is not None
            assert old.bias is not None
            weight, bias = old.weight, old.bias
            if new is self.conv_last:
                if source.scale % self.scale:
                    continue
                weight, bias = (_block_means(part, self.scale) for part in (weight, bias))
            outputs, inputs = weight.shape[:2]
            new.weight[:outputs] = 0
            new.weight[:outputs, :inputs] = weight
            new.bias[:outputs] = bias

    @classmethod
    def recognise(cls, shapes: Shapes) -> Recognised | None:
        """Tell its sizes from the shapes of its first and last convolution."""
        num_convs = count(shapes, r"body\.(\d+)\.weight")
        if "conv_first.weight" not in shapes or len(shapes) != 2 * num_convs + 4:
            return None
        scale = math.isqrt(shapes["conv_last.weight"][0] // 3)
        config = PlainConfig(scale, shapes["conv_first.weight"][0], num_convs)
        return Recognised(cls(config), {})

    @classmethod
    def from_outline(cls, outline: Outline) -> Iterable[Self]:
        """Tell its sizes from the first convolution and the number of all."""
        channels = outline.convolutions[0][0]
        yield cls(PlainConfig(outline.scale, channels, len(outline.convolutions) - 2))

    @torch.no_grad()
    def as_basicsr(self) -> SRVGGNetCompact:
        """Write it as a wider network without the long skip connection."""
        wide = WideSrvgg(self, self._config.channels)
        trunk = wide.channels.trunk
        for i in range(len(self.body)):
            layer = wide.add_layer(carried=slice(trunk.stop, wide.channels.free))
            layer.weight[trunk, trunk], layer.bias[trunk] = numbers(self, f"body.{i}")
            layer.slope[trunk] = SLOPE
        return wide.finish()


def _block_means(part: Tensor, scale: int) -> Tensor:
    """Reduce what a convolution before a pixel shuffle makes: 3·S², … to 3·scale², …."""
    block = math.isqrt(len(part) // 3) // scale
    parts = part.reshape(3, scale, block, scale, block, *part.shape[1:])
    return parts.mean((2, 4)).flatten(0, 2)
