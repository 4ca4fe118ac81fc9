"""SRVGGNetCompact, the network of Real-ESRGAN's small models."""

import math
import re
from collections.abc import Iterable
from typing import Self

import torch.nn.functional as F
from torch import Tensor, nn

from srgan_cli.config import SrvggConfig
from srgan_cli.engine.networks.base import Network, Outline, Recognised, Shapes
from srgan_cli.engine.networks.layers import SLOPE, conv3x3, start_near_identity


class SRVGGNetCompact(Network):
    """Convolutions with PReLU, one after the other, added to the repeated pixels.

    The network of realesr-animevideov3 and realesr-general-x4v3 (xinntao/Real-ESRGAN,
    ``srvgg_arch.py``): everything at LR size, pixel shuffle at the end.

    Args:
        channels: Channels of all convolutions but the last.
        num_convs: Convolutions between the first and the last.
        scale: Factor per side.
        slope: What all PReLUs are fixed to; None learns the slopes, for a step that is a
            quarter slower on a CPU.
    """

    def __init__(
        self, channels: int, num_convs: int, scale: int, slope: float | None = None
    ) -> None:
        super().__init__()
        self._channels, self._scale, self._slope = channels, scale, slope
        layers: list[nn.Module] = [conv3x3(3, channels), nn.PReLU(channels)]
        for _ in range(num_convs):
            layers += [conv3x3(channels, channels), nn.PReLU(channels)]
        self.body = nn.Sequential(*layers, conv3x3(channels, 3 * scale**2))
        if slope is not None:
            for layer in self.body:
                if isinstance(layer, nn.PReLU):
                    nn.init.constant_(layer.weight, slope)
                    layer.requires_grad_(requires_grad=False)

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale a batch: B, 3, H, W to B, 3, scale·H, scale·W, RGB."""
        features = lr
        for layer in self.body:
            if self._slope is not None and isinstance(layer, nn.PReLU):
                features = F.leaky_relu(features, self._slope)
            else:
                features = layer(features)
        detail = F.pixel_shuffle(features, self._scale)
        return detail + F.interpolate(lr, scale_factor=float(self._scale), mode="nearest")

    @property
    def scale(self) -> int:
        """Factor per side."""
        return self._scale

    @property
    def architecture(self) -> str:
        """Name by which people know it."""
        return "SRVGGNetCompact"

    @property
    def receptive_radius(self) -> int:
        """One pixel for each convolution."""
        return len(self.body) // 2 + 1

    @property
    def config(self) -> SrvggConfig:
        """Its sizes."""
        return SrvggConfig(self._scale, self._channels, len(self.body) // 2 - 1)

    @classmethod
    def for_training(cls, config: object) -> Self | None:
        """Build a network that starts as an upscaling by repeated pixels, with fixed slopes.

        Hidden convolutions start near the identity, so that the first features reach the last
        convolution through any number of them.
        """
        if not isinstance(config, SrvggConfig):
            return None
        network = cls(config.channels, config.num_convs, config.scale, slope=SLOPE)
        _, *hidden, last = [layer for layer in network.body if isinstance(layer, nn.Conv2d)]
        for conv in hidden:
            start_near_identity(conv)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        return network

    @classmethod
    def recognise(cls, shapes: Shapes) -> Recognised | None:
        """Tell its sizes from the shapes of its first and last convolution."""
        if not all(re.fullmatch(r"body\.\d+\.(weight|bias)", key) for key in shapes):
            return None
        first, slopes = shapes["body.0.weight"], shapes["body.1.weight"]
        last = max(int(key.split(".")[1]) for key in shapes)
        scale = math.isqrt(shapes[f"body.{last}.weight"][0] // 3)
        if len(first) != 4 or first[1] != 3 or slopes != first[:1]:
            return None
        if last > len(shapes) or not scale:
            return None
        return Recognised(cls(first[0], last // 2 - 1, scale), {})

    @classmethod
    def from_outline(cls, outline: Outline) -> Iterable[Self]:
        """Tell its sizes from the first convolution and the number of all."""
        yield cls(outline.convolutions[0][0], len(outline.convolutions) - 2, outline.scale)

    def as_basicsr(self) -> Self:
        """Return it as it is."""
        return self
