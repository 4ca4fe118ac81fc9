"""Networks that do something without having been trained."""

import torch
from torch import Tensor, nn

from srgan_cli.config import GeneratorConfig, SpanConfig, SrvggConfig
from srgan_cli.engine.networks.architectures import make_generator
from srgan_cli.engine.networks.base import Network


def random_generator(config: GeneratorConfig, seed: int = 0) -> Network:
    """Make a frozen generator all of whose convolutions do something, unlike a new one's."""
    torch.manual_seed(seed)
    generator = make_generator(config)
    if isinstance(config, SrvggConfig):
        last = generator.body[-1]
    else:
        last = generator.upsampler if isinstance(config, SpanConfig) else generator.conv_last
    last.reset_parameters()
    return generator.eval().requires_grad_(False)


class Chain(nn.Module):
    """Plain convolutions, each with another activation, added to the upscaled image."""

    align = 1

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        slopes = nn.PReLU(8)
        nn.init.uniform_(slopes.weight)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            slopes,
            nn.Conv2d(8, 8, 1, bias=False),
            nn.ReLU(inplace=True),
            nn.Conv2d(8, 8, 5, padding=2),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(8, 12, 3, padding=1),
            nn.PixelShuffle(2),
        )

    def forward(self, x: Tensor) -> Tensor:
        upscaled = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
        return self.layers(x) * 0.5 + upscaled


class Pooled(Chain):
    """Depends on all pixels at once, which the runtimes' layers cannot."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * x.mean()
