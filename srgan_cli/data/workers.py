"""Run a function in worker processes, one for each core. No torch here."""

import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Literal, TypeVar

from srgan_cli.allocator import keep_freed_memory
from srgan_cli.errors import ResourceError
from srgan_cli.interrupts import interrupts_held
from srgan_cli.processes import num_cores
from srgan_cli.quiet import separate_stderr

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Numbers of threads, which numerical libraries read when they are loaded."""

_LONGEST_TEMPORARY = 70
"""Bytes of the name of the temporary folder below which the fork server's socket, some 30 bytes
longer, can still have a name."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def load_ahead(modules: Sequence[str] = ("srgan_cli.data.shards",)) -> None:
    """Start to load, beside whatever the caller does next, what worker processes need.

    Python's fork server loads it once for all workers. Where it cannot be used, and on
    machines with a single core, nothing is loaded ahead.

    Args:
        modules: Names of what is to be imported; that of preparing when not told.
    """
    if num_cores() == 1 or _start_method() != "forkserver":
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
    context = multiprocessing.get_context(_start_method())
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
                "the system killed a worker process, probably because memory ran out",
                hint="close other programs, or pass a smaller --max-side; finished work is kept",
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _start_method() -> Literal["forkserver", "spawn"]:
    """Choose how workers start: not as forks of this process, whose threads they would lack."""
    has_server = "forkserver" in multiprocessing.get_all_start_methods()
    is_short = len(os.fsencode(tempfile.gettempdir())) <= _LONGEST_TEMPORARY
    return "forkserver" if has_server and is_short else "spawn"


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, and end when it does, even when it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    separate_stderr()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # There is a process for each core. Where nothing was loaded ahead, NumPy comes after this.
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    keep_freed_memory()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
