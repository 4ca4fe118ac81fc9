"""The ledger of an output folder: which results exist, so that a rerun makes only the others."""

import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Self

from filelock import Timeout

from srgan_cli.errors import ResourceError
from srgan_cli.managed import Managed
from srgan_cli.paths import file_sha256
from srgan_cli.processes import locked

LEDGER_FILE = ".srgan-ledger.jsonl"
_LEDGERS = ".srgan-ledger*.jsonl"

_TEMPORARY = re.compile(r"\.srgan-[0-9a-f]{12}(\..*)?")  # As paths.written_beside names them.


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One result."""

    output: str
    """Path of the result, relative to the ledger's folder."""
    input_sha256: str
    settings: str
    """Hash of all options that the result depends on, and of the weights."""
    output_sha256: str
    time: str
    """When it was made, UTC."""


class Ledger(Managed):
    """JSON lines in an output folder; a context manager that keeps other runs out.

    A line is written *before* its result takes its final name. A run that is killed
    between the two leaves a line whose hash fits no file, which counts for nothing;
    a result without a line cannot come about. So a line is believed only together
    with the file it describes.

    Args:
        folder: Where the results are; made if it does not exist.
        rank: Number of this process, where several share a batch. Each writes a
            file of its own and reads those of all.
    """

    def __init__(self, folder: Path, *, rank: int = 0) -> None:
        self._folder = folder
        self._path = folder / (LEDGER_FILE if rank == 0 else f".srgan-ledger-{rank}.jsonl")
        self._writing = threading.Lock()
        self._lock = ExitStack()
        self._file: BinaryIO | None = None
        self._is_new = False
        self._latest: dict[str, LedgerEntry] = {}
        self._made: dict[str, set[str]] = {}

    def __enter__(self) -> Self:
        """Lock the folder against other runs and read the ledger.

        Raises:
            ResourceError: Another run works there, or the folder cannot be written.
        """
        self._is_new = not self._folder.exists()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab+")
        except OSError as error:
            raise ResourceError(
                f"{self._folder}: {error.strerror or error}", hint="choose another --output folder"
            ) from error
        try:
            self._lock.enter_context(locked(self._path.with_suffix(".lock")))
        except Timeout as error:
            self._file.close()
            raise ResourceError(
                f"{self._folder}: another srgan process is writing to this folder",
                hint="wait until it has finished, or choose another --output folder",
            ) from error
        except OSError:
            pass  # Some network file systems have no locks.
        for entry in sorted(self._entries(), key=lambda entry: entry.time):
            self._remember(entry)
        return self

    def _entries(self) -> Iterator[LedgerEntry]:
        for path in sorted(self._folder.glob(_LEDGERS)):
            for line in path.read_bytes().splitlines():
                entry = _parse(line)
                if entry is not None:
                    yield entry

    def _close(self, *, failed: bool) -> None:  # noqa: ARG002 - all the same
        """Let other runs in. A ledger without entries goes, and with it a folder it made."""
        assert self._file is not None
        with self._lock, self._file:
            is_empty = self._file.seek(0, os.SEEK_END) == 0
            self._file.close()  # Windows deletes no open file.
            if is_empty:
                self._path.unlink(missing_ok=True)
        if self._is_new:
            with suppress(OSError):  # It holds results.
                self._folder.rmdir()

    def is_fresh(self, output: Path, *, input_sha256: str, settings: str) -> bool:
        """Say whether a result stands there as this input and these settings make it."""
        entry = self._latest.get(self._name(output))
        return (
            entry is not None
            and entry.settings == settings
            and entry.input_sha256 == input_sha256
            and output.is_file()
            and entry.output_sha256 == file_sha256(output)
        )

    def settings_of(self, output: Path, sha256: str) -> str | None:
        """Return the settings that a file of that name and content was made with, if it was."""
        entry = self._latest.get(self._name(output))
        if entry is not None and entry.output_sha256 == sha256:
            return entry.settings
        return "" if sha256 in self._made.get(self._name(output), set()) else None

    def made(self, output: Path) -> bool:
        """Say whether the file at ``output`` is as one of the runs left it."""
        known = self._made.get(self._name(output))
        return known is not None and output.is_file() and file_sha256(output) in known

    def record(self, output: Path, *, input_sha256: str, settings: str, made: Path) -> None:
        """Write down a finished result, still under its temporary name ``made``.

        Raises:
            OSError: The disk is full.
        """
        time = datetime.now(UTC).isoformat(timespec="seconds")
        entry = LedgerEntry(self._name(output), input_sha256, settings, file_sha256(made), time)
        with self._writing:
            assert self._file is not None
            end = self._file.seek(0, os.SEEK_END)
            self._file.seek(max(0, end - 1))
            torn = end > 0 and self._file.read(1) != b"\n"
            # ASCII: names of bytes that are no text come back as they were.
            self._file.write(b"\n" * torn + json.dumps(asdict(entry)).encode("ascii") + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
            self._remember(entry)

    def remove_leftovers(self, folders: set[Path]) -> None:
        """Delete unfinished files that a killed run left in folders below this one."""
        for folder in folders:
            for path in folder.iterdir() if folder.is_dir() else ():
                if _TEMPORARY.fullmatch(path.name):
                    path.unlink(missing_ok=True)

    def _remember(self, entry: LedgerEntry) -> None:
        self._latest[entry.output] = entry
        self._made.setdefault(entry.output, set()).add(entry.output_sha256)

    def _name(self, output: Path) -> str:
        return output.relative_to(self._folder).as_posix()


def _parse(line: bytes) -> LedgerEntry | None:
    """Read a line; one that a kill cut short, or that is not ours, counts for nothing."""
    try:
        return LedgerEntry(**json.loads(line))
    except (ValueError, TypeError):
        return None


def settings_sha256(values: Mapping[str, Any]) -> str:
    """Return the SHA-256 of settings in hexadecimal."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
