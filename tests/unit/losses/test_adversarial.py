"""The adversarial losses against what their papers say, in plain numpy."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.losses.adversarial import (
    accuracy,
    discriminator_adversarial_loss,
    generator_adversarial_loss,
    r1_penalty,
)

CPU = torch.device("cpu")
KINDS = ("wgan-gp", "vanilla", "hinge", "relativistic")
SHAPES = [(7,), (3, 1, 5, 4)]


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _from_the_papers(kind, real, fake):
    """Return the losses of discriminator and generator, written with probabilities."""
    match kind:
        case "wgan-gp":
            return fake.mean() - real.mean(), -fake.mean()
        case "vanilla":
            is_real, is_fake = _sigmoid(real), 1 - _sigmoid(fake)
            return -np.log(is_real).mean() - np.log(is_fake).mean(), -np.log(1 - is_fake).mean()
        case "hinge":
            above, below = np.maximum(0, 1 - real), np.maximum(0, 1 + fake)
            return above.mean() + below.mean(), -fake.mean()
        case "relativistic":
            real_wins = _sigmoid(real - fake.mean())
            fake_wins = _sigmoid(fake - real.mean())
            return (
                -np.log(real_wins).mean() - np.log(1 - fake_wins).mean(),
                -np.log(1 - real_wins).mean() - np.log(fake_wins).mean(),
            )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_losses_of_both_networks_are_those_of_the_papers(kind, shape):
    random = np.random.default_rng(0)
    real, fake = 2 * random.normal(size=(2, *shape)) + 0.3
    logits = torch.from_numpy(real).float(), torch.from_numpy(fake).float()
    for_discriminator, for_generator = _from_the_papers(kind, real, fake)
    assert discriminator_adversarial_loss(kind, *logits).item() == pytest.approx(
        for_discriminator, rel=1e-5
    )
    assert generator_adversarial_loss(kind, *logits).item() == pytest.approx(
        for_generator, rel=1e-5
    )


@pytest.mark.parametrize("kind", KINDS)
def test_networks_that_cannot_tell_have_the_known_loss(kind):
    zeros = torch.zeros(4)
    undecided = {"wgan-gp": 0, "vanilla": 2 * math.log(2), "hinge": 2, "relativistic": math.log(4)}
    assert discriminator_adversarial_loss(kind, zeros, zeros).item() == pytest.approx(
        undecided[kind]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_networks_pull_the_scores_of_generated_images_apart(kind):
    real = torch.tensor([0.5, 0.2], requires_grad=True)
    fake = torch.tensor([0.1, -0.3], requires_grad=True)
    by_real, by_fake = torch.autograd.grad(
        discriminator_adversarial_loss(kind, real, fake), (real, fake)
    )
    (by_generator,) = torch.autograd.grad(generator_adversarial_loss(kind, real, fake), fake)
    assert (by_real < 0).all()
    assert (by_fake > 0).all()
    assert (by_generator < 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_losses_are_taken_in_fp32_and_stay_finite(kind):
    extreme = torch.tensor([30_000.0, -30_000.0])
    for real, fake in ((extreme, extreme.flip(0)), (extreme.half(), extreme.half())):
        for loss in (discriminator_adversarial_loss, generator_adversarial_loss):
            value = loss(kind, real, fake)
            assert value.dtype == torch.float32
            assert torch.isfinite(value)


def test_the_vanilla_generator_learns_from_images_that_fool_nobody():
    # The saturating form, log(1 - D), would have a gradient of e^-20 here.
    fake = torch.tensor([-20.0], requires_grad=True)
    (pull,) = torch.autograd.grad(generator_adversarial_loss("vanilla", fake, fake), fake)
    assert pull.item() == pytest.approx(-1)


@pytest.mark.parametrize(
    ("kind", "shift", "share"),
    [
        ("vanilla", 0, 0.75),
        ("hinge", 0, 0.75),
        ("hinge", 10, 0.5),
        ("wgan-gp", 0, 0.875),
        ("wgan-gp", 10, 0.875),
        ("relativistic", -10, 0.875),
    ],
)
def test_accuracy_is_the_share_of_logits_on_their_own_side(kind, shift, share):
    real = torch.tensor([1.0, 2.0, 3.0, -2.0]) + shift
    fake = torch.tensor([-1.0, -2.0, 0.5, -3.0]) + shift
    assert accuracy(kind, real, fake).item() == pytest.approx(share)


class Quadratic(nn.Module):
    """Scores w · x²: its gradient at x is 2 w x."""

    def __init__(self, map_of_scores=False):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))
        self.map_of_scores = map_of_scores

    def forward(self, image):
        scores = self.weight * image.square()
        return scores if self.map_of_scores else scores.flatten(1).sum(1)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_r1_is_half_the_squared_gradient_at_real_images(precision):
    hr, discriminator = torch.rand(3, 3, 4, 4), Quadratic()
    penalty = r1_penalty(discriminator, hr, Amp.create(CPU, precision))
    squares = hr.flatten(1).square().sum(1)
    assert penalty.item() == pytest.approx(0.5 * (2 * 0.5) ** 2 * squares.mean().item(), rel=1e-5)
    (slope,) = torch.autograd.grad(penalty, discriminator.weight)
    # By w: 0.5 · 8 w · |x|².
    assert slope.item() == pytest.approx(4 * 0.5 * squares.mean().item(), rel=1e-5)


def test_the_score_of_an_image_with_many_logits_is_their_mean():
    hr = torch.rand(2, 3, 4, 4)
    amp = Amp.create(CPU, "fp32")
    whole = r1_penalty(Quadratic(), hr, amp)
    assert r1_penalty(Quadratic(map_of_scores=True), hr, amp).item() == pytest.approx(
        whole.item() / 48**2, rel=1e-5
    )


def test_r1_does_not_touch_the_images_it_is_given():
    hr = torch.rand(1, 3, 4, 4)
    r1_penalty(Quadratic(), hr, Amp.create(CPU, "fp32")).backward()
    assert not hr.requires_grad
    assert hr.grad is None
