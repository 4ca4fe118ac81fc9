"""Whole runs under torchrun: two processes over gloo, on a CPU."""

import json
import os
import signal
import subprocess
import time

import pytest

from srgan_cli import engine
from srgan_cli.engine.runs.checkpoint import Checkpoint
from srgan_cli.engine.runs.journal import METRICS_FILE
from tests.toolbox import TINY, bits, finished, last_checkpoint, tiny, torchrun

OPTIONS = [*TINY, "--steps", "16", "--validate-every", "5", "--ema", "0.9", "--warmup", "2"]


def numbers(run):
    lines = [json.loads(line) for line in (run / METRICS_FILE).read_text().splitlines()]
    return [
        (line["step"], name, value)
        for line in lines
        for name, value in line.items()
        if isinstance(value, float) and name != "accuracy"  # Of each share, against its own mean.
    ]


def killed_at(step, run, process):
    """Kill one of the two workers once a step's checkpoint is there."""
    while not (run / f"checkpoints/step-{step:08}.safetensors").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.001)
    children = subprocess.run(
        ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True
    )
    os.kill(int(children.stdout.split()[-1]), signal.SIGKILL)


@pytest.fixture
def runs(prepared):
    return prepared.parents[1] / "runs"


def test_two_processes_make_the_run_that_one_makes(runs, observer):
    alone = engine.train(
        tiny(name="alone", steps=16, validate_every=5, ema=0.9, warmup=2), observer
    )
    out, err = finished(torchrun("train", "--name", "r", *OPTIONS, "--json"))
    assert json.loads(out)["steps"] == 16  # One document: the others print nothing.
    assert err.count("data set: photos-x2") == 1
    ours, theirs = numbers(runs / "r"), numbers(alone.run)
    assert [key[:2] for key in ours] == [key[:2] for key in theirs]
    for (step, name, value), (*_, wanted) in zip(ours, theirs, strict=True):
        assert value == pytest.approx(wanted, rel=2e-3, abs=2e-3), (step, name)
    names = [path.name for path in (runs / "r" / "checkpoints").iterdir()]
    assert len(names) == 3  # The best is one of the last.


@pytest.mark.slow
def test_a_batch_that_cannot_be_shared_out_is_refused_before_anything_is_made(runs):
    _, err = finished(torchrun("train", "--name", "r", *OPTIONS, "--batch", "3"), code=1)
    assert "--batch 3 cannot be divided among 2 processes" in err
    assert not runs.exists()


@pytest.mark.slow
def test_restarted_processes_resume_by_themselves_and_end_with_the_same_bits(runs):
    finished(torchrun("train", "--name", "whole", *OPTIONS))
    process = torchrun("train", "--name", "r", *OPTIONS, restarts=2)
    killed_at(5, runs / "r", process)
    _, err = finished(process)
    assert "resuming at step" in err
    last = last_checkpoint(runs / "whole")
    assert bits(runs / "r") == bits(runs / "whole")
    assert bits(runs / "r", last) == bits(runs / "whole", last)


@pytest.mark.slow
def test_a_process_that_dies_ends_the_others_and_leaves_a_whole_checkpoint(runs):
    options = [*OPTIONS, "--steps", "4000"]
    process = torchrun("train", "--name", "r", *options)
    killed_at(5, runs / "r", process)
    _, err = finished(process, code=1)
    assert "Signal 9 (SIGKILL)" in err
    assert Checkpoint.read(runs / "r" / last_checkpoint(runs / "r")).progress["step"] >= 5
