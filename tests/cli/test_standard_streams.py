"""Standard streams that are closed, full or left by their reader, and a folder that has gone."""

import io
import os
import shlex
import subprocess
import sys
import threading

import pytest
from PIL import Image

from srgan_cli.cli import upscale
from srgan_cli.cli.standard_streams import occupy_closed_streams
from tests.toolbox import Result, assert_fails, files_below

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX shells")

UPSCALE = "upscale {image} -o {folder}/out --model fidelity-x2"
PIPE = "upscale - -o - --model fidelity-x2"


@pytest.fixture
def shell(home, make_photographs, tmp_path):  # noqa: ARG001 - an empty home
    """Return a function that runs a command line of the shell, with what stands for an image."""
    (image,) = make_photographs(tmp_path / "in", count=1, size=(40, 30))

    def run(line, **redirected):
        line = line.format(image=shlex.quote(str(image)), folder=shlex.quote(str(tmp_path)))
        program = f"{shlex.quote(sys.executable)} -m srgan_cli"
        done = subprocess.run(
            ["sh", "-c", line.replace("srgan ", f"{program} ")],
            **({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | redirected),
            text=True,
            errors="replace",
            timeout=120,
            check=False,
        )
        return Result(done.returncode, done.stdout or "", done.stderr or "")

    return run


@pytest.fixture
def left():
    """Return a pipe whose reader has ended."""
    ours, theirs = os.pipe()
    os.close(ours)
    yield theirs
    os.close(theirs)


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        (f"srgan {PIPE} <&-", 3, "standard input is closed"),
        (f"srgan {PIPE} < {{image}} >&-", 5, "standard output is closed"),
        (f"srgan {PIPE} 0>{{folder}}/x", 3, "standard input: Bad file descriptor"),
    ],
)
def test_a_closed_stream_is_told(shell, line, code, words):
    assert_fails(shell(line), code, words, "srgan upscale - -o - < a.png > b.png")


def test_an_image_is_not_written_to_a_terminal(srgan, make_photographs, monkeypatch, tmp_path):
    (image,) = make_photographs(tmp_path / "in", count=1, size=(40, 30))
    terminal = io.BytesIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(upscale, "_bytes_of", lambda _: terminal)
    assert_fails(srgan("upscale", image, "-o", "-"), 2, "standard output is a terminal", "> FILE")


def test_standard_input_without_an_output_is_told_what_is_missing(srgan):
    assert_fails(srgan("upscale", "-"), 2, "--output is missing", "srgan upscale - -o - <")


@pytest.mark.parametrize("content", ["", "no image"])
def test_a_fault_of_standard_input_is_said_once_and_names_no_temporary_file(shell, content):
    result = shell(f"printf '{content}' | srgan {PIPE}")
    assert_fails(result, 3, "error: standard input: ")
    assert "warning" not in result.err
    assert "/stdin" not in result.err


@pytest.mark.parametrize(
    "closed",
    [*(pytest.param(one, marks=pytest.mark.slow) for one in (">&-", "2>&-")), "<&- >&- 2>&-"],
)
def test_a_closed_stream_that_is_not_needed_spoils_no_image(shell, tmp_path, closed):
    result = shell(f"srgan {UPSCALE} {closed}")
    assert result.code == 0, result.err
    with Image.open(tmp_path / "out/photo-00.png") as image:
        image.load()
        assert image.size == (80, 60)


def test_no_file_gets_the_number_of_a_closed_stream(tmp_path):
    code = (
        "import os; from srgan_cli.cli.standard_streams import occupy_closed_streams\n"
        f"occupy_closed_streams(); os._exit(os.open({str(tmp_path / 'x')!r}, os.O_CREAT))"
    )
    line = f"{shlex.quote(sys.executable)} -c {shlex.quote(code)} <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", line], check=False).returncode == 3


def test_open_streams_stay_as_they_are():
    before = [os.fstat(number).st_ino for number in range(3)]
    occupy_closed_streams()
    assert [os.fstat(number).st_ino for number in range(3)] == before


@pytest.mark.parametrize(
    "line",
    [
        "models list",
        "models list --json",
        "models default --json",  # Short enough to be written at the end only.
        "train --help-all",
        "--version",
        f"{UPSCALE} --json",
        "upscale {image} -o - --model fidelity-x2",
    ],
)
def test_a_reader_that_leaves_ends_the_command_quietly(shell, left, line):
    result = shell(f"srgan {line}", stdout=left)
    assert result.code == 141, result.err
    for word in ("Traceback", "Exception", "error", "Broken"):
        assert word not in result.err


def test_head_gets_its_line(shell):
    result = shell("srgan models list --json | head -1")
    assert (result.out, result.err) == ("{\n", "")


@pytest.mark.parametrize("kind", ["broken", "full"])
def test_messages_that_nobody_gets_end_no_work(shell, left, tmp_path, kind):
    if kind == "broken":
        result = shell(f"srgan {UPSCALE} --json", stderr=left)
    else:
        result = shell(f"srgan {UPSCALE} --json 2>/dev/full")
    assert result.code == 0
    assert len(result.document["written"]) == 1
    assert files_below(tmp_path / "out") == ["photo-00.png"]


@pytest.mark.parametrize("line", ["models list --json", "models default --json"])
def test_output_without_room_is_a_lacking_resource(shell, line):
    assert_fails(shell(f"srgan {line} >/dev/full"), 5, "No space left on device")


@pytest.mark.parametrize("line", ["models list", UPSCALE, "prepare {folder}/in", "eval {folder}"])
def test_a_working_directory_that_has_gone_is_told(shell, tmp_path, line):
    (tmp_path / "gone").mkdir()
    result = shell(f"cd {{folder}}/gone; rmdir {{folder}}/gone; srgan {line}")
    assert_fails(result, 3, "the working directory", "cd to a folder that exists")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "line",
    [
        "upscale {image} -o {folder}/out --model fidelity-x2",
        "eval {folder}/in --model fidelity-x2",
        "prepare {folder}/in",
    ],
)
def test_a_system_without_threads_is_a_lacking_resource(
    srgan, make_photographs, monkeypatch, tmp_path, line
):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    image, *_ = make_photographs(tmp_path / "in", count=3, size=(140, 132))
    monkeypatch.setattr(threading.Thread, "start", refuse)
    result = srgan(*line.format(image=image, folder=tmp_path).split())
    assert_fails(result, 5, "no further thread can be started", "ulimit -u")
    assert not (tmp_path / "out").exists() or files_below(tmp_path / "out") == []


def test_a_command_ends_after_threads_and_exit_handlers_and_frees_nothing_one_by_one():
    script = """
import atexit, sys, threading, time
from srgan_cli import cli

class Held:
    def __del__(self):
        print("freed")

def work():
    time.sleep(0.3)
    print("worked")

sys.held = Held()
atexit.register(print, "handled")
threading.Thread(target=work).start()
sys.argv = ["srgan", "--version"]
cli.main()
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1:] == ["worked", "handled"]
