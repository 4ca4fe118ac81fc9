"""``srgan upscale``."""

from pathlib import Path
from typing import Annotated

import typer

from srgan_cli.cli.exit_codes import ExitCode
from srgan_cli.cli.options import (
    DeviceOption,
    JsonOption,
    ModelOption,
    PicturePaths,
    PrecisionOption,
    ScaleOption,
    TileOption,
)
from srgan_cli.cli.render import RichObserver, show_json, show_table
from srgan_cli.config import UpscaleConfig


def upscale(
    inputs: PicturePaths,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FOLDER", help="Where the results go."),
    ],
    model: ModelOption = None,
    scale: ScaleOption = None,
    suffix: Annotated[
        str, typer.Option(metavar="TEXT", help="Added to each file name before its extension.")
    ] = UpscaleConfig.suffix,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace results that exist already.")
    ] = False,
    tile: TileOption = UpscaleConfig.tile,
    precision: PrecisionOption = UpscaleConfig.precision,
    device: DeviceOption = UpscaleConfig.device,
    max_pixels: Annotated[
        int, typer.Option(metavar="N", help="Refuse pictures with more pixels than this.")
    ] = UpscaleConfig.max_pixels,
    json: JsonOption = False,
) -> ExitCode:
    """Enlarge pictures.

    Pictures are turned upright and keep their format, colour profile and EXIF
    data. One that cannot be read is named and skipped; the exit code is then 7.

    [bold]Examples[/]

      srgan upscale *.jpg -o out/
      srgan upscale scans/ -o out/ --model fidelity-x2 --suffix _x2
    """
    config = UpscaleConfig(
        inputs=tuple(inputs),
        output=output,
        model=model,
        scale=scale,
        suffix=suffix,
        tile=tile,
        precision=precision,
        device=device,
        max_pixels=max_pixels,
        overwrite=overwrite,
    )
    from srgan_cli import engine

    report = engine.upscale(config, RichObserver())
    if json:
        show_json(report)
    else:
        rows = [
            [str(item.output), f"{item.width}×{item.height}", f"{item.seconds:.1f} s"]
            for item in report.written
        ]
        rows += [[str(item.source), "failed", ""] for item in report.failed]
        show_table(
            f"×{report.scale}: {len(report.written)} written, {len(report.failed)} failed",
            {"picture": "left", "size": "right", "time": "right"},
            rows,
        )
    return ExitCode.PARTIAL if report.failed else ExitCode.OK
