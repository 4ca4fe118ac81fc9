"""The page for people with a folder of images: each of its srgan commands runs."""

import re
import shlex
from pathlib import Path

import pytest

from srgan_cli.cli import run
from tests.toolbox import TINY

PAGE = Path(__file__).parents[2] / "docs" / "train-your-own.md"


def commands():
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("srgan")]


def quick(words):
    """Return a command as it stands on the page, but for a run of a few steps."""
    if words[0] != "train" or "--resume" in words:
        return words
    return [*words, *(TINY if "--epochs" not in words else TINY[2:])]


@pytest.mark.slow
def test_every_command_of_the_page_runs_in_the_order_of_the_page(
    home, tmp_path, monkeypatch, make_photographs
):
    monkeypatch.chdir(tmp_path)
    for seed, (name, count) in enumerate([("comics", 12), ("new", 2), ("held-out", 2)]):
        make_photographs(tmp_path / name, count=count, size=(136, 128), seed=seed)
    make_photographs(tmp_path / "kaggle", count=12, size=(136, 128), seed=9)
    done = commands()
    assert {words[0] for words in done} == {"prepare", "train", "upscale", "eval", "models"}
    for line in done:
        found = [sorted(tmp_path.glob(word)) if "*" in word else [word] for word in line]
        words = [str(word) for several in found for word in several]
        if "--epochs" in words:
            words[words.index("131")] = "1"
        if words[:2] == ["train", "--resume"]:
            continue  # tests/integration/test_resume_found.py stops a run and goes on.
        assert run(quick(words)) == 0, words
    assert (home / "runs" / "mine" / "weights.safetensors").is_file()
