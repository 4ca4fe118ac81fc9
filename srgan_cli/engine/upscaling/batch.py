"""Plan a batch before any work is done: find the images, and name their results."""

import glob
import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import ImageColor

from srgan_cli.config import UpscaleConfig
from srgan_cli.engine.upscaling.sizes import result_size
from srgan_cli.errors import InputError, UsageError
from srgan_cli.imaging.decode import probe, require_whole
from srgan_cli.imaging.encode import Encoding
from srgan_cli.imaging.formats import (
    FORMATS,
    Format,
    format_of_extension,
    image_extensions,
    result_suffix,
    written_format,
)
from srgan_cli.imaging.frames import Header


@dataclass(frozen=True, slots=True)
class Failed:
    """An image that could not be upscaled."""

    source: Path
    reason: str
    hint: str


@dataclass(frozen=True, slots=True)
class UpscaleJob:
    """An image to be upscaled."""

    source: Path
    output: Path
    folder: Path
    """Where the ledger of the result is."""
    header: Header
    size: tuple[int, int]
    """Width and height of the result."""
    num_frames: int
    """Frames or pages of the result."""
    encoding: Encoding
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a batch is going to do."""

    jobs: tuple[UpscaleJob, ...]
    failed: tuple[Failed, ...]
    """What was asked for and is already known to fail."""


@dataclass(frozen=True, slots=True)
class _Source:
    path: Path
    relative: Path
    """Its place below the output folder."""


def plan_batch(config: UpscaleConfig, model_scale: int) -> Plan:
    """Find the images, read their headers, and give each its output file.

    Args:
        config: What was asked for.
        model_scale: Factor per side of the model.

    Raises:
        InputError: Nothing at all was found.
        UsageError: Two results would have one name, or a result that of an input.
    """
    _require_options(config)
    failed: list[Failed] = []
    sources = list(_unique(_sources(config, failed), by_target=config.in_place))
    if not sources and not failed:
        raise InputError(
            f"{config.inputs[0]}: no images in this folder",
            hint="name another folder, or pass --recursive to search subfolders",
        )
    jobs: list[UpscaleJob] = []
    for source in sources:
        try:
            jobs.append(_job(source, config, model_scale))
        except InputError as error:
            failed.append(Failed(source.path, error.message, error.hint))
    if not config.in_place:
        _refuse_collisions(jobs, sources)
    return Plan(tuple(jobs), tuple(failed))


def share_of(jobs: Sequence[UpscaleJob], *, rank: int, num_ranks: int) -> list[UpscaleJob]:
    """Return the jobs that are one process's of several, in their order.

    Every job is one process's. The largest images are dealt out first, each to
    whoever has least, so that all are done at about the same time.
    """
    loads = [0.0] * num_ranks
    mine = []
    for index in sorted(range(len(jobs)), key=lambda index: -jobs[index].header.megapixels):
        least = loads.index(min(loads))
        loads[least] += jobs[index].header.megapixels
        if least == rank:
            mine.append(index)
    return [jobs[index] for index in sorted(mine)]


def _require_options(config: UpscaleConfig) -> None:
    """Check the options whose meaning lies below the configuration."""
    if config.ext is not None and format_of_extension(config.ext) is None:
        known = ", ".join(sorted(format_.suffix for format_ in FORMATS.values()))
        raise UsageError(f"--ext {config.ext!r} cannot be written", hint=f"choose one of: {known}")
    try:
        ImageColor.getrgb(config.background)
    except ValueError as error:
        raise UsageError(
            f"--background {config.background!r} is not a colour",
            hint="pass a name such as white, or a code such as #ff8800",
        ) from error
    output = config.output
    if output is None:
        return
    names_a_file = output.suffix.lower() in image_extensions() and not output.is_dir()
    if names_a_file or (output.exists() and not output.is_dir()):
        raise UsageError(f"--output {output} is not a folder", hint="name a folder, such as -o out")


def _sources(config: UpscaleConfig, failed: list[Failed]) -> Iterator[_Source]:
    for path in config.inputs:
        if path.is_dir():
            yield from _in_folder(path, config, failed)
        elif path.exists() or path.is_symlink() or not glob.has_magic(str(path)):
            if len(config.inputs) == 1 and not os.path.lexists(path):
                raise InputError(
                    f"{path}: no such file or folder", hint="check the name and the folder"
                )
            yield _Source(path, Path(path.name))
        else:
            yield from _matching(path, failed)


def _matching(pattern: Path, failed: list[Failed]) -> Iterator[_Source]:
    """Find the images of a pattern; they keep their place below its fixed part."""
    fixed = Path(*_until_magic(pattern))
    matches = sorted(glob.glob(str(pattern), recursive=True))  # noqa: PTH207 - ** and bytes
    pictures = [path for path in map(Path, matches) if not path.is_dir()]
    if not pictures:
        failed.append(Failed(pattern, f"no file matches {pattern}", "check the pattern"))
    for path in pictures:
        yield _Source(path, path.relative_to(fixed))


def _until_magic(pattern: Path) -> Iterator[str]:
    for part in pattern.parts:
        if glob.has_magic(part):
            return
        yield part


def _in_folder(folder: Path, config: UpscaleConfig, failed: list[Failed]) -> Iterator[_Source]:
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
                yield _Source(path, path.relative_to(folder))


def _unique(sources: Iterator[_Source], *, by_target: bool) -> Iterator[_Source]:
    """Drop repeated names; when working in place also links to an image that is named itself."""
    seen: set[Path] = set()
    for source in sources:
        key = source.path.resolve() if by_target else source.path
        if key not in seen:
            seen.add(key)
            yield source


def _job(source: _Source, config: UpscaleConfig, model_scale: int) -> UpscaleJob:
    header = probe(source.path, max_pixels=config.max_pixels)
    size = result_size(header.width, header.height, config, model_scale)
    notes: list[str] = []
    format_ = _result_format(source.path, header, config, notes)
    if max(size) > format_.max_side:
        raise InputError(
            f"{source.path}: {format_.name} allows at most {format_.max_side:,} pixels per side, "
            f"the result has {max(size):,}",
            hint="pass --ext png or --ext tif",
        )
    num_frames = _num_frames(header, format_, notes)
    if config.in_place:
        require_whole(source.path, max_pixels=config.max_pixels)
    if config.output is None:
        output = source.path.resolve()
        folder = output.parent
    else:
        suffix = result_suffix(
            Path(f"a.{config.ext.lstrip('.')}") if config.ext else source.path, format_
        )
        name = f"{source.relative.stem}{config.suffix}{suffix}"
        output = config.output / source.relative.with_name(name)
        folder = config.output
    encoding = Encoding(format_, config.quality, config.background)
    return UpscaleJob(source.path, output, folder, header, size, num_frames, encoding, tuple(notes))


def _result_format(source: Path, header: Header, config: UpscaleConfig, notes: list[str]) -> Format:
    if config.ext is not None:
        chosen = format_of_extension(config.ext)
        assert chosen is not None, "checked before"
        return chosen
    own = written_format(header.format)
    lacking = "" if own else f"{header.format} cannot be written"
    if own and header.has_alpha and not own.alpha:
        lacking = f"{own.name} is written without transparency"
    if own is None or lacking:
        if config.in_place:
            raise InputError(
                f"{source}: {lacking}, so --in-place cannot replace it",
                hint="pass --output FOLDER to get a PNG",
            )
        notes.append(f"{lacking}: the result is a PNG")
        return FORMATS["PNG"]
    if source.suffix and format_of_extension(source.suffix) != own:
        notes.append(f"the content is {own.name} although the name ends in {source.suffix}")
    return own


def _num_frames(header: Header, format_: Format, notes: list[str]) -> int:
    """Return how many frames a result has. Pages do not become an animation."""
    pages = header.format == "TIFF"
    if format_.frames == "pages" or (format_.frames == "animation" and not pages):
        return header.num_frames
    if header.num_frames > 1:
        kind = "pages" if pages else "frames"
        notes.append(
            f"only the first of {header.num_frames} {kind} is written: "
            f"{format_.name} stores a single image"
        )
    return 1


def _refuse_collisions(jobs: list[UpscaleJob], sources: list[_Source]) -> None:
    """Stop before anything could be overwritten."""
    inputs = {source.path.resolve(): source.path for source in sources}
    owners: dict[str, UpscaleJob] = {}
    for job in jobs:
        overwritten = inputs.get(job.output.resolve())
        if overwritten is not None:
            raise UsageError(
                f"{overwritten} would be overwritten by the result of {job.source}",
                hint="choose another --output folder, or pass --suffix _x2 or --in-place",
            )
        # Some file systems take names for equal that differ in case or in composed accents.
        name = unicodedata.normalize("NFC", str(job.output)).casefold()
        other = owners.setdefault(name, job)
        if other is not job:
            raise UsageError(
                f"{other.source} and {job.source} would both be written to {job.output}",
                hint="rename one of them, or upscale them to different folders",
            )
