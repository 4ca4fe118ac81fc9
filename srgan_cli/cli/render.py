"""What people see: progress and messages on stderr, results on stdout."""

import base64
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

from srgan_cli.errors import SrganError


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
        console.print(Text.assemble((f"{label}: ", style), _one_line(text)), soft_wrap=True)


def show_failure(error: SrganError) -> None:
    """Print an expected failure."""
    show_error(error.message, error.hint)


def show_json(report: object) -> None:
    """Print a report as the one JSON document on stdout."""
    print(json.dumps(jsonable(report), indent=2, ensure_ascii=False, allow_nan=False))


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
    table = Table(title=Text(title), title_justify="left")
    for heading, justify in columns.items():
        table.add_column(
            heading, justify="right" if justify == "right" else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(_one_line(cell)) for cell in row))
    stdout().print(table)


def say(line: str) -> None:
    """Print one line of result on stdout."""
    stdout().print(Text(_one_line(line)), soft_wrap=True)


def _printable(text: str) -> str:
    """Replace the bytes of file names that no encoding explains."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _one_line(text: str) -> str:
    text = " ".join(_printable(text).split("\n"))
    # A file's name must not be able to move the cursor or change colours.
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


class RichObserver:
    """Shows progress on stderr."""

    def __init__(self) -> None:
        self._console = stderr()

    def say(self, message: str) -> None:
        """Print a fact."""
        self._console.print(Text(_one_line(message), style="dim"), soft_wrap=True)

    def warn(self, message: str) -> None:
        """Print a warning."""
        line = Text.assemble(("warning: ", "yellow"), _one_line(message))
        self._console.print(line, soft_wrap=True)

    @contextmanager
    def bar(self, title: str, *, total: float, unit: str) -> Iterator["_RichBar"]:
        """Open a bar with rate and time left."""
        progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            _Count(unit),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            TextColumn("[dim]left"),
            TimeRemainingColumn(),
            console=self._console,
            expand=True,
        )
        with progress:
            yield _RichBar(progress, title, total)


class _RichBar:
    def __init__(self, progress: Progress, title: str, total: float) -> None:
        self._progress = progress
        self._task = progress.add_task(title, total=total or None, figures="")

    def advance(self, amount: float = 1, **figures: str) -> None:
        """Count ``amount`` more units as done."""
        self._progress.update(self._task, advance=amount)
        if figures:
            shown = "  ".join(f"{name} {value}" for name, value in figures.items())
            self._progress.update(self._task, figures=shown)


class _Count(ProgressColumn):
    """``12/350 photos  41.0/s``."""

    def __init__(self, unit: str) -> None:
        super().__init__(table_column=Column(no_wrap=True))
        self._unit = unit

    def render(self, task: Task) -> Text:
        """Format one task."""
        done, total = task.completed, task.total or task.completed
        whole = total >= 100 or float(total).is_integer()
        digits = 0 if whole else 1 if total >= 1 else 2
        count = f"{done:,.{digits}f}/{total:,.{digits}f}"
        speed = task.finished_speed or task.speed
        rate = f"  {speed:,.{1 if speed >= 1 else 2}f}/s" if speed else ""
        return Text(f"{count} {self._unit}{rate}")
