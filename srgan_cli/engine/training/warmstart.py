"""Start a run from existing weights (``srgan train --init``)."""

from dataclasses import replace

from srgan_cli.config import GeneratorConfig, PlainConfig
from srgan_cli.engine.models.weights import ModelSource, load_model
from srgan_cli.engine.networks.base import Network
from srgan_cli.engine.networks.equivariance import Equivariance
from srgan_cli.engine.networks.plain import PlainNetwork
from srgan_cli.engine.training.trainer import Trainer
from srgan_cli.errors import UsageError
from srgan_cli.observer import Observer


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
