"""``srgan train``."""

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from srgan_cli import engine
from srgan_cli.cli.exit_codes import ExitCode
from srgan_cli.cli.options import HelpAllOption, JsonOption, option_name, options_of
from srgan_cli.cli.progress import RichObserver
from srgan_cli.cli.render import say, show_json, show_table
from srgan_cli.cli.training_report import write_report
from srgan_cli.cli.training_screen import TrainingScreen
from srgan_cli.config import (
    RECIPES,
    SAME_LENGTH,
    TrainConfig,
    displaced,
    made,
    merged,
    read_options,
    read_recipe,
)
from srgan_cli.config.option import declared, either
from srgan_cli.config.train import DATA_AND_MODEL
from srgan_cli.errors import UsageError


def _use_recipe(context: typer.Context, name: str | None) -> str | None:
    """Let a recipe's options stand in for those that neither command line nor file has."""
    if name is not None:
        context.default_map = merged(read_recipe(name), context.default_map or {})
    return name


def _use_file(context: typer.Context, path: Path | None) -> Path | None:
    """Let the file's options stand in for those that the command line leaves out."""
    if path is not None:
        context.default_map = merged(context.default_map or {}, read_options(path))
    return path


@options_of(TrainConfig)
def train(
    context: typer.Context,
    recipe: Annotated[  # noqa: ARG001 - its callback does the work
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"Train as a bundled model was trained: {either(RECIPES)}.",
            rich_help_panel=DATA_AND_MODEL,
            callback=_use_recipe,
            is_eager=True,
            autocompletion=lambda: list(RECIPES),
        ),
    ] = None,
    config: Annotated[  # noqa: ARG001 - its callback does the work
        Path | None,
        typer.Option(
            metavar="FILE.toml",
            help="Read options from a TOML file.",
            rich_help_panel=DATA_AND_MODEL,
            callback=_use_file,
            is_eager=True,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show steps and time; train nothing.")
    ] = False,
    json: JsonOption = False,
    help_all: HelpAllOption = False,  # noqa: ARG001 - its callback does the work
    **options: Any,
) -> ExitCode:
    """Train a generator: on a pixel loss first, then against a discriminator.

    Ctrl-C saves the run; --resume continues it. [bold]--help-all[/] shows all options.
    Each can also be set in a file, such as the config.toml of a run. The command
    line wins over the file, and the file over the recipe.

    [bold]Examples[/]

      srgan train --epochs 131 --batch 16
      srgan train --init fidelity --minutes 20 --name comics
      srgan train --recipe photo-x4 --batch 32
      srgan train --resume latest
    """
    started = time.perf_counter()
    if options["resume"] is not None:
        _refuse_others(_given(context, "COMMANDLINE") - {"resume", "data", "json"})
    settings = made(TrainConfig, _decided(context, options))
    given = frozenset(_given(context, "COMMANDLINE") | _given(context, "DEFAULT_MAP"))
    if dry_run:
        plan = engine.plan_training(settings, RichObserver(), given=given, started=started)
        if plan.leads:
            (show_json if json else _show_plan)(plan)
        return ExitCode.OK
    screen = TrainingScreen()
    try:
        report = engine.train(settings, screen, given=given, started=started)
    finally:
        if screen.last is not None:
            with suppress(OSError):  # A disk that is full has been told by then.
                screen.say(f"report: {write_report(screen.last)}")
    if not report.leads:
        return ExitCode.OK
    if json:
        show_json(report)
        return ExitCode.OK
    _show(report)
    return ExitCode.OK


def _show(report: "engine.TrainReport") -> None:
    """Print what a run came to, and whether it is used from now on."""
    scores, found, name = report.scores, report.qualification, report.run.name
    rows = [["bicubic", f"{scores.bicubic_psnr:.2f}"], ["this run", f"{scores.psnr:.2f}"]]
    if found.against != "bicubic":
        rows.insert(1, [found.against, f"{scores.psnr - found.psnr.mean:.2f}"])
    show_table(
        f"run {name}: {report.steps:,} steps in {report.seconds / 60:.1f} minutes of training",
        {"validation, PSNR on Y": "left", "dB": "right"},
        rows,
    )
    used, bundled = engine.find_model(None, report.scale), engine.bundled_models(report.scale)
    say(f"result: {found.reason}")
    if used.path == report.weights:
        back = [f"to go back: srgan models default {model.name}" for model in bundled[:1]]
        say("; ".join(["srgan upscale uses this run from now on", *back]))
    else:
        say(
            f"srgan upscale keeps using {used.name}; to use this run: --model {name}, "
            f"or srgan models default {name}"
        )
    say(f"weights: {report.weights}")
    if used.path == report.weights or found.qualified:
        say("next: srgan upscale IMAGE... -o out/, or srgan eval")
    else:
        say(
            f"next: srgan eval --model {name}, or train it further, for longer or on more images: "
            f"srgan train --init {name}"
        )


def _show_plan(plan: "engine.TrainPlan") -> None:
    """Print what a run would take."""
    rows = [
        [
            phase.name,
            f"{phase.steps:,}",
            f"{phase.seconds_per_step:.3g} s",
            f"{phase.validations:,}",
            engine.duration(phase.seconds),
        ]
        for phase in plan.phases
    ]
    show_table(
        f"{plan.batch} patches per step; nothing is trained",
        {"phase": "left"}
        | dict.fromkeys(("steps", "time per step", "validations", "time"), "right"),
        rows,
    )
    say(
        f"{engine.duration(plan.seconds)} in all, from start to score: begun now, it is done "
        f"about {engine.clock_time(plan.ends)}"
    )
    say(f"disk: up to {plan.num_bytes / 1e6:,.0f} MB")
    if plan.advice:
        say(f"{plan.warning}: {plan.advice}")


def _refuse_others(given: set[str]) -> None:
    if given:
        names = ", ".join(map(option_name, sorted(given)))
        raise UsageError(
            f"--resume uses the run's own options, not {names}",
            hint="remove them (except --data, if the data set has moved), or start a new run",
        )


def _decided(context: typer.Context, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options, with those of a file undone that the command line displaces.

    Raises:
        UsageError: Two options that set the same were given in one place.
    """
    typed, in_file = (_given(context, place) for place in ("COMMANDLINE", "DEFAULT_MAP"))
    undone = displaced(in_file, typed)
    for group in map(set, SAME_LENGTH):
        chosen = sorted(group & (typed | in_file) - undone)
        if len(chosen) > 1:
            both = " and ".join(map(option_name, chosen))
            raise UsageError(f"{both} set the same length", hint="remove one of them")
    defaults = {option.name: option.default for option in declared(TrainConfig)}
    return {**options, **{name: defaults[name] for name in undone}}


def _given(context: typer.Context, place: str) -> set[str]:
    """Return the parameters that were given on the command line, or in the file."""
    return {
        name
        for name in context.params
        if (source := context.get_parameter_source(name)) and source.name == place
    }
