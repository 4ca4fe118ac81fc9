"""This process's rank under ``torchrun``, its CPU and cores, and locks between processes."""

import errno
import os
import platform
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from filelock import BaseFileLock, FileLock

from srgan_cli.errors import UsageError
from srgan_cli.interrupts import interrupts_held

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}


@dataclass(frozen=True, slots=True)
class Node:
    """One of the processes that ``torchrun`` starts; the only one without it."""

    rank: int = 0
    """Its number, from 0."""
    num_nodes: int = 1
    """How many there are."""
    num_local: int = 1
    """How many of them run on this machine."""
    local_rank: int = 0
    """Its number among those on this machine."""
    restarts: int = 0
    """How often ``torchrun`` or SLURM started it again after a failure."""
    restarts_allowed: bool = False
    """Whether ``torchrun`` would."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read what ``torchrun`` says.

        Raises:
            UsageError: It makes no sense.
        """
        defaults = {"RANK": 0, "WORLD_SIZE": 1, "LOCAL_WORLD_SIZE": 1, "LOCAL_RANK": 0}
        counts = ("TORCHELASTIC_RESTART_COUNT", "SLURM_RESTART_COUNT", "TORCHELASTIC_MAX_RESTARTS")
        try:
            rank, size, local, local_rank, again, requeued, allowed = (
                int(environment.get(name, default))
                for name, default in (defaults | dict.fromkeys(counts, 0)).items()
            )
        except ValueError as error:
            raise UsageError(
                f"{', '.join(defaults)} or a restart count is not a number: {error}",
                hint="start srgan with torchrun, which sets them, or unset them",
            ) from error
        if not 0 <= rank < size or local < 1:
            raise UsageError(
                f"RANK={rank} does not fit WORLD_SIZE={size} and LOCAL_WORLD_SIZE={local}",
                hint="start srgan with torchrun, which sets them, or unset them",
            )
        return cls(rank, size, local, local_rank, again + requeued, allowed > 0)

    @property
    def num_workers(self) -> int:
        """Worker processes that this one may start, so that each core has one."""
        return max(1, num_cores() // self.num_local)

    @property
    def num_threads(self) -> int:
        """Threads that this process may compute with: its cores, or fewer by OMP_NUM_THREADS.

        ``torchrun`` sets that variable to 1 unasked, so it counts for a process on its own.
        """
        asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
        if self.num_nodes > 1 or not asked.isdecimal() or not int(asked):
            return self.num_workers
        return min(int(asked), self.num_workers)


def num_cores() -> int:
    """Count the cores that this process may use; macOS and Windows only know all of them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes of this machine from working on the same folder.

    Raises:
        filelock.Timeout: Another one is.
    """
    with locked(folder.with_name(f".{folder.name}.lock")):
        yield


def processor_name() -> str:
    """Return the name of the processor; family and model tell apart those that share a name."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    found = dict(re.findall(r"^(model name|cpu family|model)\s*: *(.+)$", text, re.MULTILINE))
    name = found.get("model name", platform.processor() or platform.machine())
    numbers = [found.get("cpu family"), found.get("model")]
    return f"{name} (family {numbers[0]}, model {numbers[1]})" if all(numbers) else name


@contextmanager
def locked(path: Path, *, wait: float = 0) -> Iterator[None]:
    """Hold a lock that one process has at a time; its file is there for as long.

    Some network file systems have no locks: there nothing is held.

    Args:
        path: The lock's file.
        wait: Seconds to wait for a process that holds it.

    Raises:
        filelock.Timeout: Another process holds it.
        OSError: The file cannot be made.
    """
    lock = FileLock(path, timeout=wait)
    try:
        with interrupts_held():  # Ctrl-C would leave the file of a lock just taken.
            _acquire(lock)
        yield
    finally:
        if lock.is_locked:  # Else another process holds it.
            with suppress(PermissionError):  # Windows: the lock's release does it.
                path.unlink(missing_ok=True)
            lock.release()


def _acquire(lock: BaseFileLock) -> None:
    try:
        lock.acquire()
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
