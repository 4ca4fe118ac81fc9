"""Networks that others train and publish, with their parameter names."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srgan_cli.config import SrvggConfig
from srgan_cli.engine.networks.base import Network


def _conv(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, 1, 1)


@torch.no_grad()
def start_near_identity(conv: nn.Conv2d) -> None:
    """Let a convolution begin as what passes features on, and half of the usual noise."""
    weight, bias = conv.parameters()
    weight.mul_(0.5).add_(nn.init.dirac_(torch.empty_like(weight)))
    bias.zero_()


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
        layers: list[nn.Module] = [_conv(3, channels), nn.PReLU(channels)]
        for _ in range(num_convs):
            layers += [_conv(channels, channels), nn.PReLU(channels)]
        self.body = nn.Sequential(*layers, _conv(channels, 3 * scale**2))
        if slope is not None:
            for layer in self.body:
                if isinstance(layer, nn.PReLU):
                    nn.init.constant_(layer.weight, slope)
                    layer.requires_grad_(requires_grad=False)

    def initialise(self) -> None:
        """Set the numbers that training starts from: an upscaling by repeated pixels.

        Hidden convolutions start near the identity, so that the first features reach the last
        convolution through any number of them.
        """
        _, *hidden, last = [layer for layer in self.body if isinstance(layer, nn.Conv2d)]
        for conv in hidden:
            start_near_identity(conv)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)

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
    def config(self) -> SrvggConfig:
        """Its sizes."""
        return SrvggConfig(self._scale, self._channels, len(self.body) // 2 - 1)

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


class _ResidualBlock(nn.Module):
    """Two convolutions added to their input, without batch normalisation (as in EDSR)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = _conv(channels, channels), _conv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map B, C, H, W features to the same shape."""
        residual: Tensor = self.conv2(F.relu(self.conv1(x)))
        return x + residual


class MSRResNet(Network):
    """SRGAN's generator (Ledig et al. 2017) as BasicSR publishes it, without normalisation.

    Residual blocks at LR size, pixel shuffles, added to the bilinear upscaling
    (XPixelGroup/BasicSR, ``srresnet_arch.py``).

    Args:
        channels: Channels of all convolutions but the last.
        num_blocks: Residual blocks.
        scale: Factor per side: 2, 3 or 4.
    """

    def __init__(self, channels: int, num_blocks: int, scale: int) -> None:
        super().__init__()
        self._factors = {2: (2,), 3: (3,), 4: (2, 2)}[scale]
        self._scale = scale
        self.conv_first = _conv(3, channels)
        self.body = nn.Sequential(*(_ResidualBlock(channels) for _ in range(num_blocks)))
        for i, factor in enumerate(self._factors, start=1):
            self.add_module(f"upconv{i}", _conv(channels, channels * factor**2))
        self.conv_hr = _conv(channels, channels)
        self.conv_last = _conv(channels, 3)

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


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.1)
