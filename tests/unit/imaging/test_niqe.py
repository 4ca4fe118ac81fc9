import math

import numpy as np
import pytest
from PIL import Image

from srgan_cli.imaging.levels import to_levels
from srgan_cli.imaging.metrics import luma
from srgan_cli.imaging.niqe import niqe
from srgan_cli.imaging.resize import downscale, upscale_bicubic

BABOON = 5.72957338
"""What the authors' MATLAB code gives for Set14's baboon, by BasicSR's documentation."""


@pytest.fixture
def photograph(shared_data):
    return luma(np.asarray(Image.open(shared_data / "bench" / "Set14" / "baboon.png")))


def test_niqe_equals_the_authors_matlab_code(photograph):
    assert niqe(photograph) == pytest.approx(BABOON, abs=1e-5)


def test_noise_and_blur_are_less_natural(photograph):
    noise = np.random.default_rng(0).normal(0, 1, photograph.shape)
    noisy = [niqe(to_levels(photograph + s * noise)) for s in (0, 20, 40, 60)]
    assert noisy == sorted(noisy)
    assert niqe(upscale_bicubic(downscale(photograph, 4), 4)) > niqe(photograph)


def test_pixels_beyond_the_last_whole_block_do_not_count(photograph):
    assert niqe(photograph[:480, :480]) == niqe(photograph)


@pytest.mark.parametrize("size", [(191, 95), (95, 500), (0, 0), (96, 96)])
def test_small_images_have_no_niqe(size):
    assert math.isnan(niqe(np.zeros(size, np.uint8)))


def test_flat_images_have_no_niqe():
    assert math.isnan(niqe(np.full((300, 300), 128, np.uint8)))
