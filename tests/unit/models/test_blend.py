import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from srgan_cli import engine
from srgan_cli.config import PRESETS, UpscaleConfig
from srgan_cli.engine.models import interpolation
from srgan_cli.engine.models.interpolation import find_pair, interpolate, load_between
from srgan_cli.engine.models.shelf import find_model
from srgan_cli.engine.models.weights import (
    PRETRAIN_FILE,
    WEIGHTS_FILE,
    load_model,
    save_weights,
)
from srgan_cli.errors import UsageError, WeightsError
from srgan_cli.observer import SilentObserver
from srgan_cli.paths import models_dir, runs_dir
from tests.toolbox import random_generator, synthetic_photograph

SMALL = dataclasses.replace(PRESETS["compact"], channels=8, growth=4, num_blocks=1)

pytestmark = pytest.mark.usefixtures("home")


def saved(path, seed, **sizes):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_weights(path, random_generator(dataclasses.replace(SMALL, **sizes), seed), {})
    return path


def shelved(name, seed, **sizes):
    saved(models_dir() / f"{name}.safetensors", seed, **sizes)
    return find_model(name, None)


def state(source):
    return load_model(source).generator.state_dict()


@pytest.mark.parametrize("alpha", [0, 0.25, 0.7, 1])
def test_a_blend_lies_on_the_line_between(alpha):
    first, second = shelved("a", 1), shelved("b", 2)
    made = engine.blend_models("a", "b", alpha, "c", SilentObserver())
    found, ours, theirs = state(find_model("c", None)), state(first), state(second)
    for key, value in found.items():
        wanted = ours[key].double() * (1 - alpha) + theirs[key].double() * alpha
        torch.testing.assert_close(value.double(), wanted, rtol=0, atol=1e-7)
    assert made.kind == "shelf"


@pytest.mark.parametrize(("alpha", "end"), [(0, 0), (1, 1)])
def test_the_ends_of_a_blend_are_the_models_to_the_bit(alpha, end):
    models = [load_model(shelved(name, seed)) for seed, name in enumerate("ab")]
    found = interpolate(*models, alpha).state_dict()
    wanted = models[end].generator.state_dict()
    assert all(torch.equal(value, wanted[key]) for key, value in found.items())


@pytest.mark.parametrize("narrow_first", [True, False])
def test_a_plain_network_blends_with_a_wider_one_that_was_grown_from_it(narrow_first):
    models = []
    for name, channels in (("a", 8), ("b", 16)):
        path = models_dir() / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        config = dataclasses.replace(PRESETS["plain"], channels=channels, num_convs=2)
        save_weights(path, random_generator(config, channels), {})
        models.append(load_model(find_model(name, None)))
    pixels = torch.rand(1, 3, 9, 7)
    order = models if narrow_first else models[::-1]
    for alpha, end in ((0, order[0]), (1, order[1])):
        found = interpolate(*order, alpha)(pixels)
        torch.testing.assert_close(found, end.generator(pixels), rtol=0, atol=1e-5)
    halves = interpolate(*order, 0.5)(pixels), interpolate(*order[::-1], 0.5)(pixels)
    torch.testing.assert_close(*halves, rtol=0, atol=1e-5)


def test_a_blend_says_what_it_is_of_and_how_that_was_trained():
    shelved("a", 1)
    path = models_dir() / "b.safetensors"
    save_weights(path, random_generator(SMALL, 2), {"steps": 7, "data": "photos"})
    made = engine.blend_models("a", "b", 0.7, None, SilentObserver())
    assert made.name == "a-b-0.7"
    assert made.origin == {"blend": "0.3 · a + 0.7 · b"}
    about = load_model(find_model("a-b-0.7", None)).about["blend"]
    assert about["alpha"] == 0.7
    assert [one["name"] for one in about["of"]] == ["a", "b"]
    assert [one["trained"] for one in about["of"]] == [{}, {"steps": 7, "data": "photos"}]
    assert made.trainings == {"b": {"steps": 7, "data": "photos"}}


@pytest.mark.parametrize("sizes", [{"channels": 6}, {"num_blocks": 2}, {"scale": 3}])
def test_models_of_other_sizes_are_refused(sizes):
    shelved("a", 1)
    shelved("b", 2, **sizes)
    with pytest.raises(WeightsError):
        engine.blend_models("a", "b", 0.5, "c", SilentObserver())
    assert not (models_dir() / "c.safetensors").exists()


