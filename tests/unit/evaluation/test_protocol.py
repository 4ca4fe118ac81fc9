import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from srgan_cli.engine.evaluation.protocol import Protocol
from srgan_cli.imaging.levels import to_levels
from tests.toolbox import synthetic_photograph


def _protocol(channel="y", border=2):
    return Protocol(2, channel, border, "LR as given")


@pytest.fixture
def hr():
    return synthetic_photograph(60, 50)


@pytest.fixture
def sr(hr):
    noise = np.random.default_rng(1).normal(0, 6, hr.shape)
    return to_levels(hr + noise)


@pytest.mark.parametrize("channel", ["y", "y-float", "rgb"])
def test_an_image_against_itself_is_perfect(hr, channel):
    assert _protocol(channel).score(hr, hr) == {"psnr": np.inf, "ssim": 1}


@pytest.mark.parametrize("channel", ["y", "y-float", "rgb"])
def test_scores_do_not_depend_on_which_image_is_the_reference(hr, sr, channel):
    assert _protocol(channel).score(hr, sr) == pytest.approx(_protocol(channel).score(sr, hr))


@pytest.mark.parametrize("channel", ["y", "y-float", "rgb"])
def test_more_noise_scores_lower(hr, channel):
    noise = np.random.default_rng(2).normal(0, 1, hr.shape)
    scores = [_protocol(channel).score(to_levels(hr + s * noise), hr) for s in (2, 4, 8, 16)]
    for metric in ("psnr", "ssim"):
        figures = [score[metric] for score in scores]
        assert figures == sorted(figures, reverse=True)


def test_rgb_scores_equal_scikit_images_over_the_channels(hr, sr):
    wanted = structural_similarity(
        hr,
        sr,
        channel_axis=2,
        gaussian_weights=True,
        use_sample_covariance=False,
        sigma=1.5,
        full=True,
    )[1][5:-5, 5:-5].mean()
    assert _protocol("rgb", border=0).score(sr, hr)["ssim"] == pytest.approx(wanted, abs=1e-4)


def test_the_border_is_not_scored(hr):
    sr = hr.copy()
    sr[:3], sr[-3:], sr[:, :3], sr[:, -3:] = 0, 0, 0, 0
    assert _protocol(border=3).score(sr, hr)["ssim"] == 1
    assert _protocol(border=2).score(sr, hr)["ssim"] < 1


def test_unrounded_luma_scores_higher_because_rounding_adds_error(hr, sr):
    assert _protocol("y-float").score(sr, hr)["psnr"] > _protocol("y").score(sr, hr)["psnr"]


def test_floating_point_results_are_rounded_once_before_they_are_scored(hr):
    assert _protocol().score(hr + 0.3, hr)["psnr"] == pytest.approx(
        _protocol().score(hr + 0.3 - 1e-9, hr)["psnr"]
    )
    assert _protocol("rgb").score(hr + 0.3, hr)["psnr"] == np.inf


def test_the_protocol_says_channel_border_scale_and_lr():
    text = Protocol(4, "y-float", 7, "LR as given").text
    for part in ("not rounded", "border 7 px", "×4", "LR as given"):
        assert part in text


@pytest.mark.parametrize("channel", ["y", "y-float", "rgb"])
def test_scores_equal_torchmetrics(hr, sr, channel):
    """A second implementation, of other authors, in single precision."""
    functional = pytest.importorskip("torchmetrics.functional.image")
    protocol = _protocol(channel)
    a, b = (
        torch.from_numpy(protocol.plane(image).astype(np.float32)).permute(2, 0, 1)[None]
        for image in (sr, hr)
    )
    scores = protocol.score(sr, hr)
    assert scores["psnr"] == pytest.approx(
        float(functional.peak_signal_noise_ratio(a, b, data_range=255.0)), abs=1e-3
    )
    # torchmetrics pads by reflection: what the padding touches is cut off again.
    _, full = functional.structural_similarity_index_measure(
        a, b, data_range=255.0, sigma=1.5, return_full_image=True
    )
    assert scores["ssim"] == pytest.approx(float(full[..., 5:-5, 5:-5].mean()), abs=1e-4)
