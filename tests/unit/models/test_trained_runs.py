"""Which run is used when no model is named, and what is said of those that are not."""

import dataclasses
import os

import pytest

from srgan_cli.config import PRESETS
from srgan_cli.engine.models.shelf import (
    BUNDLED,
    bundled_rival,
    find_model,
    find_model_for_factor,
    set_default,
)
from srgan_cli.engine.models.trained_runs import (
    QUALIFICATION_FILE,
    Qualification,
    forget_qualification,
    trained_runs,
)
from srgan_cli.engine.models.weights import WEIGHTS_FILE, save_weights
from srgan_cli.engine.networks.dense import DenseNetwork
from srgan_cli.errors import WeightsError
from srgan_cli.imaging.comparison import Difference
from srgan_cli.paths import runs_dir

SMALL = dataclasses.replace(PRESETS["compact"], channels=8, growth=4, num_blocks=1)
BETTER = Qualification(
    qualified=True,
    reason="better than fidelity-x2: +0.80 dB (+0.70 to +0.90) on 16 validation images",
    against="fidelity-x2",
    images=16,
    over_bicubic=3.5,
    psnr=Difference(0.8, 0.7, 0.9, "better"),
    perceptual=Difference(-0.1, -0.2, -0.05, "better"),
)
NOT_BETTER = dataclasses.replace(
    BETTER, qualified=False, reason="worse than fidelity-x2: -0.10 dB", perceptual=None
)
STOPPED = {"steps": 44, "planned_steps": 2500, "validation_psnr": 30.0, "bicubic_psnr": 31.02}

pytestmark = pytest.mark.usefixtures("home")


def make_run(name, qualification=None, age=0, scale=2, trained=STOPPED):
    path = runs_dir() / name / WEIGHTS_FILE
    path.parent.mkdir(parents=True)
    save_weights(path, DenseNetwork(dataclasses.replace(SMALL, scale=scale)), trained)
    if qualification is not None:
        qualification.write(path.parent)
    os.utime(path, (1_700_000_000 - age,) * 2)
    return path


def used(scale=None):
    source = find_model(None, scale)
    return source.name, source.reason


def test_a_run_that_was_stopped_leaves_the_bundled_model_and_says_how_to_use_it():
    make_run("toy")
    name, reason = used()
    assert name == BUNDLED[0]
    assert reason == (
        "bundled; your run toy is not used: unfinished, at step 44 of 2,500, 1.02 dB below "
        "bicubic; to use it: --model toy, or srgan models default toy"
    )
    assert find_model("toy", None).name == "toy"
    set_default(2, "toy")
    assert used() == ("toy", "your default")


def test_a_run_that_is_not_shown_to_be_better_leaves_the_bundled_model():
    make_run("toy", NOT_BETTER)
    name, reason = used()
    assert name == BUNDLED[0]
    assert "your run toy is not used: worse than fidelity-x2: -0.10 dB; to use it" in reason


def test_a_run_that_is_better_is_used_and_says_how_to_go_back():
    make_run("comics", BETTER)
    name, reason = used()
    assert name == "comics"
    assert reason == f"your run: {BETTER.reason}; back to the bundled model: --model {BUNDLED[0]}"


def test_the_newest_run_that_is_better_stays_until_another_one_is():
    make_run("old", BETTER, age=30)
    make_run("new", BETTER, age=20)
    make_run("worse", NOT_BETTER, age=10)
    name, reason = used()
    assert name == "new"
    assert "your run worse is not used: worse than fidelity-x2" in reason


def test_a_run_is_never_used_for_another_scale_than_its_own():
    make_run("two", BETTER)
    assert used(4) == ("photo-x4", "bundled; no training run yet")
    assert find_model_for_factor(None, 4).name == "photo-x4"
    assert find_model_for_factor(None, 3).name == "photo-x4"
    assert find_model_for_factor(None, 2).name == "two"
    make_run("four", BETTER, scale=4)
    assert find_model_for_factor(None, 4).name == "four"


def test_a_run_of_a_scale_without_a_bundled_model_is_used_where_it_fits():
    make_run("three", BETTER, scale=3)
    assert find_model_for_factor(None, 3).name == "three"
    assert find_model_for_factor(None, 2.5).name == "three"
    assert find_model_for_factor(None, 4).name == "photo-x4"
    assert find_model_for_factor("photo", 3).name == "photo-x4"


def test_an_unfinished_run_is_used_for_a_scale_that_nothing_else_has():
    make_run("eight", scale=8)
    assert used(8) == ("eight", "the newest run; there is no bundled model for ×8")
    assert find_model_for_factor(None, 8).name == "photo-x4"


def test_a_run_of_an_earlier_version_is_told_how_to_be_compared():
    make_run("old", trained={"steps": 9000})
    assert "not compared yet with the bundled model: srgan train --resume old" in used()[1]
    make_run("ended", trained={"steps": 9, "planned_steps": 9})
    assert "not compared yet" in next(run for run in trained_runs() if run.name == "ended").reason


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"qualified": true}', "\x00"])
def test_a_damaged_qualification_is_none(text):
    path = make_run("mine", BETTER)
    (path.parent / QUALIFICATION_FILE).write_text(text)
    assert used()[0] == BUNDLED[0]


def test_what_a_run_was_compared_with_is_forgotten_when_it_goes_on():
    path = make_run("mine", BETTER)
    assert Qualification.read(path.parent) == BETTER
    forget_qualification(path.parent)
    forget_qualification(path.parent)
    assert Qualification.read(path.parent) is None
    assert used()[0] == BUNDLED[0]


def test_damaged_weights_cost_only_their_run():
    make_run("good", BETTER, age=10)
    make_run("bad", BETTER).write_bytes(b"nothing")
    assert [run.name for run in trained_runs()] == ["good"]
    assert used()[0] == "good"
    with pytest.raises(WeightsError):
        find_model("nothing-like-it", None)


@pytest.mark.parametrize("scale", [2, 4])
def test_a_run_is_measured_against_the_model_that_was_trained_as_it_was(scale):
    assert bundled_rival(scale, adversarial=False).name == f"fidelity-x{scale}"
    assert bundled_rival(scale, adversarial=True).name == f"photo-x{scale}"
    assert bundled_rival(3, adversarial=True) is None
