"""Damage is found where it is known to be, and nowhere else."""

import io

import numpy as np
import pytest
from PIL import Image

from srgan_cli.imaging.damage import find_damage
from srgan_cli.imaging.resize import downscale
from tests.toolbox import synthetic_photograph

PHOTO = synthetic_photograph(320, 240)


def gradients(size=256):
    """Return smooth colours, in whole levels."""
    y, x = np.mgrid[:size, :size] / size
    return np.rint(np.stack([60 + 120 * x, 200 - 100 * y, 80 + 90 * x * y], axis=2)).astype("uint8")


def noisy(image, sigma, channels=3, seed=0):
    noise = np.random.default_rng(seed).normal(0, sigma, (*image.shape[:2], channels))
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def compressed(image, quality, **options):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, **options)
    return np.array(Image.open(buffer))


@pytest.fixture(scope="module")
def cat():
    with Image.open("examples/cat.png") as image:
        return np.array(image.convert("RGB"))


@pytest.mark.parametrize("grey", [False, True])
def test_clean_images_are_clean(cat, grey):
    for image in (gradients(), PHOTO, cat, downscale(cat[:148, :224], 4), cat[:9, :9], cat[:1, :1]):
        assert find_damage(image[..., 1] if grey else image).found == ()


@pytest.mark.parametrize("sigma", [4, 8, 16])
def test_the_strength_of_noise_is_measured(sigma):
    grey, coloured = (find_damage(noisy(gradients(), sigma, channels)) for channels in (1, 3))
    assert grey.noise == pytest.approx(sigma, rel=0.15)
    assert grey.colour_noise < 1
    assert coloured.noise == pytest.approx(
        sigma * np.hypot(np.hypot(0.299, 0.587), 0.114), rel=0.15
    )
    assert coloured.colour_noise == pytest.approx(sigma, rel=0.15)
    assert grey.found == coloured.found == ("noise",)


def test_grain_that_hardly_shows_is_left():
    assert find_damage(noisy(gradients(), 1.5)).found == ()


def test_texture_is_not_noise():
    smooth = np.random.default_rng(0).normal(128, 60, (257, 257))
    smooth = (smooth[1:, 1:] + smooth[:-1, 1:] + smooth[1:, :-1] + smooth[:-1, :-1]) / 4
    assert find_damage(np.clip(smooth, 0, 255).astype(np.uint8)).noise == 0


@pytest.mark.parametrize(("quality", "steps"), [(80, 0.4), (75, 0.5), (50, 1), (30, 5 / 3)])
def test_the_steps_of_jpeg_are_measured(cat, quality, steps):
    damage = find_damage(compressed(cat, quality))
    assert damage.jpeg == pytest.approx(steps, rel=0.12)  # Steps are whole numbers.
    assert "JPEG blocks" in damage.found


@pytest.mark.parametrize("quality", [90, 95, 100])
def test_jpeg_that_hardly_shows_is_left(cat, quality):
    assert find_damage(compressed(cat, quality)).found == ()
    assert find_damage(compressed(cat, quality, subsampling=0)).found == ()


@pytest.mark.parametrize("turned", [0, 1, 2, 3])
def test_jpeg_is_found_in_images_that_were_turned(cat, turned):
    image = np.rot90(compressed(cat[:141, :203], 60), turned)
    assert find_damage(np.ascontiguousarray(image)).jpeg == pytest.approx(0.8, rel=0.1)


def test_jpeg_is_found_in_crops_whose_blocks_show(cat):
    assert "JPEG blocks" in find_damage(compressed(cat, 30)[3:, 5:]).found


def test_blocks_that_later_compression_left_are_found():
    again = compressed(noisy(compressed(PHOTO, 8), 0.7), 97)
    assert "JPEG blocks" in find_damage(again).found


def test_flat_drawings_on_a_grid_of_eight_are_clean():
    board = np.kron(np.indices((30, 40)).sum(0) % 2 * 200 + 20, np.ones((8, 8))).astype(np.uint8)
    window = np.full((300, 400, 3), 240, np.uint8)
    window[40:200, 64:256] = (30, 90, 160)
    window[48:192:16, 72:248:3] = 255
    for drawing in (board, window):
        assert find_damage(drawing).found == ()


def test_patterns_of_a_few_blocks_are_clean():
    pattern = np.random.default_rng(3).integers(40, 200, (3, 3)).repeat(8, 0).repeat(8, 1)
    pattern[4:20:3, 5:21] += 20
    pattern[2:22, 3:23:5] -= 30
    assert find_damage(np.tile(pattern.astype(np.uint8), (12, 12))).found == ()


def test_16_bits_are_measured_as_8():
    image = noisy(gradients(), 8)
    deep, shallow = find_damage(image.astype(np.uint16) * 257), find_damage(image)
    assert deep.noise == pytest.approx(shallow.noise)
    assert deep.found == ("noise",)


def test_only_opaque_places_count():
    image = np.concatenate([gradients(576), noisy(gradients(576), 20)], axis=1)
    alpha = np.full(image.shape[:2], 255, np.uint8)
    assert find_damage(image, alpha).found == (), "the quietest places count"
    alpha[:, :672] = 0
    assert find_damage(image, alpha).found == ("noise",)
    assert find_damage(image, alpha * 0).found == ()


def test_the_same_image_gives_the_same_figures(cat):
    large = np.tile(cat, (8, 8, 1))
    assert find_damage(large) == find_damage(large.copy())
