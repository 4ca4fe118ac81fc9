"""The discriminators: ``conv`` scores an image, ``unet`` scores each of its pixels."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from srgan_cli.config import TrainConfig

_SLOPE = 0.2


class _Leaky(torch.autograd.Function):
    """Leaky ReLU whose slope is a constant to the double backward of a penalty.

    PyTorch's own returns zeros for the second derivative, which then take a whole
    backward pass through the network: a third of a gradient penalty's cost. Without
    them the gradient is the same, to the bit. Keeping the result, which the next
    convolution keeps too, instead of the input saves its memory.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = F.leaky_relu(x, _SLOPE)
        ctx.save_for_backward(y)
        ctx.set_materialize_grads(False)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None) -> Tensor | None:
        if gradient is None:
            return None
        (y,) = ctx.saved_tensors
        back: Tensor = torch.ops.aten.leaky_relu_backward(gradient, y.detach(), _SLOPE, True)
        return back


def _leaky(x: Tensor) -> Tensor:
    y: Tensor = _Leaky.apply(x)
    return y


_convolution_backward = torch.ops.aten.convolution_backward.default


class _Convolution(torch.autograd.Function):
    """Convolution whose double backward by the weights is a weight gradient like any other.

    PyTorch's own is a convolution with kernels as large as the image, and in bf16 on CPUs with
    AMX it is wrong, by as much as its own size (PyTorch 2.14). A gradient that will itself
    be differentiated is that of a penalty, which asks for it by the pixels alone.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.moves = [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1
        return F.conv2d(x, weight, bias, stride, padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        if torch.is_grad_enabled():
            slope = _ByPixels.apply(gradient, weight, x.detach(), ctx.moves)
            return slope, None, None, None, None
        wanted = ctx.needs_input_grad[:3]
        back = _convolution_backward(gradient, x, weight, weight.shape[:1], *ctx.moves, wanted)
        return *back, None, None


class _ByPixels(torch.autograd.Function):
    """The gradient of a convolution by its input, which is linear in gradient and weights."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, weight: Tensor, x: Tensor, moves: Any) -> Tensor:
        ctx.save_for_backward(gradient, weight)
        ctx.moves = moves
        wanted = True, False, False
        slope: Tensor = _convolution_backward(gradient, x, weight, None, *moves, wanted)[0]
        return slope

    @staticmethod
    def backward(ctx: Any, direction: Tensor) -> tuple[Tensor | None, ...]:
        gradient, weight = ctx.saved_tensors
        stride, padding, *_ = ctx.moves
        along = F.conv2d(direction, weight, None, stride, padding)
        wanted = False, True, False
        by_weight = _convolution_backward(gradient, direction, weight, None, *ctx.moves, wanted)[1]
        return along, by_weight, None, None


class _Conv2d(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        device = x.device.type
        # As autocast does for PyTorch's own operations.
        lower = torch.is_autocast_enabled(device)
        dtype = torch.get_autocast_dtype(device) if lower else x.dtype
        bias = None if self.bias is None else self.bias.to(dtype)
        stride, padding = self.stride[0], self.padding[0]
        y: Tensor = _Convolution.apply(x.to(dtype), self.weight.to(dtype), bias, stride, padding)
        return y


class _LeakyReLU(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return _leaky(x)


def make_discriminator(config: TrainConfig) -> nn.Module:
    """Build the discriminator that the options ask for."""
    networks = {"conv": Discriminator, "unet": UNetDiscriminator}
    return networks[config.discriminator](config.discriminator_width)


class Discriminator(nn.Module):
    """Eight 3×3 convolutions and a pooled head, as in SRGAN (Ledig et al. 2017, figure 4).

    Channels double from ``width`` to ``8 * width``; every second convolution is
    strided, halving the image. There is no batch normalisation: a gradient penalty
    needs the score of each image to be independent of its neighbours in the
    batch (WGAN-GP, Gulrajani et al. 2017, section 4). Averaging over places before the
    head lets it take any image of at least 16×16.

    Args:
        width: Channels of the first convolution; 64 in the paper.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for out_channels in (width, 2 * width, 4 * width, 8 * width):
            for in_channels, stride in ((channels, 1), (out_channels, 2)):
                layers += [_Conv2d(in_channels, out_channels, 3, stride, 1), _LeakyReLU()]
            channels = out_channels
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Linear(channels, 2 * channels), _LeakyReLU(), nn.Linear(2 * channels, 1)
        )
        # He et al. 2015: without normalisation, PyTorch's default would shrink the score
        # of ten layers to nothing, and the discriminator would need hundreds of steps to recover.
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, a=_SLOPE, nonlinearity="leaky_relu")
                module.bias = nn.Parameter(torch.zeros(module.weight.shape[0]))

    def forward(self, image: Tensor) -> Tensor:
        """Score images.

        Args:
            image: B, 3, H, W, RGB in [0, 1].

        Returns:
            B unbounded scores, higher for more real.
        """
        pooled = self.features(image).mean(dim=(2, 3))
        logits: Tensor = self.head(pooled).squeeze(1)
        return logits


class UNetDiscriminator(nn.Module):
    """A U-Net with a logit for each pixel, as in Real-ESRGAN (Wang et al. 2021, figure 6).

    It halves the image three times and upscales it again, with skip connections, so
    that it judges textures in place and by what surrounds them. Spectral normalisation
    (Miyato et al. 2018) keeps all but the first and the last convolution from having a
    slope above 1. Layers and their order are those of the published
    ``UNetDiscriminatorSN``; sides that are no multiple of 8 are allowed too.

    Args:
        width: Channels of the first convolution; 64 in the paper.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        down = [(width, 2 * width), (2 * width, 4 * width), (4 * width, 8 * width)]
        self.first = _Conv2d(3, width, 3, 1, 1)
        self.down = nn.ModuleList(
            spectral_norm(_Conv2d(*channels, 4, 2, 1, bias=False)) for channels in down
        )
        self.up = nn.ModuleList(_normalised(wide, thin) for thin, wide in reversed(down))
        self.refine = nn.Sequential(
            *(_normalised(width, width), _LeakyReLU()),
            *(_normalised(width, width), _LeakyReLU()),
        )
        self.last = _Conv2d(width, 1, 3, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Score the pixels of images.

        Args:
            image: B, 3, H, W, RGB in [0, 1], at least 8×8.

        Returns:
            B, 1, H, W unbounded scores, higher for more real.
        """
        skips = [_leaky(self.first(image))]
        for conv in self.down:
            skips.append(_leaky(conv(skips[-1])))
        features = skips.pop()
        for conv in self.up:
            skip = skips.pop()
            upscaled = F.interpolate(features, size=skip.shape[-2:], mode="bilinear")
            features = _leaky(conv(upscaled)) + skip
        logits: Tensor = self.last(self.refine(features))
        return logits


def _normalised(in_channels: int, out_channels: int) -> nn.Module:
    return spectral_norm(_Conv2d(in_channels, out_channels, 3, 1, 1, bias=False))
