import dataclasses
import re

import pytest
import torch
import torch.nn.functional as F

from srgan_cli.config import PRESETS
from srgan_cli.engine.models.recognise import recognise
from srgan_cli.engine.models.weights import ModelSource, load_model
from srgan_cli.engine.networks.discriminators import Discriminator, UNetDiscriminator
from srgan_cli.engine.networks.msrresnet import MSRResNet
from srgan_cli.engine.networks.srvgg import SRVGGNetCompact
from srgan_cli.errors import WeightsError
from tests.toolbox import random_generator

ESRGAN = dataclasses.replace(PRESETS["esrgan"], num_blocks=2, channels=8)


def rrdbnet(scale=4, unshuffle=None):
    return random_generator(dataclasses.replace(ESRGAN, scale=scale, unshuffle=unshuffle))


def in_realsr_style(state):
    """Rename parameters to those of ESRGAN's second release."""
    new = {}
    for key, value in state.items():
        name = re.sub(r"^body\.(\d+)\.rdb(\d)", r"RRDB_trunk.\1.RDB\2", key)
        name = name.replace("conv_body", "trunk_conv").replace("conv_up", "upconv")
        new[name.replace("conv_hr", "HRconv")] = value
    return new


def in_old_style(state, num_blocks=2):
    """Rename parameters to those of ESRGAN's first release."""
    ups = len({key for key in state if key.startswith("conv_up")}) // 2
    plain = {
        "conv_first": "model.0",
        "conv_body": f"model.1.sub.{num_blocks}",
        "conv_hr": f"model.{3 * ups + 2}",
        "conv_last": f"model.{3 * ups + 4}",
    } | {f"conv_up{i}": f"model.{3 * i}" for i in range(1, ups + 1)}
    new = {}
    for key, value in state.items():
        layer, _, kind = key.rpartition(".")
        block = re.sub(r"^body\.(\d+)\.rdb(\d)\.(conv\d)", r"model.1.sub.\1.RDB\2.\3.0", layer)
        new[f"{plain.get(layer, block)}.{kind}"] = value
    return new


def load(path):
    return load_model(ModelSource(path.name, path, "as named"))


@pytest.fixture
def loaded(tmp_path):
    """Return a function that saves what a training program would and loads it."""

    def run(saved):
        path = tmp_path / "x.pth"
        torch.save(saved, path)
        return load(path).generator

    return run


@pytest.mark.parametrize("style", [dict, in_realsr_style, in_old_style])
@pytest.mark.parametrize(("scale", "unshuffle"), [(4, None), (2, None), (1, None), (8, None)])
@torch.inference_mode()
def test_an_rrdbnet_loads_under_all_three_sets_of_names(loaded, style, scale, unshuffle):
    network = rrdbnet(scale, unshuffle)
    found = loaded(style(network.state_dict()))
    lr = torch.rand(1, 3, 9, 7)
    assert found.scale == scale
    assert found.config == network.config
    assert torch.equal(found(lr), network(lr))


@pytest.mark.parametrize("scale", [1, 2])
@torch.inference_mode()
def test_an_old_rrdbnet_without_folding_loads(loaded, scale):
    network = rrdbnet(scale, unshuffle=1)
    found = loaded(in_old_style(network.state_dict()))
    lr = torch.rand(1, 3, 9, 7)
    assert found.scale == scale
    assert torch.equal(found(lr), network(lr))


@pytest.mark.parametrize("style", [dict, in_realsr_style, in_old_style])
@pytest.mark.parametrize(
    ("scale", "unshuffle"), [(4, None), (2, None), (2, 1), (1, None), (1, 1), (8, None)]
)
@torch.inference_mode()
def test_rrdbnets_give_what_spandrel_gives(loaded, tmp_path, style, scale, unshuffle):
    spandrel = pytest.importorskip("spandrel")
    state = style(rrdbnet(scale, unshuffle).state_dict())
    lr = torch.rand(1, 3, 8, 12)
    found = loaded(state)
    wanted = spandrel.ModelLoader().load_from_file(tmp_path / "x.pth")
    assert found.scale == wanted.scale
    torch.testing.assert_close(found(lr), wanted.model.eval()(lr), rtol=0, atol=1e-6)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@torch.inference_mode()
def test_srvggs_give_what_spandrel_gives(loaded, tmp_path, scale):
    spandrel = pytest.importorskip("spandrel")
    torch.manual_seed(0)
    network = SRVGGNetCompact(8, 3, scale)
    found = loaded(network.state_dict())
    lr = torch.rand(1, 3, 9, 7)
    wanted = spandrel.ModelLoader().load_from_file(tmp_path / "x.pth")
    assert found.scale == wanted.scale == scale
    torch.testing.assert_close(found(lr), wanted.model.eval()(lr), rtol=0, atol=1e-6)


