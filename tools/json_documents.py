"""What docs/json.md says: every key of the documents that --json prints, from their types."""

import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from srgan_cli import engine
from srgan_cli.cli.render import JSON_FORMAT

TEXT = Path(__file__).with_name("json.in.md")
DOCUMENTS: Mapping[str, type] = {
    "upscale": engine.UpscaleReport,
    "upscale --dry-run": engine.EstimateReport,
    "upscale --verify": engine.VerifyReport,
    "compare": engine.CompareReport,
    "eval": engine.EvalReport,
    "prepare": engine.PrepareReport,
    "train": engine.TrainReport,
    "train --dry-run": engine.TrainPlan,
    "doctor": engine.DoctorReport,
    "models show": engine.ModelInfo,
    "models export": engine.ExportReport,
    "models card": engine.CardReport,
}
NOT_PRINTED = {("eval", "exhibits"), ("compare", "images[].views")}
INFINITE = {("eval", "sets[].means{}{}"), ("eval", "sets[].images[].scores{}{}")}
"""Numbers that may be infinite, which JSON says by null."""
NAMES = {int: "integer", float: "number", str: "text", bool: "true or false", Path: "text"}


def document() -> str:
    """Return the page."""
    sections = []
    for command, kind in DOCUMENTS.items():
        rows = [f"| `{key}` | {value} |" for key, value in keys(command, kind)]
        sections.append("\n".join([f"## srgan {command}\n", "| key | value |", "|---|---|", *rows]))
    text = TEXT.read_text(encoding="utf-8").replace("{format}", str(JSON_FORMAT))
    return text.replace("{documents}", "\n\n".join(sections))


def keys(command: str, kind: type) -> Iterator[tuple[str, str]]:
    """Yield each key of a command's document with what its value is."""
    for key, value in _keys(kind, ""):
        if not any(key.startswith(gone) for of, gone in NOT_PRINTED if of == command):
            yield key, value + " or null" * ((command, key) in INFINITE)


def _keys(kind: Any, key: str) -> Iterator[tuple[str, str]]:
    kind, ending = _plain(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if is_dataclass(kind) and isinstance(kind, type):
        if key:
            yield key, f"object{ending}"
        hints = get_type_hints(kind)
        for field in fields(kind):
            yield from _keys(hints[field.name], f"{key}.{field.name}" if key else field.name)
    elif origin in {tuple, list, Sequence}:
        yield key, f"list{ending}"
        yield from _inner(arguments[0], f"{key}[]")
    elif origin in {dict, Mapping}:
        yield key, f"object{ending}"
        yield from _inner(arguments[1], f"{key}{{}}")
    else:
        yield key, _name(kind) + ending


def _inner(kind: Any, key: str) -> Iterator[tuple[str, str]]:
    """Yield keys within a list; that of plain values says nothing new but its type."""
    yield from _keys(kind, key)


def _plain(kind: Any) -> tuple[Any, str]:
    """Take ``Annotated`` and ``None`` away from a type."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in {Union, types.UnionType}:
        rest = [arm for arm in get_args(kind) if arm is not type(None)]
        ending = " or null" if len(rest) < len(get_args(kind)) else ""
        return (rest[0], ending) if len(rest) == 1 else (Any, ending)
    return kind, ""


def _name(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    return NAMES.get(kind, "any value")
