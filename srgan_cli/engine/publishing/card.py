"""Write a model card for the Hugging Face Hub (``srgan models card``)."""

import json
import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from srgan_cli.config import TrainConfig
from srgan_cli.engine.models.library import ModelInfo, show_model
from srgan_cli.engine.models.weights import ModelSource, load_model
from srgan_cli.engine.publishing.exported import photograph
from srgan_cli.errors import InputError, UsageError
from srgan_cli.imaging.resize import upscale
from srgan_cli.imaging.tensors import to_pixels
from srgan_cli.paths import write_text, written_beside
from srgan_cli.records import read_json
from srgan_cli.typed import RecordError

CARD_FILE = "README.md"
IMAGE_FILE = "before-after.png"


@dataclass(frozen=True, slots=True)
class CardReport:
    """What ``srgan models card`` wrote."""

    model: ModelInfo
    card: Path
    image: Path
    """Bicubic upscaling and the model's, side by side."""


def write_card(
    spec: str, folder: Path, *, scores: Path | None = None, overwrite: bool = False
) -> CardReport:
    """Write a model card and its image.

    Args:
        spec: The model.
        folder: Where ``README.md`` and ``before-after.png`` go.
        scores: The JSON of ``srgan eval --json``, for a table of benchmark scores.
        overwrite: Replace files that are there.

    Raises:
        UsageError: The files are there already.
        InputError: The scores are no such document, or not of this model.
        WeightsError: The model cannot be used.
    """
    info = show_model(spec)
    card, image = folder / CARD_FILE, folder / IMAGE_FILE
    for target in (card, image):
        if os.path.lexists(target) and not overwrite:
            raise UsageError(f"{target} exists already", hint="pass --overwrite to replace it")
    results = _benchmarks(scores, info) if scores is not None else {}
    text = "\n".join([*_front_matter(info, results), *_body(info, results), ""])
    folder.mkdir(parents=True, exist_ok=True)
    with written_beside(image) as temporary:
        _before_after(info).save(temporary)
    write_text(card, text)
    return CardReport(info, card, image)


@dataclass(frozen=True, slots=True)
class _SetMeans:
    name: str
    means: dict[str, dict[str, float | None]]


@dataclass(frozen=True, slots=True)
class _Scores:
    """What is read of the document of ``srgan eval --json``."""

    sets: tuple[_SetMeans, ...]


def _benchmarks(path: Path, info: ModelInfo) -> Mapping[str, Mapping[str, float]]:
    """Return metrics by set from the document of ``srgan eval --json``."""
    try:
        sets = read_json(path, _Scores, strict=False).sets
        found = {one.name: one.means[info.name] for one in sets}
        numbers = {
            name: {key: value for key, value in means.items() if value is not None}
            for name, means in found.items()
        }
        # What is infinite in one set is told of none, so that the table has no gaps.
        kept = set.intersection(*map(set, numbers.values()))
    except (OSError, RecordError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: it has no scores of {info.name}",
            hint=f"compute them: srgan eval FOLDER --model {info.name} --json > {path.name}",
        ) from error
    return {
        name: {key: value for key, value in means.items() if key in kept}
        for name, means in numbers.items()
    }


def _front_matter(info: ModelInfo, results: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """Yield the YAML that the Hub reads; JSON strings are YAML strings."""
    yield "---"
    known = info.licence is not None and " " not in info.licence
    yield f"license: {json.dumps(info.licence.lower() if info.licence and known else 'other')}"
    if not known:
        yield f"license_name: {json.dumps(info.licence or 'not stated')}"
    yield "library_name: srgan"
    yield "pipeline_tag: image-to-image"
    yield "tags: [super-resolution, image-upscaling, srgan]"
    if results:
        yield "model-index:"
        yield f"- name: {json.dumps(info.name)}"
        yield "  results:"
        for name, metrics in results.items():
            task = f"super-resolution x{info.summary.scale}"
            yield f"  - task: {{type: image-to-image, name: {task}}}"
            yield f"    dataset: {{type: {json.dumps(name.lower())}, name: {json.dumps(name)}}}"
            yield "    metrics:"
            for metric, value in metrics.items():
                yield f"    - {{type: {json.dumps(metric)}, value: {value:.4f}}}"
    yield "---"


def _body(info: ModelInfo, results: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    summary = info.summary
    yield from ("", f"# {info.name}", "", f"![bicubic, {info.name}]({IMAGE_FILE})", "")
    yield "*Left: bicubic. Right: this model.*"
    yield from _table(
        {
            "architecture": summary.architecture,
            "scale": f"×{summary.scale}",
            "parameters": f"{summary.parameters:,}",
            "multiply-accumulates per output pixel": f"{summary.macs_per_pixel:,.0f}",
            "input, output": f"RGB in [0, 1]; {summary.scale} times the sides",
            "licence": info.licence or "not stated",
            "SHA-256": f"`{info.sha256}`",
            **{f"origin: {key}": f"`{value}`" for key, value in info.origin.items()},
        }
    )
    yield from ("", "## Use", "", "```bash")
    yield f"srgan models add {shlex.quote(info.path.name)} --name {info.name}"
    yield f"srgan upscale IMAGE -o out/ --model {info.name}"
    yield "```"
    if results:
        yield from ("", "## Scores", "")
        metrics = list(next(iter(results.values())))
        yield _row("set", *metrics)
        yield "|---" * (len(metrics) + 1) + "|"
        for name, means in results.items():
            yield _row(name, *(f"{means[metric]:.4f}" for metric in metrics))
    for name, trained in info.trainings.items():
        of = "" if name == info.name else f" of {name}"
        yield from ("", f"## Training{of}")
        yield from _table(info.told(name))
        if isinstance(trained.get("config"), dict):
            named = {"data": trained.get("data") or None, "init": trained.get("started_from")}
            yield from ("", "```bash", training_command(trained["config"] | named), "```")


def _table(rows: Mapping[str, object]) -> Iterator[str]:
    yield from ("", "| | |", "|---|---|")
    yield from (_row(*row) for row in rows.items())


def _row(*cells: object) -> str:
    """Return a row of a table; what would end a cell or the row is written so that it does not."""
    texts = (" ".join(str(cell).split()).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(texts)} |"


def training_command(options: Mapping[str, Any]) -> str:
    """Return the command that a run's options come from, without those at their defaults."""
    # A header is JSON, which has lists where options are tuples.
    usual, given = (
        _flat(json.loads(json.dumps(each))) for each in (TrainConfig().to_dict(), options)
    )
    words = ["srgan train"]
    for name, value in given.items():
        if value is not None and value != usual.get(name, value):
            words.append(f"--{name.replace('_', '-')} {_argument(value)}".removesuffix(" True"))
    return " ".join(words)


def _flat(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return every option by its name on the command line."""
    flat = {name: value for name, value in options.items() if not isinstance(value, dict)}
    weights = options.get("weights") or {}
    return flat | {f"{term}_weight": weight for term, weight in weights.items()}


def _argument(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return shlex.quote(text)


@torch.inference_mode()
def _before_after(info: ModelInfo) -> Image.Image:
    lr = photograph()
    network = load_model(ModelSource(info.name, info.path, "")).generator
    after = to_pixels(network(lr))
    bicubic = upscale(to_pixels(lr), network.scale, "bicubic")
    before = np.floor(bicubic + 0.5).astype(np.uint8)
    return Image.fromarray(np.concatenate([before, after], axis=1))
