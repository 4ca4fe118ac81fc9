"""``srgan prepare``."""

from pathlib import Path
from typing import Annotated

import typer

from srgan_cli.cli.exit_codes import ExitCode
from srgan_cli.cli.options import JsonOption
from srgan_cli.cli.progress import RichObserver
from srgan_cli.cli.render import say, show_json, show_table
from srgan_cli.config import PrepareConfig


def prepare(
    source: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="Photographs, searched with all subfolders."),
    ],
    scale: Annotated[
        int, typer.Option("--scale", "-s", metavar="2|3|4|8", help="Factor per side.")
    ] = PrepareConfig.scale,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the data set. [dim]Default: FOLDER-xSCALE.[/]"),
    ] = None,
    max_side: Annotated[
        int,
        typer.Option(
            metavar="PIXELS", help="Reduce photographs whose longer side exceeds this; 0: never."
        ),
    ] = PrepareConfig.max_side,
    min_side: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS",
            help="Leave out photographs with a shorter side. [dim]Default: 64 × scale.[/]",
        ),
    ] = None,
    validation: Annotated[
        int,
        typer.Option(metavar="N", help="Photographs set aside to measure runs; at most a tenth."),
    ] = PrepareConfig.validation,
    seed: Annotated[
        int, typer.Option(metavar="N", help="Chooses which photographs are set aside.")
    ] = PrepareConfig.seed,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a data set of the same name.")
    ] = False,
    json: JsonOption = False,
) -> ExitCode:
    """Make a training set of LR/HR pairs from a folder of photographs.

    LR is the antialiased bicubic reduction of HR, equal to MATLAB's pixel by
    pixel. At the default scale of 2, HR has four times the pixels of LR.
    Photographs that cannot be used are named and left out. Running again with
    nothing changed does nothing.

    [bold]Examples[/]

      srgan prepare ./kaggle
      srgan prepare ./kaggle --scale 4 --name kaggle-x4
    """
    config = PrepareConfig(source, scale, name, max_side, min_side, validation, seed, overwrite)
    from srgan_cli import engine

    report = engine.prepare(config, RichObserver())
    if json:
        show_json(report)
        return ExitCode.OK
    manifest = report.manifest
    splits = [entry.split for entry in manifest.pictures]
    pixels = sum(entry.width * entry.height for entry in manifest.pictures) / 1e6
    show_table(
        f"data set {manifest.name}" + (" (unchanged)" if report.unchanged else ""),
        {"": "left", "pictures": "right"},
        [
            ["training", str(splits.count("train"))],
            ["validation", str(splits.count("validation"))],
            ["left out", str(len(manifest.dropped))],
        ],
    )
    say(f"{pixels:,.1f} HR megapixels, ×{manifest.scale}, fingerprint {manifest.fingerprint}")
    say(f"next: srgan train    ({report.folder})")
    return ExitCode.OK
