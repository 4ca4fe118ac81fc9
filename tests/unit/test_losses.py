import pytest
import torch
from torch import nn

from srgan_cli.engine.losses import (
    generator_adversarial_loss,
    perceptual_loss,
    pixel_loss,
    wasserstein_loss,
)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def features():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())


def test_pixel_loss_is_the_mean_absolute_difference():
    hr = torch.rand(2, 3, 4, 4)
    assert pixel_loss(hr, hr) == 0
    assert pixel_loss(hr + 0.25, hr) == pytest.approx(0.25, abs=1e-6)
    assert pixel_loss(hr - 0.25, hr) == pytest.approx(0.25, abs=1e-6)


def test_pixel_loss_is_taken_in_fp32_whatever_the_generator_computes_in():
    hr = torch.zeros(1, 3, 300, 300)
    assert pixel_loss((hr + 0.5).half(), hr).dtype == torch.float32


def test_the_discriminator_wants_real_pictures_to_score_higher():
    real, fake = torch.tensor([3.0, 5.0]), torch.tensor([1.0, 0.0])
    assert wasserstein_loss(real, fake) == -3.5
    assert wasserstein_loss(fake, real) == 3.5


def test_the_generator_wants_its_pictures_to_score_high():
    assert generator_adversarial_loss(torch.tensor([1.0, 5.0])) == -3


def test_both_networks_pull_the_score_of_generated_pictures_apart():
    fake = torch.tensor([1.0, 2.0], requires_grad=True)
    (discriminator_pull,) = torch.autograd.grad(wasserstein_loss(torch.zeros(2), fake), fake)
    (generator_pull,) = torch.autograd.grad(generator_adversarial_loss(fake), fake)
    assert torch.equal(discriminator_pull, -generator_pull)


def test_equal_pictures_have_no_perceptual_loss(features):
    hr = torch.rand(2, 3, 8, 8)
    assert perceptual_loss(features, hr, hr) == 0
    assert perceptual_loss(features, 1 - hr, hr) > 0


def test_perceptual_loss_is_the_relative_feature_distance(features):
    sr, hr = torch.rand(2, 2, 3, 8, 8)
    wanted = (features(sr) - features(hr)).abs().sum() / features(hr).abs().sum()
    assert perceptual_loss(features, sr, hr).item() == pytest.approx(wanted.item(), rel=1e-5)


@pytest.mark.parametrize("magnitude", [1e-3, 100.0])
def test_perceptual_loss_does_not_depend_on_the_magnitude_of_the_features(features, magnitude):
    sr, hr = torch.rand(2, 2, 3, 8, 8)

    def louder(x):
        return magnitude * features(x)

    loss = perceptual_loss(features, sr, hr).item()
    assert perceptual_loss(louder, sr, hr).item() == pytest.approx(loss, rel=1e-4)


def test_perceptual_loss_of_a_black_picture_is_finite():
    black = torch.zeros(1, 3, 8, 8)
    loss = perceptual_loss(nn.Identity(), black + 0.1, black)
    assert torch.isfinite(loss)


def test_only_the_generated_picture_is_pulled(features):
    sr, hr = torch.rand(2, 1, 3, 8, 8).requires_grad_().unbind()
    sr.retain_grad()
    hr.retain_grad()
    perceptual_loss(features, sr, hr).backward()
    assert sr.grad.abs().sum() > 0
    assert hr.grad is None