@pytest.mark.parametrize("scale", [2, 3, 4])
@torch.inference_mode()
def test_an_msrresnet_computes_what_basicsr_defines(loaded, scale):
    """The reference is written from srresnet_arch.py, in functions and with index arithmetic."""
    torch.manual_seed(0)
    state = MSRResNet(6, 2, scale).double().state_dict()
    found = loaded(state).double()
    lr = torch.rand(1, 3, 5, 7, dtype=torch.float64)

    def conv(name, x):
        return F.conv2d(x, state[f"{name}.weight"].float().double(), state[f"{name}.bias"], 1, 1)

    state = {key: value.float().double() for key, value in state.items()}
    features = F.leaky_relu(conv("conv_first", lr), 0.1)
    for i in range(2):
        inner = conv(f"body.{i}.conv1", features).clamp(min=0)
        features = features + conv(f"body.{i}.conv2", inner)
    for i, r in enumerate({2: [2], 3: [3], 4: [2, 2]}[scale], start=1):
        grown = conv(f"upconv{i}", features)
        _, c, h, w = grown.shape
        grown = grown.view(c // r**2, r, r, h, w).permute(0, 3, 1, 4, 2)
        features = F.leaky_relu(grown.reshape(1, c // r**2, h * r, w * r), 0.1)
    detail = conv("conv_last", F.leaky_relu(conv("conv_hr", features), 0.1))
    skip = F.interpolate(lr, size=(5 * scale, 7 * scale), mode="bilinear", align_corners=False)
    torch.testing.assert_close(found(lr), detail + skip, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "network", [SRVGGNetCompact(4, 3, 2), MSRResNet(4, 2, 3), MSRResNet(4, 2, 4)]
)
def test_no_pixel_outside_the_receptive_radius_matters(network):
    network, radius, scale = network.double(), network.receptive_radius, network.scale
    lr = torch.rand(1, 3, 1, 2 * radius + 9, dtype=torch.float64)
    moved = lr.clone()
    moved[..., radius + 1] += 1
    with torch.no_grad():
        assert torch.equal(network(lr)[..., :scale], network(moved)[..., :scale])


@pytest.mark.parametrize("key", ["params_ema", "params", "state_dict", "model", None])
@pytest.mark.parametrize("prefix", ["module.", ""])
def test_wrappers_of_training_programs_are_taken_off(loaded, key, prefix):
    state = {prefix + name: value for name, value in rrdbnet().state_dict().items()}
    found = loaded(state if key is None else {key: state, "iter": 5, "optimizer": {"state": {}}})
    assert found.config == rrdbnet().config


def test_averaged_parameters_are_preferred(loaded):
    state = rrdbnet().state_dict()
    averaged = {name: value + 1 for name, value in state.items()}
    found = loaded({"params": state, "params_ema": averaged})
    assert torch.equal(found.conv_last.bias, averaged["conv_last.bias"])


def test_half_precision_becomes_single(loaded):
    state = rrdbnet().half().state_dict()
    found = loaded(state)
    assert all(value.dtype == torch.float32 for value in found.state_dict().values())
    assert torch.equal(found.conv_first.weight, state["conv_first.weight"].float())


def without(state, key):
    return {name: value for name, value in state.items() if name != key}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda state: without(state, "body.1.rdb2.conv3.bias"), "body.1.rdb2.conv3.bias"),
        (lambda state: state | {"body.0.extra": torch.zeros(1)}, "body.0.extra"),
        (
            lambda state: state | {"conv_hr.bias": torch.zeros(9)},
            "conv_hr.bias has shape 9, but this",
        ),
        (lambda state: state | {"conv_hr.bias": torch.zeros(8, dtype=torch.int64)}, "int64"),
        (
            lambda state: without(in_old_style(state), "model.1.sub.1.RDB2.conv3.0.bias"),
            "body.1.rdb2.conv3.bias",
        ),
    ],
)
def test_a_parameter_that_does_not_fit_is_named(loaded, damage, message):
    with pytest.raises(WeightsError, match=re.escape(message)) as caught:
        loaded(damage(rrdbnet().state_dict()))
    assert "RRDBNet" in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "state",
    [
        Discriminator(4).state_dict(),
        UNetDiscriminator(4).state_dict(),
        {"conv0.weight": torch.zeros(4, 3, 3, 3), "conv9.weight": torch.zeros(1, 4, 3, 3)},
        {"conv0_0.weight": torch.zeros(4, 3, 3, 3), "linear1.weight": torch.zeros(4, 4)},
    ],
)
def test_a_discriminator_is_refused_as_what_it_is(loaded, state):
    with pytest.raises(WeightsError, match="a discriminator"):
        loaded(state)


def test_shapes_that_make_no_sense_are_no_network():
    empty, scalar = torch.Size([0, 0, 3, 3]), torch.Size([])
    for names in (
        ["body.0.rdb1.conv1.weight", "conv_first.weight", "conv_last.weight"],
        ["conv_first.weight", "upconv1.weight", "body.0.conv1.weight"],
        ["body.0.weight", "body.1.weight", "body.900000.weight"],
        ["model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight"],
    ):
        for shape in (empty, scalar, torch.Size([3]), torch.Size([3, 3, 3, 3])):
            recognise(dict.fromkeys(names, shape))


def test_without_spandrel_the_refusal_names_the_extra(loaded, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "spandrel", None)
    with pytest.raises(WeightsError) as caught:
        loaded({"layer.weight": torch.zeros(3, 3)})
    assert "pip install 'srgan-cli[spandrel]'" in caught.value.hint
