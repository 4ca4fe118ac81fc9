"""Turn a folder of photographs into a data set of LR/HR pairs: ``srgan prepare``."""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from srgan_cli.config import PrepareConfig
from srgan_cli.data.export import export_png
from srgan_cli.data.manifest import MANIFEST, Entry, Manifest
from srgan_cli.data.pairs import find_pairs, is_paired
from srgan_cli.data.photographs import Photograph, find_photographs, header_size
from srgan_cli.data.scenes import validation_sources
from srgan_cli.data.selection import EvaluationSet, select
from srgan_cli.data.shards import Lot, Recipe, Record, make_shard, plan_lots, read_shard
from srgan_cli.data.workers import Node, run_parallel
from srgan_cli.errors import InputError, ResourceError, UsageError
from srgan_cli.observer import Observer
from srgan_cli.paths import datasets_dir, write_text

_POLL_SECONDS = 0.5
_MAX_TOLD = 20

Prepared = dict[Photograph, tuple[str, Record]]
"""Which shard holds a photograph, and what is known of it."""


@dataclass(frozen=True, slots=True)
class PrepareReport:
    """What ``srgan prepare`` did."""

    folder: Path
    """The data set; with ``--check``, where it would be."""
    manifest: Manifest
    """Its contents and what was dropped."""
    unchanged: bool
    """The set existed already, from the same photographs and settings."""
    prepared: int
    """Photographs that this run decoded; the others had been prepared before."""
    leads: bool = True
    """Whether this process published the set; under ``torchrun`` one of them does."""


@dataclass(frozen=True, slots=True)
class _Job:
    """What is to be made, and where."""

    config: PrepareConfig
    photographs: list[Photograph]
    evaluation: EvaluationSet
    recipe: Recipe
    settings: dict[str, Any]
    listing: str
    folder: Path


def prepare(config: PrepareConfig, observer: Observer) -> PrepareReport:
    """Make LR/HR pairs of every good photograph below ``config.source``.

    LR is MATLAB's antialiased bicubic reduction of HR. Shards are written one by
    one, each complete or not at all, and the manifest last, so a run that was
    killed goes on where it was, and a set without its manifest is none. Running
    again with unchanged photographs and settings does nothing; new photographs
    are added in shards of their own.

    Under ``torchrun`` every process makes its share of the shards and the first
    one publishes the set; they only need to see the same folders.

    Raises:
        InputError: The folder is missing, or no photograph in it can be used.
        UsageError: Another set has the same name.
        ResourceError: The disk is full, or another process is preparing this set.
    """
    job = _plan(config)
    report = _run(job, observer)
    if config.export == "png" and report.leads and not config.check:
        export_png(job.folder, observer)
    return report


