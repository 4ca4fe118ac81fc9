"""Networks through spandrel, in the tile engine."""

import warnings

import numpy as np
import pytest
import torch

from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.inference.upscaler import Upscaler
from srgan_cli.engine.models.spandrel_network import SpandrelNetwork
from srgan_cli.engine.models.weights import Model, ModelSource, load_model
from srgan_cli.engine.networks.discriminators import Discriminator
from srgan_cli.errors import WeightsError
from srgan_cli.observer import SilentBar
from tests.toolbox import synthetic_photograph

spandrel = pytest.importorskip("spandrel")


def swinir():
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return spandrel.architectures.SwinIR.SwinIR(
            img_size=16,
            window_size=8,
            depths=[2],
            num_heads=[2],
            embed_dim=8,
            mlp_ratio=2,
            upscale=2,
            upsampler="pixelshuffledirect",
            resi_connection="1conv",
        ).eval()


@pytest.fixture
def loaded(tmp_path):
    """Return a function that saves parameters and loads them."""

    def run(state):
        path = tmp_path / "x.pth"
        torch.save({"params": state}, path)
        return load_model(ModelSource("x", path, "as named"))

    return run


def upscaled(model, pixels, tile):
    upscaler = Upscaler(model, Amp.create(torch.device("cpu"), "fp32"), tile=tile)
    return upscaler.upscale(pixels, SilentBar()).astype(int)


@torch.inference_mode()
def test_a_swinir_loads_and_gives_what_spandrel_gives(loaded):
    wanted = swinir()
    model = loaded(wanted.state_dict())
    assert isinstance(model.generator, SpandrelNetwork)
    assert (model.scale, model.generator.architecture) == (2, "SwinIR")
    lr = torch.rand(1, 3, 24, 40)
    torch.testing.assert_close(model.generator(lr), wanted(lr), rtol=0, atol=1e-6)


@torch.inference_mode()
def test_windows_of_tiles_lie_as_in_the_whole_image(loaded):
    model = loaded(swinir().state_dict())
    pixels = synthetic_photograph(330, 40)
    whole, tiled = (upscaled(model, pixels, tile) for tile in (1024, 64))
    assert np.abs(whole - tiled).max() <= 1
    assert upscaled(model, pixels[:3, :5], 64).shape == (6, 10, 3)


class Picky(torch.nn.Module):
    """Doubles images whose sides are equal and divide by 12."""

    def forward(self, lr):
        assert lr.shape[-1] == lr.shape[-2]
        assert lr.shape[-1] % 12 == 0
        assert lr.shape[-1] >= 24
        return double(lr)


@pytest.mark.parametrize("size", [(5, 7), (24, 24), (30, 61)])
def test_sides_that_a_network_cannot_take_are_padded_and_cut_off(size):
    network = SpandrelNetwork(
        Picky(), scale=2, architecture="Picky", minimum=20, multiple=12, square=True
    )
    lr = torch.rand(1, 3, *size)
    assert torch.equal(network(lr), double(lr))


def double(lr):
    return lr.repeat_interleave(2, -1).repeat_interleave(2, -2)


def test_sizes_that_must_divide_keep_tiles_equal_to_the_whole():
    network = SpandrelNetwork(Picky(), scale=2, architecture="Picky", multiple=12, square=True)
    model = Model(ModelSource("picky", None, ""), network, {})
    pixels = synthetic_photograph(250, 30)
    assert np.array_equal(upscaled(model, pixels, 16), pixels.repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize(
    "state",
    [
        {"layer.weight": torch.zeros(3, 3)},
        Discriminator(4).features.state_dict(),
        {key: value[:-1] for key, value in swinir().state_dict().items() if value.ndim},
    ],
)
def test_what_spandrel_does_not_know_or_finds_damaged_is_refused(loaded, state):
    with pytest.raises(WeightsError) as caught:
        loaded(state)
    assert "\n" not in caught.value.message


def test_a_network_of_other_channels_is_refused(loaded):
    grey = spandrel.architectures.Compact.Compact(num_in_ch=1, num_out_ch=1, num_feat=4, num_conv=1)
    with pytest.raises(WeightsError, match="RGB"):
        loaded(grey.state_dict())
