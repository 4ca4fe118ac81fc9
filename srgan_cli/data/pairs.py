"""Match the LR and HR images of a folder that another tool has made. No torch here."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from srgan_cli.data.names import (
    PairFolders,
    by_stem,
    match_names,
    named,
    pair_folders,
    subfolders,
)
from srgan_cli.data.photographs import Photograph, find_photographs, header_size
from srgan_cli.data.sources import Sources
from srgan_cli.errors import InputError

_NAMES = "both folders need the same names, but for one suffix that all LR names share"
_LARGE, _SMALL = {"hr", "gt", "high", "target", "large"}, {"lr", "lq", "low", "input", "small"}


def find_pair_folders(paths: Sequence[Path], scale: int) -> list[PairFolders]:
    """Find the folders of HR and LR images of a scale: those in one folder, or those named.

    Raises:
        InputError: They are of other scales only, or two LR folders fit one HR folder.
    """
    found = pair_folders(_candidates(paths))
    fitting = [pair for pair in found if pair.scale in (None, scale)]
    if found and not fitting:
        held = ", ".join(f"×{pair.scale}" for pair in found)
        raise InputError(
            f"{found[0].hr} has LR images of {held}, but none of ×{scale}",
            hint=f"pass --scale {found[0].scale}",
        )
    for pair in fitting:
        rivals = [str(other.lr) for other in fitting if other.hr == pair.hr]
        if len(rivals) > 1:
            raise InputError(
                f"{pair.hr} has LR images in {' and '.join(rivals)}",
                hint="name one HR and one LR folder: srgan prepare HR LR",
            )
    return fitting


def _candidates(paths: Sequence[Path]) -> list[Path]:
    folders = [path for path in paths if path.is_dir()]
    return subfolders(folders[0]) if len(paths) == 1 and folders else folders


def unused_pairs(paths: Sequence[Path]) -> str | None:
    """Say so if folders look like pairs of images that are not taken for pairs."""
    for path in paths:
        for folder in [path, *subfolders(path)]:
            if pairs := pair_folders(subfolders(folder)):
                names = f"{pairs[0].hr.name} and {pairs[0].lr.relative_to(folder)}"
                return f"{folder} holds pairs ({names}): to use them, name that folder alone"
    words = {
        folder: set(re.split(r"[^a-z]+", folder.name.lower())) for folder in _candidates(paths)
    }
    large, small = (
        [folder.name for folder, found in words.items() if found & wanted]
        for wanted in (_LARGE, _SMALL)
    )
    if not large or not small:
        return None
    return (
        f"{large[0]} and {small[0]} look like pairs, but are not taken as such: "
        "to use them as pairs, call them HR and LR"
    )


def find_pairs(folders: PairFolders, sources: Sources, scale: int) -> list[Photograph]:
    """List the pairs of two folders, and check them before anything is decoded.

    Args:
        folders: Hold the HR and the LR images; names go together by :func:`match_names`.
        sources: Knows the paths that both have in the set.
        scale: Factor per side that the sizes must have.

    Raises:
        InputError: An image has no counterpart, or sizes do not fit.
    """
    hr, lr = (_by_stem(side) for side in (folders.hr, folders.lr))
    matched = match_names(hr, lr)
    problems = [
        f"{folder}: no counterpart for {named(sorted(alone))}"
        for folder, alone in (
            (folders.lr, hr.keys() - matched.keys()),
            (folders.hr, lr.keys() - set(matched.values())),
        )
        if alone
    ]
    if problems:
        raise InputError("; ".join(problems), hint=_NAMES)
    pairs = [_pair(hr[name], lr[other], folders, sources) for name, other in matched.items()]
    _require_sizes(pairs, sources, scale)
    return pairs


def _by_stem(folder: Path) -> dict[str, Photograph]:
    photos = {photo.source: photo for photo in find_photographs(folder)}
    return {stem: photos[source] for stem, source in by_stem(photos, folder).items()}


def _pair(hr: Photograph, lr: Photograph, folders: PairFolders, sources: Sources) -> Photograph:
    return replace(
        hr,
        source=sources.below(folders.hr / hr.source),
        lr=sources.below(folders.lr / lr.source),
        size=hr.size + lr.size,
        modified=max(hr.modified, lr.modified),
    )


def _require_sizes(pairs: Sequence[Photograph], sources: Sources, scale: int) -> None:
    for pair in pairs:
        path = sources.path(pair.source)
        hr, lr = header_size(path), header_size(sources.path(pair.lr))
        if 0 in (*hr, *lr):
            continue  # Unreadable: dropped, with the reason, when it is decoded.
        if (hr[0] // scale, hr[1] // scale) != lr:
            raise InputError(
                f"{path} is {hr[0]}x{hr[1]}, its LR {lr[0]}x{lr[1]}, not ×{scale}",
                hint="pass the --scale of these folders, or crop HR to --scale times LR",
            )
