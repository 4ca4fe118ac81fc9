"""Compute the size of a result, and how many passes of a model it takes."""

import math

from srgan_cli.config import UpscaleConfig


def wanted_factor(width: int, height: int, config: UpscaleConfig, model_scale: int) -> float:
    """Return how many times as long the sides of a result are to be.

    Args:
        width: Columns of the image.
        height: Rows of the image.
        config: Holds a scale, or limits that the result is fitted into, or neither.
        model_scale: Factor per side where nothing is asked for.
    """
    limits = []
    if config.width is not None:
        limits.append(config.width / width)
    if config.height is not None:
        limits.append(config.height / height)
    if config.max_side is not None:
        limits.append(config.max_side / max(width, height))
    return min(limits) if limits else (config.scale or float(model_scale))


def result_size(
    width: int, height: int, config: UpscaleConfig, model_scale: int
) -> tuple[int, int]:
    """Return the width and height of a result."""
    factor = wanted_factor(width, height, config, model_scale)
    return max(1, round(width * factor)), max(1, round(height * factor))


def num_passes(size: tuple[int, int], target: tuple[int, int], model_scale: int) -> int:
    """Return how often the model is applied, so that a reduction ends at the target.

    0 if the target is not larger than the image; models of scale 1 run once.
    """
    if model_scale == 1:
        return 1
    factor = max(target[0] / size[0], target[1] / size[1])
    return max(0, math.ceil(math.log(factor, model_scale) - 1e-9))
