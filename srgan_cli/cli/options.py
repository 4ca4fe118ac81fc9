"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from srgan_cli.config import Precision

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the result as one JSON document on stdout.")
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-n",
        metavar="NAME|FILE",
        help="Model of [bold]srgan models list[/], part of its name, or a .safetensors or "
        ".pth file. [dim]Default: the newest run, else the bundled model.[/]",
        show_default=False,
    ),
]
ScaleOption = Annotated[
    int | None,
    typer.Option(
        "--scale",
        "-s",
        metavar="2|3|4|8",
        help="Factor per side; the weights must have it. [dim]Default: theirs.[/]",
        show_default=False,
    ),
]
TileOption = Annotated[
    int | None,
    typer.Option(
        "--tile",
        "-t",
        metavar="PIXELS",
        help="Side of the square upscaled at once, in LR pixels. [dim]Default: by memory.[/]",
        show_default=False,
    ),
]
PrecisionOption = Annotated[
    Precision, typer.Option("--precision", help="Arithmetic of the network.")
]
DeviceOption = Annotated[
    str, typer.Option("--device", metavar="NAME", help="auto, cpu, cuda, cuda:1, mps or xpu.")
]
ImagePaths = Annotated[
    list[Path],
    typer.Argument(metavar="IMAGE", help="Images, or folders of images."),
]
