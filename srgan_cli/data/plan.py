"""Plan ``srgan prepare``: list images, settle settings, find finished work. No torch here."""

import shutil
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from srgan_cli.config import PrepareConfig
from srgan_cli.data.manifest import MANIFEST, Manifest
from srgan_cli.data.names import named
from srgan_cli.data.pairs import find_pair_folders, find_pairs, unused_pairs
from srgan_cli.data.photographs import Photograph, header_size
from srgan_cli.data.selection import EvaluationSet
from srgan_cli.data.shards import Lot, Recipe, Record, plan_lots, read_shard
from srgan_cli.data.sources import Sources, list_photographs, open_sources
from srgan_cli.errors import InputError, ResourceError, UsageError
from srgan_cli.paths import datasets_dir, file_sha256
from srgan_cli.records import json_sha256

_LARGE = 2e9
"""Bytes from which it is said what would make a set smaller."""
_WHOLE_SIDE = 2048

Prepared = dict[Photograph, tuple[str, Record]]
"""Which shard holds a photograph, and what is known of it."""


@dataclass(frozen=True, slots=True)
class PrepareJob:
    """What is to be made, and where."""

    config: PrepareConfig
    sources: Sources
    found: str
    """What the folders hold, in words."""
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
    sources = open_sources(config.sources)
    photos, found = _photographs(config, sources)
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
    listing = json_sha256([settings, *map(asdict, (*photos, *evaluation.photographs))])
    # A leading dot would hide the set from the commands that look for the newest one.
    name = config.name or _name(sources) + "".join(f"-x{scale}" for scale in config.scales)
    folder = datasets_dir() / name
    return PrepareJob(config, sources, found, photos, evaluation, recipe, settings, listing, folder)


def _name(sources: Sources) -> str:
    first, *others = (folder.resolve().name for folder in sources.folders.values())
    return (first.lstrip(".") or "photos") + (f"-and-{len(others)}" if others else "")


def _photographs(config: PrepareConfig, sources: Sources) -> tuple[list[Photograph], str]:
    """List the images, and say what they were taken for."""
    folders = find_pair_folders(config.sources, config.scales[0])
    if not folders:
        photographs = list_photographs(config.sources, sources)
        places = named(map(str, config.sources))
        warning = unused_pairs(config.sources)
        return photographs, "; ".join(
            [
                f"images: {len(photographs):,} file{'s' * (len(photographs) != 1)} in {places}",
                *([warning] if warning else []),
            ]
        )
    first = folders[0]
    if len(config.scales) > 1:
        raise UsageError(
            f"{first.lr}: LR images of one scale cannot make a set of several",
            hint="pass a single --scale",
        )
    if config.reduce:
        raise UsageError(
            f"{first.lr}: --reduce cannot be used with LR images that are given",
            hint="remove --reduce, or name a folder of HR images only",
        )
    pairs = [find_pairs(one, sources, config.scales[0]) for one in folders]
    found = ", ".join(
        f"{len(part):,} in {one.hr} with {one.lr}" for one, part in zip(folders, pairs, strict=True)
    )
    return [photo for part in pairs for photo in part], f"pairs: {found}"


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


def prepared_before(
    job: PrepareJob, existing: Manifest | None, damaged: Collection[str]
) -> Prepared:
    """Return what of the published set can be kept.

    Args:
        job: What is to be made.
        existing: The published set.
        damaged: Names of its shards that are as good as absent.

    Raises:
        UsageError: Photographs have gone or changed, and ``--overwrite`` was not given.
    """
    if existing is None or job.config.overwrite:
        return {}
    before: Prepared = {}
    for shard in existing.shards:
        if shard not in damaged:
            _, records = read_shard(job.folder / shard)
            before |= {record.photograph: (shard, record) for record in records}
    gone = {photograph.source for photograph in before.keys() - set(job.photographs)}
    gone |= _lost(job, existing, damaged)
    if gone:
        first = min(gone)
        raise UsageError(
            f"{len(gone)} images of data set {job.folder.name} were deleted or changed, "
            f"for example {first}",
            hint="pass --overwrite to prepare the set without them, or choose another --name",
        )
    return before


def _lost(job: PrepareJob, existing: Manifest, damaged: Collection[str]) -> set[str]:
    """Return the sources of damaged shards from which the same images cannot be made again."""
    listed = {photograph.source for photograph in job.photographs}
    needed = {entry.source: entry.sha256 for entry in existing.images if entry.shard in damaged}
    return {
        source
        for source, sha256 in needed.items()
        if source not in listed or _sha256(job.sources.path(source)) != sha256
    }


def _sha256(path: Path) -> str | None:
    try:
        return file_sha256(path)
    except OSError:
        return None


def lots_of(job: PrepareJob, before: Prepared) -> list[Lot]:
    """Deal out what has not been prepared; the same for every process and every restart."""
    new = [photograph for photograph in job.photographs if photograph not in before]
    sizes = (header_size(job.sources.path(photograph.source)) for photograph in new)
    return plan_lots(new, (job.recipe.bytes_of(*size) for size in sizes))


def disk_use(job: PrepareJob, lots: Sequence[Lot]) -> str:
    """Say how much disk a set takes up, and what would make a large one smaller."""
    size = sum(lot.num_bytes for lot in lots)
    said = f"disk: up to {_bytes(size)} in {job.folder}"
    smaller = (job.config.max_side or 2 * _WHOLE_SIDE) // 2
    # The header of every file is read once already: a share of them tells the ratio.
    some = [photo for lot in lots for photo in lot.photographs][:: max(1, len(lots) // 8)]
    sizes = [header_size(job.sources.path(photo.source)) for photo in some]
    now = sum(job.recipe.bytes_of(*one) for one in sizes)
    then = sum(replace(job.recipe, max_side=smaller).bytes_of(*one) for one in sizes)
    if size < _LARGE or then > 0.9 * now or any(photo.lr for photo in some):
        return said
    return f"{said}; --max-side {smaller} would make that {_bytes(size * then / now)}"


def _bytes(size: float) -> str:
    if size < 1e6:
        return f"{max(1, round(size / 1e3))} kB"
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{round(size / 1e6)} MB"


def require_space(folder: Path, num_bytes: int) -> None:
    """Check that the disk has room.

    Raises:
        ResourceError: It has not.
    """
    free = shutil.disk_usage(folder).free
    if num_bytes > free:
        raise ResourceError(
            f"{folder}: not enough disk space: the data set needs up to {_bytes(num_bytes)}, "
            f"{_bytes(free) if free else 'nothing'} is free",
            hint="free some space, set SRGAN_HOME to a larger disk, or pass a smaller --max-side",
        )
