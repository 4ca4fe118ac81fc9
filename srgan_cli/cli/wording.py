"""Wrong command lines, in our own words: which word is wrong, and what to type instead."""

import difflib
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from srgan_cli.config.option import either
from srgan_cli.errors import UsageError

_EXAMPLE = re.compile(r"^\s*(srgan .*?)\s*$", re.MULTILINE)
_COMMAND = re.compile(r"No such command '(.*?)'\.", re.DOTALL)
_RESTORING = "to remove noise and JPEG artefacts: --model restore"
_INSTEAD = {
    ("srgan upscale", "--denoise"): _RESTORING,
    ("srgan upscale", "--noise"): _RESTORING,
    ("srgan eval", "--data"): "name a folder of HR images without an option: srgan eval FOLDER",
}
"""What to do in place of an option that other programs or commands have."""
_KINDS = {
    "valid integer": "a whole number",
    "for int()": "a whole number",
    "valid number": "a number",
    "to float": "a number",
}


def explained(error: typer.TyperException, words: Sequence[str], program: Any) -> UsageError:
    """Return the usage error that says the same as one of Typer's.

    Args:
        error: What Typer raised.
        words: The command line, without the program's name.
        program: The program's command, as ``typer.main.get_command`` returns it.
    """
    command, path, rest = _command_of(program, words)
    see = f"see: {path} --help"
    text = error.format_message()
    if name := getattr(error, "option_name", None):
        return _about_option(str(name), text, command, path, words)
    if (unknown := _COMMAND.match(text)) is not None:
        return _no_command(unknown[1], command, path, rest)
    parameter = getattr(error, "param", None)
    if parameter is not None and text.startswith("Missing"):
        examples = _EXAMPLE.findall(command.help or "")
        own = next((example for example in examples if example.startswith(path)), None)
        shown = f"for example: {own}; " if own else ""
        option = f"{parameter.opts[0]} " if parameter.param_type_name == "option" else ""
        what = f"{option}{_called(parameter)}"
        return UsageError(f"{path}: {what} is missing", hint=f"{shown}{see}")
    if parameter is not None:
        return _bad_value(parameter, text, rest, see)
    if "extra argument" in text:
        extra = text.rpartition(" (")[2].removesuffix(")")
        hint = f"put quotes around names with spaces; {see}"
        if path == "srgan train":
            hint = f"first make a data set: srgan prepare {extra} && srgan train"
        return UsageError(f"{path} takes no further argument: {extra}", hint=hint)
    return UsageError(text, hint=see)


def _command_of(program: Any, words: Sequence[str]) -> tuple[Any, str, Sequence[str]]:
    """Return the command that words lead to, what it is called, and the words behind it."""
    path = ["srgan"]
    for word in words:
        inner = getattr(program, "commands", {}).get(word)
        if inner is None:
            break
        program = inner
        path.append(word)
    return program, " ".join(path), words[len(path) - 1 :]


def _no_command(name: str, group: Any, path: str, words: Sequence[str]) -> UsageError:
    known = list(group.commands)
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        hint = f"did you mean: {shlex.join([*path.split(), close[0], *words[1:]])}"
    elif path == "srgan" and (Path(name).suffix or Path(name).exists()):
        hint = f"did you mean: srgan upscale {shlex.join(words)}"
    else:
        hint = f"commands: {', '.join(known)}; see: {path} --help"
    return UsageError(f"{path} has no command {name!r}", hint=hint)


def _about_option(
    name: str, text: str, command: Any, path: str, words: Sequence[str]
) -> UsageError:
    """Explain an option that is unknown, or has a value too few or too many."""
    options = {flag: each for each in command.params for flag in (*each.opts, *each.secondary_opts)}
    see = f"see: {path} --help"
    if name in options and "requires" in text:
        wanted = _called(options[name])
        return UsageError(f"{name} needs a value: {wanted}", hint=f"{name} {wanted}; {see}")
    if name in options:
        return UsageError(f"{name} takes no value", hint=f"pass {name} alone; {see}")
    if path == "srgan" and name in {"-i", "--input"}:
        return UsageError(
            f"srgan has no option {name}", hint=f"did you mean: srgan upscale {shlex.join(words)}"
        )
    file = next((word for word in words if len(name) == 2 and _is_file(word, name)), None)
    if file:
        hint = f"for the file of that name: {shlex.quote('./' + file)}; {see}"
        return UsageError(f"{path} has no option {file}", hint=hint)
    if (instead := _INSTEAD.get((path, name))) is not None:
        return UsageError(f"{path} has no option {name}", hint=f"{instead}; {see}")
    flags = [flag for flag in options if flag.startswith("--")]
    close = difflib.get_close_matches(name, flags, n=1, cutoff=0.7)
    hint = f"did you mean {close[0]}? {see}" if close else see
    return UsageError(f"{path} has no option {name}", hint=hint)


def _is_file(word: str, flag: str) -> bool:
    """Say whether a word that was read as short options is the name of a file."""
    return word.startswith(flag) and (Path(word).exists() or Path(word).suffix[1:].isalpha())


def _bad_value(parameter: Any, text: str, words: Sequence[str], see: str) -> UsageError:
    """Explain a value of the wrong kind."""
    name = max(parameter.opts, key=len) if parameter.param_type_name == "option" else ""
    value = _given(parameter, words)
    shown = " ".join(
        filter(None, (name or _called(parameter), None if value is None else repr(value)))
    )
    choices = re.findall(r"'([^']*)'", text.partition("is not one of")[2])
    if choices:
        close = difflib.get_close_matches(value or "", choices, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        return UsageError(f"{shown} is not a choice", hint=f"{hint}choose {either(choices)}")
    for word, kind in _KINDS.items():
        if word in text:
            return UsageError(f"{shown} is not {kind}", hint=f"{name} {_called(parameter)}; {see}")
    return UsageError(f"{shown}: {text.partition(': ')[2] or text}", hint=see)


def _called(parameter: Any) -> str:
    """Return what stands for a parameter's value in the help."""
    return str(parameter.metavar or parameter.name.upper())


def _given(parameter: Any, words: Sequence[str]) -> str | None:
    """Return the value of an option on the command line."""
    for word, following in zip(words, [*words[1:], None], strict=True):
        flag, equals, value = word.partition("=")
        if flag in parameter.opts:
            return value if equals else following
        short = next((o for o in parameter.opts if len(o) == 2 and word.startswith(o)), None)
        if short and not word.startswith("--"):
            return word.removeprefix(short)
    return None
