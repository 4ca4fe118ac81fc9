"""``srgan upscale -``: images through pipes."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from srgan_cli import engine
from srgan_cli.config import UpscaleConfig
from srgan_cli.errors import InputError, ResourceError, UsageError
from srgan_cli.observer import Observer

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
        UsageError: More than one image goes into a stream.
        InputError: The image cannot be read or upscaled.
        ResourceError: There is nothing to write to.
    """
    if len(config.inputs) != 1 or config.output is None:
        raise UsageError("- takes one image", hint=_TRY)
    if config.output == _STREAM and target is None:
        raise ResourceError("standard output is closed", hint=_TRY)
    with tempfile.TemporaryDirectory(prefix="srgan-") as folder:
        path = config.inputs[0]
        if path == _STREAM:
            path = Path(folder, "stdin")
            with path.open("wb") as file:
                for block in _blocks(source):
                    file.write(block)
        output = Path(folder, "out") if config.output == _STREAM else config.output
        report = engine.upscale(replace(config, inputs=(path,), output=output), observer)
        for failure in report.failed:
            reason = failure.reason.replace(str(path), "-" if path.name == "stdin" else str(path))
            raise InputError(reason, hint=failure.hint)
        if config.output != _STREAM or target is None:
            return
        if len(report.written) != 1:
            raise UsageError("- takes one image", hint="name a single file, not a folder")
        with report.written[0].output.open("rb") as file:
            shutil.copyfileobj(file, target)
        target.flush()


def _blocks(source: BinaryIO | None) -> Iterator[bytes]:
    """Read a stream to its end."""
    if source is None:
        raise InputError("standard input is closed", hint=_TRY)
    try:
        while block := source.read(_BLOCK):
            yield block
    except OSError as error:
        raise InputError(f"standard input: {error.strerror or error}", hint=_TRY) from error
