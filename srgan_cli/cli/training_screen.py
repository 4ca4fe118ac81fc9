"""A training run on stderr: a live panel in a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from srgan_cli.cli.keyboard import without_key_echo
from srgan_cli.cli.progress import RichObserver
from srgan_cli.cli.render import one_line
from srgan_cli.observer import TrainingStatus

_SECONDS_PER_FRAME = 1.0
"""Drawing the panel takes a few milliseconds, of which no step should wait for many."""
_SECONDS_PER_LINE = 30.0
_SPARKS = "▁▂▃▄▅▆▇█"
_SPARKLINE = 24
_FACTS_PER_LINE = 4
_STYLES = {"healthy": "green", "diverging": "bold red"}


class TrainingScreen(RichObserver):
    """Shows a training run; remembers where it stood."""

    def __init__(self) -> None:
        super().__init__()
        self.last: TrainingStatus | None = None
        self._drawing, self._waiting = False, list[str]()

    @contextmanager
    def watch(self) -> Iterator[Callable[[TrainingStatus], None]]:
        """Follow a run: a panel that is redrawn once a second, or a line now and then."""
        if not self._console.is_terminal:
            yield self._lines()
            return
        with without_key_echo(), Live(console=self._console, auto_refresh=False) as live:
            try:
                yield self._frames(live)
            finally:
                self._draw(live)

    def say(self, message: str) -> None:
        """Print a fact; after the panel, when a signal arrives while it is drawn."""
        if self._drawing:
            self._waiting.append(message)
        else:
            super().say(message)

    def _frames(self, live: Live) -> Callable[[TrainingStatus], None]:
        drawn = -_SECONDS_PER_FRAME

        def show(status: TrainingStatus) -> None:
            nonlocal drawn
            self.last = status
            now = time.monotonic()
            if now - drawn >= _SECONDS_PER_FRAME:
                drawn = now
                self._draw(live)

        return show

    def _draw(self, live: Live) -> None:
        if self.last is None:
            return
        self._drawing = True
        live.update(panel(self.last), refresh=True)
        self._drawing = False
        while self._waiting:
            self.say(self._waiting.pop(0))

    def _lines(self) -> Callable[[TrainingStatus], None]:
        printed, validations = time.monotonic(), 0

        def show(status: TrainingStatus) -> None:
            nonlocal printed, validations
            validated = len(status.psnr) != validations and self.last is not None
            self.last, validations = status, len(status.psnr)
            now = time.monotonic()
            if validated or now - printed >= _SECONDS_PER_LINE:
                printed = now
                self._console.print(Text(one_line(line(status))), soft_wrap=True)

        return show


def line(status: TrainingStatus) -> str:
    """Say where a run stands in one line."""
    parts = [
        f"step {status.step:,}/{status.steps:,} {status.phase}",
        *(f"{name} {value:.4g}" for name, value in status.losses.items()),
        f"PSNR {status.psnr[-1]:.2f} dB",
        f"{status.rate:.1f} images/s",
        _time_left(status),
        status.verdict,
    ]
    return ", ".join(filter(None, parts))


def panel(status: TrainingStatus) -> Panel:
    """Draw where a run stands, for a terminal of 80 columns or more."""
    rows: list[RenderableType] = [
        _progress(status),
        _scores(status),
        Text(),
        _losses(status),
        Text(),
        _machine(status),
        Text.assemble(
            (status.verdict, _STYLES.get(status.verdict, "yellow")), f": {status.reason}"
        ),
    ]
    title = Text(one_line(status.run.name), style="bold", overflow="ellipsis")
    return Panel(Group(*rows), title=title, title_align="left")


def _progress(status: TrainingStatus) -> Table:
    # Where a batch takes every image more than once, epochs say nothing.
    counts = status.epochs <= status.steps
    epoch = f", epoch {status.epoch:,} of {status.epochs:,}" if counts else ""
    grid = Table.grid(expand=True, padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True, justify="right")
    grid.add_row(
        Text(status.phase + epoch, style="bold"),
        ProgressBar(total=status.steps, completed=status.step),
        f"step {status.step:,} of {status.steps:,}",
    )
    return grid


def _scores(status: TrainingStatus) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0))
    gain = status.psnr[-1] - status.bicubic_psnr
    psnr = f"{status.psnr[-1]:.2f} dB ({gain:+.2f} to bicubic)"
    grid.add_row("PSNR", Text(sparkline(status.psnr), style="cyan"), psnr)
    grid.add_row("SSIM", Text(sparkline(status.ssim), style="cyan"), f"{status.ssim[-1]:.4f}")
    return grid


def _losses(status: TrainingStatus) -> Table:
    grid = Table.grid(padding=(0, 3, 0, 0))
    cells = [
        Text.assemble((f"{name.replace('_', ' ')} ", "dim"), f"{value:.4g}")
        for name, value in status.losses.items()
    ]
    for start in range(0, len(cells), 3):
        grid.add_row(*cells[start : start + 3])
    return grid


def _machine(status: TrainingStatus) -> Text:
    facts = [
        *(("", left) for left in [_time_left(status)] if left),
        ("", f"{status.rate:.1f} images/s"),
        ("data wait ", f"{status.waiting:.1%}"),
        ("memory ", f"{status.memory / 2**30:.1f} GiB"),
        ("learning rate ", f"{status.learning_rate:.2g}"),
        ("skipped ", f"{status.skipped:,}"),
        ("roll-backs ", f"{status.rollbacks}"),
    ]
    text = Text()
    for i, (label, value) in enumerate(facts):
        text.append("\n" if i == _FACTS_PER_LINE else " · " if i else "", style="dim")
        text.append(label, style="dim").append(value)
    return text


def _time_left(status: TrainingStatus) -> str:
    """Say how long the run still takes; nothing where all steps are made."""
    if status.step >= status.steps:
        return ""
    return f"{timedelta(seconds=round(status.seconds_left))} left"


def sparkline(values: Sequence[float]) -> str:
    """Draw the last values as blocks, from their lowest to their highest."""
    values = values[-_SPARKLINE:]
    low, high = min(values), max(values)
    steps = len(_SPARKS) - 1
    return "".join(
        _SPARKS[round(steps * (value - low) / (high - low)) if high > low else 0]
        for value in values
    )
