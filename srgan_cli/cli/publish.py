"""``srgan models export``, ``blend`` and ``card``: what goes out."""

from pathlib import Path
from typing import Annotated

import typer

from srgan_cli import engine
from srgan_cli.cli.exit_codes import ExitCode
from srgan_cli.cli.options import JsonOption
from srgan_cli.cli.progress import RichObserver
from srgan_cli.cli.render import say, show_json
from srgan_cli.config import ExportConfig, Target

Name = Annotated[
    str, typer.Argument(metavar="NAME|FILE", help="Model, part of its name, or weights file.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")]


def export(
    name: Name,
    to: Annotated[Target, typer.Option(help="Form of the file.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where it goes.")
    ] = ExportConfig.output,
    fp16: Annotated[
        bool, typer.Option("--fp16", help="Half the size: numbers in half precision.")
    ] = False,
    overwrite: Overwrite = False,
    json: JsonOption = False,
) -> ExitCode:
    """Write a model in the form of another program, with all sizes left open.

    The file is run at once in that program, on a photograph of two sizes; if its results
    are not PyTorch's, it is not kept. A .pth is in BasicSR's style, for Real-ESRGAN,
    chaiNNer and ComfyUI.

    [bold]Examples[/]

      srgan models export fidelity-x2 --to onnx
      srgan models export fidelity-x2 --to pth --fp16 -o ComfyUI/models/upscale_models
    """
    config = ExportConfig(name, to, output, fp16=fp16, overwrite=overwrite)
    report = engine.export_model(config, RichObserver())
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
    first: Annotated[str, typer.Argument(metavar="A", help="The model at alpha 0.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The model at alpha 1.")],
    alpha: Annotated[float, typer.Option(metavar="0..1", help="Share of B.")] = 0.5,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What to call it. [dim]Default: A-B-alpha.[/]"),
    ] = None,
    json: JsonOption = False,
) -> ExitCode:
    """Put the weights between two models on the shelf.

    One must have been trained from the other: a network for fidelity and the GAN that
    went on from it. Between them lies every balance of true and sharp.

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
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where README.md goes.")
    ],
    scores: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Scores to tell: the JSON of srgan eval --json."),
    ] = None,
    overwrite: Overwrite = False,
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
