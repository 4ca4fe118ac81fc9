"""An image cut into tiles comes out as the whole one."""

import numpy as np
import pytest
import torch

from srgan_cli.config import DenseConfig, preset
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.inference.upscaler import Upscaler
from srgan_cli.engine.models.weights import Model, ModelSource
from srgan_cli.engine.runtimes.fastest import open_runtime
from srgan_cli.imaging.tensors import from_image, to_pixels
from srgan_cli.imaging.tiles import tile_spans
from srgan_cli.observer import SilentBar
from tests.toolbox import random_generator, synthetic_photograph

RRDB = DenseConfig(4, 32, 32, 1, 1, 3, 0.2, "nearest")


def make_upscaler(generator, tile):
    model = Model(ModelSource("random", None, ""), generator, {})
    return Upscaler(model, Amp.create(torch.device("cpu"), "fp32"), tile=tile)


def tiled(generator, picture, tile, overlap, run=None):
    """Run the generator on tiles as the upscaler cuts them, without rounding."""
    scale = generator.config.scale
    run = run or generator
    height, width = picture.shape[:2]
    result = torch.full((3, height * scale, width * scale), torch.nan)
    for row in tile_spans(height, tile=tile + overlap, overlap=overlap):
        for column in tile_spans(width, tile=tile + overlap, overlap=overlap):
            sr = run(from_image(picture[row.start : row.stop, column.start : column.stop]))
            inner = sr[0][:, row.kept_of_tile(scale), column.kept_of_tile(scale)]
            result[:, row.kept_of_result(scale), column.kept_of_result(scale)] = inner
    return result


@pytest.mark.parametrize(
    "config",
    [
        *(preset("compact", scale) for scale in (2, 3, 4, 8)),
        DenseConfig(2, 8, 8, 2, 1, 3, 1.0, "nearest"),
        DenseConfig(4, 8, 8, 1, 3, 3, 0.2, "nearest"),
    ],
    ids=lambda config: f"x{config.scale}-{config.upsampler}",
)
def test_tiles_equal_the_whole_image(config):
    generator = random_generator(config)
    picture = synthetic_photograph(117, 74)
    upscaler = make_upscaler(generator, 17)
    whole = generator(from_image(picture))
    pixels = upscaler.upscale(picture, SilentBar())
    if config.upsampler == "pixelshuffle":
        pieces = tiled(generator, picture, 16, 2 * generator.receptive_radius)
        assert float((pieces - whole[0]).abs().max()) < 1e-5
    difference = np.abs(pixels.astype(int) - to_pixels(whole))
    assert difference.max() <= 1
    assert np.mean(difference > 0) < 1e-3


@pytest.mark.parametrize(("runtime", "within"), [("torch", 1e-5), ("ncnn", 1e-4)])
@pytest.mark.parametrize("config", [preset("compact", 2), RRDB], ids=["compact", "rrdb"])
def test_tiles_equal_the_whole_image_in_every_runtime(config, runtime, within):
    if runtime != "torch":
        pytest.importorskip(runtime)
    generator = random_generator(config)
    picture = synthetic_photograph(61, 50)
    whole = generator(from_image(picture))
    cpu = Amp.create(torch.device("cpu"), "fp32")
    opened = open_runtime(runtime, generator, 1, cpu)
    overlap = 2 * generator.receptive_radius
    pieces = tiled(generator, picture, 16, overlap, lambda lr: opened.run(lr, exact=True))
    assert float((pieces - whole[0]).abs().max()) < within
    model = Model(ModelSource("random", None, ""), generator, {})
    upscaler = Upscaler(model, cpu, tile=17, runtime=runtime)
    assert upscaler.runtime == runtime
    pixels = upscaler.upscale(picture, SilentBar())
    assert np.abs(pixels.astype(int) - to_pixels(whole)).max() <= 1


def test_too_small_an_overlap_would_show():
    """The test above can fail: half the overlap leaves seams."""
    generator = random_generator(preset("compact", 2))
    picture = synthetic_photograph(117, 74)
    pieces = tiled(generator, picture, 16, generator.receptive_radius)
    assert float((pieces - generator(from_image(picture))[0]).abs().max()) > 1e-5
