"""``srgan upscale -``: images through pipes."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from srgan_cli import engine
from srgan_cli.config import UpscaleConfig
from srgan_cli.errors import InputError, ResourceError, UsageError
from srgan_cli.observer import Bar, Observer

_STREAM = Path("-")
_TRY = "try: srgan upscale - -o - < a.png > b.png"
_BLOCK = 2**20


def upscale_stream(
    config: UpscaleConfig, source: BinaryIO | None, target: BinaryIO | None, observer: Observer
) -> None:
    """Upscale one image from a file or ``source`` into ``target`` or a folder.

    The streams are spooled to disk, because decoders and encoders seek.

    Args:
        config: Its input, its output or both are ``-``.
        source: What ``-`` reads; None if the shell closed it.
        target: What ``-`` writes; None if the shell closed it.
        observer: Is told what goes on.

    Raises:
        UsageError: More than one image goes into a stream, or a stream is a terminal.
        InputError: The image cannot be read or upscaled.
        ResourceError: There is nothing to write to.
    """
    if len(config.inputs) != 1:
        raise UsageError("- takes one image", hint=_TRY)
    if config.output is None:
        raise UsageError("--output is missing: an image from - lies in no folder", hint=_TRY)
    if config.output == _STREAM:
        _require_writable(target)
    with tempfile.TemporaryDirectory(prefix="srgan-") as folder:
        path = config.inputs[0]
        if path == _STREAM:
            path = Path(folder, "stdin")
            with path.open("wb") as file:
                for block in _blocks(source):
                    file.write(block)
        output = Path(folder, "out") if config.output == _STREAM else config.output
        told = _Told(observer, path, "standard input" if path != config.inputs[0] else str(path))
        report = engine.upscale(replace(config, inputs=(path,), output=output), told)
        for failure in report.failed:
            raise InputError(told.renamed(failure.reason), hint=told.renamed(failure.hint))
        if config.output != _STREAM or target is None:
            return
        if len(report.written) != 1:
            raise UsageError("- takes one image", hint="name a single file, not a folder")
        with report.written[0].output.open("rb") as file:
            shutil.copyfileobj(file, target)
        target.flush()


def _require_writable(target: BinaryIO | None) -> None:
    if target is None:
        raise ResourceError("standard output is closed", hint=_TRY)
    if target.isatty():
        raise UsageError(
            "--output - writes an image, and standard output is a terminal",
            hint="add > FILE, or name a file: --output FILE",
        )


class _Told:
    """Passes on what is said, without the failure of the image: the command ends with that.

    Args:
        observer: Is told.
        path: The image.
        name: What the user calls it.
    """

    def __init__(self, observer: Observer, path: Path, name: str) -> None:
        self._observer, self._path, self._name = observer, str(path), name

    def renamed(self, text: str) -> str:
        """Return a message in the user's words."""
        return text.replace(self._path, self._name)

    def say(self, message: str) -> None:
        """Pass a fact on."""
        self._observer.say(self.renamed(message))

    def warn(self, message: str, hint: str = "") -> None:
        """Pass a warning on, unless it is the failure, which has a hint."""
        if not (hint and message.startswith(self._path)):
            self._observer.warn(self.renamed(message), hint)

    @contextmanager
    def bar(self, title: str, *, total: float, unit: str) -> Iterator[Bar]:
        """Open a bar."""
        with self._observer.bar(title, total=total, unit=unit) as bar:
            yield bar


def _blocks(source: BinaryIO | None) -> Iterator[bytes]:
    """Read a stream to its end."""
    if source is None:
        raise InputError("standard input is closed", hint=_TRY)
    try:
        while block := source.read(_BLOCK):
            yield block
    except OSError as error:
        raise InputError(f"standard input: {error.strerror or error}", hint=_TRY) from error
