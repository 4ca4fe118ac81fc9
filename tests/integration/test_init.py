"""Starting from weights: their name is enough, and what contradicts them is refused."""

import pytest
import torch

from srgan_cli import engine
from srgan_cli.engine.models.shelf import find_model
from srgan_cli.engine.models.weights import load_model
from srgan_cli.engine.runs.folder import read_config
from srgan_cli.errors import UsageError, WeightsError
from tests.toolbox import call, tiny

QUICK = {"steps": 1, "learning_rate": 1e-9, "ema": 0.0}


def test_a_name_is_enough_and_weights_of_the_pixel_loss_go_on_with_it(prepared, capsys):
    options = ("--steps", 2, "--batch", 2, "--patch", 16, "--device", "cpu")
    done = call(capsys, "train", "--init", "fidelity", "--name", "mine", *options)
    assert done.code == 0, done.err
    config = read_config(prepared.parents[1] / "runs" / "mine")
    assert (config.preset, config.equivariant, config.pretrain) == ("plain", True, 1.0)
    assert config.generator == {"channels": 40, "num_convs": 12}
    assert "pretrain 2" in done.err
    assert "adversarial" not in done.err


@pytest.mark.usefixtures("prepared")
def test_a_run_is_named_as_model_takes_it_and_resumed_without_its_start(observer):
    sizes = {"preset": "plain", "generator": {"channels": 8, "num_convs": 2}}
    first = engine.train(tiny(name="first", **sizes), observer)
    second = engine.train(tiny(name="second", init="first", **QUICK), observer)
    config = read_config(second.run)
    assert (config.preset, dict(config.generator)) == ("plain", sizes["generator"])
    first.weights.unlink()
    assert engine.train(tiny(resume="second"), observer).steps == 1


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
    assert "leave them out" in caught.value.hint
    assert not (prepared.parents[1] / "runs" / "n").exists()


def test_more_channels_than_the_weights_have_widen_them_and_free_what_was_tied(prepared, observer):
    sizes = {"channels": 48}
    run = engine.train(tiny(name="wide", init="fidelity", generator=sizes, **QUICK), observer)
    config = read_config(prepared.parents[1] / "runs" / "wide")
    assert (config.generator["channels"], config.generator["num_convs"]) == (48, 12)
    assert not config.equivariant
    wide, narrow = (load_model(find_model(str(name), 2)) for name in (run.weights, "fidelity"))
    pixels = torch.rand(1, 3, 12, 9)
    assert torch.allclose(wide.generator(pixels), narrow.generator(pixels), atol=1e-4)


@pytest.mark.usefixtures("prepared")
def test_the_nearest_name_is_suggested(observer):
    with pytest.raises(WeightsError) as caught:
        engine.train(tiny(init="fidelty-x2"), observer)
    assert caught.value.hint == "did you mean fidelity-x2?"
