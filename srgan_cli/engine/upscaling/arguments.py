"""Check the arguments of ``load`` and ``upscale_image``: programs pass values of any type."""

import reprlib
from collections.abc import Callable
from numbers import Integral, Real
from pathlib import Path
from typing import TypeVar

import numpy as np

from srgan_cli.errors import UsageError

Progress = Callable[[float], None]
"""Told the share that is done, rising to 1; possibly by another thread."""


Choice = TypeVar("Choice", bound=str)


def model_name(value: object) -> str | None:
    """Return a model's name or file as text, or None.

    Raises:
        UsageError: It is neither.
    """
    if value is not None and not isinstance(value, str | Path):
        raise _refused("model", value, "the name of a model, a path or None")
    return None if value is None else str(value)


def number(name: str, value: object) -> float | None:
    """Return a number of any library as Python's, or None.

    Raises:
        UsageError: It is neither.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Real):
        raise _refused(name, value, "a number or None")
    try:
        return int(value) if isinstance(value, Integral) else float(value)
    except OverflowError as error:
        raise _refused(name, value, "a smaller number") from error


def listener(progress: Progress | None) -> Progress | None:
    """Return what is to hear the progress.

    Raises:
        UsageError: It cannot be called.
    """
    if progress is not None and not callable(progress):
        raise _refused("progress", progress, "a function that takes the share that is done")
    return progress


def whole(name: str, value: object) -> int | None:
    """Return a whole number of any library as Python's, or None.

    Raises:
        UsageError: It is neither.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise _refused(name, value, "a whole number or None")
    return int(value)


def flag(name: str, value: object) -> bool:
    """Return True or False.

    Raises:
        UsageError: It is neither.
    """
    if not isinstance(value, bool | np.bool_):
        raise _refused(name, value, "True or False")
    return bool(value)


def text(name: str, value: object, wanted: str) -> str:
    """Return text.

    Raises:
        UsageError: It is something else than what is ``wanted``.
    """
    if not isinstance(value, str):
        raise _refused(name, value, wanted)
    return value


def choice(name: str, value: object, choices: tuple[Choice, ...]) -> Choice:
    """Return one of several choices.

    Raises:
        UsageError: It is none of them.
    """
    for one in choices:
        if isinstance(value, str) and value == one:
            return one
    raise _refused(name, value, f"{', '.join(choices[:-1])} or {choices[-1]}")


def _refused(name: str, value: object, wanted: str) -> UsageError:
    simple = value is None or isinstance(value, str | int | float)
    shown = reprlib.repr(value) if simple else f"of type {type(value).__name__}"
    return UsageError(f"{name} is {shown}", hint=f"it must be {wanted}")
