"""Results go to stdout, everything else to stderr."""

import os
import subprocess
import sys

import pytest
from PIL import Image

from srgan_cli.cli.render import show_table
from srgan_cli.engine.runtimes import fastest
from tests.toolbox import TINY


@pytest.fixture
def commands(used_home, make_photographs, tmp_path):  # noqa: ARG001 - filled for them
    """Return a command line of every command that works."""
    photographs = make_photographs(tmp_path / "photos", count=3, size=(136, 128), seed=7)
    return {
        "prepare": ["prepare", tmp_path / "photos", "--name", "again"],
        "train": ["train", "--name", "other", "--data", "photos-x2", *TINY],
        "upscale": ["upscale", photographs[0], "-o", tmp_path / "out"],
        "eval": ["eval", tmp_path / "photos"],
    }


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("prepare", {"folder", "manifest", "unchanged", "prepared", "leads"}),
        (
            "train",
            {
                *("run", "weights", "steps", "seconds", "scores"),
                *("verdict", "skipped", "rollbacks", "leads", "scale", "qualification"),
            },
        ),
        ("upscale", {"model", "restoring", "scale", "written", "unchanged", "failed", "seconds"}),
        (
            "eval",
            {
                *("format", "protocol", "protocol_text", "metrics", "contenders"),
                *("sets", "comparisons", "unmet"),
            },
        ),
    ],
)
def test_json_is_one_document_and_nothing_else_on_stdout(srgan, commands, name, keys):
    result = srgan(*commands[name], "--json")
    assert result.code == 0, result.err
    assert set(result.document) == keys | {"format"}
    assert result.document["format"] == 1
    assert result.err


@pytest.mark.parametrize("name", ["prepare", "train", "upscale", "eval"])
def test_tables_fit_eighty_columns_and_progress_stays_off_stdout(srgan, commands, name):
    result = srgan(*commands[name])
    assert result.code == 0, result.err
    # Tables that are wide have spaces for lines.
    tables = [line for line in result.out.splitlines() if line[:1] in "┏┃┡│└" or "   " in line]
    assert tables
    assert max(map(len, tables)) <= 80
    for bar in ("preparing", "pretrain", "upscaling", "scoring"):
        assert bar not in result.out
    assert "Warning" not in result.err


@pytest.mark.parametrize(("width", "has_lines"), [(80, False), (120, True)])
def test_a_table_that_would_split_words_gives_up_its_lines_first(
    monkeypatch, capsys, width, has_lines
):
    monkeypatch.setenv("COLUMNS", str(width))
    row = ["realesr-animevideov3", "installed", "SRVGGNetCompact", "×4", "16,697,987", "1,176 k"]
    headings = ["model", "kind", "architecture", "scale", "parameters", "MACs/pixel"]
    show_table("models", dict.fromkeys(headings, "left"), [row])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    assert any(all(cell in line for cell in row) for line in lines)
    assert ("│" in lines[-2]) == has_lines


def test_the_first_line_names_the_extra_once_where_it_would_be_faster(
    srgan, make_photographs, tmp_path, monkeypatch
):
    make_photographs(tmp_path / "in", count=2, size=(40, 30))
    command = ("upscale", tmp_path / "in", "-o", tmp_path / "out", "--device", "cpu")
    monkeypatch.setattr(fastest, "is_installed", lambda _: False)
    without = srgan(*command, "--precision", "fp32").err
    assert "fp32 on cpu; pip install 'srgan-cli[fast]' is faster" in without.splitlines()[0]
    assert without.count("is faster") == 1
    chosen = srgan(*command, "--precision", "fp32", "--runtime", "torch").err
    assert chosen.splitlines()[0].endswith("fp32 on cpu; restore-x2 for damaged images")


def test_perfect_scores_are_null_in_json_because_json_has_no_infinity(srgan, tmp_path):
    Image.new("RGB", (32, 32), (90, 90, 90)).save(tmp_path / "flat.png")
    (scored,) = srgan("eval", tmp_path, "--json").document["sets"]
    assert scored["means"]["bicubic"] == {"psnr": None, "ssim": 1.0}
    assert scored["images"][0]["scores"]["bicubic"]["psnr"] is None


def test_names_that_are_no_unicode_come_out_as_json(srgan, make_photographs, tmp_path):
    (image,) = make_photographs(tmp_path / "in", count=1, size=(40, 30))
    name = os.fsdecode(b"caf\xe9.png")
    image.rename(image.with_name(name))
    result = srgan("upscale", tmp_path / "in", "-o", tmp_path / "out", "--json")
    assert result.code == 0
    assert result.document["written"][0]["output"].endswith("caf�.png")
    assert (tmp_path / "out" / name).is_file()


def test_terminal_without_unicode_is_no_obstacle(home, make_photographs, tmp_path):
    make_photographs(tmp_path / "in", count=1, size=(40, 30))
    done = subprocess.run(
        [sys.executable, "-m", "srgan_cli", "eval", str(tmp_path / "in")],
        env=os.environ | {"PYTHONIOENCODING": "ascii", "SRGAN_HOME": str(home)},
        capture_output=True,
        check=True,
    )
    assert b"protocol: Y channel" in done.stdout
    assert b"Traceback" not in done.stderr


def test_reader_that_leaves_early_sees_no_traceback(make_photographs, tmp_path, home):
    make_photographs(tmp_path / "in", count=1, size=(40, 30))
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [sys.executable, "-m", "srgan_cli", "eval", str(tmp_path / "in"), "--json"],
        env=os.environ | {"SRGAN_HOME": str(home)},
        stdout=theirs,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(theirs)
    assert done.returncode != 0
    assert b"Traceback" not in done.stderr
    assert b"Exception" not in done.stderr
