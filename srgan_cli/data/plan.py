"""Plan ``srgan prepare``: list images, settle settings, find finished work. No torch here."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from srgan_cli.config import PrepareConfig
from srgan_cli.data.manifest import MANIFEST, Manifest
from srgan_cli.data.pairs import find_pairs, is_paired
from srgan_cli.data.photographs import Photograph, find_photographs, header_size
from srgan_cli.data.selection import EvaluationSet
from srgan_cli.data.shards import Lot, Recipe, Record, plan_lots, read_shard
from srgan_cli.errors import InputError, ResourceError, UsageError
from srgan_cli.paths import datasets_dir

Prepared = dict[Photograph, tuple[str, Record]]
"""Which shard holds a photograph, and what is known of it."""


@dataclass(frozen=True, slots=True)
class PrepareJob:
    """What is to be made, and where."""

    config: PrepareConfig
    photographs: list[Photograph]
    evaluation: EvaluationSet
    recipe: Recipe
    settings: dict[str, Any]
    listing: str
    folder: Path


def plan(config: PrepareConfig) -> PrepareJob:
    """List the photographs and settle what is to be made of them.

    Raises:
        InputError: A folder is missing or holds no image, or pairs do not fit.
        UsageError: Several scales were asked of pairs that have one.
    """
    photographs = _photographs(config)
    evaluation = EvaluationSet.find(config.exclude)
    recipe = Recipe(
        scales=config.scales,
        max_side=config.max_side,
        min_side=config.shortest,
        crop=config.crop,
        reductions=config.reduce,
        dropped=config.dropped_kinds,
    )
    settings = {
        **recipe.to_dict(),
        "duplicates": config.duplicates,
        "exclude": evaluation.names,
        "validation": config.validation,
        "seed": config.seed,
    }
    listing = digest([settings, *map(asdict, (*photographs, *evaluation.photographs))])
    # A leading dot would hide the set from the commands that look for the newest one.
    stem = config.source.resolve().name.lstrip(".") or "photos"
    name = config.name or stem + "".join(f"-x{scale}" for scale in config.scales)
    folder = datasets_dir() / name
    return PrepareJob(config, photographs, evaluation, recipe, settings, listing, folder)


def _photographs(config: PrepareConfig) -> list[Photograph]:
    if not is_paired(config.source):
        return find_photographs(config.source)
    if len(config.scales) > 1:
        raise UsageError(
            f"{config.source}: LR images of one scale cannot make a set of several",
            hint="pass a single --scale",
        )
    if config.reduce:
        raise UsageError(
            f"{config.source}: --reduce cannot be used with hr and lr folders",
            hint="remove --reduce, or name a folder of HR images only",
        )
    return find_pairs(config.source, config.scales[0])


def published(job: PrepareJob) -> Manifest | None:
    """Read the set that the new one is to extend, or to replace.

    Raises:
        UsageError: It was made with other settings, and ``--overwrite`` was not given.
        InputError: It is damaged, and ``--overwrite`` was not given.
    """
    if not (job.folder / MANIFEST).exists():
        return None
    try:
        manifest = Manifest.read(job.folder)
    except InputError:
        if job.config.overwrite:
            return None
        raise
    if manifest.settings != job.settings and not job.config.overwrite:
        asked_alike = manifest.settings | {"version": job.settings["version"]} == job.settings
        made = "by another version of srgan" if asked_alike else "with other settings"
        raise UsageError(
            f"data set {job.folder.name} exists already, made {made}",
            hint="pass --overwrite to replace it, or choose another --name",
        )
    return manifest


def prepared_before(job: PrepareJob, existing: Manifest | None) -> Prepared:
    """Return what of the published set can be kept.

    Raises:
        UsageError: Photographs have gone or changed, and ``--overwrite`` was not given.
    """
    if existing is None or job.config.overwrite:
        return {}
    before: Prepared = {}
    for shard in existing.shards:
        _, records = read_shard(job.folder / shard)
        before |= {record.photograph: (shard, record) for record in records}
    gone = before.keys() - set(job.photographs)
    if gone:
        first = min(photograph.source for photograph in gone)
        raise UsageError(
            f"{len(gone)} images of data set {job.folder.name} were deleted or changed, "
            f"for example {first}",
            hint="pass --overwrite to prepare the set without them, or choose another --name",
        )
    return before


def lots_of(job: PrepareJob, before: Prepared) -> list[Lot]:
    """Deal out what has not been prepared; the same for every process and every restart."""
    new = [photograph for photograph in job.photographs if photograph not in before]
    sizes = (header_size(job.config.source / photograph.source) for photograph in new)
    return plan_lots(new, (job.recipe.bytes_of(*size) for size in sizes))


def require_space(folder: Path, num_bytes: int) -> None:
    """Check that the disk has room.

    Raises:
        ResourceError: It has not.
    """
    free = shutil.disk_usage(folder).free
    if num_bytes > free:
        raise ResourceError(
            f"{folder}: not enough disk space: the data set needs up to {num_bytes / 1e9:.1f} GB, "
            f"{free / 1e9:.1f} GB are free",
            hint="free some disk space, set SRGAN_HOME to a larger disk, or pass a smaller --size",
        )


def digest(values: Sequence[Any]) -> str:
    """Return the hash of values that JSON can express."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
