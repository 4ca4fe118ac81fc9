import numpy as np
import pytest
import torch
from torch import nn

from srgan_cli.engine.losses.content import (
    artefact_loss,
    artefact_map,
    chroma_loss,
    fft_loss,
    lattice_loss,
    luma_loss,
    perceptual_loss,
    pixel_loss,
    smooth_loss,
)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def features():
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
    return lambda image: [network(image)]


def test_pixel_loss_is_the_mean_absolute_difference():
    hr = torch.rand(2, 3, 4, 4)
    assert pixel_loss(hr, hr) == 0
    assert pixel_loss(hr + 0.25, hr) == pytest.approx(0.25, abs=1e-6)
    assert pixel_loss(hr - 0.25, hr) == pytest.approx(0.25, abs=1e-6)


def test_pixel_loss_is_taken_in_fp32_whatever_the_generator_computes_in():
    hr = torch.zeros(1, 3, 300, 300)
    assert pixel_loss((hr + 0.5).half(), hr).dtype == torch.float32


def test_equal_images_have_no_perceptual_loss(features):
    hr = torch.rand(2, 3, 8, 8)
    assert perceptual_loss(features, hr, hr) == 0
    assert perceptual_loss(features, 1 - hr, hr) > 0


def test_perceptual_loss_is_the_relative_feature_distance(features):
    sr, hr = torch.rand(2, 2, 3, 8, 8)
    wanted = [
        ((features(a)[0] - features(b)[0]).abs().sum() / features(b)[0].abs().sum()).item()
        for a, b in zip(sr.split(1), hr.split(1), strict=True)
    ]
    assert perceptual_loss(features, sr, hr).item() == pytest.approx(sum(wanted) / 2, rel=1e-5)


@pytest.mark.parametrize("magnitude", [1e-3, 100.0])
def test_perceptual_loss_does_not_depend_on_the_magnitude_of_the_features(features, magnitude):
    sr, hr = torch.rand(2, 2, 3, 8, 8)

    def louder(x):
        return [magnitude * features(x)[0]]

    loss = perceptual_loss(features, sr, hr).item()
    assert perceptual_loss(louder, sr, hr).item() == pytest.approx(loss, rel=1e-4)


def test_perceptual_loss_of_a_black_image_is_finite():
    black = torch.zeros(1, 3, 8, 8)
    loss = perceptual_loss(lambda image: [image], black + 0.1, black)
    assert torch.isfinite(loss)


def test_only_the_generated_image_is_pulled(features):
    sr, hr = torch.rand(2, 1, 3, 8, 8).requires_grad_().unbind()
    sr.retain_grad()
    hr.retain_grad()
    perceptual_loss(features, sr, hr).backward()
    assert sr.grad.abs().sum() > 0
    assert hr.grad is None


def test_perceptual_loss_is_the_mean_of_the_layers():
    sr, hr = torch.rand(2, 2, 3, 8, 8)

    def layers(*scales):
        return lambda image: [scale * image.square() ** (i + 1) for i, scale in scales]

    single = [perceptual_loss(layers(one), sr, hr).item() for one in ((0, 1.0), (1, 1.0))]
    both = perceptual_loss(layers((0, 1.0), (1, 1000.0)), sr, hr).item()
    assert both == pytest.approx(sum(single) / 2, rel=1e-5)


def test_charbonnier_is_the_pixel_loss_rounded_off_at_zero():
    hr = torch.rand(2, 3, 4, 4)
    assert pixel_loss(hr, hr, "charbonnier").item() == pytest.approx(1e-3, rel=1e-4)
    sr = torch.rand(2, 3, 4, 4)
    wanted = np.sqrt((sr - hr).double().numpy() ** 2 + 1e-6).mean()
    assert pixel_loss(sr, hr, "charbonnier").item() == pytest.approx(wanted, rel=1e-5)
    flat = hr.clone().requires_grad_()
    pixel_loss(flat, hr, "charbonnier").backward()
    assert flat.grad.abs().max() == 0


