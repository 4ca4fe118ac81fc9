"""Split images into training and validation by scene. No torch here.

A validation image whose twin is in the training set would only measure how well the network
remembers. So images of one scene (near-duplicates, a series, a small folder) go to the same split.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import PurePosixPath

from srgan_cli.data.shards import Record
from srgan_cli.data.similar import near_duplicates, packed, similar_pairs

ALIKE = 64
"""Photographs whose hashes differ in at most this many of 256 bits show one scene."""
SERIES = 96
"""The same for files of one folder with consecutive numbers. Unrelated ones differ in 128 ± 12."""
PAUSE = timedelta(minutes=2)
"""Photographs of one folder that were taken at most this far apart show one scene."""
FEW = 5
"""Validation images that a model needs to be shown better than another; a fifth of all at most."""
SMALL_FOLDER = 0.1
"""A folder with at most this share of all photographs is one scene."""

Edges = Iterable[tuple[int, int]]


def validation_sources(
    records: Sequence[Record], *, wanted: int, seed: int
) -> tuple[set[str], bool]:
    """Choose whole scenes for validation.

    Scenes are taken in an order that follows from the seed and their own files, so
    that adding photographs moves few others to the other side.

    Args:
        records: The photographs of the set, at least two.
        wanted: Images to choose; at most a tenth of all, or :data:`FEW` where that is less.
        seed: Chooses which.

    Returns:
        Their sources, at least one and never all; and whether series and folders had
        to be split to come to that, since otherwise all photographs show one scene.
    """
    share = max(len(records) // 10, FEW if len(records) >= 5 * FEW else 1)
    wanted = min(wanted, share)
    near = _near_edges(records)
    for edges, split in (([*near, *_series_edges(records)], False), (near, True), ([], True)):
        scenes = _scenes(records, edges)
        if len(scenes) > 1:
            return _choose(scenes, wanted, seed), split
    raise ValueError("a single image cannot be split into training and validation")


def _choose(scenes: Sequence[Sequence[str]], wanted: int, seed: int) -> set[str]:
    """Take scenes that fit, in the seed's order; the smallest where none does."""

    def place(scene: Sequence[str]) -> bytes:
        # Not by chance but by content, so that it does not depend on the other scenes.
        return hashlib.sha256(f"{seed}\0{scene[0]}".encode(errors="surrogateescape")).digest()

    chosen: set[str] = set()
    for scene in sorted(scenes, key=place):
        if len(chosen) + len(scene) <= wanted:
            chosen.update(scene)
    if not chosen:
        smallest: Sequence[str] = min(sorted(scenes, key=place), key=len)
        chosen.update(smallest)
    return chosen


def _scenes(records: Sequence[Record], edges: Edges) -> list[list[str]]:
    """Return the sources of each scene: what edges connect, directly or by others."""
    parents = list(range(len(records)))

    def root(i: int) -> int:
        while parents[i] != i:
            parents[i] = i = parents[parents[i]]
        return i

    for i, j in edges:
        parents[root(i)] = root(j)
    scenes: dict[int, list[str]] = defaultdict(list)
    for i, record in enumerate(records):
        scenes[root(i)].append(record.photograph.source)
    return [sorted(scene) for scene in scenes.values()]


def _near_edges(records: Sequence[Record]) -> list[tuple[int, int]]:
    looks = [record.look for record in records]
    hashes = packed([look.hash for look in looks])
    pairs = [*similar_pairs(hashes, hashes, ALIKE), *near_duplicates(looks, looks)]
    return [(int(i), int(j)) for i, j in pairs if i < j]


def _series_edges(records: Sequence[Record]) -> Edges:
    folders: dict[PurePosixPath, list[int]] = defaultdict(list)
    for i, record in enumerate(records):
        folders[PurePosixPath(record.photograph.source).parent].append(i)
    for members in folders.values():
        if len(members) <= SMALL_FOLDER * len(records):
            yield from pairwise(members)
        else:
            yield from _shot_together(records, members)
            yield from _numbered_together(records, members)


def _shot_together(records: Sequence[Record], members: list[int]) -> Edges:
    times = sorted((taken, i) for i in members if (taken := _time(records[i].taken)))
    return ((i, j) for (a, i), (b, j) in pairwise(times) if b - a <= PAUSE)


def _time(taken: str) -> datetime | None:
    try:
        return datetime.strptime(taken, "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 - EXIF has no zone
    except ValueError:
        return None


def _numbered_together(records: Sequence[Record], members: list[int]) -> Edges:
    numbered: dict[tuple[str, int], list[int]] = defaultdict(list)
    for i in members:
        match = re.fullmatch(
            r"(.*?)(\d{1,18})\D*", PurePosixPath(records[i].photograph.source).stem
        )
        if match:
            numbered[match[1], int(match[2])].append(i)
    for (stem, number), here in numbered.items():
        for i in here:
            for j in numbered.get((stem, number + 1), []):
                pair = packed([records[i].look.hash, records[j].look.hash])
                if len(similar_pairs(pair[:1], pair[1:], SERIES)):
                    yield i, j
