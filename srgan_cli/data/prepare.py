"""Turn a folder of photographs into a data set of LR/HR pairs: ``srgan prepare``."""

import os
import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from filelock import Timeout

from srgan_cli.config import PrepareConfig
from srgan_cli.data.export import export_png
from srgan_cli.data.integrity import checksums_of, damaged_shards, is_readable
from srgan_cli.data.kinds import explained
from srgan_cli.data.manifest import MANIFEST, Checksum, Manifest
from srgan_cli.data.plan import (
    Prepared,
    PrepareJob,
    disk_use,
    lots_of,
    plan,
    prepared_before,
    published,
    require_space,
)
from srgan_cli.data.publish import describe, publish
from srgan_cli.data.shards import Lot, MadeShard, make_shard, read_shard
from srgan_cli.data.workers import run_parallel
from srgan_cli.errors import InputError, ResourceError
from srgan_cli.observer import Observer
from srgan_cli.processes import Node, alone

_POLL_SECONDS = 0.5
_MAX_TOLD = 20


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


def prepare(config: PrepareConfig, observer: Observer) -> PrepareReport:
    """Make LR/HR pairs of every good image that ``config.source`` names.

    LR is MATLAB's antialiased bicubic reduction of HR. Shards are written one by
    one, each complete or not at all, and the manifest last, so a run that was
    killed goes on where it was, and a set without its manifest is none. Running
    again with unchanged photographs and settings does nothing, unless shards are
    missing or damaged, which it repairs; new photographs are added in shards of their own.

    Under ``torchrun`` every process makes its share of the shards and the first
    one publishes the set; they only need to see the same folders.

    Raises:
        InputError: The folder is missing, or no photograph in it can be used.
        UsageError: Another set has the same name.
        ResourceError: The disk is full, or another process is preparing this set.
    """
    job = plan(config)
    report = _run(job, observer)
    if config.export == "png" and report.leads and not config.check:
        export_png(job.folder, observer)
    return report


def _run(job: PrepareJob, observer: Observer) -> PrepareReport:
    config = job.config
    observer.say(job.found)
    if config.check:
        return _check(job, observer)
    existing = published(job)
    node = Node.from_environment()
    if existing is not None and existing.listing == job.listing and node.rank:
        return PrepareReport(job.folder, existing, unchanged=True, prepared=0, leads=False)
    damaged: frozenset[str] = frozenset()
    if existing is not None:
        damaged = damaged_shards(job.folder, existing, observer, thorough=node.rank == 0)
        if existing.listing == job.listing and not damaged:
            os.utime(job.folder / MANIFEST)  # It becomes the newest again.
            return PrepareReport(job.folder, existing, unchanged=True, prepared=0)
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
        if node.rank:
            return _help(job, existing, damaged, node, observer)
        with alone(job.folder):
            return _lead(job, existing, damaged, node, observer)
    except Timeout as error:
        raise ResourceError(
            f"another process is preparing {job.folder.name}",
            hint="wait until it has finished, or choose another --name",
        ) from error
    except OSError as error:
        raise ResourceError(
            f"{job.folder}: {error.strerror or error}",
            hint="check its permissions and free space, or set SRGAN_HOME to another folder",
        ) from error


def _check(job: PrepareJob, observer: Observer) -> PrepareReport:
    """Examine every photograph and write nothing."""
    lots = lots_of(job, {})
    observer.say(disk_use(job, lots))
    made = _make(job, lots, None, Node(), observer)
    records = {record.photograph: ("", record) for lot in lots for record in made[lot].records}
    manifest = describe(job, records)
    _tell(manifest, observer)
    return PrepareReport(job.folder, manifest, unchanged=False, prepared=len(records))


