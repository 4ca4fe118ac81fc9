"""The fast reduction by powers of two gives the pixels of the slow one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srgan_cli.imaging import resize
from srgan_cli.imaging.resize import downscale, kernel_taps


def exactly(image, scale):
    """Reduce in float64, which is exact for the weights of powers of two."""
    for axis in (0, 1):
        image = np.moveaxis(image, axis, 0)
        taps, weights = kernel_taps(len(image), len(image) // scale)
        values = np.einsum("ot,ot...->o...", weights, image[taps].astype(float))
        image = np.moveaxis(np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8), 0, axis)
    return image


@given(
    st.sampled_from([2, 4, 8]),
    st.integers(1, 12),
    st.integers(1, 12),
    st.sampled_from([(), (1,), (3,), (4,)]),
    st.booleans(),
    st.sampled_from([1, 200, 2**18]),
    st.integers(0, 2**32),
)
@settings(max_examples=120, deadline=None)
def test_powers_of_two_reduce_exactly(scale, rows, columns, channels, extremes, block, seed):
    random = np.random.default_rng(seed)
    shape = (rows * scale, columns * scale, *channels)
    image = random.integers(0, 256, shape, dtype=np.uint8)
    if extremes:  # Overshoots that the clipping between the passes cuts off.
        image = np.where(image > 127, 255, 0).astype(np.uint8)
    with pytest.MonkeyPatch.context() as patch:  # A row, some rows or all of them at a time.
        patch.setattr(resize, "_BLOCK", block)
        np.testing.assert_array_equal(downscale(image, scale), exactly(image, scale))


@pytest.mark.parametrize("scale", [2, 3])
def test_results_can_be_written_to(scale):
    assert downscale(np.zeros((12, 12, 3), np.uint8), scale).flags.writeable
