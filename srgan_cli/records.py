"""Read the text files that srgan keeps or is given, as anybody may have left them.

Every reader is bounded, takes regular files only, and gives values of the types that a
dataclass declares, or a :class:`RecordError` that says in a few words what is wrong.
"""

import hashlib
import json
import os
import stat
import tomllib
from pathlib import Path
from typing import Any, BinaryIO, cast

from srgan_cli.typed import Kind, RecordError, build

MOST_BYTES = 2**26
"""Longest file that is read, unless its reader says otherwise."""


def read_bytes(path: Path, *, most_bytes: int = MOST_BYTES) -> bytes:
    """Read a regular file; a pipe or device is refused, since it could block for ever.

    Raises:
        FileNotFoundError: There is none.
        NotADirectoryError: A file stands in place of its folder.
        RecordError: It cannot be read, or is too long.
    """
    try:
        with _opened(path, os.O_RDONLY, "rb") as file:
            data = file.read(most_bytes + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise RecordError(error.strerror or str(error)) from error
    if len(data) > most_bytes:
        raise RecordError(f"longer than {most_bytes:,} bytes")
    return data


def read_text(path: Path, *, most_bytes: int = MOST_BYTES) -> str:
    """Read a regular file as UTF-8; raises as :func:`read_bytes`."""
    data = read_bytes(path, most_bytes=most_bytes)
    try:
        return data.decode("utf-8-sig")  # Some editors begin a file with a mark.
    except UnicodeDecodeError as error:
        raise RecordError("not UTF-8 text") from error


def open_to_append(path: Path) -> BinaryIO:
    """Open a file of ours for reading and appending; it is made where there is none.

    Raises:
        OSError: It cannot be opened.
        RecordError: It is a link, which could lead anywhere, or no regular file.
    """
    if path.is_symlink():
        raise RecordError("a link, not a regular file")
    no_links = getattr(os, "O_NOFOLLOW", 0)
    return _opened(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | no_links, "ab+")


def _opened(path: Path, flags: int, mode: str) -> BinaryIO:
    """Open a regular file; should a pipe take its place meanwhile, that does not block."""
    if path.exists():
        _require_regular(path.stat().st_mode)
    flags |= getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    file = cast("BinaryIO", os.fdopen(os.open(path, flags, 0o666), mode))
    try:
        _require_regular(os.fstat(file.fileno()).st_mode)
    except RecordError:
        file.close()
        raise
    return file


def _require_regular(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise RecordError("not a regular file")


def read_json(
    path: Path, kind: type[Kind], *, strict: bool = True, most_bytes: int = MOST_BYTES
) -> Kind:
    """Read a JSON file as a value of a type; raises as :func:`read_text` and :func:`build`."""
    return build(kind, parse_json(read_text(path, most_bytes=most_bytes)), strict=strict)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; raises as :func:`read_text`."""
    try:
        return tomllib.loads(read_text(path))
    except RecursionError as error:
        raise RecordError("nested too deeply") from error
    except RecordError:
        raise
    except ValueError as error:
        raise RecordError(f"not TOML: {error}") from error


def parse_json(text: str | bytes) -> Any:
    """Parse a JSON document.

    Raises:
        RecordError: It is none, or holds a number that is not finite.
    """
    try:
        return json.loads(text, parse_constant=_refused)
    except RecursionError as error:
        raise RecordError("nested too deeply") from error
    except RecordError:
        raise
    except ValueError as error:
        raise RecordError(f"not JSON: {error}") from error


def _refused(constant: str) -> None:
    raise RecordError(f"{constant} is not a number")


def json_sha256(value: object) -> str:
    """Return the SHA-256 of what JSON can express, in hexadecimal."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
