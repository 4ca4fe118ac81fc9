"""``srgan models export``, ``blend`` and ``card``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from srgan_cli import engine
from srgan_cli.cli import completion
from srgan_cli.cli.exit_codes import ExitCode
from srgan_cli.cli.options import JsonOption, options_of
from srgan_cli.cli.progress import RichObserver
from srgan_cli.cli.render import say, show_json
from srgan_cli.config import ExportConfig, made
from srgan_cli.config.models import MODEL

Name = Annotated[
    str,
    typer.Argument(metavar=MODEL.metavar, help=MODEL.help, autocompletion=completion.models),
]


@options_of(ExportConfig)
def export(json: JsonOption = False, **options: Any) -> ExitCode:
    """Export a model to another format, for images of any size.

    The exported file is tested at once, on an image of two sizes; if its results
    differ from PyTorch's, it is not kept. A .pth has BasicSR's layout, for
    Real-ESRGAN, chaiNNer and ComfyUI.

    [bold]Examples[/]

      srgan models export fidelity-x2 --to onnx
      srgan models export fidelity-x2 --to pth --fp16 -o upscale_models
    """
    report = engine.export_model(made(ExportConfig, options), RichObserver())
    if json:
        show_json(report)
        return ExitCode.OK
    for path in report.files:
        say(f"written: {path}")
    say(f"architecture: {report.architecture}")
    say(
        f"largest difference to PyTorch in {report.compared_in}: {report.difference:.1e} of the "
        f"range 0 to 1 (refused above {report.tolerance:.0e})"
    )
    return ExitCode.OK


def blend(
    first: Annotated[
        str, typer.Argument(metavar="A", help="Model at alpha 0.", autocompletion=completion.models)
    ],
    second: Annotated[
        str, typer.Argument(metavar="B", help="Model at alpha 1.", autocompletion=completion.models)
    ],
    alpha: Annotated[float, typer.Option(metavar="0..1", help="Share of model B.")] = 0.5,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the new model. [dim]Default: A-B-alpha.[/]"),
    ] = None,
    json: JsonOption = False,
) -> ExitCode:
    """Blend two models into a new one, which is added to the shelf.

    One must have been trained from the other: a fidelity model, and the GAN
    model that started from it. Between them lies every balance of faithful and
    sharp.

    [bold]Examples[/]

      srgan models blend soft sharp --alpha 0.7
    """
    made = engine.blend_models(first, second, alpha, name, RichObserver())
    if json:
        show_json(made)
    else:
        say(f"on the shelf: {made.name}")
    return ExitCode.OK


def card(
    name: Name,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="Folder for README.md and the image."
        ),
    ],
    scores: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Scores to include: the output of srgan eval --json."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    json: JsonOption = False,
) -> ExitCode:
    """Write a model card for the Hugging Face Hub: README.md and an image.

    [bold]Examples[/]

      srgan eval Set5 Set14 --model fidelity-x2 --json > scores.json
      srgan models card fidelity-x2 -o card/ --scores scores.json
    """
    report = engine.write_card(name, output, scores=scores, overwrite=overwrite)
    if json:
        show_json(report)
    else:
        say(f"written: {report.card}, {report.image}")
    return ExitCode.OK
