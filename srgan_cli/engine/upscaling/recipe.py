"""What a result depends on: as a hash for the ledger, and as a label in the result itself."""

from collections.abc import Mapping
from itertools import product
from typing import Any

from srgan_cli import __version__
from srgan_cli.config import UpscaleConfig
from srgan_cli.engine.devices.amp import KINDS
from srgan_cli.engine.inference.upscaler import Upscaler
from srgan_cli.engine.models.weights import Model
from srgan_cli.imaging.metadata.label import ENHANCED, INVENTED, Label
from srgan_cli.paths import file_sha256
from srgan_cli.records import json_sha256

_PRECISIONS = ("fp32", "fp16", "bf16")
_SIZES = ("scale", "width", "height", "max_side")
_FORMAT = ("quality", "background")
OPTIONS: Mapping[str, str] = {
    "Strength": "strength",
    "Scale": "scale",
    "Width": "width",
    "Height": "height",
    "MaxSide": "max_side",
    "Quality": "quality",
    "Background": "background",
    "Precision": "precision",
    "TTA": "tta",
}
"""Properties of a label that are options: the names of their fields."""


class Recipe:
    """What the results of one command depend on, beside their sources.

    Args:
        config: Of the command.
        upscaler: Makes the results; the files of its model are hashed.
    """

    def __init__(self, config: UpscaleConfig, upscaler: Upscaler) -> None:
        self._config, self._model = config, upscaler.model
        self._weights = [file_sha256(path) for path in upscaler.model.files]
        amp = upscaler.amp
        precisions = _PRECISIONS if config.precision == "auto" else (amp.precision,)
        kinds = KINDS if config.device == "auto" else (amp.kind,)
        self.accepted = frozenset(
            self._settings(precision, kind)
            for precision, kind in product(precisions, (*kinds, None))
        )
        """SHA-256 of options and weights of all results that count as done: ``auto`` is content
        with any precision and device; versions before 1.0 did not write the device down."""

    def settings(self, upscaler: Upscaler) -> str:
        """Return the SHA-256 of options and weights of a result.

        Args:
            upscaler: Made it.
        """
        return self._settings(upscaler.amp.precision, upscaler.amp.kind)

    def _settings(self, precision: str, kind: str | None) -> str:
        config = self._config
        values: dict[str, Any] = {
            name: getattr(config, name) for name in (*_SIZES, "ext", *_FORMAT)
        }
        values |= {"strip_metadata": config.strip_metadata, "precision": precision}
        if config.tta:
            values["tta"] = True
        if kind is not None:
            values["device"] = kind
        strength = [] if config.strength is None else [f"{config.strength!r}"]
        return json_sha256(values | {"weights": " ".join([*self._weights, *strength])})

    def label(self, upscaler: Upscaler) -> Label | None:
        """Return what the XMP of a result says of what made it; None with ``--strip-metadata``.

        Args:
            upscaler: Makes the result.
        """
        config, model = self._config, self._model
        if config.strip_metadata:
            return None
        stated = {name: _stated(config, field) for name, field in OPTIONS.items()}
        stated["Precision"] = "" if upscaler.amp.precision == "fp32" else upscaler.amp.precision
        if all(getattr(config, name) is None for name in _SIZES):
            stated["Scale"] = f"{model.scale}"
        properties = {
            "Version": __version__,
            "Model": model.source.name,
            "ModelSHA256": " ".join(self._weights),
            "Runtime": upscaler.runtime,
            "Device": upscaler.amp.kind,
            **{name: text for name, text in stated.items() if text},
        }
        invents = model.invents and config.strength != 0
        return Label(properties, INVENTED if invents else ENHANCED)


def weights_sha256(model: Model) -> str:
    """Return the hashes of a model's files as a label states them."""
    return " ".join(file_sha256(path) for path in model.files)


def _stated(config: UpscaleConfig, name: str) -> str:
    """Return an option as a label states it: not at all where it has its default."""
    value = getattr(config, name)
    if value == UpscaleConfig.__dataclass_fields__[name].default:
        return ""
    return f"{value!r}" if isinstance(value, float) else f"{value}"
