"""Print results as tables or JSON on stdout, and errors on stderr."""

import base64
import json
import math
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from srgan_cli.errors import SrganError

_COMMAND = re.compile(r"\b(srgan|pip|curl|ffmpeg|mkdir|torchrun|apt|brew) ")
# Halves of characters, but for those that stand for the bytes of file names.
_HALF = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_ANY_WIDTH = 10_000
"""Columns of a terminal in which every table fits."""


def stdout() -> Console:
    """Return a console for results."""
    return Console(highlight=False)


def stderr() -> Console:
    """Return a console for everything else."""
    return Console(stderr=True, highlight=False)


def show_error(message: str, hint: str) -> None:
    """Print one line of error and one of hint."""
    console = stderr()
    for label, style, text in (("error", "bold red", message), (" hint", "bold cyan", hint)):
        line = Text.assemble((f"{label}: ", style), one_line(text))
        print_line(console, line, whole=label.strip() == "hint" and holds_command(text))


def holds_command(text: str) -> bool:
    """Say whether a hint has a command to copy, which line breaks would damage."""
    return _COMMAND.search(text) is not None


def print_line(console: Console, line: Text, *, whole: bool = False) -> None:
    """Print one line; terminals get it folded between words.

    Args:
        console: Where to; what is no terminal gets one line.
        line: The text.
        whole: It may hold a command to copy, which line breaks would damage.
    """
    console.print(line, soft_wrap=whole or not console.is_terminal)


def show_failure(error: SrganError) -> None:
    """Print an expected failure."""
    show_error(error.message, error.hint)


JSON_FORMAT = 1
"""Rises when a key of a JSON document goes or changes its meaning (docs/stability.md)."""


def show_json(report: object) -> None:
    """Print a report as the one JSON document on stdout, the number of its format first."""
    document = {"format": JSON_FORMAT} | jsonable(report)
    print(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def jsonable(value: object) -> Any:
    """Turn a frozen report into what JSON can hold; infinite numbers become null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, Path):
        return _printable(str(value))
    if isinstance(value, str):
        return _printable(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def show_table(title: str, columns: Mapping[str, str], rows: list[list[str]]) -> None:
    """Print a table on stdout.

    Args:
        title: Printed above it.
        columns: Heading to justification (``left`` or ``right``).
        rows: Cells, already formatted.
    """
    table = Table()  # Its own title would be folded to the table's width.
    for heading, justify in columns.items():
        table.add_column(
            heading, justify="right" if justify == "right" else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    console = stdout()
    unbounded = console.options.update(max_width=_ANY_WIDTH)
    if Measurement.get(console, unbounded, table).maximum > console.width:
        # Without lines and with two spaces instead, more of a table fits.
        table.box, table.padding, table.pad_edge = None, (0, 2, 0, 0), False
    print_line(console, Text(one_line(title), style="bold"))
    console.print(table)


def say(line: str) -> None:
    """Print one line of result on stdout."""
    print_line(stdout(), Text(one_line(line)))


def _printable(text: str) -> str:
    """Replace bytes of file names that no encoding explains, and halves of characters."""
    text = _HALF.sub("\ufffd", text)
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def one_line(text: str) -> str:
    """Return text that takes one line of a terminal, whatever a file name holds."""
    text = " ".join(_printable(text).split("\n"))
    # A file's name must not be able to move the cursor or change colours.
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
