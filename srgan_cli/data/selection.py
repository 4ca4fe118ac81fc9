"""Choose the images that a data set keeps: no duplicates, nothing from an evaluation set."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from srgan_cli.config import PrepareConfig
from srgan_cli.data.manifest import Finding, Kind
from srgan_cli.data.photographs import Photograph, decode, find_photographs
from srgan_cli.data.shards import Record
from srgan_cli.data.similar import Look, near_duplicates
from srgan_cli.errors import InputError


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """Images that must not be trained on."""

    paths: tuple[Path, ...] = ()
    """Where they are."""
    photographs: tuple[Photograph, ...] = ()
    """Their files as listed; the sources start with the folder's name."""

    @classmethod
    def find(cls, folders: Iterable[Path]) -> "EvaluationSet":
        """List the images of some folders.

        Raises:
            InputError: A folder is missing or holds no image.
        """
        found = [
            (
                folder / photo.source,
                replace(photo, source=f"{folder.resolve().name}/{photo.source}"),
            )
            for folder in folders
            for photo in find_photographs(folder)
        ]
        return cls(tuple(path for path, _ in found), tuple(photo for _, photo in found))

    @property
    def names(self) -> list[str]:
        """The folders' names, for the settings."""
        return sorted({photograph.source.split("/")[0] for photograph in self.photographs})

    def looks(self) -> dict[str, Look]:
        """Return what each image looks like, by its source; unreadable ones are skipped."""
        looks = {}
        for path, photograph in zip(self.paths, self.photographs, strict=True):
            try:
                looks[photograph.source] = Look.of(decode(path, max_side=1024).pixels)
            except InputError:
                continue
        return looks


@dataclass(slots=True)
class Selection:
    """What became of the photographs."""

    kept: list[Record] = field(default_factory=list)
    """Those of the set, in the order of their sources."""
    dropped: list[Finding] = field(default_factory=list)
    """Images that were skipped."""
    flagged: list[Finding] = field(default_factory=list)
    """What was found on photographs that were kept."""


def select(records: Sequence[Record], config: PrepareConfig, exclude: dict[str, Look]) -> Selection:
    """Choose the photographs of a set.

    Of photographs that look alike, the one with the most pixels is kept.

    Args:
        records: All photographs, in the order of their sources.
        config: Says which findings are dropped, flagged or ignored.
        exclude: What evaluation images look like, by name.
    """
    selection = Selection()
    whole = [record for record in records if not record.dropped]
    twins = _twins(whole) if config.duplicates != "keep" else {}
    banned = _banned(whole, exclude)
    for record in records:
        source = record.photograph.source
        findings = [Finding(source, cast("Kind", kind), why) for kind, why in record.findings]
        if record.dropped:
            culprits = [f for f in findings if f.kind in config.dropped_kinds] or findings
            selection.dropped.append(culprits[-1])
            continue
        if source in banned:
            selection.dropped.append(banned[source])
            continue
        if source in twins and config.duplicates == "drop":
            selection.dropped.append(twins[source])
            continue
        findings = [f for f in findings if f.kind in config.flagged_kinds]
        selection.flagged += [*findings, *([twins[source]] if source in twins else [])]
        selection.kept.append(record)
    return selection


def _twins(records: Sequence[Record]) -> dict[str, Finding]:
    """Find the photographs that look like a better one, with what is to be said of them."""
    looks = [record.look for record in records]
    alike: dict[int, list[int]] = defaultdict(list)
    for i, j in near_duplicates(looks, looks).tolist():
        alike[i].append(j)
    order = sorted(
        range(len(records)), key=lambda i: (-records[i].pixels, records[i].photograph.source)
    )
    best: set[int] = set()
    twins: dict[str, Finding] = {}
    for i in order:
        # The same file rather than a similar one, where there is one.
        better = [j for j in alike[i] if j in best]
        if not better:
            best.add(i)
            continue
        j = next((j for j in better if records[j].sha256 == records[i].sha256), better[0])
        twins[records[i].photograph.source] = _twin(records[i], records[j])
    return twins


def _twin(record: Record, other: Record) -> Finding:
    source, twin = record.photograph.source, other.photograph.source
    if record.sha256 == other.sha256:
        return Finding(source, "duplicate", f"same file as {twin}", twin)
    return Finding(source, "near-duplicate", f"looks like {twin}", twin)


def _banned(records: Sequence[Record], exclude: dict[str, Look]) -> dict[str, Finding]:
    names = list(exclude)
    pairs = near_duplicates([record.look for record in records], list(exclude.values()))
    return {
        source: Finding(source, "excluded", f"looks like {names[j]} of an evaluation set")
        for source, j in ((records[i].photograph.source, j) for i, j in pairs.tolist())
    }
