"""Options as Typer takes them: those that a config declares, and those that commands share."""

from collections.abc import Callable
from copy import copy
from dataclasses import MISSING
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, TypeVar

import typer
from rich.markup import escape
from typer.core import TyperCommand

from srgan_cli.cli.completion import completion_of
from srgan_cli.config.option import Declared, declared

Command = TypeVar("Command", bound=Callable[..., Any])

_EVERYTHING = "srgan.help_all"

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the result as one JSON document on stdout.")
]

QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print warnings and errors only.")]


def options_of(kind: type) -> Callable[[Command], Command]:
    """Give a command the options that a config declares, in place of its ``**options``.

    The command's other parameters follow them in the help.

    Args:
        kind: The config dataclass.
    """

    def decorated(command: Command) -> Command:
        own = [
            parameter.replace(kind=Parameter.KEYWORD_ONLY)
            for parameter in signature(command).parameters.values()
            if parameter.kind is not Parameter.VAR_KEYWORD
        ]
        options = [_parameter(option) for option in declared(kind)]
        command.__signature__ = Signature([*options, *own])  # type: ignore[attr-defined]
        return command

    return decorated


def brief(kind: type) -> type[TyperCommand]:
    """Return a class of command whose ``--help`` leaves rare options to ``--help-all``.

    Args:
        kind: The config dataclass, which marks the common ones.
    """
    rare = {option.name for option in declared(kind) if not option.option.common}

    class Brief(TyperCommand):
        def format_help(self, ctx: Any, formatter: Any) -> None:
            shown = copy(self)
            if not ctx.meta.get(_EVERYTHING):
                shown.params = [param for param in self.params if param.name not in rare]
            super(Brief, shown).format_help(ctx, formatter)

    return Brief


def _show_everything(context: typer.Context, wanted: bool) -> None:
    if wanted:
        context.meta[_EVERYTHING] = True
        print(context.get_help())
        raise typer.Exit


HelpAllOption = Annotated[
    bool,
    typer.Option(
        "--help-all", callback=_show_everything, is_eager=True, help="Show all options and exit."
    ),
]


def option_name(parameter: str) -> str:
    """Return how a parameter of a command is written on the command line."""
    return f"--{parameter.replace('_', '-')}"


def _parameter(declared: Declared) -> Parameter:
    kind, default = _as_typed(declared)
    option, text = declared.option, _help(declared)
    completes = completion_of(declared.name, option.metavar)
    mark: Any
    if option.argument:
        mark = typer.Argument(
            metavar=option.metavar, help=text, show_default=False, autocompletion=completes
        )
    else:
        mark = typer.Option(
            *(option.flags or (option_name(declared.name),)),
            metavar=option.metavar,
            help=text,
            rich_help_panel=option.panel,
            parser=option.parse,
            show_default=False,
            autocompletion=completes,
        )
    return Parameter(
        declared.name,
        Parameter.KEYWORD_ONLY,
        default=Parameter.empty if default is MISSING else default,
        annotation=Annotated[kind, mark],
    )


def _as_typed(declared: Declared) -> tuple[Any, Any]:
    """Return type and default of an option as Typer has them: a list for several values."""
    item, default = declared.item, declared.default
    if item is None:
        return declared.type, default
    if declared.option.commas:
        return str | None, ",".join(map(str, default)) or None
    several: Any = list[item]  # type: ignore[valid-type]
    return (several, default) if default is MISSING else (several | None, None)


def _help(declared: Declared) -> str:
    text, unset = escape(declared.option.help), declared.option.unset or _shown(declared.default)
    return f"{text} [dim]Default: {escape(unset)}.[/]" if unset else text


def _shown(default: Any) -> str:
    if default is None or default is False or default is MISSING:
        return ""
    if isinstance(default, float):
        return f"{default:g}"
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
