"""Write the manifest that turns finished shards into a data set. No torch here."""

from collections import Counter
from pathlib import Path

from srgan_cli.config.option import command_line
from srgan_cli.data.kinds import KINDS
from srgan_cli.data.manifest import MANIFEST, Manifest, ManifestEntry
from srgan_cli.data.names import named
from srgan_cli.data.plan import Prepared, PrepareJob
from srgan_cli.data.scenes import validation_sources
from srgan_cli.data.selection import select
from srgan_cli.data.shards import Record
from srgan_cli.errors import InputError
from srgan_cli.paths import write_text
from srgan_cli.records import json_sha256

_ONCE = {"overwrite", "export", "check"}
"""Options that do not say what a set holds."""


def describe(job: PrepareJob, prepared: Prepared) -> Manifest:
    """Choose and divide the photographs, and say so in a manifest without checksums.

    Raises:
        InputError: Fewer than two can be used.
    """
    shards = {photograph.source: shard for photograph, (shard, _) in prepared.items()}
    records = sorted((record for _, record in prepared.values()), key=_source)
    selection = select(records, job.config, job.evaluation.looks())
    if len(selection.kept) < 2:
        first = f"; the first problem: {selection.dropped[0].reason}" if selection.dropped else ""
        places = named(map(str, job.config.sources))
        counts = Counter(KINDS[finding.kind].label for finding in selection.dropped)
        skipped = ", ".join(f"{count} {label}" for label, count in counts.most_common())
        raise InputError(
            f"{places}: only {len(selection.kept)} of {len(records)} images can be used"
            + (f"; skipped: {skipped}" if skipped else ""),
            hint=f"a data set needs at least 2{first}",
        )
    chosen, _ = validation_sources(
        selection.kept, wanted=job.config.validation, seed=job.config.seed
    )
    images = tuple(
        ManifestEntry(
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
        fingerprint=json_sha256([job.settings, *((e.source, e.sha256) for e in images)])[:16],
        listing=job.listing,
        settings=job.settings,
        images=images,
        dropped=tuple(selection.dropped),
        flagged=tuple(selection.flagged),
        shards=tuple(sorted(set(shards.values()))),
        command=command_line("srgan prepare", job.config, but=_ONCE),
    )


def publish(folder: Path, manifest: Manifest) -> None:
    """Make a set of shards a data set, in one step, and delete what it does not use."""
    write_text(folder / MANIFEST, manifest.to_json())
    _remove_leftovers(folder, manifest)


def _source(record: Record) -> str:
    return record.photograph.source


def _remove_leftovers(folder: Path, manifest: Manifest) -> None:
    """Delete shards that the set no longer uses, and what killed runs left half written."""
    # safetensors writes into a hidden file of its own before the name is given.
    for pattern in ("shard-*.safetensors", ".srgan-*", ".tmp*"):
        for path in folder.glob(pattern):
            if path.name not in manifest.shards:
                path.unlink(missing_ok=True)
