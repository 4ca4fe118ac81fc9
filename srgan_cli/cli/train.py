"""``srgan train``."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from srgan_cli import engine
from srgan_cli.cli.exit_codes import ExitCode
from srgan_cli.cli.options import JsonOption, option_name, options_of
from srgan_cli.cli.render import say, show_json, show_table
from srgan_cli.cli.training_report import write_report
from srgan_cli.cli.training_screen import TrainingScreen
from srgan_cli.config import SIZES, TrainConfig, made, read_options
from srgan_cli.config.train import DATA_AND_MODEL
from srgan_cli.errors import UsageError

_EITHER = (("epochs", "steps"), ("pretrain", "pretrain_epochs", "pretrain_steps"))


def _read_config(context: typer.Context, path: Path | None) -> Path | None:
    """Let the file's options stand in for those that the command line leaves out."""
    if path is not None:
        context.default_map = read_options(path)
    return path


@options_of(TrainConfig)
def train(
    context: typer.Context,
    config: Annotated[  # noqa: ARG001 - its callback does the work
        Path | None,
        typer.Option(
            metavar="FILE.toml",
            help="Read options from a file, such as a run's config.toml; the command line wins.",
            rich_help_panel=DATA_AND_MODEL,
            callback=_read_config,
            is_eager=True,
        ),
    ] = None,
    json: JsonOption = False,
    **options: Any,
) -> ExitCode:
    """Train a generator on a prepared data set: pixel loss first, then against a discriminator.

    Ctrl-C saves the run; go on with --resume. Weights and checkpoint are also
    saved at every validation, so that a killed run loses little.

    Every option may stand in a file of [bold]--config[/]; a run's own is in its folder.

    [bold]Examples[/]

      srgan train --epochs 131 --batch 16
      srgan train --steps 20000 --pretrain 1 --name fidelity
      srgan train --config recipe.toml --batch 32
      srgan train --resume latest
    """
    if options["resume"] is not None:
        _refuse_others(_given(context, "COMMANDLINE") - {"resume", "json"})
    settings = made(TrainConfig, _decided(context, options))
    screen = TrainingScreen()
    try:
        report = engine.train(settings, screen)
    finally:
        if screen.last is not None:
            with suppress(OSError):  # A disk that is full has been told by then.
                screen.say(f"report: {write_report(screen.last)}")
    if not report.leads:
        return ExitCode.OK
    if json:
        show_json(report)
        return ExitCode.OK
    scores = report.scores
    show_table(
        f"run {report.run.name}: {report.steps:,} steps in {report.seconds / 60:.1f} minutes",
        {"validation, PSNR on Y": "left", "dB": "right"},
        [
            ["bicubic", f"{scores.bicubic_psnr:.2f}"],
            ["this run", f"{scores.psnr:.2f}"],
        ],
    )
    say(f"weights: {report.weights}")
    say("next: srgan upscale IMAGE... -o out/, or srgan eval")
    return ExitCode.OK


def _refuse_others(given: set[str]) -> None:
    if given:
        names = ", ".join(map(option_name, sorted(given)))
        raise UsageError(
            f"--resume uses the run's own options, not {names}",
            hint="leave them out, or start a new run without --resume",
        )


def _decided(context: typer.Context, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options, with those undone that the command line stands against.

    Raises:
        UsageError: Two options that set the same were given in one place.
    """
    typed, in_file = (_given(context, place) for place in ("COMMANDLINE", "DEFAULT_MAP"))
    params = dict(options)
    for exclusive in map(set, _EITHER):
        chosen = sorted(typed & exclusive or in_file & exclusive)
        if len(chosen) > 1:
            both = " and ".join(map(option_name, chosen))
            raise UsageError(f"{both} set the same length", hint="leave one out")
        params |= {name: getattr(TrainConfig, name) for name in exclusive - set(chosen)}
    if "preset" in typed:
        params |= dict.fromkeys(in_file & set(SIZES))
    return params


def _given(context: typer.Context, place: str) -> set[str]:
    """Return the parameters that were given on the command line, or in the file."""
    return {
        name
        for name in context.params
        if (source := context.get_parameter_source(name)) and source.name == place
    }
