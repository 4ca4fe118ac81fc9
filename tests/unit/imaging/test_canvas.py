import numpy as np
import pytest
from PIL import Image

from srgan_cli.imaging.canvas import Canvas


def striped(channels, *, deep):
    dtype, top = (np.uint16, 65535) if deep else (np.uint8, 255)
    stripes = np.zeros((32, 32, channels), dtype)
    stripes[:, ::2] = top
    canvas = Canvas(32, 32, channels=channels, deep=deep)
    for row in range(0, 32, 10):
        canvas.paste(stripes[row : row + 10], row)
    return canvas, stripes, top


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("deep", [False, True])
def test_bands_become_the_image(channels, deep):
    canvas, stripes, _ = striped(channels, deep=deep)
    assert np.array_equal(canvas.rows(0, 32).reshape(stripes.shape), stripes)
    assert (canvas.deep, canvas.has_alpha) == (deep, channels in (2, 4))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("deep", [False, True])
def test_a_reduction_mixes_pixels_instead_of_picking_some(channels, deep):
    canvas, _, top = striped(channels, deep=deep)
    reduced = canvas.resized(13, 13).rows(0, 13).reshape(13, 13, channels)
    assert np.abs(reduced[3:-3, 3:-3] / top - 0.5).max() < 0.1


def test_no_copy_is_made_for_an_encoder_of_8_bits():
    canvas = Canvas.of(Image.new("RGB", (4, 4)))
    assert canvas.image() is canvas.image()
