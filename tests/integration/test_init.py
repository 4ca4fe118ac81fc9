"""Starting from weights: their name is enough, and what contradicts them is refused."""

import pytest
import torch

from srgan_cli import engine
from srgan_cli.config import SpanConfig, read_recipe
from srgan_cli.engine.models.shelf import find_model
from srgan_cli.engine.models.weights import load_model, save_weights
from srgan_cli.engine.networks.equivariance import Equivariance
from srgan_cli.engine.runs.folder import read_config
from srgan_cli.errors import UsageError, WeightsError
from tests.toolbox import assert_fails, call, random_generator, tiny
from tests.toolbox.layer_files import write_ncnn

SMALL = ("--steps", 2, "--batch", 2, "--patch", 16, "--device", "cpu", "--name", "mine")
QUICK = {"steps": 1, "learning_rate": 1e-9, "ema": 0.0}


def test_a_name_is_enough_and_weights_of_the_pixel_loss_go_on_with_it(prepared, capsys):
    options = ("--steps", 2, "--batch", 2, "--patch", 16, "--device", "cpu")
    done = call(capsys, "train", "--init", "fidelity", "--name", "mine", *options)
    assert done.code == 0, done.err
    config = read_config(prepared.parents[1] / "runs" / "mine")
    assert (config.preset, config.equivariant, config.pretrain) == ("plain", True, 1.0)
    assert config.generator == {"channels": 64, "num_convs": 12}
    assert "pretrain 2" in done.err
    assert "adversarial" not in done.err


@pytest.mark.usefixtures("prepared")
def test_a_run_is_named_as_model_takes_it_and_resumed_without_its_start(observer):
    sizes = {"preset": "plain", "generator": {"channels": 8, "num_convs": 2}}
    first = engine.train(tiny(name="first", **sizes), observer)
    second = engine.train(tiny(name="second", init="first", **QUICK), observer)
    config = read_config(second.run)
    assert (config.preset, dict(config.generator)) == ("plain", sizes["generator"])
    assert load_model(find_model("second", 2)).trained["started_from"] == "first"
    assert "started_from" not in load_model(find_model("first", 2)).trained
    first.weights.unlink()
    assert engine.train(tiny(resume="second"), observer).steps == 1


@pytest.mark.usefixtures("prepared")
def test_a_span_of_another_program_is_trained_on(observer, tmp_path):
    """As ncnn's file of it holds them: parameters have no names there."""
    pytest.importorskip("ncnn")
    span = random_generator(SpanConfig(scale=2, channels=8))
    path = write_ncnn(tmp_path / "span.param", span)
    run = engine.train(tiny(name="more", init=path, pretrain=1, **QUICK), observer)
    assert load_model(find_model("more", 2)).trained["started_from"] == "span"
    assert read_config(run.run).preset == "span"
    lr = torch.rand(1, 3, 16, 16)
    trained = load_model(find_model("more", 2)).generator
    torch.testing.assert_close(trained(lr), span(lr), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {"preset": "esrgan"},
        {"preset": "standard"},
        {"preset": "plain", "generator": {"channels": 32}},
        {"preset": "plain", "generator": {"num_convs": 16}},
    ],
)
def test_options_that_contradict_the_weights_are_refused_before_anything_is_done(
    prepared, observer, options
):
    with pytest.raises(UsageError, match="fidelity-x2 has other sizes") as caught:
        engine.train(tiny(name="n", init="fidelity", **options), observer)
    assert "remove these options" in caught.value.hint
    assert not (prepared.parents[1] / "runs" / "n").exists()


def test_more_channels_than_the_weights_have_widen_them_and_free_what_was_tied(prepared, observer):
    sizes = {"channels": 72}
    run = engine.train(tiny(name="wide", init="fidelity", generator=sizes, **QUICK), observer)
    config = read_config(prepared.parents[1] / "runs" / "wide")
    assert (config.generator["channels"], config.generator["num_convs"]) == (72, 12)
    assert not config.equivariant
    wide, narrow = (load_model(find_model(str(name), 2)) for name in (run.weights, "fidelity"))
    pixels = torch.rand(1, 3, 12, 9)
    assert torch.allclose(wide.generator(pixels), narrow.generator(pixels), atol=1e-4)


@pytest.mark.usefixtures("prepared")
def test_tied_weights_are_freed_where_a_config_file_says_so(capsys, tmp_path):
    (tmp_path / "free.toml").write_text("equivariant = false\n")
    done = call(capsys, "train", "--init", "fidelity", "--config", tmp_path / "free.toml", *SMALL)
    assert done.code == 0, done.err
    trained = load_model(find_model("mine", 2)).generator
    assert not Equivariance(trained).holds()


