"""What docs/messages.md says: every error with its hint, read from the source code."""

import ast
from collections.abc import Iterator
from pathlib import Path

from srgan_cli import errors
from srgan_cli.cli.exit_codes import ExitCode, exit_code

SOURCES = Path(__file__).parents[1] / "srgan_cli"
TEXT = Path(__file__).with_name("messages.in.md")
KINDS = {kind.__name__: kind for kind in errors.SrganError.__subclasses__()}
SHOWN = "…"
"""What stands for a part of a message that only the moment tells."""


def document() -> str:
    """Return the page: the text, then the messages of each exit code."""
    found: dict[ExitCode, set[tuple[str, str]]] = {}
    for path in sorted(SOURCES.rglob("*.py")):
        for kind, message, hint in _messages(path):
            code = exit_code(KINDS[kind]("", hint=""))
            found.setdefault(code, set()).add((message, hint))
    sections = [_section(code, found[code]) for code in sorted(found)]
    return TEXT.read_text(encoding="utf-8").replace("{messages}", "\n\n".join(sections)) + "\n"


def _section(code: ExitCode, rows: set[tuple[str, str]]) -> str:
    lines = [f"## Exit code {code.value}: {code.meaning}\n", "| message | hint |", "|---|---|"]
    ordered = sorted(rows, key=lambda row: (row[0].strip(SHOWN + ": -").lower(), row))
    return "\n".join(
        [*lines, *(f"| {_cell(message)} | {_cell(hint)} |" for message, hint in ordered)]
    )


def _messages(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield kind, message and hint of each error that a file makes and says something in."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        kind = ast.unparse(node.func).rpartition(".")[2]
        hints = [each.value for each in node.keywords if each.arg == "hint"]
        if kind in KINDS and hints:
            message, hint = _text(node.args[0]), _text(hints[0])
            if message.strip(SHOWN + ": "):
                yield kind, message, hint


def _text(node: ast.expr) -> str:
    """Return what an expression is known to say, with an ellipsis for the rest of it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    if isinstance(node, ast.IfExp):
        return " / ".join(filter(None, (_text(node.body), _text(node.orelse))))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    return SHOWN


def _cell(text: str) -> str:
    plain = " ".join(text.split())
    for mark in "\\`*_<>|[]":
        plain = plain.replace(mark, f"\\{mark}")
    return plain
