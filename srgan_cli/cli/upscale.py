"""``srgan upscale``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from srgan_cli import engine
from srgan_cli.cli.exit_codes import ExitCode
from srgan_cli.cli.options import (
    DeviceOption,
    JsonOption,
    ModelOption,
    PrecisionOption,
    TileOption,
)
from srgan_cli.cli.progress import RichObserver
from srgan_cli.cli.render import show_json
from srgan_cli.cli.streams import upscale_stream
from srgan_cli.config import RuntimeName, UpscaleConfig
from srgan_cli.errors import UsageError

_SIZES, _FORMAT, _CARE, _SPEED = "Size", "Format", "Safety", "Speed and quality"
_STREAM = Path("-")


def upscale(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGE",
            help="Images, folders of images, quoted patterns, or - for standard input.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="Where the results go; - is standard output."
        ),
    ] = None,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Replace each image by its result.")
    ] = False,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Search subfolders, and mirror them.")
    ] = False,
    model: ModelOption = None,
    strength: Annotated[
        float | None,
        typer.Option(
            metavar="0..1",
            help="Between true but soft (0) and sharp but partly invented (1), for models that "
            "come as a pair of fidelity and GAN weights.",
        ),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(
            "--scale",
            "-s",
            metavar="FACTOR",
            help="Factor per side, such as 2, 3 or 2.5. [dim]Default: the model's.[/]",
            rich_help_panel=_SIZES,
        ),
    ] = None,
    width: Annotated[
        int | None,
        typer.Option(metavar="PIXELS", help="Fit into this width.", rich_help_panel=_SIZES),
    ] = None,
    height: Annotated[
        int | None,
        typer.Option(metavar="PIXELS", help="Fit into this height.", rich_help_panel=_SIZES),
    ] = None,
    max_side: Annotated[
        int | None,
        typer.Option(metavar="PIXELS", help="Fit the longer side.", rich_help_panel=_SIZES),
    ] = None,
    suffix: Annotated[
        str, typer.Option(metavar="TEXT", help="Added to each file name before its extension.")
    ] = UpscaleConfig.suffix,
    ext: Annotated[
        str | None,
        typer.Option(
            metavar="EXT",
            help="Format of the results, such as png. [dim]Default: each image's own.[/]",
            rich_help_panel=_FORMAT,
        ),
    ] = None,
    quality: Annotated[
        int | None,
        typer.Option(
            metavar="1-100",
            help="For lossy formats. [dim]Default: JPEG 95, AVIF 90, others without loss.[/]",
            rich_help_panel=_FORMAT,
        ),
    ] = None,
    background: Annotated[
        str,
        typer.Option(
            metavar="COLOUR",
            help="What transparency is laid on in formats without it.",
            rich_help_panel=_FORMAT,
        ),
    ] = UpscaleConfig.background,
    strip_metadata: Annotated[
        bool,
        typer.Option(
            "--strip-metadata",
            help="Drop all but pixels and colour profile.",
            rich_help_panel=_FORMAT,
        ),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace files that srgan did not make.", rich_help_panel=_CARE
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show sizes, memory and time; write nothing.", rich_help_panel=_CARE
        ),
    ] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Reduce each result again and report how far it drifted (PSNR).",
            rich_help_panel=_CARE,
        ),
    ] = False,
    max_drift: Annotated[
        float | None,
        typer.Option(
            metavar="DB", help="Fail results that drift below this PSNR.", rich_help_panel=_CARE
        ),
    ] = None,
    max_pixels: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Refuse images with more pixels than this.",
            rich_help_panel=_CARE,
        ),
    ] = UpscaleConfig.max_pixels,
    tta: Annotated[
        bool,
        typer.Option(
            "--tta",
            help="Average the results of eight orientations: a little better, 8 times slower.",
            rich_help_panel=_SPEED,
        ),
    ] = False,
    runtime: Annotated[
        RuntimeName,
        typer.Option(
            help="What runs the network; auto takes the fastest that is installed.",
            rich_help_panel=_SPEED,
        ),
    ] = UpscaleConfig.runtime,
    tile: TileOption = UpscaleConfig.tile,
    precision: PrecisionOption = UpscaleConfig.precision,
    device: DeviceOption = UpscaleConfig.device,
    json: JsonOption = False,
) -> ExitCode:
    """Upscale images.

    Images are turned upright and keep their format, depth, transparency, colour
    profile, metadata, frames and pages. Running the same command again does only
    what is missing or changed. Images that cannot be upscaled are named and the
    rest is written; the exit code is then 7.

    [bold]Examples[/]

      srgan upscale *.jpg -o out/
      srgan upscale scans/ -o out/ --recursive --max-side 4000
      srgan upscale 'scans/**/*.tif' -o out/ -s 2.5 --ext png --check
      curl -s https://example.org/a.png | srgan upscale - -o - > b.png
    """
    config = UpscaleConfig(
        inputs=tuple(inputs),
        output=output,
        in_place=in_place,
        recursive=recursive,
        model=model,
        strength=strength,
        scale=scale,
        width=width,
        height=height,
        max_side=max_side,
        suffix=suffix,
        ext=ext,
        quality=quality,
        background=background,
        strip_metadata=strip_metadata,
        tile=tile,
        runtime=runtime,
        tta=tta,
        precision=precision,
        device=device,
        max_pixels=max_pixels,
        overwrite=overwrite,
        check=check,
        max_drift=max_drift,
    )
    if _STREAM in inputs or output == _STREAM:
        if json or dry_run:
            raise UsageError("- goes with neither --json nor --dry-run", hint="name files")
        upscale_stream(config, sys.stdin.buffer, sys.stdout.buffer)
        return ExitCode.OK
    from srgan_cli.cli.upscale_view import show_estimate, show_upscaled

    if dry_run:
        planned = engine.estimate(config, RichObserver())
        (show_json if json else show_estimate)(planned)
        return ExitCode.PARTIAL if planned.failed else ExitCode.OK
    report = engine.upscale(config, RichObserver())
    (show_json if json else show_upscaled)(report)
    return ExitCode.PARTIAL if report.failed else ExitCode.OK