def _lead(
    job: PrepareJob,
    existing: Manifest | None,
    damaged: Collection[str],
    node: Node,
    observer: Observer,
) -> PrepareReport:
    """Make shards, wait for those of other processes, and publish the set."""
    for name in sorted(damaged):
        observer.warn(f"{job.folder / name}: missing or damaged; its images are prepared again")
    old = prepared_before(job, existing, damaged)
    lots = lots_of(job, old)
    checked = existing.shards if existing is not None else ()
    missing = [
        lot
        for lot in lots
        if (name := lot.shard(job.recipe)) in damaged
        or not (name in checked or is_readable(job.folder / name))
    ]
    if missing:
        observer.say(disk_use(job, missing))
    require_space(job.folder, sum(lot.num_bytes for lot in missing))
    # Other processes may not see the same damage: then this one waits for none of them.
    mine = [lot for lot in lots[:: 1 if damaged else node.num_nodes] if lot in missing]
    try:
        made = _make(job, mine, job.folder, node, observer)
        manifest = describe(job, old | _collected(job, lots, node))
    except InputError:
        if existing is None:
            shutil.rmtree(job.folder, ignore_errors=True)
        raise
    manifest = replace(manifest, checksums=_checksums(job, manifest, existing, made))
    publish(job.folder, manifest)
    _tell(manifest, observer)
    prepared = sum(len(lot.photographs) for lot in missing)
    return PrepareReport(job.folder, manifest, unchanged=False, prepared=prepared)


def _checksums(
    job: PrepareJob, manifest: Manifest, existing: Manifest | None, made: Mapping[Lot, MadeShard]
) -> dict[str, Checksum]:
    """Return those of all shards: known ones, those of this run, and the others' read anew."""
    known = dict(existing.checksums) if existing is not None else {}
    for lot, shard in made.items():
        if shard.checksum is not None:
            known[lot.shard(job.recipe)] = shard.checksum
    known |= checksums_of(job.folder, [name for name in manifest.shards if name not in known])
    return {name: known[name] for name in manifest.shards}


def _help(
    job: PrepareJob,
    existing: Manifest | None,
    damaged: Collection[str],
    node: Node,
    observer: Observer,
) -> PrepareReport:
    """Make this process's share of the shards, then wait until the set is published."""
    lots = lots_of(job, prepared_before(job, existing, damaged))[node.rank :: node.num_nodes]
    missing = [lot for lot in lots if not (job.folder / lot.shard(job.recipe)).exists()]
    _make(job, missing, job.folder, node, observer)
    while True:
        if (job.folder / MANIFEST).exists():
            manifest = Manifest.read(job.folder)
            if manifest.listing == job.listing:
                prepared = sum(len(lot.photographs) for lot in missing)
                return PrepareReport(job.folder, manifest, False, prepared, leads=False)
        time.sleep(_POLL_SECONDS)


def _make(
    job: PrepareJob, lots: Sequence[Lot], folder: Path | None, node: Node, observer: Observer
) -> dict[Lot, MadeShard]:
    """Prepare lots on all cores; without a folder nothing is written."""
    made: dict[Lot, MadeShard] = {}
    work = partial(make_shard, job.sources, job.recipe, folder)
    total = sum(len(lot.photographs) for lot in lots)
    pixels, dropped, started = 0, 0, time.perf_counter()
    title = "examining" if folder is None else "preparing"
    num_workers = node.num_workers
    if folder is not None and num_workers > 1:
        num_workers += 1  # While the disk takes one's shard, another has its core.
    with observer.bar(title, total=total, unit="images") as bar:
        # The smallest last, so that no worker is left with a large one when the others are done.
        ordered = sorted(lots, key=lambda lot: -lot.num_bytes)
        for lot, shard in run_parallel(work, ordered, num_workers):
            made[lot] = shard
            pixels += sum(record.pixels for record in shard.records)
            dropped += sum(record.dropped for record in shard.records)
            speed = pixels / 1e6 / (time.perf_counter() - started)
            shown = f"{speed:.{0 if speed >= 10 else 1}f}"
            bar.advance(len(shard.records), **{"MP/s": shown, "skipped": str(dropped)})
    return made


def _collected(job: PrepareJob, lots: Sequence[Lot], node: Node) -> Prepared:
    """Read what the shards say of their photographs, waiting for those of other processes."""
    collected: Prepared = {}
    for lot in lots:
        name = lot.shard(job.recipe)
        while node.num_nodes > 1 and not (job.folder / name).exists():
            time.sleep(_POLL_SECONDS)
        _, records = read_shard(job.folder / name)
        collected |= {record.photograph: (name, record) for record in records}
    return collected


def _tell(manifest: Manifest, observer: Observer) -> None:
    for finding in manifest.dropped[:_MAX_TOLD]:
        observer.warn(f"skipped: {explained(finding)}")
    if len(manifest.dropped) > _MAX_TOLD:
        more = len(manifest.dropped) - _MAX_TOLD
        observer.warn(f"skipped: {more:,} more images; --report and {MANIFEST} list them all")
