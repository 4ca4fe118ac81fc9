"""Write what version 1 promises to keep into tests/docs/promises.json.

python -m tools.promises [--check]

Run it when a release adds something public; a test compares the file with the program, so that
nothing in it is lost. tools/release runs it with --check, which fails if something public is
not promised yet.
"""

import argparse
import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import srgan_cli
from srgan_cli.cli.exit_codes import ExitCode
from srgan_cli.config import TrainConfig
from srgan_cli.config.option import declared

TARGET = Path(__file__).parents[1] / "tests" / "docs" / "promises.json"


def promises() -> Mapping[str, Mapping[str, Any]]:
    """Return all that is public: by kind and name, what stays of it."""
    from typer.main import get_command

    from srgan_cli.cli import app
    from srgan_cli.data.manifest import Manifest
    from srgan_cli.engine.upscaling.ledger import LedgerEntry
    from tools.json_documents import DOCUMENTS, keys

    files = {"manifest.json": Manifest, "ledger": LedgerEntry}
    return {
        "commands": dict(_commands(get_command(app), "")),
        "exit codes": {str(code.value): code.meaning for code in ExitCode},
        "config keys": {option.name: "" for option in declared(TrainConfig)},
        "json": {
            f"{command}: {key}": value
            for command, kind in DOCUMENTS.items()
            for key, value in keys(command, kind)
        },
        "files": {
            f"{file}: {key}": value
            for file, kind in files.items()
            for key, value in keys(file, kind)
        },
        "python": dict(_names()),
    }


def lost(promised: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what was promised and is not kept."""
    now = promises()
    return [
        f"{kind}: {name}: {what}"
        for kind, names in promised.items()
        for name, what in names.items()
        if not _kept(what, now[kind].get(name))
    ]


def _kept(promised: Any, now: Any) -> bool:
    if isinstance(promised, list) and isinstance(now, list):
        return set(promised) <= set(now)
    return bool(promised == now)


def _commands(command: Any, path: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each command with its options, arguments and the values that they choose from."""
    found = []
    for parameter in command.params:
        flags = [*parameter.opts, *parameter.secondary_opts]
        kind = parameter.type_descriptor.annotation
        choices = get_args(kind) if get_origin(kind) is Literal else ()
        found += flags if parameter.param_type_name == "option" else [parameter.name]
        found += [f"{flags[0]} {value}" for value in choices]
    yield path or "srgan", sorted(found)
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, f"{path} {name}".strip())


def _names() -> Iterator[tuple[str, list[str]]]:
    """Yield each public name of the package with its parameters or members."""
    for name in srgan_cli.__all__:
        value = getattr(srgan_cli, name)
        if inspect.isfunction(value):
            yield name, list(inspect.signature(value).parameters)
        elif inspect.isclass(value):
            yield name, sorted(each for each in dir(value) if not each.startswith("_"))
            for key, member in vars(value).items():
                if inspect.isfunction(member) and not key.startswith("_"):
                    yield f"{name}.{key}", list(inspect.signature(member).parameters)
        else:
            yield name, []


def main() -> None:
    """Write the file, or check that it is complete."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare")
    check = parser.parse_args().check
    text = json.dumps(promises(), indent=1, ensure_ascii=False) + "\n"
    if not check:
        TARGET.write_text(text, encoding="utf-8")
    elif TARGET.read_text(encoding="utf-8") != text:
        sys.exit(f"{TARGET.name} does not hold all that is public; run: python -m tools.promises")


if __name__ == "__main__":
    main()
