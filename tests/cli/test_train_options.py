"""The options of ``srgan train``: from the command line, from a file, and from both."""

import dataclasses
from types import SimpleNamespace

import pytest
from safetensors.torch import load_file

from srgan_cli import engine
from srgan_cli.config import RECIPES, LossWeights, TrainConfig, read_recipe
from tests.toolbox import assert_fails


@pytest.fixture
def asked(srgan, monkeypatch, tmp_path):
    """Return a function that gives the config that a command line, and a file, ask for."""
    seen = SimpleNamespace(config=None)

    def train(config, _observer, **_):
        seen.config = config
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "train", train)

    def ask(*options, file=None):
        if file is not None:
            (tmp_path / "run.toml").write_text(file)
            options = ("--config", tmp_path / "run.toml", *options)
        assert srgan("train", *options).code == 130
        return seen.config

    return ask


def test_options_that_are_left_out_are_the_configs_defaults(asked):
    assert asked() == TrainConfig()
    assert asked(file="") == TrainConfig()


def test_the_command_of_the_mission_is_the_default_run(asked):
    config = asked("--epochs", 131, "--batch", 16)
    assert config == asked() == TrainConfig(preset="compact", epochs=131, batch=16, pretrain=0.75)
    assert (config.optimizer, config.schedule, config.pixel) == ("muon", "cosine", "l1")
    assert (config.adversarial, config.perceptual, config.steps) == ("wgan-gp", "vgg16", None)


def test_options_become_fields(asked):
    config = asked(
        *("--fft-weight", 0.05, "--r1-weight", 1, "--gradient-penalty-weight", 0),
        *("--channels", 48, "--residual-scale", 0.5, "--upsampler", "nearest"),
        *("--milestones", "0.25,0.5", "--perceptual-layers", "relu1_2,relu3_3"),
        *("--pretrain-steps", 7, "--adversarial", "hinge", "--clip", 2),
    )
    assert config == TrainConfig(
        weights=LossWeights(fft=0.05, r1=1, gradient_penalty=0),
        generator={"channels": 48, "residual_scale": 0.5, "upsampler": "nearest"},
        milestones=(0.25, 0.5),
        perceptual_layers=("relu1_2", "relu3_3"),
        pretrain_steps=7,
        adversarial="hinge",
        clip=2,
    )


def test_the_command_line_wins_over_the_file(asked):
    file = "batch = 8\npatch = 32\n[weights]\npixel = 1.0\nfft = 0.1\n[generator]\nchannels = 48"
    config = asked("--batch", 4, "--fft-weight", 0.2, file=file)
    assert (config.batch, config.patch) == (4, 32)
    assert config.weights == TrainConfig(weights=LossWeights(pixel=1, fft=0.2)).weights
    assert config.generator == {"channels": 48}


@pytest.mark.parametrize(
    ("file", "options", "lengths"),
    [
        ("steps = 100", ["--epochs", 3], (3, None)),
        ("epochs = 7", ["--steps", 5], (131, 5)),
        ("epochs = 7", [], (7, None)),
    ],
)
def test_a_length_on_the_command_line_takes_the_place_of_another_in_the_file(
    asked, file, options, lengths
):
    config = asked(*options, file=file)
    assert (config.epochs, config.steps) == lengths


def test_a_preset_on_the_command_line_takes_the_place_of_sizes_in_the_file(asked):
    file = "preset = 'compact'\n[generator]\nchannels = 48\ngrowth = 8"
    assert asked(file=file).generator == {"channels": 48, "growth": 8}
    config = asked("--preset", "standard", "--growth", 16, file=file)
    assert (config.preset, config.generator) == ("standard", {"growth": 16})


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("batchsize = 8", ["batchsize", "nearest: batch"]),
        ("batch = 'many'", ["--batch"]),
        ("batch = 8.5", ["--batch"]),
        ("batch = 0", ["--batch is 0"]),
        ("adversarial = 'lsgan'", ["--adversarial"]),
        ("milestones = ['soon']", ["--milestones"]),
        ("epochs = 1\nsteps = 1", ["--epochs and --steps"]),
        ("[generator]\nchannels = 0", ["--channels"]),
    ],
)
def test_a_file_is_checked_as_the_command_line_is(srgan, tmp_path, file, words):
    (tmp_path / "run.toml").write_text(file)
    assert_fails(srgan("train", "--config", tmp_path / "run.toml"), 2, *words)


