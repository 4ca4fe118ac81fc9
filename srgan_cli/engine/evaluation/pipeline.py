"""Decode, compute and score images at the same time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Job = TypeVar("Job")
Loaded = TypeVar("Loaded")
Computed = TypeVar("Computed")
Result = TypeVar("Result")

_WORKERS = 2
_AHEAD = 2


def in_pipeline(
    jobs: Iterable[Job],
    load: Callable[[Job], Loaded],
    compute: Callable[[Loaded], Computed],
    finish: Callable[[Computed], Result],
) -> Iterator[Result]:
    """Run three stages over jobs and yield the results in the jobs' order.

    ``compute`` runs in the caller's thread, one job after the other, since it has the
    device to itself; ``load`` and ``finish`` run in threads beside it. At most a few
    jobs are between two stages, so memory does not grow with their number. The first
    exception of any stage ends the iteration.
    """
    queue = iter(jobs)
    with ThreadPoolExecutor(_WORKERS) as pool:
        loading = deque(pool.submit(load, job) for job in islice(queue, _AHEAD))
        finishing: deque[Future[Result]] = deque()
        try:
            while loading:
                computed = compute(loading.popleft().result())
                loading.extend(pool.submit(load, job) for job in islice(queue, 1))
                finishing.append(pool.submit(finish, computed))
                while finishing and (finishing[0].done() or len(finishing) > _AHEAD):
                    yield finishing.popleft().result()
            while finishing:
                yield finishing.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
