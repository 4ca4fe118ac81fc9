"""The options of a TOML file: what is read, what is refused, and that a run's own repeats it."""

import dataclasses
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srgan_cli.config import LossWeights, TrainConfig, preset, read_options, to_toml
from srgan_cli.errors import InputError, UsageError

ELABORATE = TrainConfig(
    data="/images/größe \"x\" \\ 'y'",
    scale=3,
    degrade="mild",
    preset="standard",
    generator={"channels": 48, "residual_scale": 0.5, "upsampler": "nearest"},
    steps=700,
    pretrain_epochs=3,
    milestones=(0.25, 0.5),
    weights=LossWeights(pixel=1e-05, fft=0.05, gradient_penalty=0, r1=1e6),
    perceptual_layers=("relu1_2", "conv3_1"),
    init=Path("/weights/\x7f\t.safetensors"),
    seed=2**31 - 1,
)


def _written(tmp_path, text):
    path = tmp_path / "run.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_keys_are_names_of_options_and_tables_shorten_them(tmp_path):
    path = _written(
        tmp_path,
        """
        batch = 8
        learning-rate = 5e-4
        discriminator_width = 32
        milestones = [0.5, 0.75]
        r1_weight = 2
        [weights]
        pixel = 1.0
        gradient-penalty = 0
        [generator]
        num_blocks = 2
        """,
    )
    assert read_options(path) == {
        "batch": "8",
        "learning_rate": "0.0005",
        "discriminator_width": "32",
        "milestones": "0.5,0.75",
        "r1_weight": "2",
        "pixel_weight": "1.0",
        "gradient_penalty_weight": "0",
        "num_blocks": "2",
    }


@pytest.mark.parametrize(
    ("text", "key", "nearest"),
    [
        ("batchsize = 8", "batchsize", "batch"),
        ("lerning_rate = 1e-3", "lerning_rate", "learning_rate"),
        ("[weights]\nperceptal = 1", "perceptal", "perceptual"),
        ("[generator]\nblocks = 1", "blocks", "num_blocks"),
        ("[train]\nbatch = 8", "train", "pretrain"),
        ("[weights]\npixel_weight = 1", "pixel_weight", "pixel"),
        ("resume = 'latest'", "resume", "preset"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(tmp_path, text, key, nearest):
    with pytest.raises(UsageError) as caught:
        read_options(_written(tmp_path, text))
    assert f"{key!r}" in caught.value.message
    assert "run.toml" in caught.value.message
    assert caught.value.hint == f"nearest: {nearest}"


@pytest.mark.parametrize(
    "text",
    ["batch = 2024-01-01", "batch = [[1]]", "batch = {a = 1}", "[weights]\npixel = {a = 1}"],
)
def test_a_value_of_no_option_is_refused(tmp_path, text):
    with pytest.raises(UsageError, match=r"run\.toml"):
        read_options(_written(tmp_path, text))


def test_an_option_given_twice_is_refused(tmp_path):
    with pytest.raises(UsageError, match="pixel_weight is given twice"):
        read_options(_written(tmp_path, "pixel_weight = 1\n[weights]\npixel = 2"))


@pytest.mark.parametrize("content", [b"batch = ", b"\xff\xfe", b"{}"])
def test_a_file_that_is_not_toml_is_refused(tmp_path, content):
    path = tmp_path / "run.toml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_options(path)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_a_file_that_cannot_be_read_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="--config"):
        read_options(tmp_path / name)


@pytest.mark.parametrize("config", [TrainConfig(), ELABORATE])
def test_a_runs_own_file_is_its_config_but_for_the_name(config):
    written = to_toml(dataclasses.replace(config, name="first"))
    assert "name" not in tomllib.loads(written)
    assert TrainConfig.from_dict(tomllib.loads(written)) == config


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")), st.floats(1e-12, 0.9))
def test_any_text_and_number_comes_back_as_it_was(text, number):
    config = TrainConfig(perceptual=text, learning_rate=number)
    assert TrainConfig.from_dict(tomllib.loads(to_toml(config))) == config


def test_a_name_that_is_not_unicode_is_refused_in_words():
    with pytest.raises(UsageError, match="Unicode"):
        to_toml(TrainConfig(data="folder\udcff"))


def test_a_resolved_config_does_without_presets_and_the_current_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    config = TrainConfig(init=Path("w.safetensors"), generator={"num_blocks": 2})
    resolved = config.resolved(Path("data"), 4)
    assert resolved.init == tmp_path / "w.safetensors"
    assert resolved.data == str(tmp_path / "data")
    assert resolved.scale == 4
    assert resolved.generator_config(4) == config.generator_config(4)
    assert resolved.generator.keys() | {"scale"} == dataclasses.asdict(preset("compact", 4)).keys()
    assert resolved.resolved(Path(resolved.data), 4) == resolved
