import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from srgan_cli.imaging.metrics import SSIM_WINDOW, crop_border, luma, psnr, ssim
from tests.toolbox import synthetic_photograph


@pytest.fixture
def grey():
    return luma(synthetic_photograph(64, 48))


def _noisy(image, sigma, seed=0):
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
    return np.clip(np.round(image + noise), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("sigma", [1, 5, 25])
def test_psnr_equals_scikit_image(grey, sigma):
    other = _noisy(grey, sigma)
    assert psnr(grey, other) == pytest.approx(peak_signal_noise_ratio(grey, other), abs=1e-9)


def test_psnr_of_a_known_error_is_the_formula():
    assert psnr(np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8)) == 0
    assert psnr(np.zeros((4, 4), np.uint8), np.full((4, 4), 1, np.uint8)) == pytest.approx(
        20 * math.log10(255)
    )


@pytest.mark.parametrize("sigma", [1, 5, 25])
def test_ssim_equals_scikit_image_where_the_window_fits(grey, sigma):
    other = _noisy(grey, sigma)
    _, similarity = structural_similarity(
        grey,
        other,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        win_size=SSIM_WINDOW,
        data_range=255,
        full=True,
    )
    margin = SSIM_WINDOW // 2
    valid = similarity[margin:-margin, margin:-margin]
    assert ssim(grey, other) == pytest.approx(valid.mean(), abs=1e-9)


def test_equal_images_score_best(grey):
    assert psnr(grey, grey) == math.inf
    assert ssim(grey, grey) == pytest.approx(1, abs=1e-12)


@given(st.integers(0, 1000))
def test_both_scores_are_symmetric(seed):
    random = np.random.default_rng(seed)
    a, b = random.integers(0, 256, (2, 14, 17), dtype=np.uint8)
    assert psnr(a, b) == psnr(b, a)
    assert ssim(a, b) == pytest.approx(ssim(b, a), abs=1e-12)


def test_both_scores_fall_as_noise_grows(grey):
    for score in (psnr, ssim):
        scores = [score(grey, _noisy(grey, sigma)) for sigma in (1, 3, 9, 27)]
        assert scores == sorted(scores, reverse=True)
        assert len(set(scores)) == 4


@pytest.mark.parametrize(
    ("rgb", "y"),
    [
        ((0, 0, 0), 16),
        ((255, 255, 255), 235),
        ((128, 128, 128), 126),  # 16 + 219 · 128/255 = 125.93
        ((255, 0, 0), 81),  # 16 + 65.481 = 81.481
        ((0, 255, 0), 145),  # 16 + 128.553 = 144.553
        ((0, 0, 255), 41),  # 16 + 24.966 = 40.966
    ],
)
def test_luma_of_known_colours_is_the_formula_rounded(rgb, y):
    assert luma(np.full((2, 3, 3), rgb, np.uint8)).tolist() == [[y] * 3] * 2


def test_luma_equals_scikit_image_rounded():
    image = synthetic_photograph(40, 30)
    wanted = np.floor(rgb2ycbcr(image)[..., 0] + 0.5)
    assert np.array_equal(luma(image), wanted)


def test_luma_of_a_grey_image_is_the_image():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(luma(grey), grey)


def test_border_is_cut_off_every_side():
    image = np.arange(7 * 9).reshape(7, 9).astype(np.uint8)
    assert np.array_equal(crop_border(image, 2), image[2:5, 2:7])
    assert np.array_equal(crop_border(image, 0), image)


def test_images_that_cannot_be_compared_are_refused(grey):
    for score in (psnr, ssim):
        with pytest.raises(ValueError, match="differ in shape"):
            score(grey, grey[:-1])
    small = np.zeros((SSIM_WINDOW - 1, 40), np.uint8)
    with pytest.raises(ValueError, match="at least 11x11"):
        ssim(small, small)
    with pytest.raises(ValueError, match="one channel"):
        ssim(np.zeros((20, 20, 3), np.uint8), np.zeros((20, 20, 3), np.uint8))
