"""Command line, help, docs and config file follow from the fields that declare the options."""

import dataclasses
import re
from pathlib import Path

import pytest
from rich.text import Text
from typer.main import get_command

from srgan_cli.cli import app
from srgan_cli.config import (
    RECIPES,
    CompareConfig,
    DoctorConfig,
    EvalConfig,
    PrepareConfig,
    TrainConfig,
    UpscaleConfig,
    read_options,
    to_toml,
)
from srgan_cli.config.option import declared

CONFIGS = {
    "prepare": PrepareConfig,
    "train": TrainConfig,
    "upscale": UpscaleConfig,
    "eval": EvalConfig,
    "compare": CompareConfig,
    "doctor": DoctorConfig,
}
OWN = {
    "prepare": {"report", "json"},
    "train": {"recipe", "config", "dry_run", "json", "help_all"},
    "upscale": {"dry_run", "json", "quiet", "verify"},
    "eval": {"json"},
    "compare": {"json", "quiet"},
    "doctor": {"json"},
}
"""Options that are no part of a config."""
OPTIONS = [(name, option) for name, kind in CONFIGS.items() for option in declared(kind)]
each_option = pytest.mark.parametrize(
    ("command", "option"), OPTIONS, ids=[f"{name}-{option.name}" for name, option in OPTIONS]
)
REFERENCE = (Path(__file__).parents[2] / "docs/cli.md").read_text()


def _parameters(command):
    return {parameter.name: parameter for parameter in get_command(app).commands[command].params}


@pytest.mark.parametrize("command", CONFIGS)
def test_a_command_has_the_options_that_its_config_declares(command):
    names = {option.name for option in declared(CONFIGS[command])}
    assert _parameters(command).keys() == names | OWN[command]


@pytest.mark.parametrize("kind", CONFIGS.values(), ids=CONFIGS)
def test_every_field_of_a_config_is_an_option_or_a_table_of_them(kind):
    fields = {field.name for field in dataclasses.fields(kind)}
    assert fields == {option.table or option.key for option in declared(kind)}


@each_option
def test_an_option_says_what_its_declaration_says(command, option):
    parameter = _parameters(command)[option.name]
    text = Text.from_markup(parameter.help).plain
    assert text.startswith(option.option.help)
    assert parameter.metavar == option.option.metavar
    assert getattr(parameter, "rich_help_panel", None) == option.option.panel
    if option.option.flags:
        assert tuple(parameter.opts) == option.option.flags


@each_option
def test_a_help_is_a_sentence(command, option):  # noqa: ARG001 - it names the test
    assert re.fullmatch(r"[A-Zt].*\.", option.option.help)
    assert "\n" not in option.option.help


@each_option
def test_a_help_names_every_choice(command, option):
    parameter = _parameters(command)[option.name]
    shown = parameter.help + ("" if parameter.metavar else str(option.choices))
    for choice in option.choices:
        assert re.search(rf"\b{choice}\b", shown, re.IGNORECASE), choice


@each_option
def test_the_reference_documents_the_option(command, option):
    section = REFERENCE.partition(f"## `srgan {command}`")[2].partition("\n## ")[0]
    (line,) = re.findall(
        rf"^\* `(?:-\w, )?{re.escape(_spelling(option))}[ ,`].*$", section, re.MULTILINE
    )
    assert option.option.help in line


def _spelling(option):
    if option.option.argument:
        return option.option.metavar
    return (option.option.flags or (f"--{option.name.replace('_', '-')}",))[0]


def test_a_file_has_a_key_for_every_option_of_train_but_resume(tmp_path):
    path = tmp_path / "run.toml"
    for option in declared(TrainConfig):
        path.write_text(f"{option.name.replace('_', '-')} = 1")
        if option.name != "resume":
            assert read_options(path) == {option.name: "1"}


def test_a_runs_own_file_holds_every_option_that_has_a_value():
    config = TrainConfig(generator={"channels": 8}, data="photos", steps=1)
    written = to_toml(config)
    for option in declared(TrainConfig):
        table = getattr(config, option.table) if option.table else config
        value = table.get(option.key) if isinstance(table, dict) else getattr(table, option.key)
        held = re.search(rf"^{option.key} = ", written, re.MULTILINE) is not None
        assert held == (value not in {None, ()} and option.name != "epochs"), option.name


def test_help_of_train_shows_what_most_runs_need_on_sixty_lines(srgan):
    lines = srgan("train", "--help").out.splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 80
    shown = set(re.findall(r"^│ --([\w-]+)", "\n".join(lines), re.MULTILINE))
    common = {option.name for option in declared(TrainConfig) if option.option.common}
    assert shown == {name.replace("_", "-") for name in common | OWN["train"]} | {"help"}
    assert 15 <= len(common) <= 20


def test_help_all_of_train_shows_every_option(srgan):
    result = srgan("train", "--help-all")
    assert result.code == 0
    assert "…" not in result.out, "a name is cut short"
    assert max(map(len, result.out.splitlines())) <= 80
    shown = set(re.findall(r"^│ --([\w-]+)", result.out, re.MULTILINE))
    assert shown == {name.replace("_", "-") for name in _parameters("train")} | {"help"}


def test_help_of_train_names_the_recipes(srgan):
    assert set(RECIPES) <= set(re.findall(r"[\w-]+", srgan("train", "--help").out))
