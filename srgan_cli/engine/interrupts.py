"""Ctrl-C, and SIGTERM where it is treated alike, at a moment when stopping is safe."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interrupts_held_back() -> Iterator[Callable[[], bool]]:
    """Hold interrupts back until the caller asks for it.

    A training step that is half done has changed one network and not the other:
    a run that went on from there would not end as one that was never stopped.

    Yields:
        A function that says whether there has been an interrupt.
    """
    pressed = False

    def press(*_: object) -> None:
        nonlocal pressed
        pressed = True

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
