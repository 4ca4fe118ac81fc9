import io

import numpy as np
import pytest
from PIL import Image

from srgan_cli.engine.evaluation.contenders import Contender
from srgan_cli.engine.evaluation.exhibits import allowance, make_crops
from srgan_cli.engine.evaluation.sets import EvaluationImage
from srgan_cli.imaging.crops import Window, encode_webp, extreme_windows
from srgan_cli.imaging.resize import downscale, upscale_bicubic
from tests.toolbox import synthetic_photograph

CONTENDERS = (Contender("bicubic", "baseline", None, ""), Contender("tool", "images", None, ""))


def test_the_windows_hold_the_largest_and_the_smallest_gain():
    gain = np.zeros((64, 96))
    gain[40:44, 70:74] = 5
    gain[10:14, 20:24] = -5
    most, least = extreme_windows(gain, 16, 4)
    assert (most.width, most.height) == (16, 16)
    assert most.of(gain).sum() == gain.max() * 16
    assert least.of(gain).sum() == gain.min() * 16


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_corners_and_sides_are_multiples_of_the_scale(scale):
    gain = np.random.default_rng(0).normal(size=(scale * 20, scale * 31))
    for window in extreme_windows(gain, 50, scale):
        numbers = (window.x, window.y, window.width, window.height)
        assert not any(number % scale for number in numbers)
        assert window.of(gain).shape == (window.height, window.width)


def test_lr_shows_the_same_part_as_hr():
    hr = np.arange(16 * 24).reshape(16, 24).astype(np.uint8)
    window = Window(8, 4, 12, 8)
    assert np.array_equal(window.of(hr[::2, ::2], 2), window.of(hr)[::2, ::2])


def test_an_image_smaller_than_a_window_is_shown_whole():
    most, least = extreme_windows(np.ones((20, 30)), 64, 2)
    assert most == least == Window(0, 0, 30, 20)


def test_lossless_encoding_keeps_every_pixel():
    pixels = synthetic_photograph(40, 30)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode_webp(pixels, None)))), pixels)


@pytest.fixture
def image():
    hr = synthetic_photograph(400, 300)
    return EvaluationImage(hr, downscale(hr, 2))


@pytest.mark.parametrize("most_bytes", [2_000, 10_000, 60_000, 1_000_000])
def test_crops_keep_within_the_bytes_they_are_allowed(image, most_bytes):
    results = {"bicubic": upscale_bicubic(image.lr, 2), "tool": image.hr}
    crops = make_crops(image, results, CONTENDERS, 2, most_bytes)
    assert sum(len(data) for crop in crops for data in crop.layers.values()) <= most_bytes
    if most_bytes >= 10_000:
        assert [crop.kind for crop in crops] == ["largest gain", "smallest gain"]
        assert list(crops[0].layers) == ["bicubic", "tool", "HR", "LR"]
    assert all(crop.quality is None for crop in crops) == (most_bytes in {2_000, 1_000_000})


def test_the_allowance_shrinks_with_the_number_of_images_and_ends_at_nothing():
    assert allowance(20, 10) > allowance(20, 100) > 0
    assert allowance(1, 100_000) == 0
    assert allowance(20, 100) * 100 * 4 / 3 < 20e6
