import numpy as np
import pytest

from srgan_cli.engine.inference.probe import LEAST_PSNR, is_accurate, telling_part

GREY = np.full((100, 100, 3), 100, np.uint8)


def changed(share, levels):
    """Change a share of 30,000 values by so many levels."""
    values = GREY.copy().ravel()
    values[: round(share * values.size)] += np.uint8(levels)
    return values.reshape(GREY.shape)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (GREY, True),
        (changed(0.2, 1), True),  # 55.1 dB
        (changed(0.21, 1), False),  # 54.9 dB
        (changed(1 / 30_000, 3), True),
        (changed(1 / 30_000, 4), False),
        (changed(1 / 30_000, -4 % 256), False),
    ],
)
def test_result_in_half_precision_has_55_db_and_no_value_off_by_more_than_3(made, expected):
    assert LEAST_PSNR == 55
    assert is_accurate(made, GREY) == expected
    assert is_accurate(GREY, made) == expected


@pytest.mark.parametrize(
    ("shape", "side"), [((300, 500), 62), ((700, 100, 3), 64), ((100, 200, 3), 32)]
)
def test_part_that_tells_the_most_has_the_strongest_contrast(shape, side):
    pixels = np.full(shape, 128, np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (side, side, *shape[2:]), np.uint8)
    pixels[-side:, :side] = noise
    assert np.array_equal(telling_part(pixels), noise)


@pytest.mark.parametrize("shape", [(1, 1), (1, 200, 3), (32, 32, 3), (70, 20)])
def test_part_of_a_small_image_is_no_larger_than_it(shape):
    pixels = np.zeros(shape, np.uint8)
    height, width = shape[:2]
    assert telling_part(pixels).shape == (min(height, 32), min(width, 32), *shape[2:])
