"""Check what JSON or TOML holds against the types that a dataclass declares."""

import dataclasses
import math
import types
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from srgan_cli.errors import SrganError

Kind = TypeVar("Kind")
_Check = Callable[[Any], Any]

_MOST_LEVELS = 20  # Of lists and objects inside each other where any value may stand.
_LARGEST = 2**63


class RecordError(ValueError):
    """What is wrong with a file or a value, in a few words without the file's name."""


def build(kind: type[Kind], value: object, *, strict: bool = True) -> Kind:
    """Turn what JSON or TOML holds into a value of a type, or refuse it.

    Args:
        kind: A dataclass, or a type made of the usual ones; lists become tuples, and whole
            numbers floats, where the type says so.
        value: What was read.
        strict: Refuse keys that a dataclass has no field for; else they are ignored.

    Raises:
        RecordError: It does not fit; the message begins with the place.
    """
    declared: Any = kind
    result: Kind = _check_of(declared, strict)(value)
    return result


@cache
def _check_of(kind: Any, strict: bool) -> _Check:
    """Return what checks and converts values to a type."""
    simple = _SIMPLE.get(kind)
    if simple is not None:
        return simple
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _object_check(kind, strict)
    arguments = get_args(kind)
    origin = get_origin(kind)
    if origin is Literal:
        return lambda value: _one_of(arguments, value)
    if origin in (Union, types.UnionType):
        return _union_check([_check_of(one, strict) for one in arguments])
    if origin in (dict, Mapping):
        return _mapping_check(*(_check_of(one, strict) for one in arguments))
    if origin in (tuple, list, Sequence):
        return _sequence_check(origin, arguments, strict)
    raise TypeError(f"records hold no {kind}")


def _object_check(kind: type, strict: bool) -> _Check:
    hints = get_type_hints(kind)
    fields = [field for field in dataclasses.fields(kind) if field.init]
    checks = {field.name: _check_of(hints[field.name], strict) for field in fields}
    required = {
        field.name
        for field in fields
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }

    def check(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _wrong(value, "an object")
        for missing in sorted(required - value.keys()):
            raise RecordError(f"{missing} is missing")
        for unknown in sorted(value.keys() - checks.keys()) if strict else ():
            raise RecordError(f"{_short(unknown)} is unknown")
        found = {}
        for name, one in checks.items():
            if name in value:
                found[name] = _at(name, one, value[name])
        try:
            return kind(**found)
        except SrganError as error:
            raise RecordError(error.message) from error

    return check


def _mapping_check(key_check: _Check, value_check: _Check) -> _Check:
    def check(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _wrong(value, "an object")
        return {key_check(key): _at(key, value_check, one) for key, one in value.items()}

    return check


def _sequence_check(origin: Any, arguments: tuple[Any, ...], strict: bool) -> _Check:
    make: type = list if origin is list else tuple
    if make is tuple and origin is tuple and arguments[1:] != (...,):
        checks = [_check_of(one, strict) for one in arguments]

        def check(value: Any) -> Any:
            if not isinstance(value, list | tuple) or len(value) != len(checks):
                raise _wrong(value, f"a list of {len(checks)}")
            return tuple(_at(i, one, value[i]) for i, one in enumerate(checks))

        return check
    each = _check_of(arguments[0], strict)

    def check_all(value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise _wrong(value, "a list")
        return make(_at(i, each, one) for i, one in enumerate(value))

    return check_all


def _union_check(checks: Sequence[_Check]) -> _Check:
    def check(value: Any) -> Any:
        problem: RecordError | None = None
        for one in checks:
            try:
                return one(value)
            except RecordError as error:
                problem = problem or error
        assert problem is not None
        raise problem

    return check


def _at(place: object, check: _Check, value: Any) -> Any:
    """Check a value inside another; the message of what is wrong begins with its place."""
    try:
        return check(value)
    except RecordError as error:
        raise RecordError(f"{_short(place)}: {error}") from error


def _one_of(choices: tuple[Any, ...], value: Any) -> Any:
    if not any(type(value) is type(choice) and value == choice for choice in choices):
        raise _wrong(value, f"one of {', '.join(map(str, choices))}")
    return value


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(value, "true or false")
    return value


def _int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(value, "a whole number")
    if abs(value) >= _LARGEST:
        raise RecordError("a number that is too large")
    return value


def _float(value: Any) -> float:
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, float):
        raise RecordError("a number that is not finite")
    return float(_int(value))


def _str(value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(value, "text")
    try:
        # As the names of files: bytes that are no text stand in them as half surrogates.
        encoded = value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise RecordError("text that is not Unicode") from error
    if b"\0" in encoded:
        raise RecordError("text with a zero byte")
    return value


def _path(value: Any) -> Path:
    return Path(_str(value))


def _none(value: Any) -> None:
    if value is not None:
        raise _wrong(value, "null")


def _any(value: Any, levels: int = _MOST_LEVELS) -> Any:
    """Check a value of any type: its texts, its numbers and how deep it is."""
    if not levels:
        raise RecordError("nested too deeply")
    if isinstance(value, dict):
        return {_str(key): _any(one, levels - 1) for key, one in value.items()}
    if isinstance(value, list):
        return [_any(one, levels - 1) for one in value]
    if isinstance(value, str):
        return _str(value)
    if isinstance(value, float):
        return _float(value)
    if value is None or isinstance(value, bool):
        return value
    return _int(value)


_SIMPLE: Mapping[Any, _Check] = {
    Any: _any,
    bool: _bool,
    int: _int,
    float: _float,
    str: _str,
    Path: _path,
    types.NoneType: _none,
}


def _wrong(value: Any, wanted: str) -> RecordError:
    return RecordError(f"{_short(value)} is not {wanted}")


def _short(value: object) -> str:
    text = str(value) if isinstance(value, str | int) else f"a {type(value).__name__}"
    return text if len(text) <= 40 else f"{text[:37]}..."
