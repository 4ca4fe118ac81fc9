"""Process several images at a time, in bounded memory and with each core used once."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class WeightedSemaphore:
    """Lets threads in as long as what they hold together stays under a limit.

    Args:
        limit: In the unit of the amounts. Who needs more than all of it works alone.
    """

    def __init__(self, limit: float) -> None:
        self._limit, self._used = limit, 0.0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, amount: float) -> Iterator[None]:
        """Wait until there is room for ``amount``, and hold it."""
        with self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + amount <= self._limit)
            self._used += amount
        try:
            yield
        finally:
            with self._changed:
                self._used -= amount
                self._changed.notify_all()


class Cores:
    """Shares the cores of a machine among tiles, whichever images they are of.

    One that waits for many is not overtaken by those that ask after it.

    Args:
        count: Cores that there are.
        most: Tiles that may run at a time.
    """

    def __init__(self, count: int, most: int) -> None:
        self._count, self._most = count, most
        self._free, self._expected = count, 0
        self._turn, self._changed = threading.Lock(), threading.Condition()

    def expect(self, number: int) -> None:
        """Count on so many tiles more, or fewer when they are given up."""
        with self._changed:
            self._expected += number
            self._changed.notify_all()

    @contextmanager
    def taken(self, part: int | None = None) -> Iterator[int]:
        """Wait for an expected tile's part of the cores, and hold it.

        Args:
            part: So many cores; None for all of them if the tile is alone, and for fewer as soon
                as others are waiting.
        """
        with self._turn, self._changed:
            self._changed.wait_for(lambda: (part or self._part()) <= self._free)
            part = part or self._part()
            self._free -= part
        try:
            yield part
        finally:
            with self._changed:
                self._free += part
                self._expected -= 1
                self._changed.notify_all()

    def _part(self) -> int:
        return max(1, self._count // max(1, min(self._most, self._expected)))


def in_order(
    submit: Callable[[Item], Future[Result]], items: Iterable[Item], *, ahead: int
) -> Generator[Result, None, None]:
    """Start work on items before their results are asked for; yield those in the items' order.

    Stages follow each other as generators do: the results of one are the items of the next.

    Args:
        submit: Starts the work on an item, on a thread pool.
        items: Taken one by one, so that memory does not grow with their number.
        ahead: Results that are being made, or wait, at a time.

    Yields:
        Results. When the caller stops, work that has not begun is given up.
    """
    queue = iter(items)
    running: deque[Future[Result]] = deque()
    try:
        running.extend(submit(item) for item in islice(queue, ahead))
        while running:
            result = running.popleft().result()
            running.extend(submit(item) for item in islice(queue, 1))
            yield result
    finally:
        for future in running:
            future.cancel()


def in_threads(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    num_threads: int,
    stopped: threading.Event,
    told: Callable[[], None] = lambda: None,
) -> Generator[Result, None, None]:
    """Call a function for each item in threads; yield the results in the items' order.

    The first exception, or one in the caller such as Ctrl-C, sets ``stopped``, waits
    until the threads have ended and is raised. Another Ctrl-C ends the waiting.

    Args:
        function: Is called in threads.
        items: What for.
        num_threads: Calls at a time.
        stopped: Tells the functions to give up.
        told: Is called at once on Ctrl-C, before the waiting.
    """
    pool, failed = ThreadPoolExecutor(num_threads, "image"), False
    try:
        yield from in_order(lambda item: pool.submit(function, item), items, ahead=2 * num_threads)
    except BaseException as error:
        failed = True
        stopped.set()
        if isinstance(error, KeyboardInterrupt):
            told()
        pool.shutdown(cancel_futures=True)  # Another Ctrl-C, from told on, leads on from here.
        raise
    finally:
        pool.shutdown(wait=not failed, cancel_futures=True)
