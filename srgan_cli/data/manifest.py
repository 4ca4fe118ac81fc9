"""The manifest of a prepared data set, and how a set is found. No torch here.

A data set is one folder::

    manifest.json            settings, pictures, what was dropped and why
    shard-00000.safetensors  uint8 tensors "hr/<index>" and "lr/<index>", H, W, 3
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from srgan_cli.errors import InputError
from srgan_cli.paths import datasets_dir

FORMAT = 1
MANIFEST = "manifest.json"

Split = Literal["train", "validation"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture of a data set."""

    index: int
    """Its number; the tensors are ``hr/<index>`` and ``lr/<index>``."""
    source: str
    """Path below the source folder."""
    sha256: str
    """Hash of the source file."""
    width: int
    """HR columns."""
    height: int
    """HR rows."""
    split: Split
    """``train`` or ``validation``."""
    shard: int
    """Number of the shard that holds it."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A photograph that was left out."""

    source: str
    """Path below the source folder."""
    reason: str
    """Why, in plain words."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What ``manifest.json`` holds."""

    name: str
    scale: int
    created: str
    """UTC time in ISO 8601."""
    fingerprint: str
    """Hash of the settings and of every source file's path and content."""
    listing: str
    """Hash of the source files' paths, sizes and times: tells cheaply whether they changed."""
    settings: dict[str, Any]
    pictures: tuple[Entry, ...]
    dropped: tuple[Dropped, ...]
    format: int = FORMAT

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
        hint = "make a data set first: srgan prepare FOLDER"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if values["format"] != FORMAT:
                raise InputError(f"{path}: data set format {values['format']}", hint=hint)
            values["pictures"] = tuple(Entry(**entry) for entry in values["pictures"])
            values["dropped"] = tuple(Dropped(**entry) for entry in values["dropped"])
            return cls(**values)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InputError(f"{folder} holds no prepared data set", hint=hint) from error
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not a data set manifest ({error})", hint=hint) from error


def shard_name(number: int) -> str:
    """Return the file name of a shard."""
    return f"shard-{number:05d}.safetensors"


def find_dataset(spec: str | None) -> tuple[Path, str]:
    """Find the data set that a command is to use.

    Args:
        spec: A data set's name or folder; the newest one when None.

    Returns:
        Its folder, and why it was taken, in words.

    Raises:
        InputError: There is no such data set.
    """
    if spec is not None:
        for folder in (datasets_dir() / spec, Path(spec)):
            if (folder / MANIFEST).is_file():
                return folder, "as named"
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
