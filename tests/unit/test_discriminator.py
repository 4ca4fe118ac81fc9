import pytest
import torch
import torch.nn.functional as F
from torch import nn

from srgan_cli.engine.models import Discriminator


def _convolutions(discriminator):
    return [module for module in discriminator.modules() if isinstance(module, nn.Conv2d)]


def test_the_convolutions_are_those_of_srgan_figure_4():
    layers = [
        (conv.kernel_size[0], conv.out_channels, conv.stride[0])
        for conv in _convolutions(Discriminator())
    ]
    assert layers == [
        (3, 64, 1),
        (3, 64, 2),
        (3, 128, 1),
        (3, 128, 2),
        (3, 256, 1),
        (3, 256, 2),
        (3, 512, 1),
        (3, 512, 2),
    ]


def test_scores_are_those_of_the_layers_with_a_pooled_head():
    torch.manual_seed(0)
    discriminator = Discriminator(4).double()
    parameters = list(discriminator.parameters())
    picture = torch.rand(2, 3, 21, 18, dtype=torch.float64)
    x = picture
    for i in range(8):
        weight, bias = parameters[2 * i : 2 * i + 2]
        x = F.leaky_relu(F.conv2d(x, weight, bias, stride=1 + i % 2, padding=1), 0.2)
    weight, bias, last_weight, last_bias = parameters[16:]
    hidden = F.leaky_relu(x.flatten(2).mean(2) @ weight.T + bias, 0.2)
    torch.testing.assert_close(discriminator(picture), (hidden @ last_weight.T + last_bias)[:, 0])


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (96, 96), (200, 16)])
@torch.inference_mode()
def test_it_takes_pictures_of_any_size_from_16_on(size):
    scores = Discriminator(8)(torch.rand(3, 3, *size))
    assert scores.shape == (3,)
    assert torch.isfinite(scores).all()


@torch.inference_mode()
def test_the_score_of_a_picture_does_not_depend_on_the_others_of_its_batch():
    discriminator = Discriminator(8).double()
    discriminator.train()
    pictures = torch.rand(4, 3, 24, 24, dtype=torch.float64)
    together = discriminator(pictures)
    alone = torch.cat([discriminator(picture[None]) for picture in pictures])
    torch.testing.assert_close(together, alone)
    others = discriminator(torch.cat((pictures[:1], 9 * torch.rand_like(pictures[1:]))))
    torch.testing.assert_close(together[0], others[0])


@torch.inference_mode()
def test_a_fresh_discriminator_tells_pictures_apart():
    torch.manual_seed(0)
    scores = Discriminator()(
        torch.rand(4, 3, 32, 32) * torch.tensor([0.1, 0.4, 0.7, 1])[:, None, None, None]
    )
    assert scores.std() > 0.01


@pytest.mark.parametrize("width", [1, 16])
def test_the_width_scales_every_layer(width):
    kernels = [conv.out_channels // width for conv in _convolutions(Discriminator(width))]
    assert kernels == [1, 1, 2, 2, 4, 4, 8, 8]
