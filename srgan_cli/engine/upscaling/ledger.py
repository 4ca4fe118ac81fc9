"""The ledger of an output folder: which results exist, so that a rerun makes only the others."""

import json
import os
import re
import threading
import time
from collections.abc import Collection
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Self

from filelock import Timeout

from srgan_cli.errors import InputError, ResourceError
from srgan_cli.managed import Managed
from srgan_cli.paths import file_sha256
from srgan_cli.processes import locked
from srgan_cli.records import open_to_append, parse_json, read_bytes
from srgan_cli.typed import RecordError, build

LEDGER_FILE = ".srgan-ledger.jsonl"
_LEDGERS = ".srgan-ledger*.jsonl"

_MOST_BYTES = 2**30
_DAY = 24 * 60 * 60
_TEMPORARY = re.compile(
    r"\.srgan-(\d+-)?[0-9a-f]{12}(\..*)?"
)  # As paths.written_beside names them.
_HASH = re.compile("[0-9a-f]{64}")
_BEGINNING = b'{"output": "'  # Of every line, as record() writes it.


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
    with the file whose content it names; neither clocks nor the order of lines count.

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
        self._made: dict[str, dict[str, set[tuple[str, str]]]] = {}
        self.num_damaged = 0
        """Lines that cannot be read, apart from one that a kill cut short."""

    @classmethod
    def at(cls, folder: Path) -> Self:
        """Read the ledger of a folder to ask about results; it is neither locked nor made."""
        ledger = cls(folder)
        for path in sorted(folder.glob(_LEDGERS)):
            with suppress(RecordError, OSError):  # Whoever opens it to write tells of it.
                ledger._read(path)
        return ledger

    @property
    def path(self) -> Path:
        """This process's file."""
        return self._path

    def __enter__(self) -> Self:
        """Lock the folder against other runs and read the ledger.

        Raises:
            InputError: Something else stands in place of the file.
            ResourceError: Another run works there, or the folder cannot be written.
        """
        self._is_new = not self._folder.exists()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = open_to_append(self._path)
        except RecordError as error:
            raise _not_ours(self._path, error) from error
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
        except OSError as error:
            self._file.close()
            raise ResourceError(
                f"{self._folder}: cannot be locked: {error.strerror or error}",
                hint="choose another --output folder",
            ) from error
        for path in sorted(self._folder.glob(_LEDGERS)):
            try:
                self._read(path)
            except RecordError as error:
                raise _not_ours(path, error) from error
        return self

    def _read(self, path: Path) -> None:
        data = read_bytes(path, most_bytes=_MOST_BYTES)
        for line in data.splitlines(keepends=True):
            try:
                self._remember(_entry(line))
            except RecordError:
                cut_short = _BEGINNING.startswith(line[: len(_BEGINNING)]) and line[-1:] != b"\n"
                self.num_damaged += bool(line.strip()) and not cut_short
                if cut_short and path == self._path and self._file is not None:
                    self._file.truncate(len(data) - len(line))

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

    def is_fresh(self, output: Path, *, input_sha256: str, settings: Collection[str]) -> bool:
        """Say whether a result stands there as this input and one of these settings make it."""
        origins = self._origins(output)
        return any((input_sha256, one) in origins for one in settings)

    def settings_of(self, output: Path, sha256: str) -> set[str]:
        """Return all settings that have made a file of that name and content."""
        made = self._made.get(self._name(output), {})
        return {settings for _, settings in made.get(sha256, ())}

    def made(self, output: Path) -> bool:
        """Say whether the file at ``output`` is as one of the runs left it."""
        return bool(self._origins(output))

    def _origins(self, output: Path) -> set[tuple[str, str]]:
        """Return all inputs and settings that have made the file at ``output`` as it is."""
        made = self._made.get(self._name(output))
        return made.get(file_sha256(output), set()) if made and output.is_file() else set()

    def record(
        self, output: Path, *, input_sha256: str, settings: Collection[str], made: Path
    ) -> None:
        """Write down a finished result, still under its temporary name ``made``.

        Each of the ``settings`` gets a line of its own.

        Raises:
            OSError: The disk is full.
        """
        time = datetime.now(UTC).isoformat(timespec="seconds")
        name, sha256 = self._name(output), file_sha256(made)
        entries = [LedgerEntry(name, input_sha256, each, sha256, time) for each in settings]
        lines = b"".join(json.dumps(asdict(entry)).encode("ascii") + b"\n" for entry in entries)
        with self._writing:
            assert self._file is not None
            end = self._file.seek(0, os.SEEK_END)
            self._file.seek(max(0, end - 1))
            torn = end > 0 and self._file.read(1) != b"\n"
            # ASCII: names of bytes that are no text come back as they were.
            self._file.write(b"\n" * torn + lines)
            self._file.flush()
            os.fsync(self._file.fileno())
            for entry in entries:
                self._remember(entry)

    def mark(self, folder: Path) -> str:
        """Return what tells this ledger's unfinished files from those of nested folders' runs.

        A run into a folder and one into a folder above it may both write there; each is that
        many levels below its own ledger.
        """
        return f"{len(folder.relative_to(self._folder).parts)}-"

    def remove_leftovers(self, folders: set[Path]) -> None:
        """Delete unfinished files that a killed run left in folders below this one."""
        for folder in folders:
            for path in folder.iterdir() if folder.is_dir() else ():
                unfinished = _TEMPORARY.fullmatch(path.name)
                if unfinished and (unfinished[1] == self.mark(folder) or _is_old(path)):
                    path.unlink(missing_ok=True)

    def _remember(self, entry: LedgerEntry) -> None:
        made = self._made.setdefault(entry.output, {})
        made.setdefault(entry.output_sha256, set()).add((entry.input_sha256, entry.settings))

    def _name(self, output: Path) -> str:
        return output.relative_to(self._folder).as_posix()


def _entry(line: bytes) -> LedgerEntry:
    """Read a line.

    Raises:
        RecordError: It is none of a ledger.
    """
    entry = build(LedgerEntry, parse_json(line))
    if not all(map(_HASH.fullmatch, (entry.input_sha256, entry.settings, entry.output_sha256))):
        raise RecordError("a hash that is none")
    return entry


def _not_ours(path: Path, error: RecordError) -> InputError:
    return InputError(
        f"{path}: {error}", hint="delete it; what it told of is then taken for not made"
    )


def _is_old(path: Path) -> bool:
    """Say whether a file has not been written to for a day: nobody is at work on it."""
    try:
        return time.time() - path.stat().st_mtime > _DAY
    except OSError:
        return False
