"""The layers that the architectures share."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2
"""Of the leaky ReLU in networks that srgan trains."""


def conv3x3(in_channels: int, out_channels: int) -> nn.Conv2d:
    """Make a convolution that keeps the size of an image."""
    return nn.Conv2d(in_channels, out_channels, 3, 1, 1)


def leaky(x: Tensor) -> Tensor:
    """Apply the leaky ReLU."""
    return F.leaky_relu(x, SLOPE)


@torch.no_grad()
def start_near_identity(conv: nn.Conv2d) -> None:
    """Let a convolution begin as what passes features on, and half of the usual noise."""
    weight, bias = conv.parameters()
    weight.mul_(0.5).add_(nn.init.dirac_(torch.empty_like(weight)))
    bias.zero_()
