"""Damaged side files: a copy of a home with one of them, a command, and what became of it."""

import contextlib
import io
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fuzz_trials import (
    SECONDS,
    Ended,
    Judged,
    command,
    empty,
    is_temporary,
    limit_memory,
    unusual,
)

from srgan_cli.cli import run


@dataclass(frozen=True)
class SideFile:
    """A damaged side file and the command that meets it."""

    line: str
    """The command line without ``srgan``; ``MODEL`` in it is the weights file."""
    name: str
    """The file's path below the folder of a home and its images."""
    data: bytes

    @property
    def trains(self) -> bool:
        """Whether the command may go on for long, until Ctrl-C."""
        return self.line.startswith("train")


def side_trials(files: Sequence[SideFile], whole: Path, folder: Path, model: Path) -> list[Judged]:
    """Put each damaged file into a copy of a home, run its command, and judge.

    All run in one fork; what it does not come to, or what goes wrong in it, runs alone.

    Args:
        files: What to try.
        whole: The home with its images, in which all is well.
        folder: Empty; is emptied again.
        model: Weights.
    """
    answers, theirs = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(answers)
        _side_child(files, whole, folder, model, theirs)
    os.close(theirs)
    answer, ends = b"", time.monotonic() + 2 * SECONDS
    while select.select([answers], [], [], max(0.0, ends - time.monotonic()))[0]:
        part = os.read(answers, 65536)
        if not part:
            break
        answer += part
    else:
        os.kill(process, signal.SIGKILL)
    os.close(answers)
    os.waitpid(process, 0)
    empty(folder)
    judged = [Judged(**json.loads(line)) for line in answer.split(b"\n")[:-1]]
    return [
        judged[i]
        if i < len(judged) and not judged[i].problem
        else _alone(one, whole, folder, model)
        for i, one in enumerate(files)
    ]


def _side_child(
    files: Sequence[SideFile], whole: Path, folder: Path, model: Path, answers: int
) -> None:
    try:
        limit_memory()
        for one in files:
            place, before = _put(one, whole, folder)
            os.chdir(place)
            out, err = io.StringIO(), io.StringIO()
            ended = Ended()
            try:
                with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                    ended.code = run(_words(one, model))
            except BaseException as error:  # noqa: BLE001 - a traceback is what this looks for.
                ended.problem = f"traceback: {error}"
            ended.out, ended.err = out.getvalue(), err.getvalue()
            ended.problem = ended.problem or unusual(ended)
            judged = _judged_side(ended, place, before)
            os.chdir("/")
            shutil.rmtree(place)
            os.write(answers, json.dumps(asdict(judged)).encode() + b"\n")
    finally:
        os._exit(0)


def _alone(one: SideFile, whole: Path, folder: Path, model: Path) -> Judged:
    place, before = _put(one, whole, folder)
    seconds = 8 if one.trains else SECONDS
    ended = command(_words(one, model), place, seconds=seconds, ends=not one.trains)
    judged = _judged_side(ended, place, before)
    empty(folder)
    return judged


def _put(one: SideFile, whole: Path, folder: Path) -> tuple[Path, set[Path]]:
    place = folder / "all"
    shutil.copytree(whole, place)
    (place / one.name).write_bytes(one.data)
    os.environ["SRGAN_HOME"] = str(place / "home")
    return place, {path for path in place.rglob("*") if path.is_file()}


def _words(one: SideFile, model: Path) -> list[str]:
    return [str(model) if word == "MODEL" else word for word in one.line.split()]


def _judged_side(ended: Ended, place: Path, before: set[Path]) -> Judged:
    judged = Judged({f"exit code {ended.code}": 1}, ended.problem)
    for path in place.rglob("*"):
        if path.is_file() and path not in before and is_temporary(path):
            judged.problem = judged.problem or f"left over: {path.relative_to(place)}"
    return judged
