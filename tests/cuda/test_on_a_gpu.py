"""What only a CUDA device can show. Skipped where there is none."""

import math

import numpy as np
import pytest
import torch

from srgan_cli import engine
from srgan_cli.config import DenseConfig
from srgan_cli.data.store import Store
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.devices.ranks import Ranks
from srgan_cli.engine.inference.upscaler import Upscaler
from srgan_cli.engine.models.weights import Model, ModelSource
from srgan_cli.engine.training.assembly import assemble
from srgan_cli.engine.training.patches import PatchSampler
from srgan_cli.engine.training.resident import ResidentPatches
from srgan_cli.observer import SilentBar, SilentObserver
from tests.toolbox import (
    TINY,
    Killed,
    Recorder,
    bits,
    random_generator,
    stop_before,
    synthetic_photograph,
    tiny,
    torchrun,
)

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

CUDA = torch.device("cuda")
SMALL = DenseConfig(2, 8, 8, 2, 1, 3, 1.0, "pixelshuffle")


def _upscaled(device, precision, image, **options):
    generator = random_generator(SMALL).eval().requires_grad_(False)
    amp = Amp.create(torch.device(device), precision)
    model = Model(ModelSource("random", None, ""), generator, {})
    return Upscaler(model, amp, **options).upscale(image, SilentBar()).astype(int)


@pytest.mark.parametrize(("precision", "bound"), [("fp32", 1), ("bf16", 6), ("fp16", 2)])
@pytest.mark.parametrize("tile", [None, 64])
def test_a_gpu_upscales_as_a_cpu_does(precision, bound, tile):
    image = synthetic_photograph(150, 90)
    wanted = _upscaled("cpu", "fp32", image)
    found = _upscaled("cuda", precision, image, tile=tile)
    assert np.abs(found - wanted).max() <= bound


def test_a_tile_too_large_for_the_gpu_is_halved_and_the_pixels_stay_right():
    image = synthetic_photograph(2000, 1500)
    wanted = _upscaled("cuda", "fp32", image, tile=128)
    total = torch.cuda.get_device_properties(CUDA).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(150 * 2**20 / total)
    try:
        found = _upscaled("cuda", "fp32", image, tile=2000)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert np.abs(found - wanted).max() <= 1


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("optimizer", ["adam", "muon"])
@pytest.mark.usefixtures("prepared")
def test_both_phases_train_on_a_gpu_in_every_precision(precision, optimizer):
    options = {"device": "cuda", "precision": precision, "optimizer": optimizer, "steps": 12}
    report = engine.train(tiny(name="r", **options, validate_every=6), SilentObserver())
    assert report.verdict.word == "healthy"
    # A new loss scaler may overflow in its first steps, and only there.
    assert report.skipped <= (8 if precision == "fp16" else 0)
    assert math.isfinite(report.scores.psnr)


@pytest.mark.parametrize("phase", ["pretrain", "adversarial"])
@pytest.mark.usefixtures("prepared")
def test_a_run_on_a_gpu_goes_on_as_if_never_stopped(monkeypatch, phase):
    options = {"device": "cuda", "steps": 16, "validate_every": 5, "pretrain": phase == "pretrain"}
    whole = engine.train(tiny(name="whole", **options), SilentObserver()).run
    with monkeypatch.context() as patch:
        stop_before(patch, 12, Killed())
        with pytest.raises(Killed):
            engine.train(tiny(name="cut", **options), SilentObserver())
    cut = engine.train(tiny(name="cut", resume="cut", **options), SilentObserver()).run
    assert bits(cut) == bits(whole)


def test_photographs_that_fit_stay_on_the_gpu_with_the_same_patches(prepared):
    config = tiny(name="r", device="cuda", batch=8)
    parts = assemble(config, Amp.create(CUDA, "fp32"), Ranks(), SilentObserver())
    assert isinstance(parts.batches, ResidentPatches)
    store = Store(prepared)
    sampler = PatchSampler(store, "train", patch=config.patch, batch=8, seed=config.seed)
    for step in range(5):
        wanted, found = sampler.batch(step), parts.batches.batch(step)
        assert found.hr.is_cuda
        assert torch.equal(found.lr.cpu(), wanted.lr)
        assert torch.equal(found.hr.cpu(), wanted.hr)


@pytest.mark.usefixtures("prepared")
def test_batch_auto_finds_a_batch_by_trying():
    config = tiny(name="r", device="cuda", batch=0)
    parts = assemble(config, Amp.create(CUDA, "fp32"), Ranks(), SilentObserver())
    assert parts.config.batch == 64


@pytest.mark.usefixtures("prepared")
def test_a_gpu_that_idles_gets_a_larger_batch_proposed():
    observer = Recorder()
    engine.plan_training(tiny(name="r", device="cuda", batch=2), observer)
    assert any("idles with 2 patches per step: --batch " in line for line in observer.said)


def test_torchrun_trains_over_nccl(prepared):
    options = [*TINY, "--steps", "6", "--device", "cuda", "--name", "r"]
    process = torchrun("train", *options, processes=1)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert (prepared.parents[1] / "runs/r/weights.safetensors").exists()
