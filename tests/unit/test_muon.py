"""Muon: directions of equal weight, of Adam's size."""

import pytest
import torch
from torch import nn

from srgan_cli.engine.muon import Muon, orthogonalised


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


def test_first_update_has_the_size_of_adams_and_the_direction_of_the_gradient():
    conv = nn.Conv2d(48, 48, 3)
    before = conv.weight.detach().clone()
    conv.weight.grad = torch.randn_like(conv.weight)
    Muon([conv.weight], lr=1e-2).step()
    update = conv.weight.detach() - before
    assert update.square().mean().sqrt().item() == pytest.approx(0.2 * 1e-2, rel=0.15)
    cosine = torch.cosine_similarity(update.flatten(), conv.weight.grad.flatten(), dim=0)
    assert cosine < -0.8


def test_weights_of_one_shape_do_not_influence_each_other():
    generator = torch.Generator().manual_seed(1)
    first, second = (torch.randn(8, 4, 3, 3, generator=generator) for _ in range(2))
    gradients = [torch.randn(8, 4, 3, 3, generator=generator) for _ in range(2)]

    def updated(*pairs):
        weights = [nn.Parameter(weight.clone()) for weight, _ in pairs]
        for weight, (_, gradient) in zip(weights, pairs, strict=True):
            weight.grad = gradient.clone()
        Muon(weights, lr=0.1).step()
        return weights

    together = updated((first, gradients[0]), (second, gradients[1]))
    alone = updated((first, gradients[0]))
    torch.testing.assert_close(together[0], alone[0])


def test_momentum_looks_one_step_ahead():
    weight = nn.Parameter(torch.zeros(4, 4))
    muon = Muon([weight], lr=1.0, momentum=0.9)
    weight.grad = torch.diag(torch.tensor([1.0, 2, 3, 4]))
    muon.step()
    before = weight.detach().clone()
    weight.grad = -torch.eye(4)
    muon.step()
    mean = torch.tensor([-0.01, 0.08, 0.17, 0.26])
    torch.testing.assert_close(muon.state[weight]["momentum"].diagonal(), mean)
    # Nesterov counts the newest gradient again; the second direction turns round by that.
    moved = (weight.detach() - before).diagonal()
    assert moved.sign().tolist() == [1, 1, -1, -1]


def test_ill_conditioned_least_squares_come_closer_than_with_plain_gradients():
    generator = torch.Generator().manual_seed(2)
    inputs = torch.randn(256, 32, generator=generator) * torch.logspace(0, -2, 32)
    target = inputs @ torch.randn(32, 16, generator=generator)

    def remaining(make):
        weight = nn.Parameter(torch.zeros(16, 32))
        optimizer = make([weight])
        for step in range(200):
            for group in optimizer.param_groups:
                group["lr"] = 0.3 * (1 - step / 200)
            loss = (inputs @ weight.mT - target).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return loss.item()

    muon = remaining(lambda weights: Muon(weights, lr=0.3))
    assert muon < 0.5 * remaining(lambda weights: torch.optim.SGD(weights, lr=0.3))
