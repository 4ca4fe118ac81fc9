import math
import os

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from srgan_cli.cli.render import jsonable
from srgan_cli.config import EvalConfig, PrepareConfig
from srgan_cli.data.store import Store
from srgan_cli.engine import Upscaler, evaluate, find_model, load_model, prepare
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.models.shelf import BUNDLED
from srgan_cli.errors import InputError
from srgan_cli.imaging.resize import downscale, mod_crop
from srgan_cli.imaging.tensors import from_image, to_pixels
from srgan_cli.observer import SilentBar

MODEL = BUNDLED[0]


def y_channel(rgb):
    """BT.601, written out once more."""
    red, green, blue = (rgb[..., i].astype(np.float64) for i in range(3))
    return np.round(16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255).astype(np.uint8)


def scored(sr, hr, border):
    ours, theirs = (y_channel(x)[border:-border, border:-border] for x in (sr, hr))
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    ssim, whole = structural_similarity(theirs, ours, data_range=255, full=True, **window)
    del ssim  # scikit-image pads; the reference averages where the window fits.
    return peak_signal_noise_ratio(theirs, ours, data_range=255), whole[5:-5, 5:-5].mean()


@pytest.fixture
def images(tmp_path, make_photographs):
    folder = tmp_path / "images"
    make_photographs(folder / "deeper", count=2, size=(71, 64))
    return folder


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("border", [None, 5])
def test_scores_equal_an_independent_computation(images, observer, border):
    report = evaluate(EvalConfig((images,), border=border, device="cpu"), observer)
    model = load_model(find_model(None, None))
    upscaler = Upscaler(model, Amp.create(torch.device("cpu"), "fp32"))
    (found,) = report.sets
    assert [picture.name for picture in found.images] == [
        "deeper/photo-00.png",
        "deeper/photo-01.jpg",
    ]
    for picture in found.images:
        hr = mod_crop(np.asarray(Image.open(images / picture.name)), 2)
        lr = downscale(hr, 2)
        assert hr.shape == (64, 70, 3)
        sr = upscaler.upscale(lr, SilentBar())
        # What lies half-way between two levels is rounded either way by another order of sums.
        plain = to_pixels(model.generator(from_image(lr)))
        assert np.abs(sr.astype(int) - plain).max() <= 1
        assert (sr != plain).mean() < 1e-3
        psnr, ssim = scored(sr, hr, border or 2)
        assert picture.scores[MODEL]["psnr"] == pytest.approx(psnr, abs=1e-6)
        assert picture.scores[MODEL]["ssim"] == pytest.approx(ssim, abs=1e-6)
        assert picture.scores["bicubic"] != picture.scores[MODEL]
    each = [picture.scores[MODEL]["psnr"] for picture in found.images]
    assert found.means[MODEL]["psnr"] == pytest.approx(np.mean(each))
    assert f"border {border or 2} px" in report.protocol_text


@pytest.mark.parametrize(
    ("name", "psnr", "ssim"),
    [
        ("Set5", 33.66, 0.9299),
        ("Set14", 30.24, 0.8688),
        pytest.param("B100", 29.56, 0.8431, marks=pytest.mark.slow),
    ],
)
@pytest.mark.usefixtures("home")
def test_bicubic_row_equals_the_published_one(shared_data, observer, name, psnr, ssim):
    report = evaluate(EvalConfig((shared_data / "bench" / name,), device="cpu"), observer)
    (found,) = report.sets
    assert len(found.images) == {"Set5": 5, "Set14": 14, "B100": 100}[name]
    assert found.means["bicubic"]["psnr"] == pytest.approx(psnr, abs=0.02)
    assert found.means["bicubic"]["ssim"] == pytest.approx(ssim, abs=0.0005)
    assert found.means[MODEL]["psnr"] > found.means["bicubic"]["psnr"] + 1.5


@pytest.mark.usefixtures("home")
def test_identical_images_score_infinity_which_is_null_in_json(tmp_path, observer):
    Image.new("RGB", (30, 30), (9, 99, 199)).save(tmp_path / "flat.png")
    report = evaluate(EvalConfig((tmp_path,), device="cpu"), observer)
    assert report.sets[0].means["bicubic"]["psnr"] == math.inf
    (picture,) = jsonable(report)["sets"][0]["images"]
    assert picture["scores"]["bicubic"] == {"psnr": None, "ssim": 1.0}


@pytest.mark.usefixtures("home")
def test_grey_image_is_scored_on_its_grey_values(tmp_path, observer, make_photographs):
    (path,) = make_photographs(tmp_path / "in", count=1, size=(64, 64))
    with Image.open(path) as image:
        grey = image.convert("L")
    grey.save(path)
    coloured = tmp_path / "rgb"
    coloured.mkdir()
    grey.convert("RGB").save(coloured / "a.png")
    sets = evaluate(EvalConfig((tmp_path / "in", coloured), device="cpu"), observer).sets
    # Studio range shrinks RGB's differences to 219/255.
    gain = sets[1].means["bicubic"]["psnr"] - sets[0].means["bicubic"]["psnr"]
    assert gain == pytest.approx(20 * math.log10(255 / 219), abs=0.1)


def test_default_set_is_the_newest_validation(prepared, photographs, observer):
    newest = prepare(PrepareConfig(photographs, name="newest", seed=4), observer).folder
    os.utime(prepared / "manifest.json", (1, 1))
    report = evaluate(EvalConfig(device="cpu"), observer)
    (found,) = report.sets
    entries = Store(newest).entries("validation")
    assert [picture.name for picture in found.images] == [entry.source for entry in entries]
    assert [e.source for e in Store(prepared).entries("validation")] != [
        entry.source for entry in entries
    ]
    assert any("newest (the newest prepared)" in line for line in observer.said)
    lr, hr = (side.numpy() for side in Store(newest).pair(entries[0]))
    generator = load_model(find_model(None, None)).generator
    psnr, _ = scored(to_pixels(generator(from_image(lr))), hr, 2)
    assert found.images[0].scores[MODEL]["psnr"] == pytest.approx(psnr, abs=1e-6)


@pytest.mark.usefixtures("home")
def test_tiles_do_not_change_the_scores(images, observer):
    whole, tiled = (
        evaluate(EvalConfig((images,), tile=tile, device="cpu"), observer).sets[0].means[MODEL]
        for tile in (256, 16)
    )
    assert tiled["psnr"] == pytest.approx(whole["psnr"], abs=1e-3)


@pytest.mark.usefixtures("home")
def test_small_and_bad_images_cost_only_themselves(images, observer):
    Image.new("RGB", (14, 60)).save(images / "small.png")
    (images / "bad.png").write_text("no image")
    (found,) = evaluate(EvalConfig((images,), device="cpu"), observer).sets
    assert len(found.images) == 2
    assert len(found.failed) == 2
    assert "small.png: 14x60 is too small" in found.failed[1]
    assert list(observer.warned) == list(found.failed)
    for path in (images / "deeper").iterdir():
        path.unlink()
    with pytest.raises(InputError, match="no image could be scored") as caught:
        evaluate(EvalConfig((images,), device="cpu"), observer)
    assert "bad.png" in caught.value.hint
