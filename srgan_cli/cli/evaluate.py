"""``srgan eval``."""

from pathlib import Path
from typing import Annotated

import typer

from srgan_cli.cli.exit_codes import ExitCode
from srgan_cli.cli.options import (
    DeviceOption,
    JsonOption,
    ModelOption,
    PrecisionOption,
    ScaleOption,
    TileOption,
)
from srgan_cli.cli.progress import RichObserver
from srgan_cli.cli.render import jsonable, say, show_json, show_table
from srgan_cli.config import EvalConfig


def evaluate(
    sets: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FOLDER",
            help="Folders of HR pictures. [dim]Default: the newest data set's validation "
            "pictures.[/]",
            show_default=False,
        ),
    ] = None,
    model: ModelOption = None,
    scale: ScaleOption = None,
    border: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS",
            help="HR pixels cut off every side before scoring. [dim]Default: the scale.[/]",
            show_default=False,
        ),
    ] = None,
    tile: TileOption = EvalConfig.tile,
    precision: PrecisionOption = EvalConfig.precision,
    device: DeviceOption = EvalConfig.device,
    json: JsonOption = False,
) -> ExitCode:
    """Score a model beside bicubic enlargement: PSNR and SSIM on the Y channel.

    LR is made from the HR pictures by MATLAB's bicubic, as in the literature,
    so the figures can be compared with published tables. The protocol is
    printed with them.

    [bold]Examples[/]

      srgan eval
      srgan eval Set5 Set14 B100 --scale 2
    """
    config = EvalConfig(tuple(sets or ()), model, scale, border, tile, precision, device)
    from srgan_cli import engine

    report = engine.evaluate(config, RichObserver())
    if json:
        means = [{"bicubic": scored.bicubic, "model": scored.model} for scored in report.sets]
        document = jsonable(report)
        for scored, mean in zip(document["sets"], jsonable(means), strict=True):
            scored["mean"] = mean
        show_json(document)
    else:
        rows = [
            [
                scored.name,
                str(len(scored.pictures)),
                *(f"{s.psnr:.2f} / {s.ssim:.4f}" for s in (scored.bicubic, scored.model)),
                f"{scored.model.psnr - scored.bicubic.psnr:+.2f} dB",
            ]
            for scored in report.sets
        ]
        show_table(
            f"PSNR / SSIM at ×{report.scale}",
            {
                "set": "left",
                "pictures": "right",
                "bicubic": "right",
                report.model.name: "right",
                "gain": "right",
            },
            rows,
        )
        say(f"protocol: {report.protocol}")
    return ExitCode.PARTIAL if any(scored.failed for scored in report.sets) else ExitCode.OK