def _run(job: _Job, observer: Observer) -> PrepareReport:
    config = job.config
    observer.say(f"photographs: {len(job.photographs)} files below {config.source}")
    if config.check:
        return _check(job, observer)
    published = _published(job)
    node = Node.from_environment()
    if published is not None and published.listing == job.listing:
        if node.rank == 0:
            os.utime(job.folder / MANIFEST)  # It becomes the newest again.
        return PrepareReport(
            job.folder, published, unchanged=True, prepared=0, leads=node.rank == 0
        )
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
        if node.rank:
            return _help(job, published, node, observer)
        with _alone(job.folder):
            return _lead(job, published, node, observer)
    except Timeout as error:
        raise ResourceError(
            f"another process is preparing {job.folder.name}",
            hint="wait for it, or pass another --name",
        ) from error
    except OSError as error:
        raise ResourceError(
            f"{job.folder}: {error.strerror or error}",
            hint="check its permissions and free space, or set SRGAN_HOME to another folder",
        ) from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes of this machine from preparing the same set."""
    path = folder.with_name(f".{folder.name}.lock")
    with FileLock(path, blocking=False):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _plan(config: PrepareConfig) -> _Job:
    photographs = _photographs(config)
    evaluation = EvaluationSet.find(config.exclude)
    recipe = Recipe(
        scales=config.scales,
        max_side=config.max_side,
        min_side=config.shortest,
        crop=config.crop,
        dropped=config.dropped_kinds,
    )
    settings = {
        **recipe.to_dict(),
        "duplicates": config.duplicates,
        "exclude": evaluation.names,
        "validation": config.validation,
        "seed": config.seed,
    }
    listing = _digest([settings, *map(asdict, (*photographs, *evaluation.photographs))])
    # A leading dot would hide the set from the commands that look for the newest one.
    stem = config.source.resolve().name.lstrip(".") or "photos"
    name = config.name or stem + "".join(f"-x{scale}" for scale in config.scales)
    folder = datasets_dir() / name
    return _Job(config, photographs, evaluation, recipe, settings, listing, folder)


def _photographs(config: PrepareConfig) -> list[Photograph]:
    if not is_paired(config.source):
        return find_photographs(config.source)
    if len(config.scales) > 1:
        raise UsageError(
            f"{config.source} holds hr and lr folders of one scale", hint="pass one --scale"
        )
    return find_pairs(config.source, config.scales[0])


def _published(job: _Job) -> Manifest | None:
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
        raise UsageError(
            f"a data set called {job.folder.name} exists, made with other settings",
            hint="pass --overwrite to replace it, or another --name",
        )
    return manifest


def _check(job: _Job, observer: Observer) -> PrepareReport:
    """Examine every photograph and write nothing."""
    lots = _lots(job, {})
    made = _make(job, lots, None, Node(), observer)
    records = {record.photograph: ("", record) for lot in lots for record in made[lot]}
    manifest = _describe(job, records)
    _tell(manifest, observer)
    return PrepareReport(job.folder, manifest, unchanged=False, prepared=len(records))


def _lead(job: _Job, published: Manifest | None, node: Node, observer: Observer) -> PrepareReport:
    """Make shards, wait for those of other processes, and publish the set."""
    old = _prepared_before(job, published)
    lots = _lots(job, old)
    missing = [lot for lot in lots if not (job.folder / lot.shard(job.recipe)).exists()]
    _require_space(job.folder, sum(lot.num_bytes for lot in missing))
    mine = [lot for lot in lots[:: node.num_nodes] if lot in missing]
    try:
        _make(job, mine, job.folder, node, observer)
        manifest = _describe(job, old | _collected(job, lots, node))
    except InputError:
        if published is None:
            shutil.rmtree(job.folder, ignore_errors=True)
        raise
    write_text(job.folder / MANIFEST, manifest.to_json())
    _remove_leftovers(job.folder, manifest)
    _tell(manifest, observer)
    prepared = sum(len(lot.photographs) for lot in missing)
    return PrepareReport(job.folder, manifest, unchanged=False, prepared=prepared)


def _help(job: _Job, published: Manifest | None, node: Node, observer: Observer) -> PrepareReport:
    """Make this process's share of the shards, then wait until the set is published."""
    lots = _lots(job, _prepared_before(job, published))[node.rank :: node.num_nodes]
    missing = [lot for lot in lots if not (job.folder / lot.shard(job.recipe)).exists()]
    _make(job, missing, job.folder, node, observer)
    while True:
        if (job.folder / MANIFEST).exists():
            manifest = Manifest.read(job.folder)
            if manifest.listing == job.listing:
                prepared = sum(len(lot.photographs) for lot in missing)
                return PrepareReport(job.folder, manifest, False, prepared, leads=False)
        time.sleep(_POLL_SECONDS)


def _prepared_before(job: _Job, published: Manifest | None) -> Prepared:
    """Return what of the published set can be kept.

    Raises:
        UsageError: Photographs have gone or changed, and ``--overwrite`` was not given.
    """
    if published is None or job.config.overwrite:
        return {}
    before: Prepared = {}
    for shard in published.shards:
        _, records = read_shard(job.folder / shard)
        before |= {record.photograph: (shard, record) for record in records}
    gone = before.keys() - set(job.photographs)
    if gone:
        first = min(photograph.source for photograph in gone)
        raise UsageError(
            f"{len(gone)} photographs of data set {job.folder.name} have gone or changed, "
            f"{first} for one",
            hint="pass --overwrite to leave them out, or another --name",
        )
    return before


def _lots(job: _Job, before: Prepared) -> list[Lot]:
    """Deal out what has not been prepared; the same for every process and every restart."""
    new = [photograph for photograph in job.photographs if photograph not in before]
    sizes = (header_size(job.config.source / photograph.source) for photograph in new)
    return plan_lots(new, (job.recipe.bytes_of(*size) for size in sizes))


