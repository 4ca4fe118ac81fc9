"""Start a run from existing weights (``srgan train --init``)."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import asdict, replace
from typing import Any

from srgan_cli.config import PRESETS, GeneratorConfig, PlainConfig, TrainConfig
from srgan_cli.config.option import declared
from srgan_cli.engine.models.shelf import find_model
from srgan_cli.engine.models.weights import Model, ModelSource, load_model
from srgan_cli.engine.networks.base import Network
from srgan_cli.engine.networks.equivariance import Equivariance
from srgan_cli.engine.networks.plain import PlainNetwork
from srgan_cli.engine.training.trainer import Trainer
from srgan_cli.errors import UsageError
from srgan_cli.observer import Observer
from srgan_cli.typed import RecordError

Given = frozenset[str] | None
"""Names of the options that were given, which nothing takes the place of. None: those that are
not at their default."""

_PIXEL_LOSS = {"pixel", "luma_weight", "chroma_weight", "fft_weight", "pretrain_perceptual_weight"}
_ADVERSARIAL = {
    *("degrade", "degrade_share", "judge", "perceptual", "perceptual_layers"),
    *("adversarial", "adversarial_learning_rate"),
    *("discriminator", "discriminator_width", "discriminator_steps", "discriminator_limit"),
    *("discriminator_learning_rate", "schedule", "milestones", "gamma", "cooldown"),
    *(option.name for option in declared(TrainConfig) if option.table == "weights"),
}
_TAKEN_ON = {"pretrain": _PIXEL_LOSS, "adversarial": _PIXEL_LOSS | _ADVERSARIAL}
"""Settings that a run takes on from weights, by the phase that they end."""
_BELONGS_TO = {
    "degraded_weight": "judge",
    "degraded_perceptual_weight": "judge",
    "gradient_penalty_weight": "adversarial",
}
"""Options that mean something only beside another's value."""
_LENGTHS = {"pretrain", "pretrain_epochs", "pretrain_steps"}


def adopted(config: TrainConfig, scale: int, given: Given, observer: Observer) -> TrainConfig:
    """Return options with the architecture, sizes and losses of the weights of ``--init``.

    Weights of the pixel loss alone are trained on with it, those of adversarial training with
    the losses and the discriminator that they had, unless the options say otherwise. A
    plain network may be given more ``channels`` than its weights have; what is new is not tied,
    unless ``equivariant`` asks for it, and tied weights are freed if it is given as false.

    Args:
        config: The options; ``init`` is a name, as ``--model`` takes it, or a file.
        scale: Factor per side that the run is for.
        given: Names of the options that were given.
        observer: Is told which settings the weights bring.

    Raises:
        UsageError: Options contradict the weights.
        WeightsError: Nothing is called so, or the file cannot be used.
    """
    if config.init is None:
        return config
    given = _differing(config) if given is None else given
    source = find_model(str(config.init), scale)
    model = load_model(source)
    config = _with_sizes(config, given, model)
    phase = model.trained.get("phase")
    if phase not in _TAKEN_ON:
        return config
    before = _values(config)
    if not given & _LENGTHS:
        config = replace(config, pretrain=1.0 if phase == "pretrain" else 0.0)
    config = _with_settings(config, _TAKEN_ON[phase] - given, given, model.trained.get("config"))
    taken = {name: value for name, value in _values(config).items() if value != before[name]}
    if taken:
        words = ", ".join(
            f"{name.replace('_', '-')} {_word(value)}" for name, value in taken.items()
        )
        observer.say(f"init: settings of {source.name}, unless you give others: {words}")
    return config


