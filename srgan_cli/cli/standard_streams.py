"""The standard streams as shells hand them over: closed, or read by a program that leaves early."""

import atexit
import os
import sys
import threading
from contextlib import suppress
from typing import NoReturn

from srgan_cli.cli.exit_codes import ExitCode
from srgan_cli.cli.render import show_error


def occupy_closed_streams() -> None:
    """Open what ``<&-`` and ``>&-`` have closed, to nowhere.

    A file that is opened later would get the number, and in it what C libraries print. Python
    has decided by then: ``sys.stdin`` and so on are None.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)


def after_flush(code: int) -> int:
    """Write what waits to be printed on stdout; return the code to end with."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        return reader_left()
    except OSError as error:
        show_error(f"standard output: {error.strerror or error}", "write to another place")
        _drop_the_rest()
        return ExitCode.RESOURCE
    return code


def reader_left() -> ExitCode:
    """Print nothing more: who reads the output, such as ``head``, has ended."""
    _drop_the_rest()
    return ExitCode.READER_LEFT


def end(code: int) -> NoReturn:
    """End the process after its threads and after what libraries do at exit.

    It ends as processes of :mod:`multiprocessing` do. Python would also free PyTorch's objects
    one by one, which takes up to a third as long as importing them; the system does it at once.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
    atexit._run_exitfuncs()  # noqa: SLF001
    end_at_once(after_flush(code))


def end_at_once(code: int) -> NoReturn:
    """End the process without waiting for its threads, and without what libraries do at exit."""
    if sys.stderr is not None:
        sys.stderr.flush()
    os._exit(code)


def _drop_the_rest() -> None:
    """Let Python empty its buffers at its end without another error."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
