import errno
import os
from pathlib import Path

import pytest

from srgan_cli import paths


def test_srgan_home_overrides_the_user_data_directory(home):
    assert paths.home() == home
    assert paths.datasets_dir() == home / "datasets"
    assert paths.runs_dir() == home / "runs"
    assert paths.downloads_dir() == home / "downloads"
    assert not home.exists()  # Asking for a folder does not make it.


@pytest.mark.parametrize("value", [None, ""])
def test_without_it_the_platform_decides(monkeypatch, value):
    monkeypatch.delenv("SRGAN_HOME", raising=False)
    if value is not None:
        monkeypatch.setenv("SRGAN_HOME", value)
    assert paths.home().is_absolute()
    assert paths.home().name == "srgan"


def test_a_file_takes_its_name_when_complete(tmp_path):
    target = tmp_path / "a.png"
    with paths.written_beside(target) as temporary:
        temporary.write_bytes(b"new")
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".png"
        assert temporary.name.startswith(".")
        assert not target.exists()
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


def test_an_exception_keeps_the_old_file_and_passes_on(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")

    def write_half():
        with paths.written_beside(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_writer_that_replaces_the_file_does_not_narrow_its_mode(tmp_path):
    (tmp_path / "normal").touch()
    target = tmp_path / "a.bin"
    with paths.written_beside(target) as temporary:
        temporary.unlink()
        temporary.touch(mode=0o600)
    assert target.stat().st_mode == (tmp_path / "normal").stat().st_mode


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    target = tmp_path / "a.txt"
    with paths.written_beside(target) as first, paths.written_beside(target) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert target.read_text() == "first"  # The one that finished last.
    assert list(tmp_path.iterdir()) == [target]


def test_text_is_utf8_whatever_the_locale(tmp_path):
    paths.write_text(tmp_path / "a.txt", "×2 ü")
    assert Path(tmp_path / "a.txt").read_bytes() == "×2 ü".encode()


def take(target, text):
    with paths.written_beside(target, new=True) as temporary:
        temporary.write_text(text)


@pytest.fixture(params=[True, False], ids=["links", "no links"])
def _with_and_without_links(request, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    if not request.param:
        monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("_with_and_without_links")
def test_a_new_file_replaces_none_that_came_meanwhile(tmp_path):
    target = tmp_path / "a.txt"

    def come_second():
        with paths.written_beside(target, new=True) as temporary:
            temporary.write_text("second")
            take(target, "first")

    with pytest.raises(FileExistsError):
        come_second()
    assert target.read_text() == "first"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.usefixtures("_with_and_without_links")
def test_a_new_file_replaces_no_link_that_leads_nowhere(tmp_path):
    (tmp_path / "a.txt").symlink_to(tmp_path / "b.txt")
    with pytest.raises(FileExistsError):
        take(tmp_path / "a.txt", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
