"""Find the images that a batch is to upscale: files, folders and patterns."""

import glob
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from srgan_cli.config import UpscaleConfig
from srgan_cli.data.names import named
from srgan_cli.engine.upscaling.ledger import Ledger
from srgan_cli.errors import InputError
from srgan_cli.imaging.files.decode import stated_label
from srgan_cli.imaging.files.formats import image_extensions

_ADDRESS = re.compile("(https?|ftp):/+")
_VIDEOS = {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".webm", ".wmv"}
_OWN_NAME = re.compile(r".+_(x\d+(\.\d+)?|\d+x\d+)")
"""How stems end that :func:`beside` makes."""


@dataclass(frozen=True, slots=True)
class Failed:
    """An image that could not be upscaled."""

    source: Path
    reason: str
    hint: str


@dataclass(frozen=True, slots=True)
class Source:
    """An image that was named or found."""

    path: Path
    relative: Path
    """Its place below the output folder."""
    is_found: bool = True
    """In a folder or by a pattern; otherwise it was named itself."""


@dataclass(frozen=True, slots=True)
class Sources:
    """All that the inputs of a command lead to."""

    images: tuple[Source, ...]
    failed: tuple[Failed, ...]
    num_results: int
    """Results of earlier commands that are not upscaled again."""


def find_sources(config: UpscaleConfig) -> Sources:
    """Find the images of a batch.

    Results of earlier commands, called as :func:`beside` calls them, are not images to upscale
    where they were found in a folder or by a pattern. Where results lie beside their sources,
    those that were named are none either, unless one is named alone.

    Raises:
        InputError: Nothing at all was found.
    """
    failed: list[Failed] = []
    found = list(_unique(_sources(config, failed), by_target=config.in_place))
    images = found
    alone = len(config.inputs) == 1 and len(found) == 1 and found[0].path == config.inputs[0]
    if not config.in_place and not alone:
        ledger_of, named_too = cache(Ledger.at), config.output is None
        images = [
            one
            for one in found
            if not (one.is_found or named_too) or not _is_result(one, ledger_of(one.path.parent))
        ]
    if not images:
        raise _nothing(config, failed, num_results=len(found))
    return Sources(tuple(images), tuple(failed), len(found) - len(images))


def _nothing(config: UpscaleConfig, failed: list[Failed], *, num_results: int) -> InputError:
    for failure in failed:
        return InputError(failure.reason, hint=failure.hint)
    if num_results:
        return InputError(
            f"{config.inputs[0]}: only results of earlier commands",
            hint="to upscale them again, name each file, and pass -o FOLDER",
        )
    return InputError(
        f"{config.inputs[0]}: no images in this folder",
        hint="name another folder, or pass --recursive to search subfolders",
    )


def _is_result(source: Source, ledger: Ledger) -> bool:
    if not _OWN_NAME.fullmatch(source.path.stem):
        return False
    return ledger.made(source.path) or (source.is_found and bool(stated_label(source.path)))


def beside(source: Path, factor: float | None, size: tuple[int, int]) -> str:
    """Return the stem of a result that lies beside its source: ``name_x2`` or ``name_800x600``.

    Args:
        source: The image.
        factor: Upscaling factor per side; None where a size was asked for.
        size: Width and height of the result.
    """
    return f"{source.stem}_" + (f"x{factor:g}" if factor else f"{size[0]}x{size[1]}")


def _require_any(inputs: Sequence[Path]) -> None:
    """Refuse names of which none leads anywhere, as an unquoted name with spaces does.

    Raises:
        InputError: No file has any of the names.
    """
    for path in inputs:
        if path.is_dir() or os.path.lexists(path) or glob.has_magic(str(path)) or _stranger(path):
            return
    joined = Path(" ".join(map(str, inputs)))
    hint = "check the name and the folder"
    if len(inputs) > 1 and os.path.lexists(joined):
        hint = f"put quotes around a name with spaces: {shlex.quote(str(joined))}"
    raise InputError(f"{named(map(str, inputs))}: no such file or folder", hint=hint)


