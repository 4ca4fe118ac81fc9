"""Batches: what is found, where it goes, what a rerun does, and what bad files cost."""

import json
import os
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from srgan_cli.engine.upscaling.ledger import LEDGER_FILE, Ledger
from srgan_cli.errors import InputError, ResourceError, UsageError
from tests.conformance import samples
from tests.conformance.samples import picture

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX files")


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != LEDGER_FILE
    }


def test_folders_are_taken_flat_or_mirrored(tmp_path, upscale):
    for name in ("in/a.png", "in/deep/b.png", "in/deep/er/a.png", "in/.hidden/c.png"):
        picture(tmp_path / name)
    upscale(tmp_path / "in", output=tmp_path / "flat")
    assert list(files_below(tmp_path / "flat")) == ["a.png"]
    upscale(tmp_path / "in", output=tmp_path / "all", recursive=True)
    assert list(files_below(tmp_path / "all")) == ["a.png", "deep/b.png", "deep/er/a.png"]


def test_results_are_not_taken_for_images_of_the_next_run(tmp_path, upscale):
    picture(tmp_path / "a.png")
    for _ in range(2):
        report = upscale(tmp_path, output=tmp_path / "out", recursive=True)
    assert report.unchanged == (tmp_path / "out/a.png",)
    assert list(files_below(tmp_path / "out")) == ["a.png"]


def test_patterns_keep_the_place_below_their_fixed_part(tmp_path, upscale):
    for name in ("in/x/a.png", "in/y/a.png", "in/y/b.jpg"):
        picture(tmp_path / name)
    upscale(f"{tmp_path}/in/**/*.png", output=tmp_path / "out")
    assert list(files_below(tmp_path / "out")) == ["x/a.png", "y/a.png"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path, upscale):
    source = picture(tmp_path / "a[1].png")
    upscale(source, output=tmp_path / "out")
    assert list(files_below(tmp_path / "out")) == ["a[1].png"]


@pytest.mark.parametrize(
    ("names", "options"),
    [
        (("x/a.png", "y/a.png"), {}),
        (("a.png", "a.jpg"), {"ext": "png"}),
        (("x/a.png", "y/A.png"), {}),
        (("x/\u00e4.png", "y/a\u0308.png"), {}),
    ],
)
def test_names_that_collide_are_refused_before_work_starts(tmp_path, upscale, names, options):
    sources = [picture(tmp_path / name) for name in names]
    with pytest.raises(UsageError) as caught:
        upscale(*sources, output=tmp_path / "out", **options)
    assert all(Path(name).name in caught.value.message for name in names)
    assert not (tmp_path / "out").exists()


def test_an_input_is_never_overwritten(tmp_path, upscale):
    source, other = picture(tmp_path / "a.png"), picture(tmp_path / "sub/a.png", 1)
    before = source.read_bytes()
    (tmp_path / "link").symlink_to(tmp_path)
    for inputs, output in (
        ([source], tmp_path),
        ([source], tmp_path / "link"),
        ([other, source.with_name("b.png")], tmp_path),
        ([source, other], tmp_path / "sub"),
    ):
        picture(tmp_path / "b.png", 2)
        with pytest.raises(UsageError):
            upscale(*inputs, output=output, overwrite=True)
    assert source.read_bytes() == before


def test_in_place_replaces_once(tmp_path, upscale):
    source = picture(tmp_path / "a.png")
    for _ in range(3):
        report = upscale(source, in_place=True)
        with Image.open(source) as image:
            assert image.size == (24, 16)
    assert report.unchanged == (source,)
    report = upscale(source, in_place=True, scale=3)
    assert "already upscaled in place" in report.failed[0].reason
    upscale(source, in_place=True, scale=3, overwrite=True)
    with Image.open(source) as image:
        assert image.size == (72, 48)


def test_a_rerun_does_only_what_is_missing_or_changed(tmp_path, upscale):
    for number in range(4):
        picture(tmp_path / f"in/{number}.png", number)

    def run(**options):
        report = upscale(tmp_path / "in", output=tmp_path / "out", **options)
        assert not report.failed
        return sorted(item.output.stem for item in report.written)

    assert run() == ["0", "1", "2", "3"]
    assert run() == []
    (tmp_path / "out/1.png").unlink()
    assert run() == ["1"]
    picture(tmp_path / "in/2.png", 99)
    assert run() == ["2"]
    assert run(scale=3) == ["0", "1", "2", "3"]
    assert run(scale=3) == []


