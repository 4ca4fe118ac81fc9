"""Read and write the manifest of a data set, and find a set by name. No torch here.

A data set is one folder, described in ``docs/data.md``::

    manifest.json              settings, images, what was dropped and why
    shard-<key>.safetensors    uint8 tensors "hr/<index>" and "lr-x<scale>/<index>", H, W, 3
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Self

from srgan_cli.config import SCALES
from srgan_cli.errors import InputError
from srgan_cli.paths import datasets_dir, file_sha256
from srgan_cli.records import parse_json, read_text
from srgan_cli.typed import RecordError, build

FORMAT = 2
MANIFEST = "manifest.json"
_MOST_BYTES = 2**29

Split = Literal["train", "validation"]
Kind = Literal[
    "unreadable",
    "small",
    "duplicate",
    "near-duplicate",
    "excluded",
    "flat",
    "blurry",
    "upscaled",
    "blocky",
]


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """One image of a data set: a photograph, a reduction or a part of one."""

    source: str
    """Path of the photograph below the source folder."""
    sha256: str
    """Hash of the source file."""
    width: int
    """HR columns."""
    height: int
    """HR rows."""
    split: Split
    """``train`` or ``validation``."""
    shard: str
    """File name of the shard that holds it."""
    index: int
    """Its number there; the tensors are ``hr/<index>`` and ``lr-x<scale>/<index>``."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a photograph."""

    source: str
    """Path below the source folder."""
    kind: Kind
    """What it is, for counting."""
    reason: str
    """Why, in plain words and with the measured value."""
    twin: str = ""
    """For duplicates, the photograph that was kept instead."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a shard was when it was written."""

    size: int
    """Bytes."""
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Self:
        """Read a file.

        Raises:
            OSError: It cannot be read.
        """
        return cls(path.stat().st_size, file_sha256(path))


@dataclass(frozen=True, slots=True)
class Manifest:
    """What ``manifest.json`` holds."""

    name: str
    scales: tuple[int, ...]
    """Factors per side for which the set holds LR images."""
    fingerprint: str
    """Hash of the settings and of every image's source path and content."""
    listing: str
    """Hash of the settings and of the source files' paths, sizes and times: tells cheaply
    whether they changed."""
    settings: dict[str, Any]
    images: tuple[ManifestEntry, ...]
    """In the order of their sources."""
    dropped: tuple[Finding, ...]
    """Images that were skipped."""
    flagged: tuple[Finding, ...]
    """Images that were kept in spite of what was found."""
    shards: tuple[str, ...]
    """File names, in order."""
    format: int = FORMAT
    checksums: Mapping[str, Checksum] = field(default_factory=dict)
    """By shard; none in sets from before there were any."""
    command: str = ""
    """The ``srgan prepare`` that makes the set and repairs it; empty in sets from before."""

    @property
    def scale(self) -> int:
        """The first of the factors, and the only one of most sets."""
        return self.scales[0]

    @property
    def repair(self) -> str:
        """What to do when a shard is missing or damaged, for a hint."""
        if self.command:
            return f"repair the data set: {self.command}"
        return f"repair the data set: srgan prepare FOLDER --name {self.name}, with its options"

    def to_json(self) -> str:
        """Return the text of ``manifest.json``."""
        # ASCII: file names may hold bytes that UTF-8 cannot express.
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a data set's manifest.

        Raises:
            InputError: There is none, or it was not written by this version of srgan.
        """
        path = folder / MANIFEST
        try:
            values = parse_json(read_text(path, most_bytes=_MOST_BYTES))
            found = values.get("format") if isinstance(values, dict) else None
            if isinstance(found, int) and found != FORMAT:
                raise InputError(
                    f"{path}: data set format {found} is not supported "
                    f"(this version reads format {FORMAT})",
                    hint="prepare the data set again: srgan prepare FOLDER --overwrite",
                )
            manifest = build(cls, _with_images(values))
            _require_sound(manifest)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InputError(
                f"{folder} holds no prepared data set",
                hint="prepare a data set first: srgan prepare FOLDER",
            ) from error
        except RecordError as error:
            raise InputError(
                f"{path}: not a data set manifest ({error})",
                hint="run srgan prepare as before, with --overwrite; intact shards are reused",
            ) from error
        return manifest


def _with_images(values: Any) -> Any:
    """Rename the list of images, which sets from before 1.0 call ``pictures``."""
    if isinstance(values, dict) and "images" not in values and "pictures" in values:
        return {("images" if key == "pictures" else key): item for key, item in values.items()}
    return values


def _require_sound(manifest: Manifest) -> None:
    """Refuse what no set is like, so that nobody else has to.

    Raises:
        RecordError: It says what.
    """
    if not manifest.scales or not set(manifest.scales) <= set(SCALES):
        raise RecordError(f"scales {list(manifest.scales)}")
    if any(Path(name).name != name for name in manifest.shards):
        raise RecordError("a shard outside its folder")
    shards = set(manifest.shards)
    for entry in manifest.images:
        if entry.shard not in shards or min(entry.width, entry.height) < 1 or entry.index < 0:
            raise RecordError(f"{entry.source}: no such image")
        if entry.source.startswith("/") or ".." in PurePosixPath(entry.source).parts:
            raise RecordError(f"{entry.source} is outside the folder of images")


def find_dataset(spec: str | None) -> tuple[Path, str]:
    """Find the data set that a command is to use.

    Args:
        spec: A data set's name or folder; the newest one when None.

    Returns:
        Its folder, and why it was chosen, for the first line of a command.

    Raises:
        InputError: There is no such data set.
    """
    if spec is not None:
        for folder in (datasets_dir() / spec, Path(spec)):
            if (folder / MANIFEST).is_file():
                return folder, "--data"
        names = ", ".join(sorted(folder.name for folder in _datasets())) or "none yet"
        raise InputError(f"no data set is called {spec}", hint=f"prepared data sets: {names}")
    folders = _datasets()
    if not folders:
        raise InputError("no data set has been prepared", hint="run: srgan prepare FOLDER")
    newest = max(folders, key=lambda folder: (folder / MANIFEST).stat().st_mtime_ns)
    return newest, "the newest prepared"


def find_by_fingerprint(fingerprint: str) -> Path | None:
    """Return the folder of the data set with this fingerprint, if it is on this machine."""
    for folder in _datasets():
        try:
            if Manifest.read(folder).fingerprint == fingerprint:
                return folder
        except InputError:
            continue  # Another set's damage is not this search's business.
    return None


def _datasets() -> list[Path]:
    root = datasets_dir()
    if not root.is_dir():
        return []
    return [
        folder
        for folder in root.iterdir()
        if not folder.name.startswith(".") and (folder / MANIFEST).is_file()
    ]