def test_a_file_that_is_missing_is_told(srgan):
    assert_fails(srgan("train", "--config", "nowhere.toml"), 3, "nowhere.toml")


def test_a_file_does_not_go_with_resume(srgan, tmp_path):
    (tmp_path / "run.toml").write_text("batch = 8")
    result = srgan("train", "--resume", "latest", "--config", tmp_path / "run.toml")
    assert_fails(result, 2, "--config")


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_does_not_depend_on_the_defaults_of_what_it_learns_by(name):
    phase = "adversarial_learning_rate" if name.startswith("photo") else "learning_rate"
    decisive = {"preset", "equivariant", "init", "degrade", "detail", "steps", "batch", "patch"}
    decisive |= {"optimizer", "schedule", "warmup", "ema", "pixel", phase}
    decisive |= {f"{term}_weight" for term in ("luma", "chroma", "fft")}
    assert decisive <= read_recipe(name).keys()


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_starts_from_weights_that_are_there(asked, name):
    config = asked("--recipe", name)
    assert config.init.is_file()
    assert config.scale == int(name[-1])
    assert config.data is None


def test_the_command_line_wins_over_the_file_and_the_file_over_the_recipe(asked):
    plain = asked("--recipe", "photo-x4")
    assert (plain.batch, plain.patch, plain.steps) == (8, 24, 4800)
    options = ("--recipe", "photo-x4", "--patch", 32)
    config = asked(*options, file="batch = 4\npatch = 16\n[weights]\nluma = 2")
    assert (config.batch, config.patch, config.steps) == (4, 32, 4800)
    assert config.weights == dataclasses.replace(plain.weights, luma=2)


@pytest.mark.parametrize("order", [1, -1])
def test_a_file_takes_the_place_of_what_a_recipe_says_in_either_order(asked, tmp_path, order):
    (tmp_path / "short.toml").write_text("epochs = 3\npretrain = 0.5")
    parts = (["--recipe", "photo-x4"], ["--config", tmp_path / "short.toml"])
    config = asked(*(word for part in parts[::order] for word in part))
    assert (config.epochs, config.steps) == (3, None)
    assert (config.pretrain, config.pretrain_steps) == (0.5, None)
    assert config.batch == 8


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("photo-x8", ["photo-x4", "photo-x2"]), ("fidelity", ["fidelity-x4", "fidelity-x2"])],
)
def test_a_recipe_that_does_not_exist_is_refused_with_the_nearest(srgan, name, nearest):
    result = srgan("train", "--recipe", name)
    assert_fails(result, 2, f"no recipe is called {name!r}", *nearest)


def test_a_file_as_a_recipe_is_told_to_be_a_config(srgan, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("epochs = 3")
    result = srgan("train", "--recipe", path)
    assert_fails(result, 2, "--recipe takes a name", f"--config {path}")


def test_a_recipe_does_not_go_with_resume(srgan):
    result = srgan("train", "--resume", "latest", "--recipe", "photo-x2")
    assert_fails(result, 2, "--recipe")


def test_a_runs_own_file_repeats_it_to_the_bit(srgan, used_home):
    runs = used_home / "runs"
    result = srgan("train", "--config", runs / "tiny" / "config.toml", "--name", "again")
    assert result.code == 0, result.err
    first, again = (load_file(runs / name / "weights.safetensors") for name in ("tiny", "again"))
    assert all((first[key] == again[key]).all() for key in first)
    configs = [(runs / name / "config.toml").read_text() for name in ("tiny", "again")]
    assert configs[0] == configs[1]


def test_a_recipe_trains_on_the_newest_data_set(srgan, used_home):
    small = ("--steps", 2, "--batch", 2, "--patch", 24, "--precision", "fp32", "--device", "cpu")
    result = srgan("train", "--recipe", "photo-x2", *small, "--name", "short")
    assert result.code == 0, result.err
    written = (used_home / "runs/short/config.toml").read_text()
    assert 'judge = "clean"' in written
    assert 'start-x2.safetensors"' in written
