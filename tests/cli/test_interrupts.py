"""Ctrl-C, as a terminal sends it: SIGINT to the whole process group."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from PIL import Image

from tests.toolbox import TINY, files_below, start


def wait_until(condition, process, seconds=180):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def text_of(path):
    return path.read_text() if path.exists() else ""


def interrupt(process, number=signal.SIGINT):
    os.killpg(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_interrupted_training_is_saved_and_goes_on(srgan, used_home, number):
    folder = used_home / "runs" / "long"
    options = [*TINY, "--steps", 200, "--pretrain", 1, "--validate-every", 1000]
    process = start("train", "--name", "long", *options)
    wait_until(lambda: '"step": 10' in text_of(folder / "metrics.jsonl"), process)
    err = interrupt(process, number)
    assert err.index("stopping after this step") < err.index("stopped at step ")
    assert "srgan train --resume long" in err
    stopped = int(err.partition("stopped at step ")[2].partition(";")[0].replace(",", ""))
    names = [f"checkpoints/step-{step:08}.safetensors" for step in (0, stopped)]
    others = ["config.toml", "metrics.jsonl", "report.html"]
    assert files_below(folder) == ["checkpoints", *names, *others]
    result = srgan("train", "--resume", "latest", "--json")
    assert result.code == 0, result.err
    assert result.document["steps"] == 200
    assert f"resuming at step {stopped:,} of" in result.err


@pytest.mark.skipif(shutil.which("setsid") is None, reason="needs setsid of util-linux")
def test_ctrl_c_in_a_terminal_leaves_the_panel_whole(used_home):
    """The terminal's own ``^C`` would push the panel down, and leave its last line behind."""
    pty = pytest.importorskip("pty")
    parent, child = pty.openpty()
    options = [*TINY, "--steps", 5000, "--pretrain", 1, "--validate-every", 10_000]
    process = subprocess.Popen(
        [
            *("setsid", "--ctty", sys.executable, "-m", "srgan_cli", "train", "--name", "long"),
            *map(str, options),
        ],
        stdin=child,
        stdout=child,
        stderr=child,
        env=os.environ | {"COLUMNS": "80", "LINES": "40", "OMP_NUM_THREADS": "1", "TERM": "xterm"},
    )
    os.close(child)
    shown = b""
    while b"step 1" not in shown or b"images/s" not in shown:
        shown += os.read(parent, 65536)
    os.write(parent, b"\x03")
    with suppress(OSError):  # The end of the terminal.
        while part := os.read(parent, 65536):
            shown += part
    os.close(parent)
    assert process.wait(60) == 130
    text = shown.decode()
    assert "stopping after this step" in text
    assert "^C" not in text
    assert text.index("stopping after this step") < text.index("stopped at step")
    assert (used_home / "runs" / "long" / "checkpoints").is_dir()


@pytest.mark.usefixtures("home")
def test_interrupted_upscale_leaves_no_partial_file(tmp_path):
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    Image.new("RGB", (20, 20)).save(source / "a.png")
    Image.new("RGB", (3000, 3000)).save(source / "b.png")
    process = start("upscale", source, "-o", output)
    wait_until((output / "a.png").exists, process)
    err = interrupt(process)
    assert files_below(output) == ["a.png"]
    assert "interrupted: 1 of 2 images are finished" in err
    assert "run the same command again" in err


def test_a_second_ctrl_c_stops_at_once_and_leaves_no_partial_file(home, tmp_path):  # noqa: ARG001
    script = """
import sys, time
from srgan_cli.cli import main
from srgan_cli.engine.inference.upscaler import Upscaler
Upscaler._upscale_tile = lambda *_: time.sleep(600)
sys.argv = ["srgan", "upscale", *sys.argv[1:]]
main()
"""
    output = tmp_path / "out"
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    process = start("-c", script, tmp_path / "a.png", "-o", output, module=False)
    wait_until(lambda: list(output.glob(".srgan-0-*.png")), process)
    os.killpg(process.pid, signal.SIGINT)
    said = ""
    while "stopping after the current tiles; Ctrl-C again stops at once" not in said:
        part = process.stderr.readline()
        assert part, said
        said += part
    err = interrupt(process)
    assert "interrupted: 0 of 1 images are finished" in err
    assert files_below(output) == []
    assert not list(output.glob(".srgan-0-*"))


def test_interrupted_prepare_leaves_no_half_made_set(home, tmp_path):
    (tmp_path / "in").mkdir()
    for i in range(20):
        Image.effect_noise((1000, 1000), 40 + i).save(tmp_path / "in" / f"{i}.png")
    process = start("prepare", tmp_path / "in")
    wait_until((home / "datasets").exists, process)  # Then the images are being worked on.
    interrupt(process)
    assert not list(home.rglob("manifest.json"))
    assert not list(home.rglob(".*"))  # Nothing half written, no lock.


def test_interrupt_while_a_file_is_written_leaves_nothing(srgan, monkeypatch, tmp_path):
    def stop(*_, **__):
        raise KeyboardInterrupt

    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image.Image, "save", stop)
    result = srgan("upscale", tmp_path / "a.png", "-o", tmp_path / "out")
    assert result.code == 130
    assert files_below(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("ranks", "code"), [({"RANK": "0", "WORLD_SIZE": "2"}, 0), ({}, -signal.SIGABRT)]
)
def test_an_abort_at_exit_does_not_make_a_finished_run_of_several_fail(ranks, code):
    script = """
import atexit, os, sys, torch
from srgan_cli.cli import main
atexit.register(os.abort)  # As a thread of PyTorch's does now and then.
sys.argv = ["srgan", "--version"]
main()
"""
    result = subprocess.run(
        [sys.executable, "-c", script],
        check=False,
        env=os.environ | ranks,
        capture_output=True,
        text=True,
    )
    assert result.returncode == code
    assert result.stdout.startswith("srgan ") or code


def test_senseless_ranks_cost_two_lines(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    result = subprocess.run(
        [sys.executable, "-m", "srgan_cli", "upscale", tmp_path, "-o", tmp_path / "out"],
        check=False,
        env=os.environ | {"RANK": "7", "WORLD_SIZE": "2"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert "RANK=7 does not fit WORLD_SIZE=2" in result.stderr
    assert "Traceback" not in result.stderr