def test_other_peoples_files_need_overwrite(tmp_path, upscale):
    source = picture(tmp_path / "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.png").write_bytes(b"mine")
    report = upscale(source, output=tmp_path / "out")
    assert "exists already" in report.failed[0].reason
    assert (tmp_path / "out/a.png").read_bytes() == b"mine"
    assert upscale(source, output=tmp_path / "out", overwrite=True).written
    # A result that somebody edited afterwards is theirs again.
    (tmp_path / "out/a.png").write_bytes(b"edited")
    assert upscale(source, output=tmp_path / "out").failed
    assert (tmp_path / "out/a.png").read_bytes() == b"edited"


def test_the_ledger_tells_hashes_and_time(tmp_path, upscale):
    upscale(picture(tmp_path / "a.png"), output=tmp_path / "out")
    (line,) = (tmp_path / "out" / LEDGER_FILE).read_text().splitlines()
    entry = json.loads(line)
    assert entry["output"] == "a.png"
    assert all(len(entry[key]) == 64 for key in ("input_sha256", "output_sha256", "settings"))


@pytest.mark.parametrize("tail", [b'{"output": "a.p', b"\xff\xfe\n", b"[]\n", b"\n\n", b"null"])
def test_a_damaged_ledger_counts_for_nothing_more_than_it_says(tmp_path, upscale, tail):
    source = picture(tmp_path / "a.png")
    upscale(source, output=tmp_path / "out")
    with (tmp_path / "out" / LEDGER_FILE).open("ab") as file:
        file.write(tail)
    other = picture(tmp_path / "b.png", 1)
    report = upscale(source, other, output=tmp_path / "out")
    assert report.unchanged == (tmp_path / "out/a.png",)
    assert upscale(source, other, output=tmp_path / "out").unchanged == tuple(
        tmp_path / "out" / name for name in ("a.png", "b.png")
    )


def test_a_line_without_its_file_is_not_believed(tmp_path, upscale):
    # As a run leaves it that is killed between writing the line and naming the file.
    source = picture(tmp_path / "a.png")
    upscale(source, output=tmp_path / "out")
    made = (tmp_path / "out/a.png").read_bytes()
    (tmp_path / "out/a.png").rename(tmp_path / "out/.srgan-0-0123456789ab.png")
    assert upscale(source, output=tmp_path / "out").written
    assert files_below(tmp_path / "out") == {"a.png": made}


def test_two_runs_do_not_share_a_folder(tmp_path, upscale):
    source = picture(tmp_path / "a.png")
    with Ledger(tmp_path / "out"), pytest.raises(ResourceError, match="another srgan process"):
        upscale(source, output=tmp_path / "out")


