"""8 bits are upscaled in half precision where that was measured to be faster, and is accurate."""

import numpy as np
import pytest
import torch
from PIL import Image

from srgan_cli import engine
from srgan_cli.config import UpscaleConfig
from srgan_cli.engine.devices import amp as devices
from srgan_cli.engine.inference import probe
from srgan_cli.engine.inference.loading import Execution
from srgan_cli.engine.runtimes import fastest
from srgan_cli.engine.upscaling.ledger import LEDGER_FILE
from srgan_cli.observer import SilentBar, SilentObserver
from tests.toolbox import synthetic_photograph

CPU = torch.device("cpu")
PHOTO = synthetic_photograph(90, 70)


@pytest.fixture(autouse=True)
def _gains(monkeypatch, home):  # noqa: ARG001 - it is a new home for what is remembered
    """Half precision is there, and measured to be ten times as fast."""
    monkeypatch.delenv("SRGAN_MEASURE")
    monkeypatch.setattr(devices, "_cpu_computes_bf16", lambda: True)
    monkeypatch.setattr(fastest, "in_turns", lambda *_: {"torch fp32": 1.0, "torch bf16": 0.1})


@pytest.fixture
def inaccurate(monkeypatch):
    monkeypatch.setattr(probe, "LEAST_PSNR", 200.0)


def an_upscaler(precision, name="fidelity-x2"):
    model = engine.load_model(engine.find_model(name, int(name[-1])))
    return Execution("cpu", precision, "torch").prepared(model, SilentObserver())


def upscaled(precision, pixels, name="fidelity-x2"):
    upscaler = an_upscaler(precision, name)
    return np.concatenate(list(upscaler.suited_to(pixels).bands(pixels, SilentBar())))


@pytest.mark.parametrize("pixels", [PHOTO, PHOTO[..., 0], PHOTO[:5, :3]], ids=["rgb", "grey", "5"])
def test_accurate_8_bits_are_upscaled_in_half_precision(pixels):
    made = upscaled("auto", pixels)
    assert an_upscaler("auto").amp.precision == "bf16"
    assert np.array_equal(made, upscaled("bf16", pixels))


def test_half_precision_differs():
    assert not np.array_equal(upscaled("bf16", PHOTO), upscaled("fp32", PHOTO))


@pytest.mark.parametrize("model", ["fidelity-x2", "photo-x4", "restore-x2"])
def test_half_precision_adds_no_bands_to_a_smooth_gradient(model):
    y, x = np.mgrid[:24, :256]
    sky = np.stack([70 + x / 8 + y / 3, 110 + x / 10 + y / 3, 180 + x / 12 + y / 3], axis=-1)
    half, full = (upscaled(each, sky.astype(np.uint8), model) for each in ("bf16", "fp32"))
    assert np.abs(half.astype(int) - full).max() <= 1
    levels = [[len(np.unique(made[..., k])) for k in range(3)] for made in (half, full)]
    assert np.abs(np.subtract(*levels)).max() <= 1
    assert longest_flat(half) <= longest_flat(full) + 2


def longest_flat(pixels):
    """Return how many neighbours along a row have the same level, at most."""
    changes = np.pad(np.diff(pixels, axis=1) != 0, ((0, 0), (1, 1), (0, 0)), constant_values=True)
    return max(
        np.diff(np.flatnonzero(row)).max()
        for row in changes.swapaxes(1, 2).reshape(-1, changes.shape[1])
    )


def test_16_bits_are_upscaled_in_fp32():
    deep = PHOTO.astype(np.uint16) * 257
    assert np.array_equal(upscaled("auto", deep), upscaled("fp32", deep))


@pytest.mark.usefixtures("inaccurate")
def test_an_image_that_would_show_it_is_upscaled_in_fp32():
    assert np.array_equal(upscaled("auto", PHOTO), upscaled("fp32", PHOTO))
    assert np.array_equal(an_upscaler("auto").upscale(PHOTO, SilentBar()), upscaled("fp32", PHOTO))


def test_what_upscales_in_fp32_instead_stops_with_the_rest():
    upscaler = an_upscaler("auto")
    instead = upscaler.suited_to(PHOTO.astype(np.uint16))
    assert instead is not upscaler
    assert instead is upscaler.suited_to(PHOTO.astype(np.uint16))
    assert instead.stopped is upscaler.stopped


def test_nothing_is_compared_where_half_precision_gains_nothing(monkeypatch):
    monkeypatch.setattr(fastest, "in_turns", lambda *_: {"torch fp32": 1.0, "torch bf16": 1.0})
    upscaler = an_upscaler("auto")
    assert (upscaler.amp.precision, upscaler.chooses) == ("fp32", False)
    assert upscaler.suited_to(PHOTO) is upscaler


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(PHOTO).save(path)
    return path


def run(photo, precision, **options):
    """Upscale a photograph; return the result's bytes and whether it was made."""
    options = {"output": photo.parent / "out", "runtime": "torch", "device": "cpu"} | options
    config = UpscaleConfig((photo,), model="fidelity", precision=precision, **options)
    report = engine.upscale(config, SilentObserver())
    assert not report.failed
    result = photo if config.in_place else config.output / "photo.png"
    return result.read_bytes(), bool(report.written)


def test_the_ledger_knows_in_what_a_result_was_computed(photo):
    half, _ = run(photo, "auto")
    assert run(photo, "auto") == (half, False)
    assert run(photo, "bf16") == (half, False)
    full, made = run(photo, "fp32")
    assert made
    assert full != half
    # What is there is as good.
    assert run(photo, "auto") == (full, False)
    assert run(photo, "bf16") == (half, True)


@pytest.mark.usefixtures("inaccurate")
def test_an_image_that_auto_computed_in_fp32_counts_as_that(photo):
    full, _ = run(photo, "auto")
    assert run(photo, "fp32") == (full, False)
    assert (photo.parent / "out" / LEDGER_FILE).read_text().count("\n") == 1


def test_what_an_earlier_version_upscaled_in_place_is_not_upscaled_again(photo):
    full, _ = run(photo, "fp32", output=None, in_place=True)
    assert run(photo, "auto", output=None, in_place=True) == (full, False)


@pytest.mark.usefixtures("inaccurate")
def test_images_that_were_computed_in_fp32_instead_are_counted(photo):
    said = []

    class Listening(SilentObserver):
        def say(self, message):
            said.append(message)

    config = UpscaleConfig((photo,), output=photo.parent / "out", runtime="torch", device="cpu")
    engine.upscale(config, Listening())
    assert "1 computed in fp32: bf16 was not accurate enough" in said
    assert "bf16 on cpu (fp32 for 16-bit images and where bf16 is not accurate)" in "\n".join(said)
