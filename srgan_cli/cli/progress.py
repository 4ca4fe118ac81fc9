"""Progress and messages on stderr, as people see them."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from srgan_cli.cli.render import holds_command, one_line, print_line, stderr
from srgan_cli.observer import Bar, SilentBar


class RichObserver:
    """Shows progress on stderr; a bar that opens inside another is drawn below it."""

    def __init__(self) -> None:
        self._console = stderr()
        self._progress: Progress | None = None

    def say(self, message: str) -> None:
        """Print a fact."""
        print_line(self._console, Text(one_line(message), style="dim"))

    def warn(self, message: str, hint: str = "") -> None:
        """Print a warning, and what to do about it if that is known."""
        for label, style, text in (("warning", "yellow", message), ("hint", "cyan", hint)):
            if text:
                line = Text.assemble((f"{label:>7}: ", style), one_line(text))
                whole = label.strip() == "hint" and holds_command(text)
                print_line(self._console, line, whole=whole)

    @contextmanager
    def bar(self, title: str, *, total: float, unit: str) -> Iterator[Bar]:
        """Open a bar with rate and time left."""
        if self._progress is not None:
            bar = _RichBar(self._progress, title, total, unit)
            try:
                yield bar
            finally:
                bar.remove()
            return
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            _Count(),
            TextColumn("{task.fields[figures]}", table_column=Column(no_wrap=True)),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=self._console,
            expand=True,
        )
        try:
            with self._progress:
                yield _RichBar(self._progress, title, total, unit)
        finally:
            self._progress = None


class QuietObserver(RichObserver):
    """Shows warnings alone."""

    def say(self, message: str) -> None:
        """Drop the fact."""

    @contextmanager
    def bar(self, title: str, *, total: float, unit: str) -> Iterator[Bar]:  # noqa: ARG002
        """Open a bar that nobody sees."""
        yield SilentBar()


class _RichBar:
    def __init__(self, progress: Progress, title: str, total: float, unit: str) -> None:
        self._progress = progress
        self._task = progress.add_task(one_line(title), total=total or None, figures="", unit=unit)

    def advance(self, amount: float = 1, **figures: str) -> None:
        """Count ``amount`` more units as done."""
        self._progress.update(self._task, advance=amount)
        if figures:
            shown = "  ".join(f"{name} {value}" for name, value in figures.items())
            self._progress.update(self._task, figures=shown)

    def remove(self) -> None:
        """Take the bar off the screen."""
        self._progress.remove_task(self._task)


class _Count(ProgressColumn):
    """``12/350 images  41.0 images/s``."""

    def __init__(self) -> None:
        super().__init__(table_column=Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        """Format one task."""
        done, total = task.completed, task.total or task.completed
        whole = total >= 100 or float(total).is_integer()
        digits = 0 if whole else 1 if total >= 1 else 1 - math.floor(math.log10(total))
        count = f"{done:,.{digits}f}/{total:,.{digits}f}"
        unit, speed = task.fields["unit"], task.finished_speed or task.speed or 0.0
        few = unit != "MP" and total < 10  # Of which a rate tells nothing.
        if few or (not speed and done >= total):  # Too quick to be measured.
            return Text(f"{count} {unit}")
        # Also before the first figure, so that nothing moves when it comes.
        return Text(f"{count} {unit}  {speed:,.{1 if speed >= 1 else 2}f} {unit}/s")
