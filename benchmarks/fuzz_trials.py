"""One trial of the fuzzing: commands in a forked process, whose end and traces are judged."""

import contextlib
import json
import os
import resource
import select
import shutil
import signal
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from srgan_cli.cli import run
from srgan_cli.cli.exit_codes import ExitCode
from srgan_cli.data import photographs
from srgan_cli.engine.evaluation import sets
from srgan_cli.engine.upscaling.ledger import LEDGER_FILE
from srgan_cli.quiet import separate_stderr

SECONDS = 30.0
MAX_PIXELS = 2_000_000
MEMORY_MB = 400
"""Above what the process has before it reads a file: 200 bytes a pixel of the largest image."""
ADDRESS_SPACE = 2**33
"""Above the same, touched or not: what asks for more is told that there is no memory."""
STREAMS = ("out.txt", "err.txt")
GRACE = 15.0  # For a training that goes on, to save what it has after Ctrl-C.


@dataclass
class Ended:
    """How a process ended and what it left."""

    code: int | None = None
    """The command's exit code; None if the process crashed."""
    problem: str = ""
    """What must not be: a traceback, a crash, a hang, too much memory."""
    out: str = ""
    err: str = ""
    memory_mb: float = 0.0

    def document(self) -> dict[str, Any]:
        """Return the JSON document that was printed, or nothing."""
        try:
            found: dict[str, Any] = json.loads(self.out)
        except ValueError:
            return {}
        return found


@dataclass
class Judged:
    """What became of the files of a trial."""

    counts: dict[str, int] = field(default_factory=dict)
    """Files by outcome."""
    problem: str = ""
    """What must not be, with its kind first; empty if all is well."""


def command(
    arguments: Sequence[object], folder: Path, *, seconds: float, ends: bool = True
) -> Ended:
    """Run one ``srgan`` command in a fork of this process.

    Args:
        arguments: Of the command line.
        folder: Where its output goes to; also its working directory.
        seconds: Longer is a hang.
        ends: Whether the command must end by itself; else Ctrl-C after that time must end it.
    """
    started = _resident_mb()
    answers, theirs = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(answers)
        _child([str(argument) for argument in arguments], folder, theirs)
    os.close(theirs)
    ended = Ended()
    answered = select.select([answers], [], [], seconds)[0]
    if not answered and not ends:
        os.kill(process, signal.SIGINT)
        answered = select.select([answers], [], [], GRACE)[0]
    if not answered:
        os.kill(process, signal.SIGKILL)
        ended.problem = f"hang: more than {seconds:.0f} s"
    answer = b"".join(iter(lambda: os.read(answers, 65536), b""))
    os.close(answers)
    _, status, used = os.wait4(process, 0)
    ended.memory_mb = used.ru_maxrss / 1024 - started
    ended.out, ended.err = (_text(folder / name) for name in STREAMS)
    if answer:
        found = json.loads(answer)
        ended.code, ended.problem = found["code"], found["problem"]
    elif not ended.problem:
        ended.problem = f"crash: status {status}"
    if not ended.problem:
        ended.problem = unusual(ended)
    return ended


def _text(path: Path) -> str:
    return path.read_text("utf-8", "replace") if path.exists() else ""


def unusual(ended: Ended) -> str:
    """Return what must not be about how a command ended; nothing if all is well."""
    if ended.code not in {int(code) for code in ExitCode} - {ExitCode.BUG}:
        return f"exit code {ended.code}"
    if "Traceback" in ended.err:
        return f"traceback: {ended.err[ended.err.index('Traceback') :][:2000]}"
    if ended.code not in (ExitCode.OK, ExitCode.PARTIAL, ExitCode.INTERRUPTED):
        lines = ended.err.rstrip().splitlines()[-2:]
        if [line[:6] for line in lines] != ["error:", " hint:"] or ended.out:
            return f"words: no error and hint at the end of {ended.err[-500:]!r}"
    if ended.memory_mb > MEMORY_MB:
        return f"memory: {ended.memory_mb:.0f} MB"
    return ""


def _child(arguments: list[str], folder: Path, answers: int) -> None:
    """Run the command and end this process."""
    code, problem = None, ""
    try:
        os.chdir(folder)
        for descriptor, name in enumerate(STREAMS, start=1):
            file = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(file, descriptor)
        separate_stderr()
        limit_memory()
        _limit_pixels()
        code = run(arguments)
    except BaseException:  # noqa: BLE001 - a traceback is what this looks for.
        problem = f"traceback: {traceback.format_exc(limit=-6)}"
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os.write(answers, json.dumps({"code": code, "problem": problem}).encode())
        os._exit(0)


