"""Match the LR and HR images of a folder that another tool has made. No torch here."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from srgan_cli.data.photographs import Photograph, find_photographs, header_size
from srgan_cli.errors import InputError

HR, LR = "hr", "lr"


def is_paired(folder: Path) -> bool:
    """Say whether a folder holds ``hr`` and ``lr`` rather than photographs."""
    return (folder / HR).is_dir() and (folder / LR).is_dir()


def find_pairs(folder: Path, scale: int) -> list[Photograph]:
    """List the pairs of a folder, and check them before anything is decoded.

    A pair has the same path below ``hr`` and ``lr``; the extension may differ, and the
    LR name may end in the scale, as in DIV2K's ``0001x2.png``.

    Args:
        folder: Holds ``hr`` and ``lr``.
        scale: Factor per side that the sizes must have.

    Raises:
        InputError: An image has no counterpart, or sizes do not fit.
    """
    hr, lr = (find_photographs(folder / side) for side in (HR, LR))
    counterparts = {_stem(photo.source): photo for photo in lr}
    pairs = []
    for photo in hr:
        stem = _stem(photo.source)
        other = counterparts.pop(stem, None) or counterparts.pop(f"{stem}x{scale}", None)
        if other is None:
            raise InputError(
                f"{folder / HR / photo.source}: no counterpart in {folder / LR}",
                hint="give both files the same name; their extensions may differ",
            )
        pairs.append(_pair(photo, other))
    if counterparts:
        first = min(photo.source for photo in counterparts.values())
        raise InputError(
            f"{folder / LR / first}: no counterpart in {folder / HR}",
            hint="give both files the same name; their extensions may differ",
        )
    _require_sizes(folder, pairs, scale)
    return pairs


def _stem(source: str) -> str:
    return PurePosixPath(source).with_suffix("").as_posix()


def _pair(hr: Photograph, lr: Photograph) -> Photograph:
    return replace(
        hr,
        source=f"{HR}/{hr.source}",
        lr=f"{LR}/{lr.source}",
        size=hr.size + lr.size,
        modified=max(hr.modified, lr.modified),
    )


def _require_sizes(folder: Path, pairs: Sequence[Photograph], scale: int) -> None:
    for pair in pairs:
        hr, lr = header_size(folder / pair.source), header_size(folder / pair.lr)
        if 0 in (*hr, *lr):
            continue  # Unreadable: dropped, with the reason, when it is decoded.
        if hr != (scale * lr[0], scale * lr[1]):
            raise InputError(
                f"{folder / pair.source} is {hr[0]}x{hr[1]}, its LR {lr[0]}x{lr[1]}, not ×{scale}",
                hint="pass the --scale of these folders, or crop HR to exactly --scale times LR",
            )
