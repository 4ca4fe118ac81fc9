"""What a result depends on: as a hash for the ledger, and as a label in the result itself."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain, product
from pathlib import Path
from typing import Any

from srgan_cli import __version__
from srgan_cli.config import UpscaleConfig
from srgan_cli.engine.devices.amp import KINDS
from srgan_cli.engine.inference.upscaler import Upscaler
from srgan_cli.engine.models.weights import Model
from srgan_cli.engine.upscaling.batch import UpscaleJob
from srgan_cli.engine.upscaling.choice import Models, first_frame
from srgan_cli.engine.upscaling.ledger import Ledger
from srgan_cli.errors import InputError
from srgan_cli.imaging.frames import Frame
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

    A result of a model that was chosen for its image is recorded twice: as the model's, and as the
    choice's, by which a rerun knows it without another look at the image.

    Args:
        config: Of the command.
        models: Those that it may use; their files are hashed.
    """

    def __init__(self, config: UpscaleConfig, models: Models) -> None:
        self._config, self._models = config, models
        model, restoring = models.upscaler.model, models.restoring
        self._weights = {model.source.path: [file_sha256(path) for path in model.files]}
        self._chosen: list[str] = []
        if restoring is not None:
            self._weights[restoring.path] = [file_sha256(restoring.path)]
            self._chosen = ["chosen from", *chain.from_iterable(self._weights.values())]

    def settings(self, upscaler: Upscaler) -> tuple[str, ...]:
        """Return the SHA-256 of options and weights of a result, and that of the choice.

        Args:
            upscaler: Made it.
        """
        amp, weights = upscaler.amp, self._weights[upscaler.model.source.path]
        every = filter(None, (weights, self._chosen))
        return tuple(self._settings(each, amp.precision, amp.kind) for each in every)

    def is_done(self, job: UpscaleJob, ledger: Ledger, sha256: str) -> bool:
        """Say whether what a job is to make stands there already.

        Args:
            job: Of the command.
            ledger: Of the result's folder.
            sha256: Of the source's file.
        """
        if self._config.in_place:
            return self._is_made(ledger, job.output, sha256)
        look = partial(first_frame, job.source, max_pixels=self._config.max_pixels)
        return self._is_fresh(ledger, job.output, sha256, look)

    def require_free(self, job: UpscaleJob, ledger: Ledger, sha256: str) -> None:
        """Refuse to replace what srgan did not make, or to upscale twice in place.

        Args:
            job: Is not done.
            ledger: Of the result's folder.
            sha256: Of the source's file.

        Raises:
            InputError: It would.
        """
        if self._config.overwrite:
            return
        if self._config.in_place:
            if ledger.settings_of(job.output, sha256):
                raise InputError(
                    f"{job.source} was already upscaled in place, with other options",
                    hint="pass --overwrite to upscale the upscaled image",
                )
        elif os.path.lexists(job.output) and not ledger.made(job.output):
            raise InputError(
                f"{job.output} exists already, and srgan did not make it, or it was changed since",
                hint="move it elsewhere, or pass --overwrite to replace it",
            )

    def _is_made(self, ledger: Ledger, output: Path, sha256: str) -> bool:
        """Say whether a file is what this command made in place, with any of its models."""
        every = [*self._weights.values(), self._chosen]
        accepted = frozenset().union(*map(self._accepted, every))
        return not ledger.settings_of(output, sha256).isdisjoint(accepted)

    def _is_fresh(
        self, ledger: Ledger, output: Path, sha256: str, first_frame: Callable[[], Frame]
    ) -> bool:
        """Say whether a result is what this command makes of an image.

        Args:
            ledger: Of the result's folder.
            output: The result.
            sha256: Of the image's file.
            first_frame: Decodes the image, if its result was made by a model that was named.
        """

        def is_by(weights: Sequence[str]) -> bool:
            accepted = self._accepted(weights)
            return ledger.is_fresh(output, input_sha256=sha256, settings=accepted)

        if not self._chosen:
            return any(map(is_by, self._weights.values()))
        if is_by(self._chosen):
            return True
        if not any(map(is_by, self._weights.values())):
            return False
        clean, restoring = self._weights.values()
        return is_by(restoring if self._models.damage_of(first_frame()) else clean)

    def _accepted(self, weights: Sequence[str]) -> frozenset[str]:
        """Return the SHA-256 of options and weights of all results that count as done.

        ``auto`` is content with any precision and device; versions before 1.0 did not write the
        device down.
        """
        config, amp = self._config, self._models.upscaler.amp
        precisions = _PRECISIONS if config.precision == "auto" else (amp.precision,)
        kinds = KINDS if config.device == "auto" else (amp.kind,)
        return frozenset(
            self._settings(weights, precision, kind)
            for precision, kind in product(precisions, (*kinds, None))
        )

    def _settings(self, weights: Sequence[str], precision: str, kind: str | None) -> str:
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
        return json_sha256(values | {"weights": " ".join([*weights, *strength])})

    def label(self, upscaler: Upscaler) -> Label | None:
        """Return what the XMP of a result says of what made it; None with ``--strip-metadata``.

        Args:
            upscaler: Makes the result.
        """
        config, model = self._config, upscaler.model
        if config.strip_metadata:
            return None
        stated = {name: _stated(config, field) for name, field in OPTIONS.items()}
        stated["Precision"] = "" if upscaler.amp.precision == "fp32" else upscaler.amp.precision
        if all(getattr(config, name) is None for name in _SIZES):
            stated["Scale"] = f"{model.scale}"
        properties = {
            "Version": __version__,
            "Model": model.source.name,
            "ModelSHA256": " ".join(self._weights[model.source.path]),
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
