"""``srgan prepare``."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from srgan_cli import engine
from srgan_cli.cli.exit_codes import ExitCode
from srgan_cli.cli.options import JsonOption, options_of
from srgan_cli.cli.progress import RichObserver
from srgan_cli.cli.render import say, show_json, show_table
from srgan_cli.config import PrepareConfig, made
from srgan_cli.config.prepare import CHECKS
from srgan_cli.errors import ResourceError
from srgan_cli.paths import write_text


@options_of(PrepareConfig)
def prepare(
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write an HTML page that shows the skipped and flagged images.",
            rich_help_panel=CHECKS,
        ),
    ] = None,
    json: JsonOption = False,
    **options: Any,
) -> ExitCode:
    """Make a training set of LR/HR pairs from folders of images.

    LR is the antialiased bicubic reduction of HR, equal to MATLAB's pixel by
    pixel. At the default scale of 2, HR has four times the pixels of LR.
    Unusable or harmful images are listed and skipped. You can stop the command
    at any time; run it again to continue, or to add new images. Folders called HR
    and LR (or as DIV2K calls them) are taken as pairs that exist already.

    [bold]Examples[/]

      srgan prepare ./kaggle
      srgan prepare ./kaggle --check
      srgan prepare ./kaggle --scale 2 --scale 4 --exclude ./Set5
    """
    config = made(PrepareConfig, options)
    engine.load_ahead()  # Beside what preparing itself imports.
    result = engine.prepare(config, RichObserver())
    if not result.leads:
        return ExitCode.OK  # Under torchrun one process speaks for all.
    if report is not None:
        _write_page(report, config, result)
    if json:
        show_json(result)
    else:
        _show(result, check=config.check)
    return ExitCode.OK


def _write_page(path: Path, config: PrepareConfig, report: "engine.PrepareReport") -> None:
    from srgan_cli.report.contact_sheet import contact_sheet

    manifest = report.manifest
    title = f"{manifest.name}: skipped or flagged"
    locate = engine.open_sources(config.sources).path
    page = contact_sheet(title, locate, (*manifest.dropped, *manifest.flagged))
    try:
        write_text(path, page)
    except OSError as error:
        raise ResourceError(
            f"{path}: {error.strerror or error}", hint="choose a file in a folder that exists"
        ) from error


def _show(report: "engine.PrepareReport", *, check: bool) -> None:
    manifest = report.manifest
    counts = {
        "training": len({e.source for e in manifest.images if e.split == "train"}),
        "validation": len({e.source for e in manifest.images if e.split == "validation"}),
        "skipped": len(manifest.dropped),
    }
    for start, findings in (("  ", manifest.dropped), ("flagged: ", manifest.flagged)):
        kinds = Counter(finding.kind for finding in findings)
        counts |= {start + engine.KINDS[kind].label: n for kind, n in kinds.items()}
    state = " (unchanged)" if report.unchanged else " (not written)" if check else ""
    show_table(
        f"data set {manifest.name}{state}",
        {"": "left", "images": "right"},
        [[label, f"{count:,}"] for label, count in counts.items()],
    )
    pixels = sum(entry.width * entry.height for entry in manifest.images) / 1e6
    scales = ", ".join(f"×{scale}" for scale in manifest.scales)
    say(f"{pixels:,.1f} HR megapixels, {scales}, fingerprint {manifest.fingerprint}")
    if counts["validation"] < engine.FEWEST_IMAGES:
        say(
            f"too few validation images to tell whether a trained model is better "
            f"(at least {engine.FEWEST_IMAGES}): prepare more images"
        )
    if not check:
        say(
            f"next: srgan train --init fidelity, or srgan train for a new network ({report.folder})"
        )
