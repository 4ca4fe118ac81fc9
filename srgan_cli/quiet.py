"""Keep what C libraries print about odd files out of the program's own messages."""

import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

_STDERR = 2
_lock = threading.Lock()
_users = 0
_saved = -1


class _Forgiving(io.FileIO):
    """Messages that nobody can get, because a pipe is broken or a disk is full, end no work."""

    def write(self, data: "Buffer", /) -> int:
        """Write, or pretend to."""
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def separate_stderr() -> None:
    """Give Python's stderr a descriptor of its own; the usual one is left to C libraries.

    Called once when a process starts. Without it, :func:`quiet` does nothing.
    """
    if not _is_shared() or not isinstance(sys.stderr, io.TextIOWrapper):
        return
    with suppress(OSError):
        sys.stderr.flush()
        raw = _Forgiving(os.dup(_STDERR), "w")
        sys.stderr = io.TextIOWrapper(
            io.BufferedWriter(raw), sys.stderr.encoding, "replace", line_buffering=True
        )


def _is_shared() -> bool:
    """Say whether Python writes to the descriptor that C libraries write to."""
    try:
        return sys.stderr.fileno() == _STDERR
    except (AttributeError, OSError, ValueError):
        return False


@contextmanager
def quiet() -> Iterator[None]:
    """Drop what C libraries print meanwhile, in all threads."""
    if _is_shared():
        yield
        return
    _begin()
    try:
        yield
    finally:
        _end()


def _begin() -> None:
    global _users, _saved  # noqa: PLW0603 - there is one stderr in a process.
    with _lock:
        if _users == 0:
            with suppress(OSError):
                _saved = os.dup(_STDERR)
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, _STDERR)
                os.close(nowhere)
        _users += 1


def _end() -> None:
    global _users, _saved  # noqa: PLW0603 - there is one stderr in a process.
    with _lock:
        _users -= 1
        if _users == 0 and _saved >= 0:
            os.dup2(_saved, _STDERR)
            os.close(_saved)
            _saved = -1
