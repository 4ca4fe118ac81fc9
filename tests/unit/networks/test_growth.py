"""A plain network that starts from a narrower one computes the same, and can learn more."""

import pytest
import torch

from srgan_cli.config import PlainConfig
from srgan_cli.engine.networks.equivariance import Equivariance
from srgan_cli.engine.networks.plain import PlainNetwork
from tests.toolbox import random_generator


def grown(channels, scale=2, seed=1):
    small = random_generator(PlainConfig(2, 16, 3)).double()
    torch.manual_seed(seed)
    large = PlainNetwork.for_training(PlainConfig(scale, channels, 3)).double()
    large.grow_from(small)
    return small, large


@pytest.mark.parametrize("channels", [16, 24, 40])
def test_a_widened_network_computes_the_same(channels):
    small, large = grown(channels)
    lr = torch.rand(2, 3, 17, 12, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(large(lr), small(lr), rtol=0, atol=1e-12)


def test_every_new_weight_is_trained_after_two_steps():
    _, large = grown(24)
    before = {name: value.clone() for name, value in large.named_parameters()}
    optimizer = torch.optim.SGD(large.parameters(), 0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (large(torch.rand(1, 3, 12, 12, dtype=torch.float64)) - 0.5).square().mean().backward()
        optimizer.step()
    for name, value in large.named_parameters():
        assert (value != before[name]).float().mean() > 0.9, name


def test_another_scale_keeps_the_features_and_starts_its_last_convolution_anew():
    small, large = grown(24, scale=4)
    torch.testing.assert_close(large.body[1].weight[:16, :16], small.body[1].weight)
    assert not large.conv_last.weight.any()


@pytest.mark.parametrize(("found", "wanted"), [(4, 2), (8, 4), (8, 2), (3, 3)])
def test_a_network_of_a_smaller_scale_starts_as_the_reduced_result(found, wanted):
    source = random_generator(PlainConfig(found, 16, 3)).double()
    target = PlainNetwork.for_training(PlainConfig(wanted, 24, 3)).double()
    target.grow_from(source)
    lr = torch.rand(2, 3, 9, 12, dtype=torch.float64)
    with torch.no_grad():
        reduced = torch.nn.functional.avg_pool2d(source(lr), found // wanted)
        torch.testing.assert_close(target(lr), reduced, rtol=0, atol=1e-12)


def test_a_widened_equivariant_network_is_equivariant():
    torch.manual_seed(0)
    small = PlainNetwork.for_training(PlainConfig(2, 16, 3))
    torch.nn.init.normal_(small.conv_last.weight)
    Equivariance(small).start()
    large = PlainNetwork.for_training(PlainConfig(2, 32, 3))
    Equivariance(large).start()
    large.grow_from(small)
    assert Equivariance(large).holds()
