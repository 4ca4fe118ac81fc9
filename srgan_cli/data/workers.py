"""Share work out over the cores of one machine, and over machines. No torch here."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from filelock import FileLock

from srgan_cli.allocator import keep_freed_memory
from srgan_cli.errors import ResourceError, UsageError

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What numerical libraries read when they are loaded."""

Item = TypeVar("Item")
Result = TypeVar("Result")


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
                f"{', '.join(defaults)} or a restart count: {error}", hint="start it with torchrun"
            ) from error
        if not 0 <= rank < size or local < 1:
            raise UsageError(
                f"RANK is {rank}, WORLD_SIZE {size}", hint="start it with torchrun, or unset both"
            )
        return cls(rank, size, local, local_rank, again + requeued, allowed > 0)

    @property
    def num_workers(self) -> int:
        """Worker processes that this one may start, so that each core has one."""
        return max(1, num_cores() // self.num_local)


def num_cores() -> int:
    """Count the cores that this process may use; macOS and Windows only know all of them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load_ahead(modules: Sequence[str]) -> None:
    """Start to load, beside whatever the caller does next, what worker processes need.

    Python's fork server loads it once for all workers. Systems without one, and
    machines with a single core, load nothing ahead.

    Args:
        modules: Names of what is to be imported.
    """
    if num_cores() == 1 or "forkserver" not in multiprocessing.get_all_start_methods():
        return
    from multiprocessing import forkserver

    multiprocessing.set_forkserver_preload(list(modules))
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    # Handed down: it would say where it was when Ctrl-C found it loading.
    at_interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGINT, at_interrupt)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def run_parallel(
    function: Callable[[Item], Result], items: Sequence[Item], num_workers: int
) -> Iterator[tuple[Item, Result]]:
    """Call a function for each item in worker processes; yield results as they come.

    Args:
        function: Can be pickled, as its arguments and results can.
        items: Its arguments.
        num_workers: Processes; with one, or a single item, everything runs in this one.

    Raises:
        ResourceError: A worker was ended from outside, as a system short of memory does.
    """
    if min(num_workers, len(items)) <= 1:
        yield from ((item, function(item)) for item in items)
        return
    # Not forks of this process: it may hold threads, which a fork would not survive.
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    workers = min(num_workers, len(items))
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker) as pool:
        try:
            # A worker that is being started would find what it is to connect to gone, and say so.
            with interrupts_held():
                futures = {pool.submit(function, item): item for item in items}
            for future in as_completed(futures):
                yield futures.pop(future), future.result()
        except BrokenProcessPool as error:
            raise ResourceError(
                "a worker process was ended by the system",
                hint="it may lack memory: close other programs, or pass a smaller --size; "
                "what is done is kept",
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait until the end of a ``with`` block.

    Only the main thread, which signals are handled in, has to.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(kind, lambda number, _: arrived.append(number)) for kind in kinds]
    try:
        yield
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)
        for number in arrived[:1]:
            signal.raise_signal(number)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes of this machine from working on the same folder.

    Raises:
        filelock.Timeout: Another one is.
    """
    path = folder.with_name(f".{folder.name}.lock")
    lock = FileLock(path, blocking=False)
    try:
        with interrupts_held():  # Ctrl-C would leave the file of a lock just taken.
            lock.acquire()
        yield
    finally:
        if lock.is_locked:  # Else another process holds it.
            with suppress(PermissionError):  # Windows: the lock's release does it.
                path.unlink(missing_ok=True)
            lock.release()


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, and end when it does, even when it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # There is a process for each core. Where nothing was loaded ahead, NumPy comes after this.
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    keep_freed_memory()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
