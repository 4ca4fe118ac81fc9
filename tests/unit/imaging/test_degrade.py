import io

import numpy as np
import pytest
from PIL import Image
from scipy.signal import fftconvolve

from srgan_cli.engine.training.patches import BatchesAhead, example_sheet
from srgan_cli.imaging import degrade as degrading
from srgan_cli.imaging.degrade import ORDERS, degrade
from srgan_cli.imaging.levels import to_levels
from srgan_cli.imaging.resize import downscale
from tests.toolbox import equal, sampler_of, synthetic_photograph, write_set

STRENGTHS = [name for name in ORDERS if name != "none"]


def mean_error(strength, hr, seeds):
    clean = downscale(hr, 2).astype(float)
    damaged = (degrade(hr, 2, strength, np.random.default_rng(seed)) for seed in seeds)
    return np.mean([np.abs(one - clean).mean() for one in damaged])


@pytest.mark.parametrize("strength", STRENGTHS)
@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_lr_has_the_size_of_the_scale_and_follows_from_the_seed(strength, scale):
    hr = synthetic_photograph(16 * scale, 24 * scale)
    one, same, other = (
        degrade(hr, scale, strength, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert one.shape == (24, 16, 3)
    assert one.dtype == np.uint8
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("size", [(96, 96), (8, 61), (131, 40)])
def test_a_blur_is_the_convolution_bit_for_bit(size):
    random = np.random.default_rng(0)
    for seed in range(10):
        image = synthetic_photograph(*size, seed=seed)
        kernel = degrading._kernel((0.2, 3.0), random)
        margin = (len(kernel) // 2,) * 2
        padded = np.pad(image, (margin, margin, (0, 0)), mode="symmetric")
        expected = fftconvolve(padded, kernel[..., None], mode="valid", axes=(0, 1))
        assert np.array_equal(degrading._blurred(image, kernel), to_levels(expected))


def test_strong_damages_more_than_mild_and_neither_loses_the_image():
    hr = synthetic_photograph(96, 96)
    mild, strong = (mean_error(strength, hr, range(20)) for strength in STRENGTHS)
    assert 0.5 < mild < strong < 40


@pytest.mark.parametrize("strength", STRENGTHS)
def test_degraded_batches_follow_from_seed_and_step_alone(tmp_path, strength):
    store = write_set(tmp_path / "s", [synthetic_photograph(96, 80, seed=i) for i in range(3)])
    first, second = (sampler_of(store, degrade=strength) for _ in range(2))
    wanted = {step: first.batch(step) for step in (0, 5, 2)}
    ahead = BatchesAhead(second, 3)
    for step in (2, 0, 5):
        assert equal(ahead.batch(step), wanted[step])
    clean = sampler_of(store).batch(0)
    assert (wanted[0].hr == clean.hr).all()
    assert not (wanted[0].lr == clean.lr).all()


def test_the_sheet_shows_each_pair_one_above_the_other(tmp_path):
    store = write_set(tmp_path / "s", [synthetic_photograph(96, 80)])
    batch = sampler_of(store).batch(0)
    sheet = example_sheet(batch, num_pairs=3)
    assert sheet.shape == (64, 96, 3)
    assert np.array_equal(sheet[:32, :32], batch.hr[0].numpy())
    assert np.array_equal(sheet[32::2, ::2][:16, :16], batch.lr[0].numpy())


@pytest.mark.parametrize(("strength", "least", "most"), [("mild", 0.72, 0.9), ("strong", 0, 0.03)])
def test_some_mildly_damaged_images_have_no_noise(strength, least, most):
    grey = np.full((48, 48, 3), 128, np.uint8)  # Only noise changes it, and JPEG undoes weak noise.
    results = [degrade(grey, 2, strength, np.random.default_rng(seed)) for seed in range(200)]
    assert least <= np.mean([np.ptp(result) == 0 for result in results]) <= most


@pytest.mark.parametrize("scale", [2, 4])
def test_noise_is_that_of_lr_pixels_and_not_always_under_jpeg(scale):
    grey = np.full((48 * scale, 48 * scale, 3), 128, np.uint8)
    results = [degrade(grey, scale, "mild", np.random.default_rng(seed)) for seed in range(200)]
    assert 13 < max(result.std() for result in results) < 16
    # JPEG, which has no colour finer than 2×2 pixels, leaves almost none of colour noise.
    finest = [
        np.ptp(result.astype(int)[..., 0] - result[..., 1], axis=(0, 1)) for result in results
    ]
    assert 0.02 <= np.mean([differs > 30 for differs in finest]) <= 0.2


def test_what_only_jpeg_damages_is_the_prepared_lr_as_jpeg():
    hr = synthetic_photograph(64, 48)
    saved = set()
    for quality in range(40, 93):
        buffer = io.BytesIO()
        Image.fromarray(downscale(hr, 2)).save(buffer, "JPEG", quality=quality)
        saved.add(np.asarray(Image.open(buffer)).tobytes())
    results = [degrade(hr, 2, "mild", np.random.default_rng(seed)) for seed in range(200)]
    assert 0.32 <= np.mean([result.tobytes() in saved for result in results]) <= 0.52
