"""What docs/python-reference.md says: the public names, from their docstrings."""

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import srgan_cli

INTRO = """# Python reference

The public names of `srgan_cli`, from their docstrings. [Use srgan from Python](python.md) shows
them at work. Everything else in the package may change between versions
([what stays compatible](stability.md)).
"""
SECTIONS = ("Args", "Returns", "Raises")


def document() -> str:
    """Return the page."""
    return "\n".join([INTRO, *_entries()]).rstrip("\n") + "\n"


def _entries() -> Iterator[str]:
    for name in sorted(srgan_cli.__all__, key=lambda each: (each[0].isupper(), each)):
        value = getattr(srgan_cli, name)
        if inspect.isfunction(value):
            yield _function(f"## `{name}`", name, value)
        elif inspect.isclass(value):
            yield f"## `{name}`\n\n{markdown(inspect.getdoc(value) or '')}\n"
            yield from _members(value)


def _members(kind: type) -> Iterator[str]:
    for name, member in vars(kind).items():
        if name.startswith("_"):
            continue
        title = f"### `{kind.__name__}.{name}`"
        if isinstance(member, property):
            yield f"{title}\n\n{markdown(inspect.getdoc(member) or '')}\n"
        elif inspect.isfunction(member):
            yield _function(title, name, member)


def _function(title: str, name: str, function: Callable[..., Any]) -> str:
    parts: list[str] = []
    for each in inspect.signature(function).parameters.values():
        if each.kind is each.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        if each.name != "self":
            parts.append(re.sub(r"[A-Za-z_.]*\.(?=[A-Z]\w)", "", str(each)))
    signature = f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + ")"
    return f"{title}\n\n```text\n{signature}\n```\n\n{markdown(inspect.getdoc(function) or '')}\n"


def markdown(doc: str) -> str:
    """Turn a docstring in Google style into Markdown."""
    lines: list[str] = []
    section = ""
    for line in doc.replace("``", "`").splitlines():
        heading = line.strip().removesuffix(":")
        if heading in SECTIONS and line.endswith(":"):
            section = heading
            lines += [f"**{section}**", ""]
        elif section in {"Args", "Raises"} and re.match(r"    \*{0,2}\w+: ", line):
            name, _, rest = line.strip().partition(": ")
            lines.append(f"- `{name}`: {rest}")
        elif section in {"Args", "Raises"} and line.strip():
            lines.append(line[2:] if line.startswith("      ") else line)
        else:
            lines.append(line.strip() if section else line)
    return re.sub(r":(?:func|class|meth):`~?([^`]+)`", r"`\1`", "\n".join(lines)).strip()
