"""Match the files of two folders by their names. No torch here."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from srgan_cli.errors import InputError

_SUFFIX_PROBES = 20
_HR_ENDING = re.compile(r"[_.-]hr$", re.IGNORECASE)
_SRF_ENDING = re.compile(r"_srf_\d$", re.IGNORECASE)
_SRF_OTHER = re.compile(r"_srf_\d[_.-](?!hr$)", re.IGNORECASE)
_SEPARATOR = re.compile(r"[_.-]")
_HR_FOLDER = re.compile(r"(.*)(?:hr|gt(?:mod\d+)?)", re.IGNORECASE)
_LR_FOLDER = re.compile(r"(?:lr|lq)(?:[_-]?[a-z]+(?:[_-][a-z]+)*?)?(?:[_-]?x(\d))?", re.IGNORECASE)
_SCALE_FOLDER = re.compile(r"x(\d)", re.IGNORECASE)


def match_names(hr: Collection[str], others: Collection[str]) -> dict[str, str]:
    """Find the counterpart of each HR image among the names of another folder.

    Names agree as they are, or after one suffix that all names of the other folder share
    is taken off, as ``0801x2``, ``baby_bicLRx2`` and ``baby_out`` have it; an ending
    ``_HR`` or ``_SRF_2_HR`` that all HR names share is taken off too.

    Args:
        hr: HR names: paths below their folder, without extension.
        others: The same of the other folder.

    Returns:
        The other folder's name by HR name, without those that have no counterpart.
    """
    stems = _without_ending(_without_ending({name: name for name in hr}, _HR_ENDING), _SRF_ENDING)
    suffixes = {""} | {
        other.removeprefix(stem)
        for stem in list(stems.values())[:_SUFFIX_PROBES]
        for other in others
        if other.startswith(stem)
    }
    known = set(others)
    # The suffix that explains most names; of equals the shortest, so that "" wins a tie.
    suffix = min(
        suffixes,
        key=lambda end: (-sum(stem + end in known for stem in stems.values()), len(end), end),
    )
    return {name: stem + suffix for name, stem in stems.items() if stem + suffix in known}


def _without_ending(stems: Mapping[str, str], ending: re.Pattern[str]) -> dict[str, str]:
    """Take one ending off names that all have it."""
    found = {match[0].lower() for stem in stems.values() if (match := ending.search(stem))}
    shared = len(found) == 1 and all(map(ending.search, stems.values()))
    return {name: ending.sub("", stem) if shared else stem for name, stem in stems.items()}


@dataclass(frozen=True, slots=True)
class MixedNames:
    """The names of a folder in which HR images lie beside others that were made from them."""

    hr: tuple[str, ...]
    lr: tuple[str, ...]
    """LR images by their names: ``baby_LR`` beside ``baby_HR``."""
    results: tuple[str, ...]
    """Of other programs: ``img_001_SRF_2_SRCNN`` beside ``img_001_SRF_2_HR``."""
    orphans: tuple[str, ...]
    """What the naming of Huang's benchmarks says to be no HR image, though none lies beside it."""


def apart(names: Iterable[str]) -> MixedNames:
    """Tell the HR images of a folder from what was made from them, by their names.

    Huang's benchmarks (SelfExSR) have ``img_001_SRF_2_HR``, ``img_001_SRF_2_LR`` and
    ``img_001_SRF_2_bicubic`` in one folder; others have ``baby_HR`` and ``baby_LR_x2``.
    """
    names = list(names)
    bases = {_HR_ENDING.sub("", name) for name in names if _HR_ENDING.search(name)}
    found: dict[str, list[str]] = {"hr": [], "lr": [], "results": [], "orphans": []}
    for name in names:
        found[_role(name, bases)].append(name)
    return MixedNames(**{role: tuple(those) for role, those in found.items()})


def _role(name: str, bases: Collection[str]) -> str:
    if _HR_ENDING.search(name):
        return "hr"
    for place in _SEPARATOR.finditer(name):
        base, rest = name[: place.start()], name[place.end() :]
        if base in bases and _LR_FOLDER.fullmatch(rest):
            return "lr"
        if base in bases and _SRF_ENDING.search(base):
            return "results"
    return "orphans" if _SRF_OTHER.search(name) else "hr"


def named(names: Iterable[str], most: int = 3) -> str:
    """Return the first names of many for a message."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


@dataclass(frozen=True, slots=True)
class PairFolders:
    """Two folders that hold the HR and LR images of the same scenes."""

    hr: Path
    lr: Path
    scale: int | None
    """Factor per side that the LR folder's name states."""


def pair_folders(folders: Sequence[Path]) -> list[PairFolders]:
    """Find folders of HR and LR images among others, by their names.

    ``HR`` (or ``GT``) goes with ``LR`` (or ``LQ``) in any case, whatever stands before both:
    ``DIV2K_train_HR`` with ``DIV2K_train_LR_bicubic``. An LR folder may state its scale
    (``LR_x4``, ``LRbicx2``) or hold a folder for each (``LR_bicubic/X2``).

    Args:
        folders: Where to look; their subfolders are only searched for scales.
    """
    found: list[PairFolders] = []
    for hr in folders:
        if (start := _HR_FOLDER.fullmatch(hr.name)) is None:
            continue
        for lr in folders:
            rest = lr.name[len(start[1]) :]
            same_start = lr.name[: len(start[1])].lower() == start[1].lower()
            if same_start and (match := _LR_FOLDER.fullmatch(rest)):
                found += _by_scale(hr, lr, int(match[1]) if match[1] else None)
    return found


def _by_scale(hr: Path, lr: Path, scale: int | None) -> Iterable[PairFolders]:
    scales: Mapping[int, Path] = {
        int(match[1]): folder
        for folder in subfolders(lr)
        if (match := _SCALE_FOLDER.fullmatch(folder.name))
    }
    if scale is None and scales:
        return [PairFolders(hr, folder, scale) for scale, folder in sorted(scales.items())]
    return [PairFolders(hr, lr, scale)]


def subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder, sorted, without hidden ones."""
    if not folder.is_dir():
        return []
    return sorted(f for f in folder.iterdir() if f.is_dir() and not f.name.startswith("."))


def without_hr_folder(sources: Collection[str]) -> dict[str, str]:
    """Return each path without the folder of HR images that all of them begin with."""
    firsts = {source.partition("/")[0] for source in sources if "/" in source}
    shared = len(firsts) == 1 and all("/" in source for source in sources)
    if not shared or not all(map(_HR_FOLDER.fullmatch, firsts)):
        return {source: source for source in sources}
    return {source: source.partition("/")[2] for source in sources}


def by_stem(sources: Iterable[str], folder: Path) -> dict[str, str]:
    """Return paths by their names without the extension.

    Args:
        sources: Paths below the folder.
        folder: Where they lie, for the message.

    Raises:
        InputError: Two files differ in their extension alone.
    """
    found: dict[str, str] = {}
    for source in sources:
        stem = PurePosixPath(source).with_suffix("").as_posix()
        if stem in found:
            raise InputError(
                f"{folder / found[stem]} and {folder / source} have the same name",
                hint="remove one of them",
            )
        found[stem] = source
    return found
