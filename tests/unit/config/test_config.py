import dataclasses
import json
from pathlib import Path

import pytest

from srgan_cli.config import (
    PRESETS,
    SCALES,
    DenseConfig,
    EvalConfig,
    LossWeights,
    PrepareConfig,
    TrainConfig,
    UpscaleConfig,
    preset,
    require_plain_name,
)
from srgan_cli.errors import UsageError
from srgan_cli.typed import RecordError

PREPARE = {"source": Path("photos")}
UPSCALE = {"inputs": (Path("a.png"),), "output": Path("out")}


@pytest.mark.parametrize(
    ("config", "required", "option", "value"),
    [
        (PrepareConfig, PREPARE, "scale", 5),
        (PrepareConfig, PREPARE, "scale", 1),
        (PrepareConfig, PREPARE, "max_side", 63),
        (PrepareConfig, PREPARE, "max_side", -1),
        (PrepareConfig, PREPARE, "min_side", 15),
        (PrepareConfig, PREPARE, "validation", 0),
        (PrepareConfig, PREPARE, "seed", -1),
        (PrepareConfig, PREPARE, "name", "../elsewhere"),
        (PrepareConfig, PREPARE, "reduce", (1.0,)),
        (PrepareConfig, PREPARE, "reduce", (0.5, 0.5)),
        (TrainConfig, {}, "epochs", 0),
        (TrainConfig, {}, "steps", 0),
        (TrainConfig, {}, "batch", -1),
        (TrainConfig, {}, "patch", 15),
        (TrainConfig, {}, "pretrain", -0.1),
        (TrainConfig, {}, "pretrain", 1.1),
        (TrainConfig, {}, "learning_rate", 0.0),
        (TrainConfig, {}, "learning_rate", float("nan")),
        (TrainConfig, {}, "adversarial_learning_rate", 1.0),
        (TrainConfig, {}, "warmup", -1),
        (TrainConfig, {}, "discriminator_width", 0),
        (TrainConfig, {}, "discriminator_steps", 0),
        (TrainConfig, {}, "accumulate", 0),
        (TrainConfig, {}, "detail", 0),
        (TrainConfig, {}, "pretrain_epochs", -1),
        (TrainConfig, {}, "pretrain_steps", -1),
        (TrainConfig, {}, "discriminator_learning_rate", 1.0),
        (TrainConfig, {}, "discriminator_limit", 0.4),
        (TrainConfig, {}, "discriminator_limit", 1.1),
        (TrainConfig, {}, "milestones", (0.5, 0.25)),
        (TrainConfig, {}, "milestones", (0.5, 1.0)),
        (TrainConfig, {}, "gamma", 0.0),
        (TrainConfig, {}, "cooldown", 0.0),
        (TrainConfig, {}, "cooldown", 1.1),
        (TrainConfig, {}, "gamma", 1.1),
        (TrainConfig, {}, "clip", -1.0),
        (TrainConfig, {}, "clip", float("inf")),
        (TrainConfig, {}, "ema", 1.0),
        (TrainConfig, {}, "ema", -0.1),
        (TrainConfig, {}, "validate_every", 0),
        (TrainConfig, {}, "seed", -1),
        (TrainConfig, {}, "seed", 2**31),
        (TrainConfig, {}, "name", ".hidden"),
        (UpscaleConfig, UPSCALE, "scale", 33),
        (UpscaleConfig, UPSCALE, "tile", 15),
        (UpscaleConfig, UPSCALE, "max_pixels", 0),
        (UpscaleConfig, UPSCALE, "suffix", "../x"),
        (EvalConfig, {}, "scale", 0),
        (EvalConfig, {}, "border", -1),
        (EvalConfig, {}, "tile", 0),
    ],
)
def test_an_option_out_of_range_is_refused_by_its_name(config, required, option, value):
    with pytest.raises(UsageError) as caught:
        config(**{**required, option: value})
    assert f"--{option.replace('_', '-')} " in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("term", [field.name for field in dataclasses.fields(LossWeights)])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_loss_weights_are_finite_and_not_negative(term, value):
    with pytest.raises(UsageError) as caught:
        LossWeights(**{term: value})
    assert f"--{term.replace('_', '-')}-weight " in caught.value.message
    assert caught.value.hint == "it must be 0 or more"


def test_the_bounds_themselves_are_allowed():
    PrepareConfig(Path("photos"), max_side=0, min_side=16, validation=1)
    TrainConfig(epochs=1, batch=1, patch=16, pretrain=0, warmup=0, ema=0, steps=1, seed=2**31 - 1)
    TrainConfig(pretrain=1.0)
    UpscaleConfig(**UPSCALE, scale=8, tile=16, max_pixels=1)
    EvalConfig(border=0, tile=16)


def test_a_training_whose_discriminator_would_never_see_a_patch_is_refused():
    damaged = {"degrade": "mild", "judge": "clean"}
    with pytest.raises(UsageError, match="--degrade-share is 1"):
        TrainConfig(**damaged)
    TrainConfig(**damaged, degrade_share=0.99)
    TrainConfig(judge="clean")


