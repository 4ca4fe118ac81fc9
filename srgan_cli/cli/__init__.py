"""The command line: parse, call the engine, render, exit. No torch at module level."""

import io
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from typer.main import get_command

from srgan_cli import __version__
from srgan_cli.cli import compare, doctor, evaluate, models, prepare, train, upscale
from srgan_cli.cli.exit_codes import ExitCode, exit_code
from srgan_cli.cli.habits import translated
from srgan_cli.cli.options import brief
from srgan_cli.cli.render import show_error, show_failure
from srgan_cli.cli.standard_streams import (
    after_flush,
    end,
    end_at_once,
    occupy_closed_streams,
    reader_left,
)
from srgan_cli.cli.wording import explained
from srgan_cli.config import TrainConfig
from srgan_cli.errors import InputError, SrganError
from srgan_cli.quiet import separate_stderr

app = typer.Typer(
    name="srgan",
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
app.command("prepare")(prepare.prepare)
app.command("train", cls=brief(TrainConfig))(train.train)
app.command("upscale")(upscale.upscale)
app.command("compare")(compare.compare)
app.command("eval")(evaluate.evaluate)
app.command("doctor")(doctor.doctor)
app.add_typer(models.app, name="models")


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"srgan {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def srgan(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Upscale images with networks that you can train yourself.

    [bold]upscale[/] works at once, with the bundled models. To train your own,
    run [bold]prepare[/], [bold]train[/], then [bold]upscale[/] or [bold]eval[/]:
    each uses the results of the one before.

    [bold]Examples[/]

      srgan upscale holiday/*.jpg -o out/
      srgan prepare ./photos && srgan train && srgan eval
    """
    if context.invoked_subcommand is None:
        print(context.get_help())
    try:
        Path.cwd()
    except OSError as error:  # Libraries would end the process in their own words.
        raise InputError(
            f"the working directory cannot be used: {error.strerror or error}",
            hint="cd to a folder that exists, then run the command again",
        ) from error


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; expected failures take two lines."""
    words = translated(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(args=words, prog_name="srgan", standalone_mode=False)
    except SrganError as error:
        show_failure(error)
        return exit_code(error)
    except typer.TyperException as error:
        show_failure(explained(error, words, get_command(app)))
        return ExitCode.USAGE
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # Typer has taken it.
            return reader_left()
        raise
    except OSError as error:
        subject = f"{error.filename}: " if error.filename else ""
        show_error(
            f"{subject}{error.strerror or error}", "check the name, its permissions and free space"
        )
        return ExitCode.RESOURCE
    except (MemoryError, RuntimeError) as error:
        # PyTorch has no class of its own for a CPU that has run out of memory.
        if "can't start new thread" in str(error):
            show_error(
                "no further thread can be started", "close other programs, or raise ulimit -u"
            )
            return ExitCode.RESOURCE
        if isinstance(error, RuntimeError) and "can't allocate memory" not in str(error):
            raise
        show_error(f"out of memory: {error}", "use smaller images, tiles or batches")
        return ExitCode.RESOURCE
    return int(code or ExitCode.OK)


def main() -> None:
    """Run ``srgan`` and end the process; SIGTERM saves and ends as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    occupy_closed_streams()
    separate_stderr()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # A terminal without × must not end the work.
    code = after_flush(run())
    if code == ExitCode.INTERRUPTED and threading.active_count() > 1:
        end_at_once(code)  # Ctrl-C was pressed again while threads were at work.
    if "torch" in sys.modules and "WORLD_SIZE" in os.environ:
        # At exit PyTorch now and then aborts over a thread of gloo's, and torchrun would take
        # a finished run for a failed one.
        end_at_once(code)
    end(code)