def test_psnr_loss_is_the_mean_psnr_of_images_and_not_the_psnr_of_their_mean_error():
    hr = torch.rand(3, 3, 8, 8)
    sr = hr + torch.tensor([0.01, 0.05, 0.2]).view(3, 1, 1, 1) * torch.randn(3, 3, 8, 8)
    errors = ((sr - hr).double() ** 2).mean((1, 2, 3)).numpy()
    wanted = np.log(1 + errors / 1e-5).mean()
    assert pixel_loss(sr, hr, "psnr").item() == pytest.approx(wanted, rel=1e-5)
    assert pixel_loss(hr, hr, "psnr").item() == 0
    # A tenth of the error is worth as much in a smooth image as in a busy one: 20 dB.
    less = [sr.clone() for _ in range(2)]
    for image, each in zip((1, 2), less, strict=True):
        each[image] = hr[image] + 0.1 * (sr - hr)[image]
    gains = [pixel_loss(sr, hr, "psnr").item() - pixel_loss(x, hr, "psnr").item() for x in less]
    assert gains == pytest.approx([np.log(100) / 3] * 2, rel=0.25)


@pytest.mark.parametrize("kind", ["l1", "charbonnier", "psnr"])
def test_luma_loss_of_grey_is_the_pixel_loss_and_of_colour_is_weighed_as_the_eye_does(kind):
    hr = torch.rand(2, 1, 6, 5).expand(2, 3, 6, 5)
    sr = torch.rand(2, 1, 6, 5).expand(2, 3, 6, 5)
    assert luma_loss(sr, hr, kind).item() == pytest.approx(pixel_loss(sr, hr, kind).item())
    for channel, share in enumerate((0.299, 0.587, 0.114)):
        coloured = torch.zeros(2, 3, 6, 5)
        coloured[:, channel] = 0.7
        loss = luma_loss(coloured, torch.zeros_like(coloured)).item()
        assert loss == pytest.approx(0.7 * share, rel=1e-5)


@pytest.mark.parametrize("kind", ["l1", "charbonnier", "psnr"])
def test_chroma_loss_of_grey_is_nothing_and_of_colour_without_luma_is_the_pixel_loss(kind):
    hr = torch.rand(2, 3, 6, 5)
    grey, colour = torch.rand(2, 1, 6, 5), torch.tensor([0.114, 0, -0.299]).view(3, 1, 1)
    none = chroma_loss(hr, hr, kind).item()
    assert chroma_loss(hr + grey, hr, kind).item() == pytest.approx(none, abs=1e-5)
    tinted = hr + grey * colour
    wanted = pixel_loss(tinted, hr, kind).item()
    assert chroma_loss(tinted + grey, hr, kind).item() == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("size", [(8, 8), (5, 7), (4, 9)])