@pytest.mark.parametrize("name", ["degraded", "degraded_perceptual"])
def test_a_weight_of_degraded_patches_is_refused_where_all_are_judged(name):
    weights = LossWeights(**{name: 30})
    with pytest.raises(UsageError, match=f"{name}_weight".replace("_", "-")):
        TrainConfig(weights=weights)
    TrainConfig(weights=weights, judge="clean")


@pytest.mark.parametrize(
    "sizes", [{"preset": "compact"}, {"preset": "plain", "generator": {"channels": 44}}]
)
def test_a_generator_whose_weights_cannot_be_tied_is_refused(sizes):
    with pytest.raises(UsageError, match="--equivariant") as caught:
        TrainConfig(equivariant=True, **sizes)
    assert "multiple of 8" in caught.value.hint
    TrainConfig(equivariant=True, preset="plain", generator={"channels": 40})


def test_a_reduction_below_the_least_side_is_refused():
    with pytest.raises(UsageError, match="--max-side"):
        PrepareConfig(Path("photos"), max_side=128, min_side=256)


def test_no_images_are_refused():
    with pytest.raises(UsageError, match="no images"):
        UpscaleConfig(inputs=(), output=Path("out"))


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", ".x", "a/b", "a\\b", "a\0b", "a\nb", "x" * 256),
        *("a|b", 'a"b', "a'b", "$(b)", "a;b", "-a", "a*", "`b`"),
    ],
)
def test_names_that_could_leave_their_folder_or_mean_more_to_a_shell_are_refused(name):
    with pytest.raises(UsageError) as caught:
        require_plain_name(name)
    assert "\n" not in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("name", ["photos-x2", "Été 2024", "a.b", "_"])
def test_plain_names_are_allowed(name):
    require_plain_name(name)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", PRESETS)
def test_presets_exist_at_every_scale(name, scale):
    config = preset(name, scale)
    assert config.scale == scale
    assert dataclasses.replace(config, scale=2) == PRESETS[name]


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(UsageError) as caught:
        TrainConfig(preset="huge")
    assert "huge" in caught.value.message
    assert all(name in caught.value.hint for name in PRESETS)


@pytest.mark.parametrize(
    "change",
    [
        {"scale": 5},
        {"channels": 0},
        {"channels": 1025},
        {"growth": 1.5},
        {"num_blocks": "3"},
        {"residual_scale": "0.2"},
        {"residual_scale": float("nan")},
        {"upsampler": "bilinear"},
    ],
)
def test_a_generator_of_impossible_size_is_refused(change):
    with pytest.raises(UsageError):
        dataclasses.replace(PRESETS["compact"], **change)


@pytest.mark.parametrize("name", PRESETS)
def test_generator_config_round_trip_through_json(name):
    config = preset(name, 3)
    values = json.loads(json.dumps(dataclasses.asdict(config)))
    assert type(config)(**values) == config


@pytest.mark.parametrize(
    "config",
    [
        TrainConfig(),
        TrainConfig(
            data="x",
            steps=7,
            generator={"channels": 48, "residual_scale": 0.5},
            milestones=(0.5,),
            perceptual_layers=("relu1_2", "relu3_3"),
            weights=LossWeights(pixel=0.5, gradient_penalty=0),
            init=Path("some/weights.safetensors"),
            precision="bf16",
        ),
    ],
)
def test_train_config_round_trip_through_json(config):
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_a_preset_under_its_former_name_is_the_same_preset():
    assert TrainConfig(preset="row") == TrainConfig(preset="plain")
    saved = TrainConfig(preset="plain", equivariant=True).to_dict() | {"preset": "row"}
    assert TrainConfig.from_dict(saved) == TrainConfig(preset="plain", equivariant=True)


def test_unknown_keys_are_refused():
    with pytest.raises(RecordError, match="momentum"):
        TrainConfig.from_dict(TrainConfig().to_dict() | {"momentum": 0.9})
    values = dataclasses.asdict(PRESETS["compact"])
    with pytest.raises(TypeError, match="norm"):
        DenseConfig.from_dict(values | {"norm": "batch"})
    del values["growth"]
    with pytest.raises(TypeError, match="growth"):
        DenseConfig.from_dict(values)


@pytest.mark.parametrize(
    ("adversarial", "weight"),
    [("wgan-gp", 10), ("relativistic", 0), ("hinge", 0), ("vanilla", 0)],
)
def test_the_gradient_penalty_has_the_weight_that_suits_the_loss(adversarial, weight):
    assert TrainConfig(adversarial=adversarial).weights.gradient_penalty == weight
    given = TrainConfig(adversarial=adversarial, weights=LossWeights(gradient_penalty=3))
    assert given.weights.gradient_penalty == 3


def test_sizes_take_the_place_of_the_presets():
    config = TrainConfig(preset="standard", generator={"channels": 48, "num_blocks": 2})
    wanted = dataclasses.replace(PRESETS["standard"], scale=4, channels=48, num_blocks=2)
    assert config.generator_config(4) == wanted


@pytest.mark.parametrize("sizes", [{"channels": 0}, {"depth": 3}, {"scale": 4}])
def test_impossible_sizes_are_refused(sizes):
    with pytest.raises(UsageError) as caught:
        TrainConfig(generator=sizes)
    assert next(iter(sizes)) in caught.value.message
    assert caught.value.hint
