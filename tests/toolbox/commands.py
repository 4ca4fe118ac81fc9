"""Running commands, and what they leave behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from srgan_cli.cli import run
from srgan_cli.engine.upscaling.ledger import LEDGER_FILE

TINY = (
    *("--steps", "6", "--pretrain", "0.5", "--batch", "2", "--patch", "16"),
    *("--discriminator-width", "4", "--perceptual", "none"),
    *("--device", "cpu", "--precision", "fp32"),
)
"""Options of a run that takes a second, half of it adversarial."""


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout; NaN and Infinity, which JSON lacks, are refused."""
        return json.loads(self.out, parse_constant=_refuse)


Srgan = Callable[..., Result]


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def call(capsys, *arguments: object) -> Result:
    """Run a command in this process."""
    capsys.readouterr()
    code = run([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return Result(code, captured.out, captured.err)


def start(*arguments: object, module: bool = True) -> subprocess.Popen[str]:
    """Start a command in a process and a process group of its own."""
    return subprocess.Popen(
        [sys.executable, *(("-m", "srgan_cli") if module else ()), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
        env=os.environ | {"COLUMNS": "80", "OMP_NUM_THREADS": "1"},
    )


def torchrun(*arguments: object, restarts: int = 0, processes: int = 2) -> subprocess.Popen[str]:
    """Start a command in several processes that train together."""
    options = ("--nproc-per-node", processes, "--max-restarts", restarts)
    launcher = ("-m", "torch.distributed.run", "--standalone", *options)
    command = (*launcher, "-m", "srgan_cli", *arguments)
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "80"},
    )


def assert_fails(result: Result, code: int, *words: str) -> None:
    """Check the exit code and that the last two lines of stderr are an error and a hint.

    Args:
        result: What the command left behind.
        code: The documented exit code.
        words: Each must occur in those two lines.
    """
    lines = result.err.splitlines()
    assert result.code == code, result.err
    assert result.out == ""
    assert "Traceback" not in result.err
    labels = [line for line in lines if line.startswith(("error: ", " hint: "))]
    assert labels == lines[-2:], result.err
    assert labels[0].startswith("error: "), result.err
    assert labels[1].startswith(" hint: "), result.err
    for word in words:
        assert word in "\n".join(labels)


def files_below(folder: Path) -> list[str]:
    """Return every file and folder below, hidden ones too, but for the ledger of upscale."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.name != LEDGER_FILE
    )


def finished(process: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
    """Wait for a command and check its exit code; return what it printed."""
    try:
        out, err = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)  # Upon which torchrun ends its workers.
        pytest.fail("\n".join(process.communicate(timeout=60)))
    assert process.returncode == code, err
    return out, err
