"""Control what the terminal itself prints while a live panel is drawn."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

try:
    import termios
except ImportError:  # Windows, whose consoles do not print control characters.
    termios = None  # type: ignore[assignment]

_LOCAL_FLAGS = 3
"""Place of the local modes in what ``tcgetattr`` returns."""


@contextmanager
def without_key_echo() -> Iterator[None]:
    """Keep the terminal from printing ``^C`` into a panel, which could not be redrawn in place.

    Does nothing without a terminal, or while the process is in its background, where a change
    would stop it.
    """
    if termios is None or not _in_foreground():
        yield
        return
    before = termios.tcgetattr(sys.stdin.fileno())
    quiet = [*before]
    quiet[_LOCAL_FLAGS] = before[_LOCAL_FLAGS] & ~termios.ECHOCTL
    termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, quiet)
    try:
        yield
    finally:
        with suppress(OSError, termios.error):  # The terminal may be closed by now.
            if _in_foreground():
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, before)


def _in_foreground() -> bool:
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError, AttributeError):  # No terminal, or no standard input at all.
        return False
