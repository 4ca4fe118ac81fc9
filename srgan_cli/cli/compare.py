"""``srgan compare``, and the page of ``srgan upscale --report``."""

from pathlib import Path
from typing import Any

from srgan_cli import engine
from srgan_cli.cli.exit_codes import ExitCode
from srgan_cli.cli.options import JsonOption, QuietOption, options_of
from srgan_cli.cli.pages import require_writable, write_page
from srgan_cli.cli.progress import QuietObserver, RichObserver
from srgan_cli.cli.render import jsonable, show_json, show_table
from srgan_cli.config import CompareConfig, made
from srgan_cli.observer import Observer
from srgan_cli.report import comparison_page


@options_of(CompareConfig)
def compare(json: JsonOption = False, quiet: QuietOption = False, **options: Any) -> ExitCode:
    """Compare models on your own images, on one HTML page.

    The page holds the input, bicubic and each model's result under a slider, with
    crops where they differ most, timings, drift, the command for each result, and
    what each model invented: its difference from the fidelity model. It is one
    file that opens in any browser, offline.

    [bold]Examples[/]

      srgan compare holiday.jpg
      srgan compare scans/ --model photo --model mine -s 4 -o scans.html
    """
    config = made(CompareConfig, options)
    require_writable(config.output, overwrite=config.overwrite)
    observer = QuietObserver() if quiet else RichObserver()
    found = engine.compare(config, observer)
    write_comparison(config.output, found, observer)
    if json:
        document = jsonable(found)
        for image in document["images"]:
            del image["views"]
        show_json(document)
    elif not quiet:
        _show(found)
    return ExitCode.PARTIAL if found.failed else ExitCode.OK


def write_comparison(path: Path, found: "engine.CompareReport", observer: Observer) -> None:
    """Write the page and say where it is."""
    write_page(path, comparison_page(jsonable(found)), observer)


def _show(found: "engine.CompareReport") -> None:
    rows = [
        [
            image.name,
            version.name,
            "" if version.seconds is None else f"{version.seconds:.1f} s",
            "none" if version.drift is None else f"{version.drift:.1f} dB",
            f"{version.invented:.2f}",
        ]
        for image in found.images
        for version in image.versions
    ]
    show_table(
        found.title,
        {
            "image": "left",
            "version": "left",
            "time": "right",
            "drift": "right",
            f"levels from {found.reference}": "right",
        },
        rows,
    )
