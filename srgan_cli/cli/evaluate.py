"""``srgan eval``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from srgan_cli import engine
from srgan_cli.cli.evaluation_view import show_crops, show_evaluation
from srgan_cli.cli.exit_codes import ExitCode
from srgan_cli.cli.options import (
    DeviceOption,
    JsonOption,
    PrecisionOption,
    ScaleOption,
    TileOption,
)
from srgan_cli.cli.progress import RichObserver
from srgan_cli.cli.render import jsonable, show_error, show_json
from srgan_cli.config import EXTRA_METRICS, Channel, EvalConfig
from srgan_cli.errors import ResourceError, UsageError
from srgan_cli.paths import write_text
from srgan_cli.report import evaluation_page


def _folder(flag: str, text: str) -> Any:
    return typer.Option(flag, metavar="FOLDER", help=text, show_default=False)


def evaluate(
    sets: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FOLDER",
            help="Folders of HR images. [dim]Default: the validation images of the data "
            "set that the model was trained on.[/]",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-n",
            metavar="NAME|FILE",
            help="Run, bundled model or weights file; give it again to compare several. "
            "[dim]Default: the newest run, else the bundled model.[/]",
            show_default=False,
        ),
    ] = None,
    hr: Annotated[
        Path | None, _folder("--hr", "HR images that go with --lr or --sr by name.")
    ] = None,
    lr: Annotated[Path | None, _folder("--lr", "LR images. [dim]Default: made from HR.[/]")] = None,
    sr: Annotated[
        list[Path] | None,
        _folder("--sr", "Images that another tool upscaled; may be given again."),
    ] = None,
    scale: ScaleOption = None,
    channel: Annotated[
        Channel,
        typer.Option(help="y: Y of 8 bits, as papers; y-float: not rounded, as BasicSR; rgb."),
    ] = EvalConfig.channel,
    border: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS",
            help="HR pixels cut off every side before scoring. [dim]Default: the scale.[/]",
            show_default=False,
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="|".join(EXTRA_METRICS),
            help="Measure this as well; may be given again. lpips and dists need "
            "[bold]pip install 'srgan-cli\\[perceptual]'[/].",
            show_default=False,
        ),
    ] = None,
    min_psnr: Annotated[
        float | None,
        typer.Option(
            metavar="DB", help="End with code 8 when a mean is below.", show_default=False
        ),
    ] = None,
    min_ssim: Annotated[
        float | None,
        typer.Option(metavar="S", help="End with code 8 when a mean is below.", show_default=False),
    ] = None,
    not_worse_than: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN.json",
            help="What --json printed earlier; end with code 8 when a model is worse than then.",
            show_default=False,
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html", help="Write a page with plots and images.", show_default=False
        ),
    ] = None,
    show: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Show crops of N images here, in kitty, iTerm2 or a sixel terminal.",
        ),
    ] = EvalConfig.show,
    report_mb: Annotated[
        float, typer.Option(metavar="MB", help="Largest size of that page.")
    ] = EvalConfig.report_mb,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing --report.")
    ] = False,
    tile: TileOption = EvalConfig.tile,
    precision: PrecisionOption = EvalConfig.precision,
    device: DeviceOption = EvalConfig.device,
    json: JsonOption = False,
) -> ExitCode:
    """Score models, or other tools' images, beside bicubic and Lanczos upscaling.

    PSNR and SSIM follow the literature, so the figures can be compared with
    published tables; the protocol is printed with them. Differences come with
    a 95 % interval over the images and a verdict.

    [bold]Examples[/]

      srgan eval
      srgan eval Set5 Set14 B100 --model mine --model fidelity-x2
      srgan eval Set5 --report set5.html
      srgan eval --lr Set5/LRx2 --hr Set5/HR
      srgan eval Set5 --min-psnr 36 --not-worse-than last-release.json
      srgan eval --sr their-results --hr Set5/HR --scale 2
    """
    config = EvalConfig(
        sets=tuple(sets or ()),
        models=tuple(model or ()),
        hr=hr,
        lr=lr,
        sr=tuple(sr or ()),
        scale=scale,
        channel=channel,
        border=border,
        metrics=tuple(metric or ()),
        min_psnr=min_psnr,
        min_ssim=min_ssim,
        not_worse_than=not_worse_than,
        report=report,
        show=show,
        report_mb=report_mb,
        overwrite=overwrite,
        tile=tile,
        precision=precision,
        device=device,
    )
    _require_writable(config)
    observer = RichObserver()
    found = engine.evaluate(config, observer)
    document = jsonable(found)
    exhibits = document.pop("exhibits")
    if config.report:
        page = evaluation_page(document, exhibits)
        _write(config.report, page)
        observer.say(f"report: {config.report} ({len(page.encode()) / 1e6:.1f} MB)")
    if json:
        show_json(document)
    else:
        show_evaluation(found)
        show_crops(document, exhibits, show, observer)
    for figure in found.unmet:
        show_error(figure, "the models are held to --min-psnr, --min-ssim and --not-worse-than")
    if found.unmet:
        return ExitCode.BELOW
    return ExitCode.PARTIAL if any(scored.failed for scored in found.sets) else ExitCode.OK


def _require_writable(config: EvalConfig) -> None:
    """Refuse, before an hour of work, a report that could not be written."""
    if config.report is None:
        return
    if config.report.exists() and not config.overwrite:
        raise UsageError(f"{config.report} exists already", hint="pass --overwrite to replace it")
    if not config.report.parent.is_dir():
        raise UsageError(f"{config.report.parent}: no such folder", hint="make it first")


def _write(path: Path, page: str) -> None:
    try:
        write_text(path, page)
    except OSError as error:
        raise ResourceError(
            f"{path}: {error.strerror or error}",
            hint="free some disk space, or choose another file",
        ) from error
