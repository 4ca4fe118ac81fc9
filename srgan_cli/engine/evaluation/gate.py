"""The limits that fail a build: ``--min-psnr``, ``--min-ssim`` and ``--not-worse-than``."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srgan_cli.config import EvalConfig
from srgan_cli.data.names import named
from srgan_cli.engine.evaluation.contenders import Contender
from srgan_cli.engine.evaluation.protocol import Protocol, SetScores
from srgan_cli.errors import InputError
from srgan_cli.imaging.comparison import PSNR, SSIM, Metric, compare
from srgan_cli.records import read_json
from srgan_cli.typed import RecordError

_HINT = "pass a file that srgan eval --json has written"

ImageFigures = dict[str, dict[str, float | None]]
"""Figures of an image by contender and metric; None where one was infinite."""


@dataclass(frozen=True, slots=True)
class _StoredContender:
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class _StoredImage:
    name: str
    scores: ImageFigures


@dataclass(frozen=True, slots=True)
class _StoredSet:
    name: str
    means: ImageFigures
    images: tuple[_StoredImage, ...]


@dataclass(frozen=True, slots=True)
class ScoreFile:
    """What is read of the document that ``srgan eval --json`` prints."""

    protocol: dict[str, Any]
    contenders: tuple[_StoredContender, ...]
    sets: tuple[_StoredSet, ...]


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """What an earlier ``srgan eval --json`` found, as far as the gate needs it."""

    path: Path
    protocol: dict[str, Any]
    contenders: tuple[str, ...]
    """Models and folders, without the baselines."""
    scores: Mapping[str, Mapping[str, ImageFigures]]
    """By set, image, contender and metric; None where the figure was infinite."""

    @classmethod
    def read(cls, path: Path) -> "EarlierRun":
        """Read the JSON of an earlier run.

        Raises:
            InputError: The file is missing, or is something else.
        """
        try:
            if not path.stat().st_size:
                raise InputError(
                    f"{path} is empty",
                    hint="write the new scores to another file: > empties it before srgan reads it",
                )
            document = read_json(path, ScoreFile, strict=False)
        except OSError as error:
            raise InputError(f"{path}: {error.strerror or error}", hint=_HINT) from error
        except RecordError as error:
            raise _not_scores(path, error) from error
        return cls(
            path,
            document.protocol,
            tuple(c.name for c in document.contenders if c.kind != "baseline"),
            {
                scored.name: {image.name: image.scores for image in scored.images}
                for scored in document.sets
            },
        )

    def require_comparable(self, protocol: Protocol, contenders: Sequence[Contender]) -> None:
        """Check, before anything is scored, that figures of the two runs can be compared.

        Raises:
            InputError: They are computed in different ways, or a contender has no
                counterpart.
        """
        for contender in contenders:
            if contender.kind != "baseline":
                self.counterpart(contender.name)
        for name in ("scale", "channel", "border", "lr"):
            before, now = self.protocol.get(name), getattr(protocol, name)
            if before != now:
                raise InputError(
                    f"{self.path}: scored with {name} {before}, but now with {now}",
                    hint="use the same protocol in both evaluations",
                )

    def counterpart(self, name: str) -> str:
        """Return the contender that one of the present run is held against.

        Raises:
            InputError: None has its name, and there are several others.
        """
        if name in self.contenders:
            return name
        if len(self.contenders) == 1:
            return self.contenders[0]
        raise InputError(
            f"{self.path}: no scores of {name}, only of "
            f"{', '.join(self.contenders) or 'the baselines'}",
            hint="compare with an evaluation of only one --model, or of a model with this name",
        )

    def figures(self, scored: SetScores, contender: str, metric: Metric) -> list[float]:
        """Return a contender's figures of then, in the order of the present images.

        Raises:
            InputError: The set was not scored then, or with other images.
        """
        names = {image.name for image in scored.images}
        alike = {name: images for name, images in self.scores.items() if set(images) == names}
        before = alike.get(scored.name)
        if before is None and len(alike) == 1:  # The folder has another name now.
            (before,) = alike.values()
        if before is None:
            raise InputError(
                f"{self.path}: no scores of set {scored.name} with the same images",
                hint=f"it has scores of: {', '.join(self.scores)}",
            )
        try:
            values = [before[p.name][contender][metric.name] for p in scored.images]
        except KeyError as error:
            raise _not_scores(self.path, error) from error
        return [math.inf if value is None else value for value in values]


def _not_scores(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: not a result of srgan eval --json ({error})", hint=_HINT)


def unmet(
    config: EvalConfig,
    contenders: Sequence[Contender],
    sets: Sequence[SetScores],
    earlier: EarlierRun | None,
) -> tuple[str, ...]:
    """Return, in words, every figure that falls below what the config asks for.

    Models and folders are held to the bars, baselines are not. A figure is worse than
    an earlier run's when the paired 95 % interval of the difference says so, or, with
    fewer than 5 images, when the mean is lower by what its printed digits show; and when
    an image that was equal to HR then no longer is. With a tolerance, the mean PSNR must also
    be lower by more than that, and SSIM does not count.
    """
    tested = [contender.name for contender in contenders if contender.kind != "baseline"]
    problems: list[str] = []
    for scored in sets:
        for name in tested:
            problems += _below_least(config, scored, name)
            if earlier is not None:
                problems += _worse_than(earlier, scored, name, config.tolerance)
    return tuple(problems)


def _no_longer_equal(
    earlier: EarlierRun, scored: SetScores, name: str, then: Sequence[float]
) -> Iterator[str]:
    """Name the images that were equal to HR: the difference to now is infinite."""
    now = {image.name: image.scores[name][PSNR.name] for image in scored.images}
    lost = [
        image
        for (image, figure), before in zip(now.items(), then, strict=True)
        if math.isinf(before) and not math.isinf(figure)
    ]
    if lost:
        yield (
            f"{scored.name}: {named(lost)} of {name} {'was' if len(lost) == 1 else 'were'} equal "
            f"to HR in {earlier.path.name} and no longer "
            f"{'is' if len(lost) == 1 else 'are'}: PSNR {min(now[one] for one in lost):.2f} dB"
        )


def _below_least(config: EvalConfig, scored: SetScores, name: str) -> Iterator[str]:
    for metric, least in ((PSNR, config.min_psnr), (SSIM, config.min_ssim)):
        figure = scored.means[name][metric.name]
        if least is not None and not figure >= least:
            yield (
                f"{scored.name}: {name} has {metric.label} {figure:.{metric.digits + 2}f}, "
                f"below --min-{metric.name} {least:g}"
            )


def _worse_than(
    earlier: EarlierRun, scored: SetScores, name: str, tolerance: float
) -> Iterator[str]:
    before = earlier.counterpart(name)
    for metric in (PSNR,) if tolerance else (PSNR, SSIM):
        now = [image.scores[name][metric.name] for image in scored.images]
        then = earlier.figures(scored, before, metric)
        if metric is PSNR:
            yield from _no_longer_equal(earlier, scored, name, then)
        difference = compare(now, then, metric)
        few = difference.verdict == "too few images"
        if difference.mean >= -tolerance:
            continue
        if difference.verdict == "worse" or (few and difference.mean <= -0.5 * 10**-metric.digits):
            yield (
                f"{scored.name}: {name} is worse than {before} in {earlier.path.name}: "
                f"{metric.label} {difference.mean:+.{metric.digits}f}"
            )