@pytest.mark.usefixtures("prepared")
def test_the_nearest_name_is_suggested(observer):
    with pytest.raises(WeightsError) as caught:
        engine.train(tiny(init="fidelty-x2"), observer)
    assert caught.value.hint == "did you mean fidelity-x2?"


def settings(home):
    return read_config(home / "runs" / "mine")


def test_photo_weights_go_on_with_the_losses_of_their_recipe(prepared, capsys):
    done = call(capsys, "train", "--init", "photo", *SMALL)
    assert done.code == 0, done.err
    first = done.err.splitlines()[0]
    assert first.startswith("init: settings of photo-x2, unless you give others: ")
    for word in (
        "pretrain 0,",
        "judge clean",
        "degrade mild",
        "degrade-share 0.5",
        "perceptual-weight 11.5",
    ):
        assert word in first
    ours = settings(prepared.parents[1])
    recipe = read_recipe("photo-x2")
    for name in ("judge", "pixel", "degrade", "schedule"):
        assert getattr(ours, name) == recipe[name]
    for name in ("degrade_share", "adversarial_learning_rate", "discriminator_width"):
        assert getattr(ours, name) == float(recipe[name])
    weights = {name: value for name, value in recipe.items() if name.endswith("_weight")}
    assert len(weights) >= 9
    for name, value in weights.items():
        assert getattr(ours.weights, name.removesuffix("_weight")) == float(value)
    assert (ours.batch, ours.patch, ours.steps) == (2, 16, 2)
    assert "pretrain" not in done.err.splitlines()[2]


def test_what_is_given_holds_even_where_it_is_the_default(prepared, capsys):
    given = ("--judge", "all", "--pixel", "l1", "--pretrain", 0.5, "--perceptual-weight", 1)
    done = call(capsys, "train", "--init", "photo", *given, "--discriminator-width", 64, *SMALL)
    assert done.code == 0, done.err
    ours = settings(prepared.parents[1])
    assert (ours.judge, ours.pixel, ours.pretrain) == ("all", "l1", 0.5)
    assert (ours.weights.perceptual, ours.discriminator_width) == (1, 64)
    # What goes with it follows; the rest is still that of the weights.
    assert ours.weights.degraded == 0
    assert (ours.degrade, ours.weights.lattice) == ("mild", 40)


def test_a_file_of_options_holds_too(prepared, capsys, tmp_path):
    (tmp_path / "run.toml").write_text("adversarial = 'hinge'\n[weights]\nlattice = 0.0")
    options = ("--config", tmp_path / "run.toml")
    done = call(capsys, "train", "--init", "photo", *options, *SMALL)
    assert done.code == 0, done.err
    weights = settings(prepared.parents[1]).weights
    assert (weights.lattice, weights.gradient_penalty, weights.smooth) == (0, 0, 30)


def test_fidelity_weights_go_on_with_their_pixel_loss(prepared, capsys):
    done = call(capsys, "train", "--init", "fidelity", *SMALL)
    assert done.code == 0, done.err
    ours = settings(prepared.parents[1])
    assert (ours.pixel, ours.weights.luma, ours.pretrain) == ("psnr", 10, 1)
    line = done.err.splitlines()[0]
    assert line.startswith("init: settings of fidelity-x2, unless you give others: pretrain 1, ")


def test_a_preset_that_contradicts_the_weights_is_refused_even_if_it_is_the_default(
    prepared, capsys
):
    done = call(capsys, "train", "--init", "fidelity", "--preset", "compact", *SMALL)
    assert_fails(done, 2, "fidelity-x2 has other sizes than --preset")
    assert not (prepared.parents[1] / "runs").exists()


def test_settings_that_cannot_be_read_are_left_alone(prepared, observer, tmp_path):
    generator = load_model(find_model("fidelity", 2)).generator
    path = tmp_path / "odd.safetensors"
    odd = {"pixel": 7, "weights": ["none"], "judge": {}, "degrade": "mild"}
    save_weights(path, generator, {"phase": "adversarial", "config": odd})
    engine.train(tiny(name="mine", init=path, **QUICK), observer)
    ours = settings(prepared.parents[1])
    assert (ours.pixel, ours.judge, ours.degrade, ours.pretrain) == ("l1", "all", "none", 0)
    assert (
        observer.said[0] == "init: settings of odd.safetensors, unless you give others: pretrain 0"
    )
