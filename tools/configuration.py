"""What docs/configuration.md says: every key of a config file, from the declared options."""

from collections.abc import Iterator
from dataclasses import MISSING
from pathlib import Path

from srgan_cli.config.option import Declared, declared
from srgan_cli.config.train import TrainConfig

TEXT = Path(__file__).with_name("configuration.in.md")
NOT_IN_FILES = {"resume"}
TITLES = {None: "Top level", "weights": "`[weights]`", "generator": "`[generator]`"}


def document() -> str:
    """Return the page: the text with a table of keys for each table of a file."""
    return TEXT.read_text(encoding="utf-8").replace("{keys}", "\n\n".join(_tables()))


def _tables() -> Iterator[str]:
    options = [each for each in declared(TrainConfig) if each.name not in NOT_IN_FILES]
    for table in dict.fromkeys(option.table for option in options):
        rows = [_row(option) for option in options if option.table == table]
        title = TITLES.get(table, f"`[{table}]`")
        yield "\n".join([f"### {title}\n", "| key | default | meaning |", "|---|---|---|", *rows])


def _row(option: Declared) -> str:
    key = option.key if option.table else option.name
    values = ", ".join(f"`{each}`" for each in option.choices)
    meaning = option.option.help + (f" One of {values}." if values else "")
    meaning = meaning.replace("|", "\\|")
    return f"| `{key}` | {_default(option)} | {meaning} |"


def _default(option: Declared) -> str:
    if option.option.unset is not None:
        return option.option.unset
    if option.default in {None, MISSING}:
        return ""
    if isinstance(option.default, bool):
        return f"`{str(option.default).lower()}`"
    if isinstance(option.default, tuple):
        return f"`[{', '.join(map(str, option.default))}]`"
    return f"`{option.default}`"
