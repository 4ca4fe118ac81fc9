"""The shell completes models, runs, data sets and devices, by the protocol that shells use."""

import os
import subprocess
import sys

import pytest

from srgan_cli import engine
from srgan_cli.cli import completion
from srgan_cli.config.common import BUNDLED

NO_TORCH = """
import sys
sys.modules["torch"] = None  # An import would fail.
from srgan_cli.cli import main
main()
"""


@pytest.fixture
def complete(home):
    """Return a function that completes the last word of a line as bash does, in a filled home."""
    for place in ("runs/mine", "runs/begun", "datasets/photos-x2", "datasets/.hidden", "models"):
        (home / place).mkdir(parents=True)
    (home / "runs/mine/weights.safetensors").touch()
    (home / "models/x4plus.safetensors").touch()

    def completed(line):
        words = line.split(" ")
        env = {"_SRGAN_COMPLETE": "complete_bash", "COMP_WORDS": line}
        done = subprocess.run(
            [sys.executable, "-c", NO_TORCH],
            env=os.environ | env | {"COMP_CWORD": str(len(words) - 1)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout.split()

    return completed


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("srgan upscale --model ", [*BUNDLED, "x4plus", "mine"]),
        ("srgan upscale a.png -n fid", ["fidelity-x2", "fidelity-x4"]),
        ("srgan compare a.png --model photo-x2 --model x", ["x4plus"]),
        ("srgan models show mi", ["mine"]),
        ("srgan models remove ", ["x4plus"]),
        ("srgan train --resume ", ["latest", "begun", "mine"]),
        ("srgan train --data ", ["photos-x2"]),
        ("srgan train --recipe fidelity-x4", ["fidelity-x4"]),
        ("srgan eval --device c", ["cpu", "cuda"]),
        ("srgan upscale --precision f", ["fp32", "fp16"]),
        ("srgan upscale --model nothing", []),
    ],
)
def test_the_shell_is_told_the_names_that_fit(complete, line, expected):
    others = {model.name for model in engine.published_models()} | {"cuda:0"}
    found = set(complete(line)) - others
    assert found == set(expected)


def test_names_that_are_there_twice_are_shown_once(home):
    (home / "models").mkdir(parents=True)
    (home / "models/photo-x2.safetensors").touch()
    assert completion.models("photo-x2") == ["photo-x2"]