def _make(
    job: _Job, lots: Sequence[Lot], folder: Path | None, node: Node, observer: Observer
) -> dict[Lot, list[Record]]:
    """Prepare lots on all cores; without a folder nothing is written."""
    made: dict[Lot, list[Record]] = {}
    work = partial(make_shard, job.config.source, job.recipe, folder)
    total = sum(len(lot.photographs) for lot in lots)
    pixels, dropped, started = 0, 0, time.perf_counter()
    title = "examining" if folder is None else "preparing"
    with observer.bar(title, total=total, unit="photos") as bar:
        for lot, records in run_parallel(work, lots, node.num_workers):
            made[lot] = records
            pixels += sum(record.pixels for record in records)
            dropped += sum(record.dropped for record in records)
            speed = pixels / 1e6 / (time.perf_counter() - started)
            bar.advance(len(records), **{"MP/s": f"{speed:.0f}", "left out": str(dropped)})
    return made


def _collected(job: _Job, lots: Sequence[Lot], node: Node) -> Prepared:
    """Read what the shards say of their photographs, waiting for those of other processes."""
    collected: Prepared = {}
    for lot in lots:
        name = lot.shard(job.recipe)
        while node.num_nodes > 1 and not (job.folder / name).exists():
            time.sleep(_POLL_SECONDS)
        _, records = read_shard(job.folder / name)
        collected |= {record.photograph: (name, record) for record in records}
    return collected


def _describe(job: _Job, prepared: Prepared) -> Manifest:
    """Choose and divide the photographs, and say so in a manifest.

    Raises:
        InputError: Fewer than two can be used.
    """
    shards = {photograph.source: shard for photograph, (shard, _) in prepared.items()}
    records = sorted((record for _, record in prepared.values()), key=_source)
    selection = select(records, job.config, job.evaluation.hashes())
    if len(selection.kept) < 2:
        first = f"; the first problem: {selection.dropped[0].reason}" if selection.dropped else ""
        raise InputError(
            f"{job.config.source}: {len(selection.kept)} of {len(records)} photographs can be used",
            hint=f"at least 2 are needed{first}",
        )
    chosen, _ = validation_sources(
        selection.kept, wanted=job.config.validation, seed=job.config.seed
    )
    pictures = tuple(
        Entry(
            source=_source(record),
            sha256=record.sha256,
            width=width,
            height=height,
            split="validation" if _source(record) in chosen else "train",
            shard=shards[_source(record)],
            index=index,
        )
        for record in selection.kept
        for index, width, height in record.pictures
    )
    return Manifest(
        name=job.folder.name,
        scales=job.recipe.scales,
        fingerprint=_digest([job.settings, *((e.source, e.sha256) for e in pictures)])[:16],
        listing=job.listing,
        settings=job.settings,
        pictures=pictures,
        dropped=tuple(selection.dropped),
        flagged=tuple(selection.flagged),
        shards=tuple(sorted(set(shards.values()))),
    )


def _tell(manifest: Manifest, observer: Observer) -> None:
    for finding in manifest.dropped[:_MAX_TOLD]:
        observer.warn(f"left out: {finding.source}: {finding.reason}")
    if len(manifest.dropped) > _MAX_TOLD:
        more = len(manifest.dropped) - _MAX_TOLD
        observer.warn(f"left out: {more:,} more; see --report, or the manifest")


def _source(record: Record) -> str:
    return record.photograph.source


def _require_space(folder: Path, num_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if num_bytes > free:
        raise ResourceError(
            f"{folder}: the set needs up to {num_bytes / 1e9:.1f} GB, {free / 1e9:.1f} GB are free",
            hint="free some disk space, set SRGAN_HOME to a larger disk, or pass a smaller --size",
        )


def _remove_leftovers(folder: Path, manifest: Manifest) -> None:
    """Delete shards that the set no longer uses, and what killed runs left half written."""
    for path in (*folder.glob("shard-*.safetensors"), *folder.glob(".srgan-*")):
        if path.name not in manifest.shards:
            path.unlink(missing_ok=True)


def _digest(values: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
