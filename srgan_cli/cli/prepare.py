"""``srgan prepare``."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from srgan_cli.cli.exit_codes import ExitCode
from srgan_cli.cli.options import JsonOption
from srgan_cli.cli.progress import RichObserver
from srgan_cli.cli.render import say, show_json, show_table
from srgan_cli.config import Action, PrepareConfig
from srgan_cli.errors import ResourceError
from srgan_cli.paths import write_text

if TYPE_CHECKING:
    from srgan_cli.data.prepare import PrepareReport

_SET, _DOCTOR = "What to make", "What to leave out"


def _fault(text: str) -> Any:
    return typer.Option(help=text, rich_help_panel=_DOCTOR)


def prepare(
    source: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="Photographs, searched with all subfolders."),
    ],
    scale: Annotated[
        list[int] | None,
        typer.Option(
            "--scale",
            "-s",
            metavar="2|3|4|8",
            help="Factor per side; give it again for several in one set. [dim]Default: 2.[/]",
            show_default=False,
            rich_help_panel=_SET,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name of the data set. [dim]Default: FOLDER-xSCALE.[/]",
            rich_help_panel=_SET,
        ),
    ] = None,
    size: Annotated[
        int,
        typer.Option(
            "--size",
            "--max-side",
            metavar="PIXELS",
            help="Reduce photographs whose longer side exceeds this; 0: never.",
            rich_help_panel=_SET,
        ),
    ] = PrepareConfig.max_side,
    crop: Annotated[
        int,
        typer.Option(
            metavar="PIXELS",
            help="Cut photographs into squares of this side; 0: keep them whole.",
            rich_help_panel=_SET,
        ),
    ] = PrepareConfig.crop,
    reduce: Annotated[
        list[float] | None,
        typer.Option(
            metavar="SHARE",
            help="Have photographs reduced to this share of their sides too; repeatable.",
            rich_help_panel=_SET,
        ),
    ] = None,
    validation: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Photographs set aside to measure runs, by scene; at most a tenth.",
            rich_help_panel=_SET,
        ),
    ] = PrepareConfig.validation,
    seed: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Chooses which photographs are set aside.",
            rich_help_panel=_SET,
        ),
    ] = PrepareConfig.seed,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace a data set of the same name, or forget photographs that have gone.",
            rich_help_panel=_SET,
        ),
    ] = False,
    export: Annotated[
        Literal["png"] | None,
        typer.Option(
            help="Also write plain hr and lr folders, for other tools.", rich_help_panel=_SET
        ),
    ] = PrepareConfig.export,
    check: Annotated[
        bool,
        typer.Option("--check", help="Report only; write nothing.", rich_help_panel=_DOCTOR),
    ] = False,
    exclude: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER",
            help="Leave out what looks like an image of this evaluation set; repeatable.",
            rich_help_panel=_DOCTOR,
        ),
    ] = None,
    min_side: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS",
            help="Leave out photographs with a shorter side. [dim]Default: 64 × scale.[/]",
            rich_help_panel=_DOCTOR,
        ),
    ] = None,
    duplicates: Annotated[
        Action, _fault("Same file, or alike by pHash and thumbnail.")
    ] = PrepareConfig.duplicates,
    flat: Annotated[
        Action, _fault("9 of 10 blocks deviate by less than 2 levels of 255.")
    ] = PrepareConfig.flat,
    blurry: Annotated[
        Action, _fault("Power falls by 2.3 decades or more over 0.12 cycles per pixel.")
    ] = PrepareConfig.blurry,
    upscaled: Annotated[
        Action, _fault("2.55 decades less power at high than at middle frequencies.")
    ] = PrepareConfig.upscaled,
    blocky: Annotated[
        Action, _fault("Steps along an 8×8 grid are 1.75 times those beside it.")
    ] = PrepareConfig.blocky,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write an HTML page that shows what was left out.",
            rich_help_panel=_DOCTOR,
        ),
    ] = None,
    json: JsonOption = False,
) -> ExitCode:
    """Make a training set of LR/HR pairs from a folder of photographs.

    LR is the antialiased bicubic reduction of HR, equal to MATLAB's pixel by
    pixel. At the default scale of 2, HR has four times the pixels of LR.
    Photographs that cannot be used are counted and left out, with the reasons.
    A run that was stopped goes on when started again, new photographs are added,
    and with nothing changed it does nothing.

    [bold]Examples[/]

      srgan prepare ./kaggle
      srgan prepare ./kaggle --check
      srgan prepare ./kaggle --scale 2 --scale 4 --exclude ./Set5
    """
    config = PrepareConfig(
        source,
        scale=tuple(scale) if scale else PrepareConfig.scale,
        name=name,
        max_side=size,
        min_side=min_side,
        validation=validation,
        seed=seed,
        overwrite=overwrite,
        crop=crop,
        reduce=tuple(reduce or ()),
        exclude=tuple(exclude or ()),
        duplicates=duplicates,
        flat=flat,
        blurry=blurry,
        upscaled=upscaled,
        blocky=blocky,
        check=check,
        export=export,
    )
    from srgan_cli.data.workers import load_ahead

    load_ahead(["srgan_cli.data.shards", "imagehash", "scipy.fftpack"])
    # Not by way of the engine, which brings torch along: preparing does without.
    from srgan_cli.data import prepare as data

    result = data.prepare(config, RichObserver())
    if not result.leads:
        return ExitCode.OK  # Under torchrun one process speaks for all.
    if report is not None:
        _write_page(report, source, result)
    if json:
        show_json(result)
    else:
        _show(result, check=check)
    return ExitCode.OK


def _write_page(path: Path, source: Path, report: "PrepareReport") -> None:
    from srgan_cli.report.contact_sheet import contact_sheet

    manifest = report.manifest
    title = f"{manifest.name}: skipped or flagged"
    page = contact_sheet(title, source, (*manifest.dropped, *manifest.flagged))
    try:
        write_text(path, page)
    except OSError as error:
        raise ResourceError(
            f"{path}: {error.strerror or error}", hint="choose a file in a folder that exists"
        ) from error


def _show(report: "PrepareReport", *, check: bool) -> None:
    manifest = report.manifest
    counts = {
        "training": len({e.source for e in manifest.pictures if e.split == "train"}),
        "validation": len({e.source for e in manifest.pictures if e.split == "validation"}),
        "skipped": len(manifest.dropped),
    }
    counts |= {f"  {kind}": n for kind, n in Counter(f.kind for f in manifest.dropped).items()}
    counts |= {
        f"flagged: {kind}": n for kind, n in Counter(f.kind for f in manifest.flagged).items()
    }
    state = " (unchanged)" if report.unchanged else " (not written)" if check else ""
    show_table(
        f"data set {manifest.name}{state}",
        {"": "left", "images": "right"},
        [[label, f"{count:,}"] for label, count in counts.items()],
    )
    pixels = sum(entry.width * entry.height for entry in manifest.pictures) / 1e6
    scales = ", ".join(f"×{scale}" for scale in manifest.scales)
    say(f"{pixels:,.1f} HR megapixels, {scales}, fingerprint {manifest.fingerprint}")
    if not check:
        say(f"next: srgan train    ({report.folder})")
