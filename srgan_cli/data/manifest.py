"""Read and write the manifest of a data set, and find a set by name. No torch here.

A data set is one folder, described in ``docs/data.md``::

    manifest.json              settings, images, what was dropped and why
    shard-<key>.safetensors    uint8 tensors "hr/<index>" and "lr-x<scale>/<index>", H, W, 3
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from srgan_cli.errors import InputError
from srgan_cli.paths import datasets_dir

FORMAT = 2
MANIFEST = "manifest.json"

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
    pictures: tuple[ManifestEntry, ...]
    """In the order of their sources."""
    dropped: tuple[Finding, ...]
    """Images that were skipped."""
    flagged: tuple[Finding, ...]
    """Photographs that were kept in spite of what was found."""
    shards: tuple[str, ...]
    """File names, in order."""
    format: int = FORMAT

    @property
    def scale(self) -> int:
        """The first of the factors, and the only one of most sets."""
        return self.scales[0]

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
        hint = "prepare a data set first: srgan prepare FOLDER"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if values["format"] != FORMAT:
                raise InputError(
                    f"{path}: data set format {values['format']} is not supported "
                    f"(this version reads format {FORMAT})",
                    hint="prepare the data set again: srgan prepare FOLDER --overwrite",
                )
            values["pictures"] = tuple(ManifestEntry(**entry) for entry in values["pictures"])
            for name in ("dropped", "flagged"):
                values[name] = tuple(Finding(**finding) for finding in values[name])
            for name in ("scales", "shards"):
                values[name] = tuple(values[name])
            manifest = cls(**values)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InputError(f"{folder} holds no prepared data set", hint=hint) from error
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not a data set manifest ({error})", hint=hint) from error
        if any(Path(name).name != name for name in manifest.shards):
            raise InputError(f"{path}: lists a shard outside its folder", hint=hint)
        return manifest


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
