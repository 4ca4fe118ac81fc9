"""``srgan upscale``."""

import sys
from pathlib import Path
from typing import Annotated, Any, BinaryIO, TextIO

import typer

from srgan_cli import engine
from srgan_cli.cli.compare import write_comparison
from srgan_cli.cli.exit_codes import ExitCode
from srgan_cli.cli.options import JsonOption, QuietOption, option_name, options_of
from srgan_cli.cli.pages import require_writable
from srgan_cli.cli.progress import QuietObserver, RichObserver
from srgan_cli.cli.render import show_json
from srgan_cli.cli.streams import upscale_stream
from srgan_cli.cli.upscale_view import show_estimate, show_upscaled, show_verified
from srgan_cli.config import CompareConfig, UpscaleConfig, made
from srgan_cli.config.option import declared
from srgan_cli.config.upscale import SAFETY
from srgan_cli.errors import UsageError

_STREAM = Path("-")
_VERIFYING = {"inputs", "model", "max_pixels", "runtime", "tile", "device"}
"""Options that go with ``--verify``."""


@options_of(UpscaleConfig)
def upscale(
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show sizes, memory and time; write nothing.", rich_help_panel=SAFETY
        ),
    ] = False,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Make a result again with the model and options of its label, and compare: "
            "pass RESULT SOURCE.",
            rich_help_panel=SAFETY,
        ),
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    **options: Any,
) -> ExitCode:
    """Upscale images.

    Images are turned upright and keep their format, bit depth, transparency,
    colour profile, metadata, frames and pages. Run the same command again to do
    only what is missing or has changed. An unreadable image does not stop the
    batch: it is reported, and the exit code is 7.

    [bold]Examples[/]

      srgan upscale *.jpg -o out/
      srgan upscale scans/ -o out/ --recursive --max-side 4000
      srgan upscale 'scans/**/*.tif' -o out/ -s 2.5 --ext png --check
      curl -s https://example.org/a.png | srgan upscale - -o - > b.png
    """
    config = made(UpscaleConfig, options)
    observer = QuietObserver() if quiet else RichObserver()
    if verify:
        _require_alone(config, dry_run=dry_run)
        found = engine.verify(config, observer)
        (show_json if json else show_verified)(found)
        return ExitCode.OK if found.equal else ExitCode.DIFFERENT
    if _STREAM in config.inputs or config.output == _STREAM:
        if json or dry_run or config.report:
            raise UsageError(
                "- cannot be used with --json, --dry-run or --report", hint="name files"
            )
        upscale_stream(config, _bytes_of(sys.stdin), _bytes_of(sys.stdout), observer)
        return ExitCode.OK
    if dry_run:
        planned = engine.estimate(config, observer)
        (show_json if json else show_estimate)(planned)
        return ExitCode.PARTIAL if planned.failed else ExitCode.OK
    if config.report:
        require_writable(config.report, overwrite=config.overwrite)
    report = engine.upscale(config, observer)
    if config.report:
        _write_report(config, config.report, report, observer)
    if json:
        show_json(report)
    elif not quiet:
        show_upscaled(report, config)
    return ExitCode.PARTIAL if report.failed else ExitCode.OK


def _write_report(
    config: UpscaleConfig, path: Path, report: "engine.UpscaleReport", observer: RichObserver
) -> None:
    if not report.written and not report.unchanged:
        observer.warn("no --report: there is no result to show")
        return
    page = CompareConfig(
        config.inputs,
        output=path,
        images=config.report_images,
        max_pixels=config.max_pixels,
        runtime=config.runtime,
        tile=config.tile,
        precision=config.precision,
        device=config.device,
    )
    write_comparison(path, engine.show_batch(config, report, page, observer), observer)


def _require_alone(config: UpscaleConfig, *, dry_run: bool) -> None:
    """Refuse options whose values ``--verify`` takes from the result."""
    names = {option.name: option.default for option in declared(UpscaleConfig)}
    names = {name: default for name, default in names.items() if name not in _VERIFYING}
    given = [option_name(name) for name in names if getattr(config, name) != names[name]]
    if given or dry_run:
        raise UsageError(
            f"--verify cannot be used with {', '.join(given) or '--dry-run'}",
            hint="options are read from the result: srgan upscale --verify RESULT SOURCE",
        )


def _bytes_of(stream: TextIO | None) -> BinaryIO | None:
    """Return what a standard stream reads or writes; None if it is closed."""
    return None if stream is None else stream.buffer
