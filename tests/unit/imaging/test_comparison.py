import numpy as np
import pytest

from srgan_cli.imaging.comparison import PSNR, SSIM, Metric, compare

DISTANCE = Metric("distance", "distance", 2, False, "")


def _figures(shift, spread=0.1, count=40, seed=3):
    random = np.random.default_rng(seed)
    base = random.normal(30, 3, count)
    return list(base + shift + random.normal(0, spread, count)), list(base)


def test_a_clear_gain_is_better_and_its_mirror_image_worse():
    first, second = _figures(0.5)
    assert compare(first, second, PSNR).verdict == "better"
    assert compare(second, first, PSNR).verdict == "worse"


def test_a_lower_distance_is_better():
    first, second = _figures(0.5)
    assert compare(first, second, DISTANCE).verdict == "worse"


def test_a_gain_smaller_than_its_scatter_is_not_shown():
    first, second = _figures(0.02, spread=1)
    assert compare(first, second, PSNR).verdict == "no difference shown"


def test_a_constant_gain_below_the_printed_digits_is_not_shown():
    base = list(np.linspace(25, 35, 20))
    assert compare([x + 0.004 for x in base], base, PSNR).verdict == "no difference shown"
    assert compare([x + 0.006 for x in base], base, PSNR).verdict == "better"
    assert compare([x + 0.0001 for x in base], base, SSIM).verdict == "better"


def test_four_images_are_too_few_for_a_verdict():
    difference = compare([31.0] * 4, [30.0] * 4, PSNR)
    assert (difference.verdict, difference.low, difference.mean) == ("too few images", None, 1)


def test_the_interval_is_that_of_the_mean_for_many_images():
    first, second = _figures(0.5, spread=0.3, count=400)
    difference = compare(first, second, PSNR)
    errors = np.subtract(first, second)
    half = 1.96 * errors.std() / np.sqrt(len(errors))
    assert difference.low == pytest.approx(errors.mean() - half, abs=0.05 * half)
    assert difference.high == pytest.approx(errors.mean() + half, abs=0.05 * half)


def test_pairing_removes_what_images_differ_by():
    first, second = _figures(0.1, spread=0.05)
    assert compare(first, second, PSNR).verdict == "better"
    assert compare(first, second[::-1], PSNR).verdict == "no difference shown"


def test_images_without_a_finite_figure_are_left_out():
    first, second = _figures(0.5)
    assert compare([*first, np.inf, np.nan], [*second, 30, 30], PSNR) == compare(
        first, second, PSNR
    )


def test_the_same_figures_give_the_same_interval():
    assert compare(*_figures(0.5), PSNR) == compare(*_figures(0.5), PSNR)
