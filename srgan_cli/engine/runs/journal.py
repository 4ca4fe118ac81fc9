"""Log metrics to ``metrics.jsonl`` and to TensorBoard's event files."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srgan_cli.engine.runs.progress import RollBack
from srgan_cli.errors import UsageError
from srgan_cli.paths import write_text

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

METRICS_FILE = "metrics.jsonl"
EVENTS = "tensorboard"


class Journal:
    """The records of a run, in memory and on disk.

    Args:
        run: The run's folder.
        writes: Whether this process keeps the files; the others only remember.
        tensorboard: Whether to write event files, too.

    Raises:
        UsageError: TensorBoard is wanted and not installed.
    """

    def __init__(self, run: Path, *, writes: bool = True, tensorboard: bool = False) -> None:
        self.records: list[dict[str, Any]] = []
        self._path = run / METRICS_FILE
        self._writes = writes
        self._wants_events = writes and tensorboard
        self._events: SummaryWriter | None = None
        if self._wants_events:
            _summary_writer()

    def read(self, step: int, rollbacks: Sequence[RollBack] = ()) -> int:
        """Take up what was logged until a step; drop the rest, and a line that a crash cut short.

        Args:
            step: Where the run goes on.
            rollbacks: All of the run; each gets a line where it ended.

        Returns:
            How many other lines were damaged, and dropped too.
        """
        self.records, damaged = [], 0
        if self._path.exists():
            text = self._path.read_text(encoding="utf-8", errors="replace")
            lines = [line for line in text.split("\n")[:-1] if line]
            read = [_record(line) for line in lines]
            damaged = read.count(None)
            self.records = [
                record
                for record in read
                if record and record["step"] <= step and "rolled_back_from" not in record
            ]
        self.records += map(_rollback_record, rollbacks)
        self.records.sort(key=lambda record: int(record["step"]))
        if self._writes and self._path.exists():
            write_text(self._path, "".join(map(_line, self.records)))
        if self._wants_events:
            self.close()
            self._events = _summary_writer()(str(self._path.parent / EVENTS), purge_step=step + 1)
        return damaged

    def log(self, record: Mapping[str, Any]) -> None:
        """Add one record: ``step``, ``phase`` and numbers by name; None where one is not finite.

        Raises:
            OSError: The disk is full.
        """
        self.records.append(dict(record))
        if not self._writes:
            return
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_line(record))
        if self._wants_events:
            self._log_events(record)

    def _log_events(self, record: Mapping[str, Any]) -> None:
        if self._events is None:
            self._events = _summary_writer()(str(self._path.parent / EVENTS))
        for name, value in record.items():
            if isinstance(value, int | float) and name != "step":
                group = "validation" if "validation_psnr" in record else record.get("phase")
                self._events.add_scalar(f"{group}/{name}", value, record["step"])

    def close(self) -> None:
        """Flush the event files."""
        if self._events is not None:
            self._events.close()
            self._events = None


def _record(line: str) -> dict[str, Any] | None:
    """Read one line; None where it is not what :meth:`Journal.log` writes."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not isinstance(record.get("step"), int):
        return None
    plain = all(isinstance(value, int | float | str | None) for value in record.values())
    return record if plain else None


def _rollback_record(rollback: RollBack) -> dict[str, Any]:
    return {"step": rollback.to, "rolled_back_from": rollback.step, "reason": rollback.reason}


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record, allow_nan=False) + "\n"


def _summary_writer() -> "type[SummaryWriter]":
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UsageError(
            "--tensorboard needs TensorBoard, which is not installed",
            hint="pip install 'srgan-cli[tensorboard]', or remove the option",
        ) from error
    return SummaryWriter