def _with_sizes(config: TrainConfig, given: frozenset[str], model: Model) -> TrainConfig:
    """Take architecture, sizes and equivariance from weights."""
    source, found = model.source, model.generator.config
    presets = [name for name, sizes in PRESETS.items() if type(sizes) is type(found)]
    if found is None or not presets:
        raise UsageError(
            f"{source.name} is a {model.generator.architecture}, which srgan train cannot train",
            hint=f"choose weights of one of the presets: {', '.join(PRESETS)}",
        )
    sizes = asdict(found)
    del sizes["scale"]
    preset = config.preset if "preset" in given else presets[0]
    named = {**asdict(PRESETS[preset]), **config.generator}
    differing = {"preset": preset} if preset not in presets else dict(config.generator)
    if "preset" in given and len(presets) > 1 and preset in presets:
        differing = named  # Presets of this architecture differ in their sizes alone.
    channels = config.generator.get("channels", 0)
    widened = isinstance(found, PlainConfig) and channels > found.channels
    if widened:
        sizes["channels"] = channels
    wrong = [
        name for name, value in differing.items() if name != "scale" and value != sizes.get(name)
    ]
    if wrong:
        raise UsageError(
            f"{source.name} has other sizes than --preset and the generator options: "
            f"{', '.join(wrong)}",
            hint="remove these options: the weights set the sizes",
        )
    tied = isinstance(found, PlainConfig) and found.channels % 8 == 0 and not widened
    tied = tied and Equivariance(model.generator).holds()
    return replace(
        config,
        init=source.path,
        preset=preset,
        generator=sizes,
        equivariant=config.equivariant if "equivariant" in given else tied,
    )


def _with_settings(
    config: TrainConfig, names: AbstractSet[str], given: AbstractSet[str], header: object
) -> TrainConfig:
    """Take settings from the options that weights were trained with, as their header has them."""
    names = names - {name for name, other in _BELONGS_TO.items() if other in given}
    values = config.to_dict()
    for option in declared(TrainConfig):
        table = header if option.table is None else _entry(header, option.table)
        if option.name in names:
            into = values if option.table is None else values[option.table]
            into[option.key] = _entry(table, option.key, into[option.key])
    try:
        return TrainConfig.from_dict(values)
    except (RecordError, UsageError):  # Of another version of srgan, or not of srgan at all.
        return config


def _entry(table: object, key: str, default: object = None) -> Any:
    return table.get(key, default) if isinstance(table, Mapping) else default


def _values(config: TrainConfig) -> dict[str, Any]:
    """Return the value of every option, by its name."""
    tables = {None: config, "weights": config.weights}
    return {
        option.name: getattr(tables[option.table], option.key)
        for option in declared(TrainConfig)
        if option.table in tables
    }


def _differing(config: TrainConfig) -> frozenset[str]:
    defaults = _values(TrainConfig())
    return frozenset(name for name, value in _values(config).items() if value != defaults[name])


def _word(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def start_from(source: ModelSource, trainer: Trainer, observer: Observer) -> None:
    """Give the generator and its average weights that may have another scale.

    Raises:
        UsageError: They are of another network, or not tied where the run ties them.
        WeightsError: The file cannot be used.
    """
    config, model = trainer.config, load_model(source)
    wanted, found = trainer.generator.config, model.generator.config
    assert wanted is not None
    if not _fits(found, wanted):
        raise UsageError(
            f"{source.name} is not a {config.preset} generator",
            hint="pass the --preset that the weights were trained with",
        )
    if model.scale != wanted.scale:
        reduced = isinstance(found, PlainConfig) and not model.scale % wanted.scale
        start = "as its result reduced" if reduced else "from random weights"
        observer.say(
            f"init: {source.name} is ×{model.scale}; "
            f"the upsampling layers for ×{wanted.scale} start {start}"
        )
    if found != replace(wanted, scale=model.scale):
        observer.say(f"init: {source.name} has fewer channels; the others start without effect")
    for generator in (trainer.generator, trainer.ema):
        _take_over(model.generator, generator)
    if config.equivariant and not Equivariance(trainer.generator).holds():
        raise UsageError(
            f"{source.name} was trained without --equivariant",
            hint="remove --equivariant, or start from other weights",
        )


def _fits(found: GeneratorConfig | None, wanted: GeneratorConfig) -> bool:
    """Whether a run can start from a network: of its sizes, or plain and of fewer channels."""
    if isinstance(found, PlainConfig) and isinstance(wanted, PlainConfig):
        return found.num_convs == wanted.num_convs and found.channels <= wanted.channels
    return found is not None and replace(found, scale=wanted.scale) == wanted


def _take_over(source: Network, target: Network) -> None:
    """Copy the parameters of a generator into one that differs at most in its scale and width.

    Those whose shape depends on the scale stay as they are where scales differ.
    """
    if isinstance(source, PlainNetwork) and isinstance(target, PlainNetwork):
        target.grow_from(source)
        return
    shapes = {name: value.shape for name, value in target.state_dict().items()}
    alike = {
        name: value
        for name, value in source.state_dict().items()
        if value.shape == shapes.get(name)
    }
    target.load_state_dict(alike, strict=source.scale == target.scale)
