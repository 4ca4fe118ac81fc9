"""Blend the weights of two models into a new one (``srgan models blend``)."""

from typing import Any

from srgan_cli.config import require_plain_name
from srgan_cli.engine.models.interpolation import interpolate
from srgan_cli.engine.models.library import ModelInfo, put_on_shelf, require_free_name
from srgan_cli.engine.models.shelf import find_model
from srgan_cli.engine.models.weights import load_model
from srgan_cli.errors import UsageError
from srgan_cli.observer import Observer
from srgan_cli.paths import file_sha256


def blend_models(
    first: str, second: str, alpha: float, name: str | None, observer: Observer
) -> ModelInfo:
    """Put the weights between two models on the shelf.

    Args:
        first: The model at alpha 0.
        second: The model at alpha 1.
        alpha: Share of the second.
        name: What to call the result; made of the three when None.
        observer: Hears which models were taken.

    Raises:
        UsageError: alpha is out of range, or the name is taken.
        WeightsError: A model cannot be used, or the two do not go together.
    """
    if not 0 <= alpha <= 1:
        raise UsageError(f"--alpha is {alpha}", hint="it must be from 0 to 1")
    sources = [find_model(spec, None) for spec in (first, second)]
    name = name or f"{sources[0].name}-{sources[1].name}-{alpha:g}"
    require_plain_name(name)
    require_free_name(name)
    models = [load_model(source) for source in sources]
    network = interpolate(models[0], models[1], alpha)
    formula = f"{1 - alpha:g} · {sources[0].name} + {alpha:g} · {sources[1].name}"
    observer.say(formula)
    header: dict[str, Any] = {
        **network.to_header(),
        "origin": {"blend": formula},
        "blend": {
            "alpha": alpha,
            "of": [
                {
                    "name": model.source.name,
                    "sha256": "+".join(file_sha256(path) for path in model.files),
                    "trained": dict(model.trained),
                }
                for model in models
            ],
        },
    }
    licences = {model.licence for model in models}
    if len(licences) == 1 and (licence := licences.pop()):
        header["licence"] = licence
    return put_on_shelf(name, network.state_dict(), header)
