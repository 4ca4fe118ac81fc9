"""``kill -9`` at any instant: what is on the disk then leads to the same bits."""

import os
import random
import signal
import subprocess
import sys

import pytest

from srgan_cli import engine
from srgan_cli.observer import SilentObserver
from tests.toolbox import TINY, bits, last_checkpoint, steps_logged, tiny

STEPS, EVERY = 60, 7

KILLED = """
import os, signal, sys, threading
from srgan_cli.cli import run
from srgan_cli.engine.training.trainer import Trainer

at, delay = int(sys.argv[1]), float(sys.argv[2])
intact = Trainer.step

def step(self, phase, number, batch):
    if number == at:
        threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
    return intact(self, phase, number, batch)

Trainer.step = step
run(sys.argv[3:])
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory, prepared_once):
    """Return the folder of a run that was never stopped."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRGAN_HOME", str(tmp_path_factory.mktemp("whole")))
        data = str(prepared_once / "datasets" / "photos-x2")
        options = {"steps": STEPS, "validate_every": EVERY, "ema": 0.9}
        return engine.train(tiny(name="r", data=data, **options), SilentObserver()).run


def check_kill(whole, observer, at, delay):
    options = [*TINY, "--steps", STEPS, "--validate-every", EVERY, "--ema", 0.9, "--warmup", 2]
    command = [sys.executable, "-c", KILLED, at, delay, "train", "--name", "r", *options]
    killed = subprocess.run(
        [*map(str, command)],
        capture_output=True,
        check=False,
        timeout=120,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert killed.returncode == -signal.SIGKILL
    report = engine.train(tiny(resume="r"), observer)
    last = last_checkpoint(whole)
    assert bits(report.run) == bits(whole)
    assert bits(report.run, last) == bits(whole, last)
    assert bits(report.run, "best.safetensors") == bits(whole, "best.safetensors")
    assert steps_logged(report.run) == steps_logged(whole)


# In a step; and while the checkpoint of the validation before is being written.
@pytest.mark.parametrize(
    ("at", "delay"), [(14, 0.001), pytest.param(45, 0.0, marks=pytest.mark.slow)]
)
@pytest.mark.usefixtures("prepared")
def test_killed_run_matches_uninterrupted_run(whole, observer, at, delay):
    check_kill(whole, observer, at, delay)


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["pretrain", "adversarial"])
@pytest.mark.parametrize("number", range(10))
@pytest.mark.usefixtures("prepared")
def test_run_killed_at_a_random_instant_matches_uninterrupted_run(whole, observer, phase, number):
    draw = random.Random(f"{phase} {number}")  # noqa: S311 - no secret
    at = draw.randrange(0, 30) if phase == "pretrain" else draw.randrange(30, 55)
    check_kill(whole, observer, at, draw.uniform(0, 0.03))