def test_lock_of_a_killed_run_keeps_nobody_out_and_goes(tmp_path, upscale):
    source = picture(tmp_path / "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".srgan-ledger.lock").touch()
    assert upscale(source, output=tmp_path / "out").written
    assert not list((tmp_path / "out").glob("*.lock"))
    assert not list((tmp_path / "out").glob(".*.lock"))


def _bad_files(folder: Path) -> dict[str, str]:
    """Make one bad file of every kind; return a word of the reason for each."""
    good = picture(folder / "good.png")
    data = good.read_bytes()
    (folder / "truncated.png").write_bytes(data[: len(data) // 2])
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("not a readable image")
    corrupt = bytearray(data)
    corrupt[45] ^= 0xFF
    (folder / "corrupt.png").write_bytes(corrupt)
    (folder / "folder.png").mkdir()
    samples.bomb(folder / "bomb.png")
    return {
        "truncated.png": "damaged",
        "empty.jpg": "empty",
        "text.jpg": "not a readable image",
        "corrupt.png": "",
        "folder.png": "a folder",
        "bomb.png": "more than",
    }


@posix
def test_bad_files_cost_themselves_alone(tmp_path, upscale):
    expected = _bad_files(tmp_path / "in")
    os.mkfifo(tmp_path / "in/pipe.png")
    (tmp_path / "in/gone.png").symlink_to(tmp_path / "nothing")
    expected |= {"pipe.png": "a pipe", "gone.png": "a link"}
    if os.geteuid():
        picture(tmp_path / "in/secret.png").chmod(0)
        expected["secret.png"] = "permission"
    report = upscale(tmp_path / "in", output=tmp_path / "out", max_pixels=10**6)
    assert {failure.source.name for failure in report.failed} == set(expected)
    for failure in report.failed:
        assert expected[failure.source.name] in failure.reason
        assert failure.hint
        assert "\n" not in failure.reason
    assert list(files_below(tmp_path / "out")) == ["good.png"]


def test_a_wrong_extension_is_seen_through_and_told(tmp_path, upscale):
    picture(tmp_path / "a.png").rename(tmp_path / "a.jpg")
    report = upscale(tmp_path / "a.jpg", output=tmp_path / "out")
    assert report.written[0].output.name == "a.png"
    assert any("PNG" in note for note in report.written[0].notes)


def test_nothing_found_is_unusable_input(tmp_path, upscale):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "missing.png"):
        with pytest.raises(InputError):
            upscale(tmp_path / name, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_formats_with_too_few_pixels_a_side_are_told_before_work(tmp_path, upscale):
    Image.new("RGB", (9000, 1)).save(tmp_path / "a.webp")
    report = upscale(tmp_path / "a.webp", output=tmp_path / "out")
    assert "at most 16,383" in report.failed[0].reason


NAMES = [
    "a b.png",
    "\U0001f600.png",
    "line\nbreak.png",
    "-rf.png",
    "'quotes\".png",
    "a%s{x}.png",
    "\u202egnp.png",
    "x" * 200 + ".png",
]


@posix
@pytest.mark.parametrize("name", NAMES)
def test_strange_names_come_through(tmp_path, upscale, name):
    source = picture(tmp_path / "in" / name)
    for _ in range(2):
        report = upscale(source, output=tmp_path / "out")
    assert report.unchanged == (tmp_path / "out" / name,)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_no_text_come_through(tmp_path, upscale):
    name = os.fsdecode(b"caf\xe9.png")
    picture(tmp_path / "in" / name)
    for _ in range(2):
        report = upscale(tmp_path / "in", output=tmp_path / "out")
    assert report.unchanged == (tmp_path / "out" / name,)


def test_long_paths_come_through(tmp_path, upscale):
    folder = tmp_path.joinpath(*["d" * 50] * 6)
    source = picture(folder / "a.png")
    assert len(str(source)) > 300
    upscale(tmp_path / ("d" * 50), output=tmp_path / "out", recursive=True)
    assert len(files_below(tmp_path / "out")) == 1


@given(
    stem=st.text(
        st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40
    )
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_name_comes_through(tmp_path_factory, upscale, stem):
    folder = tmp_path_factory.mktemp("name")
    source = folder / "in" / f"x{stem}.png"
    picture(source)
    report = upscale(source, output=folder / "out")
    assert [item.output for item in report.written] == [folder / "out" / source.name]


def test_check_reports_drift_and_max_drift_fails(tmp_path, upscale):
    smooth, rough = tmp_path / "smooth.png", tmp_path / "rough.png"
    samples.image("RGB").save(smooth)
    picture(rough)
    report = upscale(smooth, rough, output=tmp_path / "out", check=True)
    drifts = {item.source.stem: item.drift for item in report.written}
    assert drifts["smooth"] > 40
    assert drifts["rough"] < 25
    report = upscale(smooth, rough, output=tmp_path / "strict", max_drift=35)
    assert [item.source.stem for item in report.written] == ["smooth"]
    assert "below --max-drift 35" in report.failed[0].reason
    assert list(files_below(tmp_path / "strict")) == ["smooth.png"]


@posix
def test_results_have_the_mode_of_any_new_file(tmp_path, upscale):
    upscale(picture(tmp_path / "a.png"), output=tmp_path / "out")
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    modes = [stat.S_IMODE(p.stat().st_mode) for p in (ordinary, tmp_path / "out/a.png")]
    assert modes[0] == modes[1]


def test_results_keep_their_source_s_date(tmp_path, upscale):
    source = picture(tmp_path / "a.png")
    taken = 1_000_000_000_123_456_789
    os.utime(source, ns=(taken, taken))
    plain = upscale.one(source, tmp_path / "out")
    assert plain.stat().st_mtime_ns == taken
    assert upscale.one(source, tmp_path / "new", new_dates=True).stat().st_mtime_ns > taken
    assert upscale.one(source, tmp_path / "bare", strip_metadata=True).stat().st_mtime_ns > taken
    upscale(source, in_place=True)
    assert source.stat().st_mtime_ns == taken
    assert upscale(source, in_place=True).unchanged
