"""``srgan upscale -``: images through pipes."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from srgan_cli import engine
from srgan_cli.config import UpscaleConfig
from srgan_cli.errors import InputError, UsageError
from srgan_cli.observer import Observer

_STREAM = Path("-")


def upscale_stream(
    config: UpscaleConfig, source: BinaryIO, target: BinaryIO, observer: Observer
) -> None:
    """Upscale one image from a file or ``source`` into ``target`` or a folder.

    The streams are spooled to disk, because decoders and encoders seek.

    Raises:
        UsageError: More than one image goes into a stream.
        InputError: The image cannot be upscaled.
    """
    if len(config.inputs) != 1 or config.output is None:
        raise UsageError("- takes one image", hint="try: srgan upscale - -o - < a.png > b.png")
    with tempfile.TemporaryDirectory(prefix="srgan-") as folder:
        path = config.inputs[0]
        if path == _STREAM:
            path = Path(folder, "stdin")
            with path.open("wb") as file:
                shutil.copyfileobj(source, file)
        output = Path(folder, "out") if config.output == _STREAM else config.output
        report = engine.upscale(replace(config, inputs=(path,), output=output), observer)
        for failure in report.failed:
            reason = failure.reason.replace(str(path), "-" if path.name == "stdin" else str(path))
            raise InputError(reason, hint=failure.hint)
        if config.output != _STREAM:
            return
        if len(report.written) != 1:
            raise UsageError("- takes one image", hint="name a single file, not a folder")
        with report.written[0].output.open("rb") as file:
            shutil.copyfileobj(file, target)
        target.flush()
