"""Start a run from existing weights (``srgan train --init``)."""

from dataclasses import asdict, replace

from srgan_cli.config import PRESETS, GeneratorConfig, PlainConfig, TrainConfig
from srgan_cli.engine.models.shelf import find_model
from srgan_cli.engine.models.weights import ModelSource, load_model
from srgan_cli.engine.networks.base import Network
from srgan_cli.engine.networks.equivariance import Equivariance
from srgan_cli.engine.networks.plain import PlainNetwork
from srgan_cli.engine.training.trainer import Trainer
from srgan_cli.errors import UsageError
from srgan_cli.observer import Observer


def adopted(config: TrainConfig, scale: int) -> TrainConfig:
    """Return options with architecture, sizes and equivariance of the weights of ``--init``.

    Weights of the pixel loss alone are trained on with it, unless the options say otherwise. A
    plain network may be given more ``channels`` than its weights have; what is new is not tied,
    unless ``equivariant`` asks for it.

    Args:
        config: The options; ``init`` is a name, as ``--model`` takes it, or a file.
        scale: Factor per side that the run is for.

    Raises:
        UsageError: Options contradict the weights.
        WeightsError: Nothing is called so, or the file cannot be used.
    """
    if config.init is None:
        return config
    source = find_model(str(config.init), scale)
    model = load_model(source)
    found = model.generator.config
    presets = [name for name, sizes in PRESETS.items() if type(sizes) is type(found)]
    if found is None or not presets:
        raise UsageError(
            f"{source.name} is a {model.generator.architecture}, which srgan train does not make",
            hint=f"choose weights of one of the presets: {', '.join(PRESETS)}",
        )
    sizes = asdict(found)
    del sizes["scale"]
    given = config.preset if config.preset != TrainConfig.preset else presets[0]
    named = {**asdict(PRESETS[given]), **config.generator}
    differing = {"preset": given} if given not in presets else dict(config.generator)
    if presets[0] == TrainConfig.preset and given != presets[0]:
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
            f"{source.name} has other sizes than --preset and the options of the generator say: "
            f"{', '.join(wrong)}",
            hint="leave them out: they are those of the weights",
        )
    tied = isinstance(found, PlainConfig) and found.channels % 8 == 0 and not widened
    tied = tied and Equivariance(model.generator).holds()
    config = replace(
        config,
        init=source.path,
        preset=given,
        generator=sizes,
        equivariant=config.equivariant or tied,
    )
    lengths = (config.pretrain, config.pretrain_epochs, config.pretrain_steps)
    untold = lengths == (TrainConfig.pretrain, None, None)
    if untold and model.trained.get("phase") == "pretrain":
        return replace(config, pretrain=1.0)
    return config


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
        observer.say(
            f"init: {source.name} is ×{model.scale}; "
            f"the upsampling layers for ×{wanted.scale} start from random weights"
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
