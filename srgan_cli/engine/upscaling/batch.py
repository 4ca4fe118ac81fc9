"""Plan a batch before any work is done: find the images, and name their results."""

import difflib
import mimetypes
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import ImageColor

from srgan_cli.config import UpscaleConfig
from srgan_cli.engine.inference.sizes import result_size
from srgan_cli.engine.upscaling.inputs import Failed, Source, beside, find_sources
from srgan_cli.errors import InputError, UsageError
from srgan_cli.imaging.files.decode import probe, require_whole
from srgan_cli.imaging.files.encode import Encoding
from srgan_cli.imaging.files.formats import (
    FORMATS,
    Format,
    extra_for,
    format_of_extension,
    image_extensions,
    known_suffixes,
    result_suffix,
    written_format,
)
from srgan_cli.imaging.frames import Header


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
    num_results: int = 0
    """Results of earlier commands, which are not upscaled again."""

    @property
    def passed_over(self) -> str:
        """Those results in words."""
        one = self.num_results == 1
        results = "1 result" if one else f"{self.num_results} results"
        return f"{results} of earlier commands {'is' if one else 'are'} not upscaled again"


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
    found = find_sources(config)
    file = _named_file(config, found.images)
    if file is not None:
        config = replace(config, output=file.parent, ext=file.suffix)
    failed = list(found.failed)
    jobs: list[UpscaleJob] = []
    for source in found.images:
        try:
            jobs.append(_job(source, config, model_scale, file))
        except InputError as error:
            failed.append(Failed(source.path, error.message, error.hint))
    if not config.in_place:
        _refuse_collisions(jobs, found.images)
    return Plan(tuple(jobs), tuple(failed), found.num_results)


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
        raise UsageError(f"--ext {config.ext!r} cannot be written", hint=_writable(config.ext))
    try:
        ImageColor.getrgb(config.background)
    except ValueError as error:
        raise UsageError(
            f"--background {config.background!r} is not a colour",
            hint="pass a name such as white, or a code such as #ff8800",
        ) from error


def _writable(extension: str) -> str:
    """Say what to do where an extension names nothing that can be written."""
    extra = extra_for(extension)
    return (
        f"pip install 'srgan-cli[{extra}]'"
        if extra
        else f"choose one of: {', '.join(known_suffixes())}"
    )


def _names_no_folder(output: Path) -> bool:
    """Say whether a path that does not exist ends as files do, or nearly as images do."""
    suffix = output.suffix.lower()
    known = mimetypes.MimeTypes().types_map[True]
    return suffix in known or bool(difflib.get_close_matches(suffix, image_extensions(), 1, 0.85))


def _named_file(config: UpscaleConfig, images: Sequence[Source]) -> Path | None:
    """Return the file that ``--output`` names; None where it is a folder, or nothing.

    Raises:
        UsageError: It is neither.
    """
    output = config.output
    if output is None or output.is_dir():
        return None
    if output.suffix.lower() not in image_extensions():
        if output.exists():
            raise UsageError(
                f"--output {output} is not a folder", hint="name a folder, such as -o out"
            )
        if _names_no_folder(output):
            raise UsageError(
                f"--output {output}: {output.suffix} cannot be written",
                hint=f"{_writable(output.suffix)}; to get a folder, make it first",
            )
        return None
    if len(images) != 1:
        raise UsageError(
            f"--output {output} is one file, but there are {len(images)} images",
            hint="name a folder, such as -o out",
        )
    written = format_of_extension(output.suffix)
    if written is None:
        raise UsageError(
            f"--output {output}: {output.suffix} cannot be written", hint="name a .png file"
        )
    if config.ext is not None and format_of_extension(config.ext) != written:
        raise UsageError(
            f"--ext {config.ext} contradicts --output {output}", hint="pass one of them"
        )
    return output


def _job(source: Source, config: UpscaleConfig, model_scale: int, file: Path | None) -> UpscaleJob:
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
    suffix = result_suffix(
        Path(f"a.{config.ext.lstrip('.')}") if config.ext else source.path, format_
    )
    if config.in_place:
        output = source.path.resolve()
        folder = output.parent
    elif file is not None:
        output, folder = file, file.parent
    elif config.output is None:
        folder = source.path.parent
        sized = (config.width, config.height, config.max_side) != (None, None, None)
        factor = None if sized else config.scale or model_scale
        stem = source.path.stem + config.suffix if config.suffix else ""
        output = folder / f"{stem or beside(source.path, factor, size)}{suffix}"
    else:
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


def _refuse_collisions(jobs: list[UpscaleJob], sources: Sequence[Source]) -> None:
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
