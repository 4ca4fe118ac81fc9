"""Networks whose weights are tied turn and mirror with the image, and stay so in training."""

import copy

import pytest
import torch

from srgan_cli.config import PlainConfig
from srgan_cli.engine.networks.architectures import make_generator
from srgan_cli.engine.networks.equivariance import Equivariance
from srgan_cli.engine.training.muon import Muon

SYMMETRIES = [
    lambda x, turns=turns, mirror=mirror: torch.rot90(x.flip(-1) if mirror else x, turns, (-2, -1))
    for turns in range(4)
    for mirror in (False, True)
]


def plain(scale=2, channels=16):
    torch.manual_seed(7)
    network = make_generator(PlainConfig(scale, channels, 3))
    with torch.no_grad():  # Training starts from an upscaling whose details are all zero.
        torch.nn.init.normal_(network.conv_last.weight, std=0.1)
        torch.nn.init.normal_(network.conv_last.bias, std=0.1)
    return network


def unlikeness(network):
    """Largest difference between a turned image's result and the turned result."""
    lr = torch.rand(1, 3, 9, 9)
    with torch.no_grad():
        return max(float((network(s(lr)) - s(network(lr))).abs().max()) for s in SYMMETRIES)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_tied_weights_upscale_a_turned_image_as_the_image_turned(scale):
    network = plain(scale)
    assert unlikeness(network) > 1e-2
    assert not Equivariance(network).holds()
    Equivariance(network).start()
    assert unlikeness(network) < 1e-5
    assert Equivariance(network).holds()


def test_weights_tied_by_their_mean_are_equivariant_and_stay_where_they_were_tied():
    network = plain()
    Equivariance(network).start()
    tied = copy.deepcopy(network)
    noise = [0.01 * torch.randn_like(parameter) for parameter in network.parameters()]
    with torch.no_grad():
        for parameter, each in zip(network.parameters(), noise, strict=True):
            parameter.add_(each)
    assert not Equivariance(network).holds()
    Equivariance(network).tie()
    assert Equivariance(network).holds()
    # The mean of eight keeps about a third of the noise.
    for i in range(len(network.body)):
        ours, theirs = network.body[i].weight, tied.body[i].weight
        assert float((ours - theirs).detach().norm()) < 0.5 * 0.01 * ours.numel() ** 0.5


def test_a_tied_start_is_spread_as_widely_as_a_free_one():
    network = plain(channels=40)
    free = float(network.conv_first.weight.detach().std())
    Equivariance(network).start()
    assert float(network.conv_first.weight.detach().std()) == pytest.approx(free, rel=0.2)
    centre = network.body[0].weight[:, :, 1, 1]
    assert centre.diagonal().mean() > 0.7  # Still near the identity.


def test_the_gradient_is_that_of_a_batch_with_every_patch_in_all_eight_ways():
    network = plain()
    Equivariance(network).start()
    alone, every = copy.deepcopy(network), copy.deepcopy(network)
    lr, hr = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 16, 16)
    (alone(lr) - hr).abs().mean().backward()
    Equivariance(alone).tie_gradients()
    lrs, hrs = (torch.cat([s(side) for s in SYMMETRIES]) for side in (lr, hr))
    (every(lrs) - hrs).abs().mean().backward()
    for ours, theirs in zip(alone.parameters(), every.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("optimizer", [torch.optim.Adam, Muon])
def test_a_tied_network_stays_tied_while_it_learns(optimizer):
    network = plain().to(memory_format=torch.channels_last)
    tied = Equivariance(network)
    tied.start()
    before = copy.deepcopy(network)
    steps = (
        Muon(network, lr=1e-3) if optimizer is Muon else optimizer(network.parameters(), lr=1e-3)
    )
    for _ in range(20):
        lr, hr = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 16, 16)
        network.zero_grad()
        (network(lr) - hr).abs().mean().backward()
        tied.tie_gradients()
        steps.step()
    assert unlikeness(network) < 1e-5
    moved = [
        (a - b).abs().max() for a, b in zip(network.parameters(), before.parameters(), strict=True)
    ]
    assert min(moved) > 1e-4
