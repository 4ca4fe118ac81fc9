"""The networks that ``benchmarks/races.py`` trains, and what a race may change."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SCALE = 2


@dataclass(frozen=True)
class Variant:
    """What a race may change."""

    kind: str = "plain"
    """``plain``: convolutions one after the other; ``residual``: pairs of them with a skip;
    ``dense``: dense residual blocks; ``attention``: plain networks that weigh their own result, as
    in SPAN; ``gate``: one convolution whose halves are multiplied, and one back; ``branches``: a
    plain network whose weights are sums of branches, as in ECBSR and RepVGG, that come to one in
    the end."""
    channels: int = 48
    growth: int = 32
    blocks: int = 8
    convs: int = 2
    """Convolutions per block; a plain network has one."""
    skip: int = 0
    """1: the first features are added to the last."""
    base: str = "nearest"
    """Upscaling that the network's result is added to: nearest or bilinear."""
    optimizer: str = "adam"
    rate: float = 1e-3
    muon_rate: float = 1e-3
    patch: int = 48
    batch: int = 16
    detail: int = 1
    """Places to choose from for each patch."""
    loss: str = "l1"
    """``l1``, ``charbonnier`` or ``psnr``."""
    luma: float = 0.0
    """Weight of the loss on luma beside it."""
    fft: float = 0.0
    """Weight of the spectrum's loss beside it."""
    seed: int = 0
    decay: float = 0.999
    """Of the weights' running mean, which is what is scored."""
    equivariant: int = 0
    """1: the preset ``plain`` with tied weights, which has the skip and the bilinear base."""


class _Dense(nn.Module):
    def __init__(self, channels: int, growth: int, convs: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            _conv(channels + i * growth, growth if i < convs - 1 else channels)
            for i in range(convs)
        )

    def forward(self, x: Tensor) -> Tensor:
        *convs, last = self.convs
        features = x
        for conv in convs:
            features = torch.cat((features, F.leaky_relu(conv(features), 0.2)), 1)
        return x + last(features)


class _Residual(nn.Module):
    def __init__(self, channels: int, convs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(convs):
            layers += [_conv(channels, channels), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class _Attention(nn.Module):
    """After SPAN (Wan et al. 2024), starting as the identity."""

    def __init__(self, channels: int, convs: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(_near_identity(channels) for _ in range(convs - 1))
        self.last = _conv(channels, channels)
        with torch.no_grad():
            for parameter in self.last.parameters():
                parameter.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        features = x
        for conv in self.convs:
            features = F.leaky_relu(conv(features), 0.2)
        residual = self.last(features)
        return (x + residual) * (2 * torch.sigmoid(residual))


class _Gate(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.wide, self.back = _conv(channels, channels), _conv(channels // 2, channels)

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.wide(x).chunk(2, 1)
        return x + self.back(a * b)


class _Branches(nn.Module):
    """After ECBSR (Zhang et al. 2021): 3×3, 1×1, and 1×1 into 3×3, summed up in one convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.main = _near_identity(channels)
        self.point = nn.Conv2d(channels, channels, 1, bias=False)
        self.wide = nn.Conv2d(channels, 2 * channels, 1, bias=False)
        self.back = nn.Conv2d(2 * channels, channels, 3, bias=False)
        with torch.no_grad():
            for branch in (self.point, self.back):
                branch.weight.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        through = torch.einsum("okhw,ki->oihw", self.back.weight, self.wide.weight[..., 0, 0])
        kernels = self.main.weight + F.pad(self.point.weight, (1, 1, 1, 1)) + through
        return F.conv2d(x, kernels, self.main.bias, padding=1)


class Network(nn.Module):
    """The network of a variant: features, blocks, and an upscaled image to add to."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        channels, self.variant = variant.channels, variant
        self.first = _conv(3, channels)
        if variant.kind in {"plain", "branches"}:
            conv = _near_identity if variant.kind == "plain" else _Branches
            blocks = [
                nn.Sequential(conv(channels), nn.LeakyReLU(0.2)) for _ in range(variant.blocks)
            ]
        elif variant.kind == "residual":
            blocks = [_Residual(channels, variant.convs) for _ in range(variant.blocks)]
        elif variant.kind == "attention":
            blocks = [_Attention(channels, variant.convs) for _ in range(variant.blocks)]
        elif variant.kind == "gate":
            blocks = [_Gate(channels) for _ in range(variant.blocks)]
        else:
            blocks = [
                _Dense(channels, variant.growth, variant.convs) for _ in range(variant.blocks)
            ]
        if variant.kind in {"residual", "dense"}:
            blocks.append(_conv(channels, channels))
        self.body = nn.Sequential(*blocks)
        self.last = _conv(channels, 3 * SCALE**2)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale a batch in [0, 1]."""
        first = self.first(lr)
        if self.variant.skip:
            features = first + self.body(first)
        else:
            features = self.body(F.leaky_relu(first, 0.2))
        base = F.interpolate(lr, scale_factor=float(SCALE), mode=self.variant.base)
        return F.pixel_shuffle(self.last(features), SCALE).float() + base


def _conv(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, 1, 1)


def _near_identity(channels: int) -> nn.Conv2d:
    conv = _conv(channels, channels)
    with torch.no_grad():
        conv.weight.mul_(0.5).add_(nn.init.dirac_(torch.empty_like(conv.weight)))
        conv.bias.zero_()
    return conv
