"""Work on several images at a time, in bounded memory."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from srgan_cli.observer import Bar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Room:
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

    Where tiles gain from it, one that is alone gets all cores; as soon as others are
    waiting, each gets its part.

    Args:
        count: Cores that there are.
        most: Tiles that may run at a time.
        threaded: Whether a tile gains from more than its part.
    """

    def __init__(self, count: int, most: int, *, threaded: bool) -> None:
        self._count, self._most, self._threaded = count, most, threaded
        self._free, self._expected = count, 0
        self._changed = threading.Condition()

    def expect(self, number: int) -> None:
        """Count on so many tiles more, or fewer when they are given up."""
        with self._changed:
            self._expected += number
            self._changed.notify_all()

    @contextmanager
    def taken(self) -> Iterator[int]:
        """Wait for an expected tile's part of the cores, and hold it."""
        with self._changed:
            self._changed.wait_for(lambda: self._part() <= self._free)
            part = self._part()
            self._free -= part
        try:
            yield part
        finally:
            with self._changed:
                self._free += part
                self._expected -= 1
                self._changed.notify_all()

    def _part(self) -> int:
        beside = max(1, min(self._most, self._expected)) if self._threaded else self._most
        return max(1, self._count // beside)


class StoppableBar:
    """A bar that ends the work of a thread, as nothing else can from outside.

    Args:
        bar: What is advanced.
        stopped: Once it is set, advancing raises ``CancelledError``.
    """

    def __init__(self, bar: Bar, stopped: threading.Event) -> None:
        self._bar, self._stopped = bar, stopped
        self.done = 0.0
        """Units that were counted here."""

    def advance(self, amount: float = 1, **figures: str) -> None:
        """Count ``amount`` more units as done, or raise."""
        if self._stopped.is_set():
            raise CancelledError
        self.done += amount
        self._bar.advance(amount, **figures)


def in_threads(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    num_threads: int,
    stopped: threading.Event,
) -> Generator[Result, None, None]:
    """Call a function for each item in threads; yield the results in the items' order.

    The first exception, or one in the caller such as Ctrl-C, sets ``stopped``, waits
    until the threads have ended and is raised.
    """
    with ThreadPoolExecutor(num_threads, "picture") as pool:
        running: deque[Future[Result]] = deque()
        try:
            for item in items:
                running.append(pool.submit(function, item))
                if len(running) > 2 * num_threads:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        except BaseException:
            stopped.set()
            raise
        finally:
            for future in running:
                future.cancel()
