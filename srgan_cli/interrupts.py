"""Delay Ctrl-C and SIGTERM until stopping is safe."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interrupts_held_back(told: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Hold interrupts back until the caller asks for it.

    A training step that is half done has changed one network and not the other:
    a run that went on from there would not end as one that was never stopped.

    Args:
        told: Called at the first interrupt, from the signal's handler.

    Yields:
        A function that says whether there has been an interrupt.
    """
    pressed = False

    def press(*_: object) -> None:
        nonlocal pressed
        if not pressed:
            pressed = True
            told()

    # Only the main thread gets signals, and a caller's own handler, or the wish to
    # ignore Ctrl-C, is not ours to replace.
    main = threading.current_thread() is threading.main_thread()
    held = [
        number
        for number in (signal.SIGINT, signal.SIGTERM)
        if main and signal.getsignal(number) is signal.default_int_handler
    ]
    for number in held:
        signal.signal(number, press)
    try:
        yield lambda: pressed
    finally:
        for number in held:
            signal.signal(number, signal.default_int_handler)


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