def test_generators_that_only_differ_in_what_has_no_parameters_are_refused():
    shelved("a", 1)
    shelved("b", 2, residual_scale=0.5)
    with pytest.raises(WeightsError):
        engine.blend_models("a", "b", 0.5, "c", SilentObserver())


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_a_share_out_of_range_is_refused(alpha):
    shelved("a", 1)
    with pytest.raises(UsageError):
        engine.blend_models("a", "a", alpha, "c", SilentObserver())


def test_a_run_of_both_phases_is_a_pair():
    folder = runs_dir() / "mine"
    saved(folder / PRETRAIN_FILE, 1)
    saved(folder / WEIGHTS_FILE, 2)
    fidelity, gan = find_pair(load_model(find_model("mine", None)))
    assert (fidelity.path.name, gan.path.name) == (PRETRAIN_FILE, WEIGHTS_FILE)
    soft, sharp = (load_between(find_model("mine", None), strength) for strength in (0, 1))
    lr = torch.rand(1, 3, 6, 6)
    assert torch.equal(soft.generator(lr), load_model(fidelity).generator(lr))
    assert torch.equal(sharp.generator(lr), load_model(gan).generator(lr))


def test_each_file_of_a_pair_is_read_once(monkeypatch):
    shelved("fidelity-x9", 1)
    shelved("photo-x9", 2)
    load, read = interpolation.load_model, []
    monkeypatch.setattr(
        interpolation, "load_model", lambda source: read.append(source.name) or load(source)
    )
    between = load_between(find_model("photo-x9", None), 0.5)
    assert sorted(read) == ["fidelity-x9", "photo-x9"]
    assert [path.stem for path in between.between] == sorted(read)


@pytest.mark.parametrize("named", ["fidelity-x9", "photo-x9"])
def test_fidelity_and_photo_of_one_kind_are_a_pair(named):
    shelved("fidelity-x9", 1)
    shelved("photo-x9", 2)
    assert [source.name for source in find_pair(load_model(find_model(named, None)))] == [
        "fidelity-x9",
        "photo-x9",
    ]


def test_a_header_can_name_the_fidelity_weights(tmp_path):
    shelved("soft", 1)
    path = saved(tmp_path / "x.safetensors", 2)
    engine.add_model(path, "sharp", SilentObserver(), fidelity="sof")
    assert [one.name for one in find_pair(load_model(find_model("sharp", None)))] == [
        "soft",
        "sharp",
    ]


def test_a_model_without_a_partner_is_refused():
    shelved("alone", 1)
    with pytest.raises(WeightsError, match="not part of a pair"):
        find_pair(load_model(find_model("alone", None)))
    shelved("photo-x9", 2)
    with pytest.raises(WeightsError, match="not part of a pair"):
        find_pair(load_model(find_model("photo-x9", None)))


def test_strength_upscales_between_the_two_and_reruns_only_when_it_changes(tmp_path):
    shelved("fidelity-x9", 1)
    shelved("photo-x9", 2)
    picture = tmp_path / "a.png"
    Image.fromarray(synthetic_photograph(20, 16)).save(picture)

    def upscaled(strength, model="photo-x9"):
        config = UpscaleConfig(
            (picture,), tmp_path / "out", model=model, strength=strength, device="cpu"
        )
        report = engine.upscale(config, SilentObserver())
        with Image.open(tmp_path / "out" / "a.png") as image:
            return len(report.written), np.asarray(image).astype(int)

    ends = [upscaled(None, model)[1] for model in ("fidelity-x9", "photo-x9")]
    assert np.abs(ends[0] - ends[1]).max() > 20
    for strength, end in ((0.0, ends[0]), (1.0, ends[1])):
        written, found = upscaled(strength)
        assert written == 1
        assert np.array_equal(found, end)
        assert upscaled(strength)[0] == 0
    assert not any(np.array_equal(upscaled(0.5)[1], end) for end in ends)


@pytest.mark.parametrize("strength", [-0.5, 2])
def test_a_strength_out_of_range_is_refused(tmp_path, strength):
    with pytest.raises(UsageError, match="--strength"):
        UpscaleConfig((tmp_path,), tmp_path, strength=strength)