def limit_memory() -> None:
    """Limit the address space of this process, so that a bomb costs itself alone."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + ADDRESS_SPACE,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_pixels() -> None:
    """Let the commands that have no ``--max-pixels`` refuse what upscale refuses."""
    sets._MAX_PIXELS = MAX_PIXELS  # noqa: SLF001
    photographs.MAX_PIXELS = MAX_PIXELS
    photographs.decode.__kwdefaults__["max_pixels"] = MAX_PIXELS


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def image_trial(verb: str, files: dict[str, bytes], folder: Path, model: Path) -> Judged:
    """Send files through a command, and judge what it says and leaves.

    Args:
        verb: ``dry-run``, ``upscale``, ``upscale --ext EXT``, ``in place``, ``prepare``, ``eval``.
        files: By name; those whose name begins with ``good`` have to come through.
        folder: Empty; is emptied again.
        model: Weights.
    """
    source = folder / "in"
    source.mkdir()
    for name, data in files.items():
        (source / name).write_bytes(data)
    os.environ["SRGAN_HOME"] = str(folder / "home")
    seconds = SECONDS if len(files) <= 3 else 2 * SECONDS
    ended = command(_arguments(verb, folder, model), folder, seconds=seconds)
    judged = Judged(problem=ended.problem)
    if not ended.problem:
        judged = _judged_images(verb, files, folder, ended)
    empty(folder)
    return judged


def _arguments(verb: str, folder: Path, model: Path) -> list[object]:
    source, quick = folder / "in", ("--model", model, "--device", "cpu", "--json")
    files = sorted(source.iterdir())
    if verb == "prepare":
        return ["prepare", *files, "--name", "set", "--min-side", 16, "--json"]
    if verb == "eval":
        return ["eval", source, *quick]
    upscale = ["upscale", *files, *quick, "--max-pixels", MAX_PIXELS, "--runtime", "torch"]
    if verb == "in place":
        return [*upscale, "--in-place"]
    options = verb.removeprefix("upscale").removeprefix("dry-run").split()
    return [*upscale, "-o", folder / "made", *options, *(["--dry-run"] * (verb == "dry-run"))]


def _judged_images(verb: str, files: dict[str, bytes], folder: Path, ended: Ended) -> Judged:
    document = ended.document()
    if not document:
        return Judged(problem=f"no document: {ended.err[-300:]}")
    good, bad = _sorted_out(verb, document)
    judged = Judged({"made": len(good), "refused": len(bad)})
    if verb == "prepare" and len(good) + len(bad) > len(files):
        judged.problem = "more files than there are"
    missing = [name for name in files if name.startswith("good") and name not in good]
    if missing:
        judged.problem = f"spoiled: whole images are missing: {missing}, {ended.err[-300:]}"
    if any("not enough memory" in line or "out of memory" in line for line in bad.values()):
        judged.problem = f"memory: a decoder asked for more than {ADDRESS_SPACE / 2**30:.0f} GB"
    return judged if judged.problem else _judged_traces(verb, files, folder, document, judged)


def _sorted_out(verb: str, document: dict[str, Any]) -> tuple[set[str], dict[str, str]]:
    """Return the names of files that came through, and the reasons for the others."""
    if verb == "prepare":
        manifest = document["manifest"]
        bad = {one["source"]: json.dumps(one) for one in manifest["dropped"]}
        return {Path(one["source"]).name for one in manifest["images"]}, bad
    if verb == "eval":
        (scored,) = document["sets"]
        failed = {str(number): text for number, text in enumerate(scored["failed"])}
        return {one["name"] for one in scored["images"]}, failed
    key = "images" if verb == "dry-run" else "written"
    good = {Path(one["source"]).name for one in document[key]}
    return good, {one["source"]: one["reason"] for one in document["failed"]}


def _judged_traces(
    verb: str, files: dict[str, bytes], folder: Path, document: dict[str, Any], judged: Judged
) -> Judged:
    """Look for temporaries, half files and sources that have changed."""
    left = [path for path in folder.rglob("*") if path.is_file() and path.parent != folder]
    outputs = {Path(one["output"]) for one in document.get("written", [])}
    for path in left:
        known = path in outputs or path.name == LEDGER_FILE or folder / "home" in path.parents
        if path.parent == folder / "in" and path.name in files:
            if path not in outputs and path.read_bytes() != files[path.name]:
                judged.problem = f"source changed: {path.name}"
        elif not known or is_temporary(path):
            judged.problem = f"left over: {path.relative_to(folder)}"
    if verb != "dry-run":
        judged.problem = judged.problem or _half(outputs)
    return judged


def is_temporary(path: Path) -> bool:
    """Say whether a file is an unfinished one of the program's."""
    return path.name.startswith(".srgan-") and path.name != LEDGER_FILE


def _half(outputs: set[Path]) -> str:
    for path in outputs:
        try:
            with Image.open(path) as image:
                image.load()
        except Exception as error:  # noqa: BLE001 - Pillow raises almost anything.
            return f"half file: {path.name}: {error}"
    return ""


def empty(folder: Path) -> None:
    """Delete all that is in a folder."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
