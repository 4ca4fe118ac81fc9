import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from srgan_cli.imaging.tensors import from_image, to_image, to_pixels, to_unit


@given(st.integers(1, 20), st.integers(1, 20))
def test_pixels_survive_the_way_to_a_network_and_back(height, width):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    batch = from_image(pixels)
    assert batch.shape == (1, 3, height, width)
    assert batch.dtype == torch.float32
    assert np.array_equal(to_pixels(batch), pixels)


def test_every_level_of_grey_survives():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(to_image(from_image(grey), grey=True, deep=False), grey)


def test_channels_rows_and_columns_stay_in_their_order():
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[1, 2] = (255, 51, 0)
    batch = from_image(pixels)
    assert batch[0, :, 1, 2].tolist() == [1.0, torch.tensor(51 / 255).item(), 0.0]
    assert batch.sum() == batch[0, :, 1, 2].sum()
    assert torch.equal(to_unit(torch.from_numpy(pixels)[None]), batch)


def test_a_batch_is_channels_last_in_memory():
    assert to_unit(torch.zeros(2, 8, 6, 3, dtype=torch.uint8)).is_contiguous(
        memory_format=torch.channels_last
    )


def test_results_are_clipped_and_rounded_not_wrapped():
    levels = torch.tensor([-0.5, 0.0, 0.4 / 255, 0.6 / 255, 1.0, 1.7])
    batch = levels.expand(1, 3, 1, 6)
    assert to_pixels(batch)[0, :, 0].tolist() == [0, 0, 0, 1, 255, 255]
    assert to_pixels(batch.bfloat16()).dtype == np.uint8


def test_read_only_pixels_are_copied():
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels.flags.writeable = False
    from_image(pixels).add_(1)
    assert pixels.sum() == 0


@pytest.mark.parametrize("grey", [True, False])
def test_every_level_of_16_bits_survives(grey):
    levels = np.arange(2**16, dtype=np.uint16).reshape(256, 256)
    pixels = levels if grey else np.dstack([levels, levels[::-1], levels.T])
    assert np.array_equal(to_image(from_image(pixels), grey=grey, deep=True), pixels)
