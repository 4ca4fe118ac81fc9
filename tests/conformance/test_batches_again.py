"""Batches again: after the clock was set back, beside another batch, after a crash."""

import os
from datetime import datetime

import pytest

from srgan_cli.engine.upscaling import ledger
from srgan_cli.engine.upscaling.ledger import Ledger
from srgan_cli.paths import written_beside
from tests.conformance.samples import picture


def test_an_image_is_upscaled_once_though_the_clock_was_set_back(tmp_path, upscale, monkeypatch):
    source = picture(tmp_path / "a.png")
    upscale(source, in_place=True)
    monkeypatch.setattr(ledger, "datetime", _Yesterday)
    report = upscale(source, in_place=True, overwrite=True, scale=3)
    assert report.written
    made = source.read_bytes()
    monkeypatch.undo()
    report = upscale(source, in_place=True, overwrite=True, scale=3)
    assert report.unchanged == (source,)
    assert source.read_bytes() == made


class _Yesterday:
    @staticmethod
    def now(zone):
        return datetime(2000, 1, 1, tzinfo=zone)


@pytest.mark.parametrize("first", ["out", "out/sub"])
def test_runs_into_nested_folders_leave_each_others_unfinished_files(tmp_path, upscale, first):
    picture(tmp_path / "in/sub/a.png")
    outer, inner = tmp_path / "out", tmp_path / "out/sub"
    inner.mkdir(parents=True)
    at_work = tmp_path / first
    with (
        Ledger(at_work) as opened,
        written_beside(inner / "b.png", mark=opened.mark(inner)) as unfinished,
    ):
        unfinished.write_bytes(b"half")
        if at_work == outer:
            upscale(tmp_path / "in/sub", output=inner)
        else:
            upscale(tmp_path / "in", output=outer, recursive=True)
        assert unfinished.read_bytes() == b"half"
    assert (inner / "a.png").is_file()


def test_unfinished_files_of_earlier_versions_go_after_a_day(tmp_path, upscale):
    source = picture(tmp_path / "a.png")
    upscale(source, output=tmp_path / "out")
    old, young = (tmp_path / "out" / f".srgan-{digit * 12}.png" for digit in "01")
    for path in (old, young):
        path.touch()
    os.utime(old, (0, 0))
    upscale(source, output=tmp_path / "out")
    assert young.exists()
    assert not old.exists()