def test_fft_loss_is_that_of_numpys_transform(size):
    sr, hr = torch.rand(2, 2, 3, *size)
    spectra = [np.fft.fft2(side.double().numpy())[..., : size[1] // 2 + 1] for side in (sr, hr)]
    difference = spectra[0] - spectra[1]
    wanted = np.concatenate([np.abs(difference.real), np.abs(difference.imag)]).mean()
    assert fft_loss(sr, hr).item() == pytest.approx(wanted, rel=1e-5)


def test_fft_loss_of_a_wave_is_all_at_its_frequency():
    # cos(2π·2x/16) over 16×16 pixels: 128 at each of ±2, of which one side is kept.
    x = torch.arange(16) / 16
    wave = torch.cos(2 * torch.pi * 2 * x).expand(1, 1, 16, 16)
    loss = fft_loss(wave, torch.zeros_like(wave)).item()
    assert loss == pytest.approx(128 / (16 * 9 * 2), rel=1e-4)


def test_fft_loss_is_taken_in_fp32():
    hr = torch.zeros(1, 3, 300, 300)
    assert torch.isfinite(fft_loss((hr + 0.9).half(), hr))


def _map_pixel_by_pixel(sr, hr, averaged):
    """Compute the map of LDL for one image with nothing but numpy."""
    sr, hr, averaged = (side.double().numpy() for side in (sr, hr, averaged))
    residual, averaged_residual = (np.abs(hr - side).sum(0) for side in (sr, averaged))
    padded = np.pad(residual, 3, mode="reflect")
    found = np.zeros_like(residual)
    for y, x in np.ndindex(residual.shape):
        if residual[y, x] >= averaged_residual[y, x]:
            found[y, x] = padded[y : y + 7, x : x + 7].var(ddof=1)
    return found * residual.var(ddof=1) ** 0.2


def test_the_artefact_map_is_that_of_the_paper():
    torch.manual_seed(1)
    sr, hr, averaged = torch.rand(3, 2, 3, 9, 12)
    found = artefact_map(sr, hr, averaged)
    assert found.shape == (2, 1, 9, 12)
    for i in range(2):
        wanted = _map_pixel_by_pixel(sr[i], hr[i], averaged[i])
        np.testing.assert_allclose(found[i, 0].numpy(), wanted, rtol=1e-4, atol=1e-6)
        assert 0 < np.count_nonzero(wanted) < wanted.size


def test_artefact_loss_is_the_weighed_pixel_loss_and_its_map_a_constant():
    sr, hr, averaged = torch.rand(3, 2, 3, 9, 12)
    sr.requires_grad_()
    loss = artefact_loss(sr, hr, averaged)
    where = artefact_map(sr.detach(), hr, averaged)
    assert loss.item() == pytest.approx((where * (sr - hr)).abs().mean().item(), rel=1e-6)
    (gradient,) = torch.autograd.grad(loss, sr)
    torch.testing.assert_close(gradient, where * (sr - hr).sign() / sr.numel())


def test_artefact_loss_spares_what_is_no_worse_than_the_averaged_generator():
    hr = torch.rand(1, 3, 9, 9)
    sr = (hr + 0.1 * torch.rand_like(hr)).requires_grad_()
    loss = artefact_loss(sr, hr, hr + 0.5)
    loss.backward()
    assert loss == 0
    assert torch.isfinite(sr.grad).all()


def _repeated(places, copies):
    """Lay one value for each place within an LR pixel side by side: 1, 3, H, W."""
    return torch.tensor(places).tile(copies, copies).expand(1, 3, -1, -1)


def test_a_lattice_costs_its_height_and_a_shift_of_all_places_nothing():
    hr = torch.rand(1, 3, 24, 24)
    lattice = _repeated([[0.1, -0.1], [-0.1, 0.1]], 12)
    assert lattice_loss(hr + lattice, hr, 2).item() == pytest.approx(0.1, rel=1e-4)
    assert lattice_loss(hr + 0.1, hr, 2).item() == pytest.approx(0, abs=1e-6)
    # What repeats every second pixel does not repeat every third.
    assert lattice_loss(hr + lattice, hr, 3).item() == pytest.approx(0, abs=1e-6)


def test_a_texture_that_does_not_repeat_costs_little_however_strong():
    torch.manual_seed(0)
    hr = torch.rand(4, 3, 96, 96)
    noise = torch.randn_like(hr)
    noise *= 0.1 / noise.abs().mean()
    assert lattice_loss(hr + noise, hr, 4).item() < 0.1 / 5
    stripes = 0.1 * torch.linspace(0, 40, 96).cos().sign().expand_as(hr)
    assert lattice_loss(hr + stripes, hr, 4).item() < 0.1 / 5


def test_the_lattice_loss_is_that_of_each_window_written_out():
    torch.manual_seed(1)
    sr, hr = torch.rand(2, 2, 3, 36, 27)
    error = (sr - hr).numpy().reshape(2, 3, 12, 3, 9, 3)
    means = [error[:, :, y : y + 6, :, x : x + 6].mean((2, 4)) for y in (0, 3, 6) for x in (0, 3)]
    wanted = [abs(mean - mean.mean((2, 3), keepdims=True)).mean() for mean in means]
    assert lattice_loss(sr, hr, 3).item() == pytest.approx(np.mean(wanted), rel=1e-5)


def test_smooth_ground_costs_what_pixels_cost_up_to_the_edge_of_what_stands_on_it():
    hr = torch.full((1, 3, 12, 12), 0.2)
    hr[..., 6:] = 0.9
    for column in range(12):
        sr = hr.clone()
        sr[:, :, 5, column] += 0.05
        wanted = pixel_loss(sr, hr).item()
        assert smooth_loss(sr, hr).item() == pytest.approx(wanted, rel=1e-4), column


def test_what_is_hidden_in_texture_costs_nothing():
    hr = 0.5 + 0.1 * torch.randn(2, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    assert smooth_loss(hr + 0.1, hr).item() < 1e-3


def test_the_smooth_loss_is_that_of_each_window_written_out():
    random = np.random.default_rng(2)
    hr = 0.5 + random.normal(0, 0.008, (1, 3, 6, 7))
    sr = hr + random.normal(0, 0.1, hr.shape)
    luma = np.tensordot([0.299, 0.587, 0.114], hr[0], 1)
    where = np.zeros_like(luma)
    for top, left in np.ndindex(4, 5):
        window = np.s_[top : top + 3, left : left + 3]
        smooth = np.exp(-luma[window].var() / (2 / 255) ** 2)
        where[window] = np.maximum(where[window], smooth)
    assert 0.01 < where.min() < where.max() < 0.99
    found = smooth_loss(*(torch.from_numpy(side).float() for side in (sr, hr)))
    assert found.item() == pytest.approx((where * abs(sr - hr)).mean(), rel=1e-3)
