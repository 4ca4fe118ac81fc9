import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import closing
from functools import partial

import pytest

from srgan_cli.engine.inference.threads import Cores, WeightedSemaphore, in_order, in_threads


def test_results_come_in_the_order_of_the_items_though_threads_end_in_another():
    def work(number):
        time.sleep(0.02 if number == 0 else 0)
        return number

    done = in_threads(work, range(20), num_threads=3, stopped=threading.Event())
    assert list(done) == list(range(20))


def test_no_more_work_is_started_than_can_be_taken_soon():
    started = []
    with closing(
        in_threads(started.append, range(100), num_threads=2, stopped=threading.Event())
    ) as done:
        next(done)
        assert len(started) <= 6


def test_failure_of_one_item_stops_the_others_and_waits_for_them():
    stopped, ended = threading.Event(), []

    def work(number):
        if number == 0:
            raise ValueError("broken")
        assert stopped.wait(10)
        ended.append(number)
        raise CancelledError

    with pytest.raises(ValueError, match="broken"):
        list(in_threads(work, range(50), num_threads=3, stopped=stopped))
    assert 0 < len(ended) <= 6


def test_caller_that_leaves_early_stops_the_threads():
    stopped = threading.Event()
    done = in_threads(lambda number: number, range(50), num_threads=2, stopped=stopped)
    next(done)
    done.close()
    assert stopped.is_set()


def test_stages_work_at_the_same_time_and_keep_the_order():
    together = threading.Barrier(2, timeout=10)

    def load(number):
        if number == 3:
            together.wait()  # While a result of the first stage is in the second.
        return number

    def finish(number):
        if number == 0:
            together.wait()
        return -number

    with ThreadPoolExecutor(2) as pool:
        loaded = in_order(partial(pool.submit, load), range(20), ahead=2)
        doubled = (2 * number for number in loaded)
        done = in_order(partial(pool.submit, finish), doubled, ahead=2)
        assert list(done) == [-2 * number for number in range(20)]


def test_work_that_nobody_waits_for_any_more_is_not_begun():
    go, begun = threading.Event(), []

    def work(number):
        begun.append(number)
        assert number == 0 or go.wait(10)
        return number

    with ThreadPoolExecutor(1) as pool:
        done = in_order(partial(pool.submit, work), range(100), ahead=5)
        assert next(done) == 0
        done.close()
        go.set()
    assert begun in ([0], [0, 1])


def test_room_is_never_exceeded_but_by_one_alone():
    semaphore, lock, inside, most = WeightedSemaphore(10), threading.Lock(), [], []

    def work(amount):
        with semaphore.taken(amount):
            with lock:
                inside.append(amount)
                most.append(list(inside))
            time.sleep(0.002)
            with lock:
                inside.remove(amount)

    amounts = [4, 25, 3, 3, 6, 1, 30, 5, 5] * 3
    list(in_threads(work, amounts, num_threads=5, stopped=threading.Event()))
    assert all(sum(held) <= 10 or len(held) == 1 for held in most)
    assert max(len(held) for held in most) > 1


def test_tile_that_is_alone_gets_all_cores_and_those_beside_each_other_their_parts():
    cores = Cores(8, most=4)
    cores.expect(1)
    with cores.taken() as alone:
        assert alone == 8
    cores.expect(3)
    with cores.taken() as first, cores.taken() as second, cores.taken() as third:
        assert (first, second, third) == (2, 2, 2)
    cores.expect(100)
    with cores.taken() as one_of_many:
        assert one_of_many == 2


def test_tile_that_asks_for_some_cores_gets_so_many_though_it_is_alone():
    cores = Cores(8, most=4)
    cores.expect(1)
    with cores.taken(2) as some:
        assert some == 2


def test_tile_that_waits_for_all_cores_is_not_overtaken_by_smaller_ones():
    cores, order = Cores(2, most=2), []

    def work(part):
        with cores.taken(part):
            order.append(part)

    cores.expect(4)
    with ThreadPoolExecutor(3) as pool, cores.taken(1):
        pool.submit(work, 2)
        time.sleep(0.05)
        pool.submit(work, 1)
        time.sleep(0.05)
        assert order == []
    assert order == [2, 1]


def test_tiles_given_up_are_not_waited_for():
    cores = Cores(2, most=2)
    cores.expect(5)
    cores.expect(-4)
    with cores.taken() as alone:
        assert alone == 2


def test_cores_are_never_given_out_twice():
    cores, lock, held, most = Cores(4, most=3), threading.Lock(), [], []

    def work(_):
        cores.expect(1)
        with cores.taken() as part:
            with lock:
                held.append(part)
                most.append(sum(held))
            time.sleep(0.002)
            with lock:
                held.remove(part)

    list(in_threads(work, range(30), num_threads=6, stopped=threading.Event()))
    assert max(most) <= 4


def test_another_ctrl_c_while_the_first_is_told_ends_the_waiting():
    started, release, finished = (threading.Event() for _ in range(3))

    def work(item):
        if item:
            started.set()
            release.wait(5)
            finished.set()

    def told():
        raise KeyboardInterrupt

    results = in_threads(work, [0, 1], num_threads=2, stopped=threading.Event(), told=told)
    next(results)
    assert started.wait(5)
    with pytest.raises(KeyboardInterrupt):
        results.throw(KeyboardInterrupt)
    assert not finished.is_set()
    release.set()
