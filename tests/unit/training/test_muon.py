"""Muon: directions of equal weight, of Adam's size."""

import copy

import pytest
import torch
from torch import nn

from srgan_cli.engine.training.muon import Muon, hidden_kernels, orthogonalised


@pytest.mark.parametrize("shape", [(48, 432), (432, 48), (16, 16)])
def test_orthogonalised_matrices_keep_their_directions_and_lose_their_strengths(shape):
    matrix = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    matrix *= torch.tensor([1e-6, 1.0, 1e6])[:, None, None]
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    inner = left.mT @ orthogonalised(matrix) @ right.mT
    singular = inner.diagonal(dim1=-2, dim2=-1)
    assert singular.min() > 0.3
    assert singular.median() > 0.6
    assert singular.max() < 1.3
    assert (inner - torch.diag_embed(singular)).abs().max() < 1e-4


def _network(channels=48, hidden=1):
    convs = [nn.Conv2d(channels, channels, 3) for _ in range(hidden)]
    return nn.Sequential(nn.Conv2d(3, channels, 3), *convs, nn.Conv2d(channels, 12, 3))


def _set_gradients(network, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def test_first_update_has_its_size_and_the_direction_of_the_gradient():
    network = _network()
    kernels = network[1].weight
    before = kernels.detach().clone()
    _set_gradients(network)
    Muon(network, lr=1e-2).step()
    update = kernels.detach() - before
    assert update.square().mean().sqrt().item() == pytest.approx(0.6 * 1e-2, rel=0.15)
    assert torch.cosine_similarity(update.flatten(), kernels.grad.flatten(), dim=0) < -0.8


def test_everything_else_moves_as_with_adam():
    ours, reference = _network(), _network()
    reference.load_state_dict(ours.state_dict())
    muon, adam = Muon(ours, lr=1e-2), torch.optim.Adam(reference.parameters(), lr=1e-2)
    for seed in range(3):
        for network, optimizer in ((ours, muon), (reference, adam)):
            _set_gradients(network, seed)
            optimizer.step()
    expected = dict(reference.named_parameters())
    for name, value in ours.named_parameters():
        same = torch.allclose(value, expected[name], rtol=1e-5, atol=1e-7)
        assert same == (name != "1.weight"), name


def test_kernels_of_one_shape_do_not_influence_each_other():
    alone, together = _network(hidden=1), _network(hidden=2)
    together[1].load_state_dict(alone[1].state_dict())
    for network in (alone, together):
        _set_gradients(network)
    together[1].weight.grad = alone[1].weight.grad.clone()
    for network in (alone, together):
        Muon(network, lr=0.1).step()
    torch.testing.assert_close(together[1].weight, alone[1].weight)


def test_momentum_looks_one_step_ahead():
    network = nn.Sequential(*(nn.Conv2d(4, 4, 1) for _ in range(3)))
    muon, kernels = Muon(network, lr=1.0, momentum=0.9), network[1].weight
    kernels.grad = torch.diag(torch.tensor([1.0, 2, 3, 4]))[..., None, None]
    muon.step()
    before = kernels.detach().clone()
    kernels.grad = -torch.eye(4)[..., None, None]
    muon.step()
    mean = torch.tensor([-0.01, 0.08, 0.17, 0.26])
    torch.testing.assert_close(muon.state[kernels]["momentum"][..., 0, 0].diagonal(), mean)
    # Nesterov counts the newest gradient again; the second direction turns round by that.
    moved = (kernels.detach() - before)[..., 0, 0].diagonal()
    assert moved.sign().tolist() == [1, 1, -1, -1]


def test_state_goes_through_a_state_dict():
    ours, theirs = _network(), _network()
    theirs.load_state_dict(ours.state_dict())
    first = Muon(ours)
    _set_gradients(ours, 0)
    first.step()
    second = Muon(theirs)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    theirs.load_state_dict(ours.state_dict())
    for network, optimizer in ((ours, first), (theirs, second)):
        _set_gradients(network, 1)
        optimizer.step()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(one, other)


def test_hidden_kernels_are_those_that_see_no_colours():
    assert [tuple(k.shape) for k in hidden_kernels(_network(8, 2))] == [(8, 8, 3, 3)] * 2