def _sources(config: UpscaleConfig, failed: list[Failed]) -> Iterator[Source]:
    _require_any(config.inputs)
    for path in config.inputs:
        if path.is_dir():
            yield from _in_folder(path, config, failed)
            continue
        stranger = _stranger(path)
        if stranger is not None:
            failed.append(Failed(path, stranger.message, stranger.hint))
        elif path.exists() or path.is_symlink() or not glob.has_magic(str(path)):
            yield Source(path, Path(path.name), is_found=False)
        else:
            yield from _matching(path, failed)


def _stranger(path: Path) -> InputError | None:
    """Say what to do with what is often passed and is no image: an address or a video."""
    if _ADDRESS.match(str(path)):
        address = _ADDRESS.sub(r"\1://", str(path), count=1)
        return InputError(
            f"{address}: an address; srgan reads files and standard input",
            hint=f"curl -sL {address} | srgan upscale - -o - > result.png",
        )
    if path.suffix.lower() not in _VIDEOS:
        return None
    return InputError(
        f"{path}: a video; srgan upscales images",
        hint=f"mkdir frames && ffmpeg -i {path} frames/%06d.png && srgan upscale frames -o big && "
        f"ffmpeg -framerate 25 -i big/%06d.png -i {path} -map 0 -map 1:a? {path.stem}_big.mp4 "
        "(25: the frame rate of the video)",
    )


def _matching(pattern: Path, failed: list[Failed]) -> Iterator[Source]:
    """Find the images of a pattern; they keep their place below its fixed part."""
    fixed = _fixed_part(pattern)
    rest = pattern.relative_to(fixed)
    whole = os.path.join(glob.escape(str(fixed)), str(rest))  # noqa: PTH118 - ** and bytes
    matches = sorted(glob.glob(whole, recursive=True))  # noqa: PTH207 - ** and bytes
    images = [path for path in map(Path, matches) if not path.is_dir()]
    if not images:
        failed.append(Failed(pattern, f"no file matches {pattern}", "check the pattern"))
    for path in images:
        yield Source(path, path.relative_to(fixed))


def _fixed_part(pattern: Path) -> Path:
    """Return the folder that a pattern begins with; brackets in its name are no pattern."""
    fixed = Path()
    for part in pattern.parts[:-1]:
        if glob.has_magic(part) and not (fixed / part).is_dir():
            break
        fixed /= part
    return fixed


def _in_folder(folder: Path, config: UpscaleConfig, failed: list[Failed]) -> Iterator[Source]:
    """Find the images of a folder, without hidden ones and the output folder."""

    def unreadable(error: OSError) -> None:
        path = Path(str(error.filename))
        failed.append(Failed(path, f"{path}: {error.strerror}", "check its read permission"))

    extensions = image_extensions()
    output = None if config.output is None else config.output.resolve()
    if output == folder.resolve():
        output = None
    for root, folders, files in os.walk(folder, onerror=unreadable):
        place = Path(root)
        shown = sorted(
            name
            for name in folders
            if not name.startswith(".") and (place / name).resolve() != output
        )
        folders[:] = shown if config.recursive else []
        taken = [name for name in files if not name.startswith(".")]
        if not config.recursive:  # A folder that is named like an image is told of.
            taken += shown
        for name in sorted(taken):
            path = place / name
            if path.suffix.lower() in extensions:
                yield Source(path, path.relative_to(folder))


def _unique(sources: Iterator[Source], *, by_target: bool) -> Iterator[Source]:
    """Drop repeated names; when working in place also links to an image that is named itself."""
    seen: set[Path] = set()
    for source in sources:
        key = source.path.resolve() if by_target else source.path
        if key not in seen:
            seen.add(key)
            yield source
