"""Training against a teacher's results: what is kept, what is repeated, what is refused."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors import safe_open

from srgan_cli import engine
from srgan_cli.config import PlainConfig
from srgan_cli.data.store import Store
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.inference.upscaler import Upscaler
from srgan_cli.engine.models.weights import save_weights
from srgan_cli.engine.training import teacher as teacher_module
from srgan_cli.engine.training.patches import PatchSampler
from srgan_cli.engine.training.teacher import CHUNK, Lessons, TeacherCache
from srgan_cli.errors import InputError, ResourceError, UsageError, WeightsError
from srgan_cli.imaging.degrade import degrade
from srgan_cli.imaging.levels import to_levels
from srgan_cli.imaging.resize import resample
from srgan_cli.observer import SilentBar, SilentObserver
from srgan_cli.paths import datasets_dir, file_sha256, runs_dir, teachers_dir
from tests.toolbox import (
    TINY,
    Killed,
    bits,
    finished,
    random_generator,
    stop_before,
    tiny,
    torchrun,
)
from tests.toolbox.layer_files import write_ncnn

LESSON = {"degrade": "mild", "degrade_share": 0.75, "teacher_patches": 40}


def teacher_file(folder, scale=2):
    path = folder / f"teacher-x{scale}.safetensors"
    save_weights(path, random_generator(PlainConfig(scale, 8, 2), seed=3), {})
    return path


@pytest.fixture
def options(tmp_path):
    return {**LESSON, "teacher": str(teacher_file(tmp_path))}


def cached():
    """Return the bytes of every file of every cache, by name."""
    files = sorted(teachers_dir().rglob("*"))
    return {path.name: path.read_bytes() for path in files if path.is_file()}


def pairs():
    for path in sorted(teachers_dir().rglob("*.safetensors")):
        with safe_open(path, framework="numpy") as file:
            yield from zip(file.get_tensor("lr"), file.get_tensor("hr"), strict=True)


def upscaler(path, scale):
    model = engine.load_model(engine.find_model(str(path), scale))
    return Upscaler(model, Amp.create(torch.device("cpu"), "fp32"))


@pytest.mark.usefixtures("prepared")
def test_targets_of_degraded_patches_are_what_the_teacher_makes_of_them(options, observer):
    engine.train(tiny(name="r", **options), observer)
    alone = upscaler(options["teacher"], 2)
    for lr, hr in list(pairs())[::7]:
        np.testing.assert_allclose(alone.upscale(lr, SilentBar()).astype(int), hr, atol=1)
    assert len(list(pairs())) == 2 * CHUNK  # 40, in whole files.
    assert any("40" in line or "64" in line for line in observer.said if "teacher" in line)


@pytest.mark.usefixtures("prepared")
def test_batches_hold_the_teachers_pairs_and_clean_ones_their_originals(options):
    engine.train(tiny(name="r", **options), SilentObserver())
    store = Store(engine_data())
    lessons = lessons_of(options, store)
    cache = TeacherCache(lessons, 40, store)
    assert not cache.missing()
    plain = PatchSampler(store, "train", patch=16, batch=8, seed=0)
    taught = PatchSampler(
        store, "train", patch=16, batch=8, seed=0, degrade="mild", degrade_share=0.75, taught=cache
    )
    known = [(lr, hr) for lr, hr in pairs()]
    same = 0
    for step in range(4):
        clean, batch = plain.batch(step), taught.batch(step)
        for i in range(8):
            if torch.equal(clean.lr[i], batch.lr[i]):
                assert torch.equal(clean.hr[i], batch.hr[i])
                same += 1
            else:
                assert found_in(known, batch.lr[i].numpy(), batch.hr[i].numpy())
    assert 1 <= same <= 20


def engine_data():
    return next(iter(datasets_dir().iterdir()))


def lessons_of(options, store):
    sha = file_sha256(Path(options["teacher"]))
    return Lessons(sha, store.manifest.fingerprint, 2, "mild", 0, 48, "fp32")


def found_in(known, lr, hr):
    """Whether a pair of patches is cut from a known one, in any orientation."""
    for turn in range(8):
        small, large = (turned(side, turn) for side in (lr, hr))
        for inputs, targets in known:
            rows = np.lib.stride_tricks.sliding_window_view(inputs[:-15], (1, 16, 3))[:, :, 0, 0]
            for y, x in np.argwhere((rows == small[0]).all(axis=(2, 3))):
                found = (
                    inputs[y : y + 16, x : x + 16],
                    targets[2 * y : 2 * y + 32, 2 * x : 2 * x + 32],
                )
                if np.array_equal(found[0], small) and np.array_equal(found[1], large):
                    return True
    return False


def turned(pixels, turn):
    return np.rot90(pixels[:, ::-1] if turn & 4 else pixels, turn % 4)


@pytest.mark.usefixtures("prepared")
def test_a_cache_that_was_interrupted_goes_on_and_ends_with_the_same_bytes(
    options, monkeypatch, observer
):
    engine.train(tiny(name="whole", **options), SilentObserver())
    wanted = cached()
    shutil.rmtree(teachers_dir())
    calls = SimpleNamespace(left=CHUNK + 9)
    intact = Upscaler.upscale

    def upscale(self, pixels, bar):
        calls.left -= 1
        if calls.left < 0:
            raise Killed
        return intact(self, pixels, bar)

    with monkeypatch.context() as patch:
        patch.setattr(Upscaler, "upscale", upscale)
        with pytest.raises(Killed):
            engine.train(tiny(name="r", **options), observer)
    assert 0 < len(cached()) < len(wanted)
    engine.train(tiny(name="r", **options), observer)
    assert cached() == wanted


@pytest.mark.usefixtures("prepared")
def test_a_damaged_file_of_the_cache_is_made_again(options, observer):
    engine.train(tiny(name="a", **options), observer)
    wanted = cached()
    path = next(teachers_dir().rglob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:1000])
    engine.train(tiny(name="b", **options), observer)
    assert cached() == wanted
    assert bits_of("a") == bits_of("b")


def bits_of(name):
    return bits(runs_dir() / name)


@pytest.mark.usefixtures("prepared")
def test_a_second_run_with_the_same_teacher_asks_nothing_of_it(options, monkeypatch, observer):
    engine.train(tiny(name="a", **options), observer)
    monkeypatch.setattr(Upscaler, "upscale", lambda *_: pytest.fail("asked"))
    engine.train(tiny(name="b", **options), observer)


@pytest.mark.usefixtures("prepared")
def test_a_resumed_run_with_a_teacher_matches_an_uninterrupted_one(options, monkeypatch, observer):
    engine.train(tiny(name="whole", validate_every=2, **options), observer)
    with monkeypatch.context() as patch:
        stop_before(patch, 4, Killed)
        with pytest.raises(Killed):
            engine.train(tiny(name="r", validate_every=2, **options), observer)
    engine.train(tiny(resume="r"), observer)
    assert bits_of("r") == bits_of("whole")


@pytest.mark.usefixtures("prepared")
def test_a_run_whose_teacher_was_replaced_does_not_go_on(options, monkeypatch, observer):
    stop_before(monkeypatch, 4, Killed)
    with pytest.raises(Killed):
        engine.train(tiny(name="r", validate_every=2, **options), observer)
    path = Path(options["teacher"])
    save_weights(path, random_generator(PlainConfig(2, 8, 2), seed=4), {})
    with pytest.raises(InputError, match="teacher"):
        engine.train(tiny(resume="r"), observer)


@pytest.mark.usefixtures("prepared")
def test_a_teacher_of_another_scale_is_resized_by_the_antialiased_bicubic(tmp_path, observer):
    path = teacher_file(tmp_path, scale=4)
    engine.train(tiny(name="r", **LESSON, teacher=str(path)), observer)
    alone = upscaler(path, 4)
    lr, hr = next(pairs())
    wanted = to_levels(resample(alone.upscale(lr, SilentBar()), 96, 96))
    np.testing.assert_allclose(hr.astype(int), wanted, atol=1)


@pytest.mark.usefixtures("prepared")
def test_weights_say_who_taught_them(options, observer):
    report = engine.train(tiny(name="r", **options), observer)
    trained = engine.load_model(engine.find_model(str(report.weights), None)).trained
    assert trained["teacher"]["name"] == "teacher-x2.safetensors"
    assert len(trained["teacher"]["sha256"]) == 64


@pytest.mark.usefixtures("prepared")
def test_a_share_of_the_original_moves_targets_towards_it(options, observer):
    engine.train(tiny(name="r", **options), observer)
    store = Store(engine_data())
    lessons = lessons_of(options, store)
    cut = {}
    for share in (0.0, 0.5, 1.0):
        cache = TeacherCache(lessons, 40, store, original_share=share)
        assert not cache.missing()
        lr, hr = np.empty((16, 16, 3), np.uint8), np.empty((32, 32, 3), np.uint8)
        cache.cut(np.random.default_rng(0), lr, hr)
        cut[share] = hr.astype(int)
    assert np.abs(cut[0.0] - cut[1.0]).max() > 4
    middle = (cut[0.0] + cut[1.0]) / 2
    assert np.abs(cut[0.5] - middle).max() <= 1


@pytest.mark.usefixtures("prepared")
def test_without_damage_all_patches_learn_from_the_teacher(tmp_path, observer):
    options = {**LESSON, "degrade": "none", "degrade_share": 1.0}
    path = teacher_file(tmp_path)
    engine.train(tiny(name="r", **options, teacher=str(path)), observer)
    store = Store(engine_data())
    prepared = [lr.numpy() for lr, _ in map(store.pair, store.entries("train"))]
    alone = upscaler(path, 2)
    known = list(pairs())
    for lr, hr in known[:3]:
        assert any(is_part(lr, image) for image in prepared)
        np.testing.assert_allclose(alone.upscale(lr, SilentBar()).astype(int), hr, atol=1)
    lessons = replace(lessons_of({"teacher": str(path)}, store), degrade="none")
    taught = TeacherCache(lessons, 40, store)
    assert not taught.missing()
    batch = PatchSampler(store, "train", patch=16, batch=8, seed=0, taught=taught).batch(0)
    for lr, hr in zip(batch.lr.numpy(), batch.hr.numpy(), strict=True):
        assert found_in(known, lr, hr)


def test_to_judge_clean_patches_alone_some_must_not_be_the_teachers(options):
    with pytest.raises(UsageError, match="degrade-share"):
        tiny(**{**options, "degrade": "none", "degrade_share": 1.0}, judge="clean")


def is_part(patch, image):
    rows = np.lib.stride_tricks.sliding_window_view(image, patch.shape)[:, :, 0]
    return bool((rows == patch).all(axis=(2, 3, 4)).any())


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize("name", ["no-such-model", "."])
def test_a_teacher_that_is_none_is_refused_before_anything_is_made(name, observer, home):
    with pytest.raises(WeightsError):
        engine.train(tiny(name="r", **LESSON, teacher=name), observer)
    assert not (home / "runs").exists()


@pytest.mark.usefixtures("prepared")
def test_a_teacher_of_no_finite_numbers_is_refused(tmp_path, observer):
    generator = random_generator(PlainConfig(2, 8, 2))
    generator.conv_last.bias.data[0] = float("nan")
    save_weights(tmp_path / "nan.safetensors", generator, {})
    with pytest.raises((ResourceError, WeightsError), match="NaN or infinite"):
        engine.train(tiny(**LESSON, teacher=str(tmp_path / "nan.safetensors")), observer)
    assert not cached()


@pytest.mark.usefixtures("prepared")
def test_a_disk_without_room_for_the_results_is_told_before_the_teacher_starts(
    options, monkeypatch, observer
):
    usage = SimpleNamespace(free=1_000_000)
    monkeypatch.setattr(teacher_module.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ResourceError, match="not enough disk space"):
        engine.train(tiny(name="r", **options), observer)


@pytest.mark.usefixtures("prepared")
def test_a_disk_that_fills_up_keeps_the_whole_files(options, monkeypatch, observer):
    intact = teacher_module.save_file
    files = SimpleNamespace(left=1)

    def save_file(*arguments):
        files.left -= 1
        if files.left < 0:
            raise OSError(28, "No space left on device")
        intact(*arguments)

    monkeypatch.setattr(teacher_module, "save_file", save_file)
    with pytest.raises(ResourceError, match="No space left"):
        engine.train(tiny(name="r", **options), observer)
    assert len(cached()) == 1


@pytest.mark.slow
def test_two_processes_make_the_cache_that_one_makes(prepared, options, observer):
    engine.train(tiny(name="one", **options), observer)
    wanted = cached()
    shutil.rmtree(teachers_dir())
    words = ["--degrade", "mild", "--degrade-share", "0.75", "--teacher-patches", "40"]
    command = ["train", *TINY, *words, "--teacher", options["teacher"], "--data", prepared]
    finished(torchrun(*command, "--name", "two"))
    assert cached() == wanted


def test_mixed_damage_is_mild_or_strong():
    hr = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    made = [degrade(hr, 2, "mixed", np.random.default_rng(seed)) for seed in range(12)]
    kinds = []
    for seed, lr in enumerate(made):
        for kind in ("mild", "strong"):
            random = np.random.default_rng(seed)
            random.integers(2)
            if np.array_equal(degrade(hr, 2, kind, random), lr):
                kinds.append(kind)
    assert len(kinds) == 12
    assert set(kinds) == {"mild", "strong"}


@pytest.mark.usefixtures("prepared")
def test_ncnn_teachers_with_equal_layers_have_caches_of_their_own(tmp_path, observer):
    for seed in (1, 2):
        folder = tmp_path / str(seed)
        folder.mkdir()
        path = write_ncnn(folder / "t.param", random_generator(PlainConfig(2, 8, 2), seed))
        engine.train(tiny(name=f"r{seed}", **LESSON, teacher=str(path)), observer)
    assert len(list(teachers_dir().iterdir())) == 2
