"""A command to call, and a home in which something has been made already."""

import shutil
from functools import partial

import pytest

from srgan_cli.cli import run
from tests.toolbox import TINY, call


@pytest.fixture
def srgan(capsys, monkeypatch, home):  # noqa: ARG001 - an empty home unless a test fills it
    """Return a function that runs a command, in a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    return partial(call, capsys)


@pytest.fixture(scope="session")
def made(tmp_path_factory, make_photographs):
    """Make a home with one data set, ``photos-x2``, and one run, ``tiny``."""
    folder = tmp_path_factory.mktemp("made")
    photographs = folder / "photos"
    make_photographs(photographs, count=3, size=(136, 128))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRGAN_HOME", str(folder / "home"))
        assert run(["prepare", str(photographs)]) == 0
        assert run(["train", "--name", "tiny", *TINY]) == 0
    return folder / "home"


@pytest.fixture
def used_home(home, made):
    """Fill this test's home with a copy of what has been made."""
    shutil.copytree(made, home)
    return home
