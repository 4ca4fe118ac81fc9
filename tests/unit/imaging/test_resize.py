import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from srgan_cli.imaging.resize import downscale, kernel_taps, mod_crop, upscale_bicubic
from tests.toolbox import synthetic_photograph

SIDES = st.integers(1, 40)
SCALES = st.sampled_from([2, 3, 4, 8])


def _random_image(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("name", ["baby", "bird", "butterfly", "head", "woman"])
def test_downscale_equals_matlab_bit_for_bit(shared_data, name, scale):
    bench = shared_data / "bench"
    hr = np.asarray(Image.open(bench / "Set5" / f"{name}.png").convert("RGB"))
    wanted = np.asarray(Image.open(bench / "Set5_lr_matlab" / f"x{scale}" / f"{name}.png"))
    assert np.array_equal(downscale(mod_crop(hr, scale), scale), wanted)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_downscale_is_within_one_level_of_pillow_nearly_everywhere(scale):
    hr = synthetic_photograph(scale * 48, scale * 36, seed=scale)
    size = (hr.shape[1] // scale, hr.shape[0] // scale)
    peer = np.asarray(Image.fromarray(hr).resize(size, Image.Resampling.BICUBIC))
    # Pillow renormalises the kernel at the edges instead of mirroring the image.
    inner = (slice(4, -4), slice(4, -4))
    distance = np.abs(downscale(hr, scale)[inner].astype(int) - peer[inner])
    assert np.mean(distance <= 1) > 0.999
    assert np.mean(distance == 0) > 0.7


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_upscale_is_within_one_level_of_pillow_nearly_everywhere(scale):
    lr = synthetic_photograph(48, 36)
    size = (lr.shape[1] * scale, lr.shape[0] * scale)
    peer = np.asarray(Image.fromarray(lr).resize(size, Image.Resampling.BICUBIC))
    inner = (slice(4 * scale, -4 * scale), slice(4 * scale, -4 * scale))
    distance = np.abs(upscale_bicubic(lr, scale)[inner].astype(int) - peer[inner])
    assert np.mean(distance <= 1) > 0.999


@given(SIDES, SIDES)
def test_weights_of_every_pixel_sum_to_one_and_point_inside_the_axis(length, new_length):
    indices, weights = kernel_taps(length, new_length)
    assert indices.shape == weights.shape
    assert len(weights) == new_length
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-12)
    assert indices.min() >= 0
    assert indices.max() < length


def test_taps_are_keys_cubic_at_the_classic_quarter_phases():
    # Upscaling by 2 samples the kernel at ±1/4 and ±3/4, ±5/4, ±7/4: known fractions of 128.
    indices, weights = kernel_taps(16, 32)
    middle = dict(zip(indices[16], weights[16] * 128, strict=True))
    assert {tap: weight for tap, weight in middle.items() if weight} == {
        6: -3,
        7: 29,
        8: 111,
        9: -9,
    }


def test_image_continues_as_its_mirror_image_beyond_the_edges():
    hr = _random_image(16, 16)
    padded = np.pad(hr, ((16, 16), (16, 16), (0, 0)), mode="symmetric")
    assert np.array_equal(downscale(padded, 2)[8:16, 8:16], downscale(hr, 2))


@given(SIDES, SIDES, SCALES, st.integers(0, 255))
@settings(max_examples=30, deadline=None)
def test_constant_images_stay_constant(height, width, scale, level):
    lr = np.full((height, width), level, np.uint8)
    assert np.all(upscale_bicubic(lr, scale) == level)
    hr = np.full((height * scale, width * scale, 3), level, np.uint8)
    assert np.all(downscale(hr, scale) == level)


@given(SIDES, SIDES, SCALES)
@settings(max_examples=30, deadline=None)
def test_sizes_are_exact_and_mod_crop_makes_any_image_fit(height, width, scale):
    image = _random_image(height + scale, width + scale)
    cropped = mod_crop(image, scale)
    assert np.array_equal(cropped, image[: cropped.shape[0], : cropped.shape[1]])
    assert all(
        0 <= whole - cut < scale
        for whole, cut in zip(image.shape[:2], cropped.shape[:2], strict=True)
    )
    lr = downscale(cropped, scale)
    assert lr.shape == (cropped.shape[0] // scale, cropped.shape[1] // scale, 3)
    assert upscale_bicubic(lr, scale).shape == cropped.shape


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("resize", [downscale, upscale_bicubic])
def test_flipping_before_or_after_resizing_is_the_same(resize, axis):
    image = _random_image(24, 36)
    before = resize(np.flip(image, axis), 3).astype(int)
    after = np.flip(resize(image, 3), axis)
    # Sums in another order may fall on the other side of a half.
    assert np.abs(before - after).max() <= 1
    assert np.mean(before == after) > 0.99


def test_rows_are_resized_and_rounded_before_columns():
    # A checkerboard of extremes, where the clipping in between makes the order visible.
    image = _random_image(32, 32)
    transposed = downscale(image.swapaxes(0, 1), 2).swapaxes(0, 1)
    straight = downscale(image, 2)
    assert not np.array_equal(straight, transposed)
    taps, weights = kernel_taps(32, 16)
    rows = np.einsum("ot,ot...->o...", weights, image[taps].astype(float))
    rows = np.clip(np.floor(rows + 0.5), 0, 255)
    columns = np.einsum("ot,hotc->hoc", weights, rows[:, taps])
    assert np.array_equal(straight, np.clip(np.floor(columns + 0.5), 0, 255))


@pytest.mark.parametrize("shape", [(9, 8, 3), (8, 9), (7, 7, 3)])
def test_sides_that_do_not_divide_are_refused(shape):
    with pytest.raises(ValueError, match="does not divide by 2"):
        downscale(np.zeros(shape, np.uint8), 2)


def test_grey_images_are_resized_like_the_channels_of_colour_ones():
    grey = _random_image(20, 12)[..., 0]
    colour = np.repeat(grey[..., None], 3, axis=2)
    for resize in (downscale, upscale_bicubic):
        assert np.array_equal(resize(colour, 2)[..., 1], resize(grey, 2))
