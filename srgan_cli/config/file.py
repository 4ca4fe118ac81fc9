"""Options of ``srgan train`` in a TOML file: read for ``--config``, written for every run."""

import difflib
import json
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from srgan_cli.config.generator import SIZES
from srgan_cli.config.option import declared
from srgan_cli.config.train import TrainConfig
from srgan_cli.errors import InputError, UsageError
from srgan_cli.records import read_toml
from srgan_cli.typed import RecordError

_DECLARED = declared(TrainConfig)
_OPTIONS = {option.name for option in _DECLARED} - {"resume"}

_TABLES: Mapping[str, Mapping[str, str]] = {
    table: {option.key: option.name for option in _DECLARED if option.table == table}
    for table in dict.fromkeys(option.table for option in _DECLARED if option.table)
}
"""Keys of each table, with the options that they stand for."""


SAME_LENGTH = (
    ("epochs", "steps", "minutes", "hours"),
    ("pretrain", "pretrain_epochs", "pretrain_steps"),
)
"""Options of which one takes the place of the others."""


def displaced(given: AbstractSet[str], by: AbstractSet[str]) -> set[str]:
    """Return those of the given options that make no sense beside others, which win."""
    lost = {name for group in SAME_LENGTH if by & set(group) for name in group}
    if "preset" in by:
        lost |= set(SIZES)
    return (lost - by) & given


def merged(below: Mapping[str, str], above: Mapping[str, str]) -> dict[str, str]:
    """Lay options over others, which lose those that are :func:`displaced`."""
    lost = displaced(below.keys(), above.keys())
    return {name: value for name, value in below.items() if name not in lost} | dict(above)


def read_options(path: Path) -> dict[str, str]:
    """Read options from a TOML file.

    A key is an option's name without the dashes before it, and ``-`` or ``_`` within.
    Those that end in ``-weight`` may stand in a table ``weights`` without that end, and
    the generator's sizes in a table ``generator``.

    Args:
        path: The file.

    Returns:
        What each option's value would be on the command line, by its name with ``_``.

    Raises:
        InputError: The file cannot be read, or is not TOML.
        UsageError: There is no option of that name, or it is given twice.
    """
    try:
        document = read_toml(path)
    except OSError as error:
        raise InputError(
            f"--config {path}: {error.strerror}", hint="name a TOML file of options"
        ) from error
    except RecordError as error:
        raise InputError(f"--config {path}: {error}", hint="write: batch = 16") from error
    found: dict[str, str] = {}
    for option, value in _flattened(path, document):
        if option in found:
            raise UsageError(f"{path}: {option} is given twice", hint="remove one of them")
        found[option] = value
    return found


def _flattened(path: Path, document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in document.items():
        if key in _TABLES and isinstance(value, dict):
            table = _TABLES[key]
            for inner, number in value.items():
                name = _known(path, inner, set(table), f" in [{key}]")
                yield table[name], _as_given(path, inner, number)
        else:
            yield _known(path, key, _OPTIONS), _as_given(path, key, value)


def _known(path: Path, key: str, known: set[str], where: str = "") -> str:
    name = key.replace("-", "_")
    if name in known:
        return name
    nearest = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0)
    raise UsageError(f"{path}: no option is called {key!r}{where}", hint=f"nearest: {nearest[0]}")


def _as_given(path: Path, key: str, value: object) -> str:
    """Write a value as on the command line, so that it is checked like there."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and not any(isinstance(part, list | dict) for part in value):
        return ",".join(map(str, value))
    if isinstance(value, str | int | float):
        return str(value)
    raise UsageError(
        f"{path}: {key} has a value that no option can have",
        hint="write text, a number, true, false or a list of them",
    )


def to_toml(config: TrainConfig) -> str:
    """Write a run's options so that :func:`read_options` gives the same run again.

    The run's name is omitted, since the next run needs another one.

    Raises:
        UsageError: A file's name cannot be written as Unicode.
    """
    values = config.to_dict()
    if config.steps is not None:
        del values["epochs"]
    if config.pretrain_epochs is not None or config.pretrain_steps is not None:
        del values["pretrain"]
    tables = {name: values.pop(name) for name in _TABLES}
    lines = list(_lines({**values, "name": None, "resume": None}))
    for name, table in tables.items():
        lines += ["", f"[{name}]", *_lines(table)]
    return "\n".join(lines) + "\n"


def _lines(values: Mapping[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        if value is None or value == ():
            continue  # TOML has no word for nothing; the option's default is.
        try:
            # JSON's numbers, strings, lists and booleans are TOML's too, once DEL is escaped.
            written = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
            written.encode()
        except UnicodeEncodeError as error:
            raise UsageError(
                f"--{key} {value!r} is not a name in Unicode", hint="rename that file or folder"
            ) from error
        yield f"{key} = {written}"
