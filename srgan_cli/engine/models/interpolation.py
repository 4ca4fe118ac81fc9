"""Network interpolation (ESRGAN, Wang et al. 2018, section 3.4): weights between two models.

The weights of a network trained for fidelity and those of its GAN version are so close that every
point between them is a good network, too. So ``--strength`` can go from images that are true but
soft to images that are sharp but partly invented.
"""

import copy
from dataclasses import replace

from srgan_cli.engine.models.shelf import known_models
from srgan_cli.engine.models.weights import (
    PRETRAIN_FILE,
    WEIGHTS_FILE,
    Model,
    ModelSource,
    load_model,
)
from srgan_cli.engine.networks.base import Network
from srgan_cli.engine.networks.plain import PlainNetwork
from srgan_cli.errors import WeightsError


def interpolate(first: Model, second: Model, alpha: float) -> Network:
    """Return the network with parameters (1 − alpha) · first + alpha · second.

    A plain network with fewer channels than the other is widened first, which changes nothing of
    what it computes.

    Raises:
        WeightsError: The two are not of the same architecture and sizes.
    """
    one = _widened(first.generator, second.generator)
    other = _widened(second.generator, first.generator)
    ours, theirs = one.state_dict(), other.state_dict()
    same = one.to_header() == other.to_header()
    kinds = [network.architecture for network in (one, other)]
    sizes = [{key: value.shape for key, value in state.items()} for state in (ours, theirs)]
    if not same or kinds[0] != kinds[1] or sizes[0] != sizes[1]:
        raise WeightsError(
            f"{first.source.name} and {second.source.name} have different architectures or sizes",
            hint="blend a model with one that was trained from it",
        )
    if not all(value.is_floating_point() for value in ours.values()):
        raise WeightsError(
            f"{first.source.name} is a {kinds[0]}, which has no weights to blend",
            hint="blend models that run in PyTorch",
        )
    network = copy.deepcopy(one)
    network.load_state_dict(
        {key: (1 - alpha) * value + alpha * theirs[key] for key, value in ours.items()}
    )
    return network


def _widened(network: Network, other: Network) -> Network:
    """Return a network as wide as the other, where both are plain and differ in nothing else."""
    if not isinstance(network, PlainNetwork) or not isinstance(other, PlainNetwork):
        return network
    alike = replace(network.config, channels=other.config.channels) == other.config
    if not alike or network.config.channels >= other.config.channels:
        return network
    wide = copy.deepcopy(other)
    wide.grow_from(network)
    return wide


def load_between(source: ModelSource, strength: float) -> Model:
    """Load the weights between the fidelity and the GAN weights of a pair.

    Args:
        source: Either of the two.
        strength: 0 is the fidelity weights, 1 the GAN weights.

    Raises:
        WeightsError: It is not one of a pair, or the two do not go together.
    """
    model = load_model(source)
    fidelity, gan = (
        model if one.path == source.path else load_model(one) for one in find_pair(model)
    )
    network = interpolate(fidelity, gan, strength)
    files = (fidelity.source.path, gan.source.path)
    return Model(source, network, gan.trained, gan.about, files)


def find_pair(model: Model) -> tuple[ModelSource, ModelSource]:
    """Find the fidelity and the GAN weights that a model is one of.

    A pair is a run that has both phases; two models of which the second's header names
    the first (``srgan models add --fidelity``); or two models that are called
    ``fidelity-…`` and ``photo-…`` alike.

    Raises:
        WeightsError: The model is not one of a pair.
    """
    source = model.source
    if source.path.name in {WEIGHTS_FILE, PRETRAIN_FILE}:
        first, second = (
            ModelSource(source.name, source.path.with_name(name), "")
            for name in (PRETRAIN_FILE, WEIGHTS_FILE)
        )
        # The first phase keeps its weights under both names.
        if first.path.is_file() and second.path.is_file() and _ends_adversarial(second):
            return first, second
    known = {entry.name: entry.source("of the pair") for entry in known_models()}
    if (named := model.about.get("fidelity")) in known:
        return known[named], source
    kind, _, rest = source.name.partition("-")
    names = (f"fidelity-{rest}", f"photo-{rest}")
    if kind in {"fidelity", "photo"} and all(name in known for name in names):
        return known[names[0]], known[names[1]]
    raise WeightsError(
        f"{source.name} is not part of a pair of fidelity and GAN weights",
        hint="--strength needs a run of both phases, or fidelity-… and photo-… of one kind",
    )


def _ends_adversarial(run: ModelSource) -> bool:
    return load_model(run).trained.get("phase") != "pretrain"
