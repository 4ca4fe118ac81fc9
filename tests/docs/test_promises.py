"""What version 1 promises is kept: docs/stability.md and tests/docs/promises.json."""

import copy
import json
import re
from pathlib import Path

import pytest
from typer.main import get_command

from srgan_cli.cli import app
from srgan_cli.data.manifest import FORMAT
from tools import promises

ROOT = Path(__file__).parents[2]
PROMISED = json.loads((ROOT / "tests/docs/promises.json").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs/stability.md").read_text(encoding="utf-8")


def test_nothing_that_was_promised_is_lost():
    lost = promises.lost(PROMISED)
    assert lost == [], (
        "version 1 keeps these; while 1.0.0 is not published: python -m tools.promises"
    )


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("commands", "upscale"),
        ("exit codes", "7"),
        ("config keys", "batch"),
        ("json", "upscale: written[].output"),
        ("files", "manifest.json: shards"),
        ("python", "load"),
    ],
)
def test_a_loss_is_noticed(kind, name, monkeypatch):
    now = copy.deepcopy(promises.promises())
    if isinstance(now[kind][name], list):
        now[kind][name].remove(now[kind][name][-1])
    else:
        now[kind][name] += " differently"
    monkeypatch.setattr(promises, "promises", lambda: now)
    assert [entry.partition(": ")[0] for entry in promises.lost(PROMISED)] == [kind]


def test_the_page_names_every_command_and_format():
    names = set(re.findall(r"`([\w.-]+)`", PAGE))
    group = get_command(app)
    assert set(group.commands) <= names
    assert set(group.commands["models"].commands) <= names
    assert f"format {FORMAT}" in PAGE
