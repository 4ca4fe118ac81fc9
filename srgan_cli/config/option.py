"""An option is declared once: as a field of a config dataclass, annotated with an :class:`Option`.

The command line, ``docs/cli.md`` and the keys of a config file are made from these fields.
"""

import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from srgan_cli.errors import UsageError

T = TypeVar("T")


@dataclass(frozen=True)
class Option:
    """What the command line and the docs say of a field, beside its name, type and default."""

    help: str
    """A sentence that says what the option does and what its values are."""
    metavar: str | None = None
    """What stands for the value in the help; its choices or its type when not given."""
    panel: str | None = None
    """Title of the group that the help shows it in."""
    unset: str | None = None
    """What is used when the option is not given, for defaults that are not a plain value."""
    flags: tuple[str, ...] = ()
    """Spellings on the command line; ``--`` and the field's name when not given."""
    common: bool = False
    """Shown by ``--help`` even where most options are shown by ``--help-all`` only."""
    argument: bool = False
    """Given by its place on the command line, without a flag."""
    commas: bool = False
    """Several values are separated by commas; otherwise the flag is repeated."""
    parse: Callable[[str], Any] | None = None
    """Turns the text of the command line into the value; by the field's type when not given."""


@dataclass(frozen=True)
class Table:
    """Marks a field that holds options of its own, as a table of a config file does."""

    kind: type
    """The dataclass that declares them; those without a default may be left unset."""
    suffix: str = ""
    """What the command line adds to the names of its fields."""


def either(names: Iterable[str]) -> str:
    """Return names as a help text lists them: ``a, b or c``."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


@dataclass(frozen=True)
class Declared:
    """One option of a command, as its config declares it."""

    name: str
    """Name of the parameter; on the command line with ``-`` for ``_``."""
    type: Any
    default: Any
    """``dataclasses.MISSING`` where a value is required."""
    option: Option
    key: str
    """Name of the field."""
    table: str | None = None
    """Field of the outer config that the field belongs to."""

    @property
    def item(self) -> Any:
        """Type of one of several values; None where there is a single one."""
        return next((get_args(arm)[0] for arm in self._arms if get_origin(arm) is tuple), None)

    @property
    def choices(self) -> tuple[str, ...]:
        """The values that the field can have, where its type lists them."""
        return next((get_args(arm) for arm in self._arms if get_origin(arm) is Literal), ())

    @property
    def _arms(self) -> tuple[Any, ...]:
        union = get_origin(self.type) in {Union, UnionType}
        return get_args(self.type) if union else (self.type,)


def declared(kind: type) -> tuple[Declared, ...]:
    """Return the options that a config dataclass declares, those of its tables in their place."""
    return tuple(_declared(kind))


def _declared(kind: type) -> Iterator[Declared]:
    hints = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        hint = hints[field.name]
        if get_origin(hint) is not Annotated:
            continue
        base, mark, *_ = get_args(hint)
        if isinstance(mark, Option):
            yield Declared(field.name, base, field.default, mark, field.name)
        elif isinstance(mark, Table):
            for inner in declared(mark.kind):
                outer = replace(inner, name=inner.name + mark.suffix, table=field.name)
                yield outer if outer.default is not MISSING else _optional(outer)


def _optional(option: Declared) -> Declared:
    return replace(option, type=option.type | None, default=None)


def made(kind: type[T], values: Mapping[str, Any]) -> T:
    """Make a config from the values of its options.

    Args:
        kind: The config dataclass.
        values: A value for each option of :func:`declared`, by name, as the command line has
            it: a list, or text with commas, for several values. None is the field's default.

    Raises:
        UsageError: Text with commas does not hold what the field is for, or the config
            refuses a value.
    """
    given: dict[str, Any] = {}
    tables: dict[str, dict[str, Any]] = {}
    for option in declared(kind):
        value = _value(option, values[option.name])
        if option.table is not None:
            tables.setdefault(option.table, {})
        if value is not None:
            (given if option.table is None else tables[option.table])[option.key] = value
    hints = get_type_hints(kind)
    for name, table in tables.items():
        given[name] = hints[name](**table) if is_dataclass(hints[name]) else table
    return kind(**given)


def _value(option: Declared, value: Any) -> Any:
    if value is None or option.item is None:
        return value
    if not option.option.commas:
        return tuple(value)
    try:
        parts = str(value).split(",")
        return tuple(option.item(part) for part in parts if part or option.item is not str)
    except ValueError as error:
        raise UsageError(
            f"--{option.name.replace('_', '-')} {value!r} are not numbers",
            hint="separate them by commas: 0.5,0.75",
        ) from error


def command_line(command: str, config: object, *, but: Collection[str] = ()) -> str:
    """Return the command that gives a config again, from any folder, without defaults.

    Args:
        command: Its first words.
        config: A config dataclass without tables.
        but: Names of options to leave out.
    """
    words = []
    for option in declared(type(config)):
        value = getattr(config, option.key)
        if option.name in but or value == option.default:
            continue
        flag = (option.option.flags or (f"--{option.name.replace('_', '-')}",))[0]
        for each in value if isinstance(value, tuple) else (value,):
            text = str(each.absolute()) if isinstance(each, Path) else str(each)
            words += [
                *([] if option.option.argument else [flag]),
                *([] if each is True else [text]),
            ]
    return f"{command} {shlex.join(words)}"
