"""Options of ``srgan models``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from srgan_cli.config.option import Option

MODEL = Option(
    "Model: its name, a unique part of its name, or a weights file.", "NAME|FILE", argument=True
)

Target = Literal["onnx", "openvino", "torchscript", "ncnn", "pth"]


@dataclass(frozen=True)
class ExportConfig:
    """Options of ``srgan models export``."""

    model: Annotated[str, MODEL]
    to: Annotated[Target, Option("Format of the exported file.")]
    output: Annotated[
        Path,
        Option(
            "Folder for the file, made if needed.",
            "FOLDER",
            unset="the current one",
            flags=("--output", "-o"),
        ),
    ] = Path()
    fp16: Annotated[bool, Option("Store half-precision numbers, in half the size.")] = False
    """Where the format says how to, they are computed with as well."""
    overwrite: Annotated[bool, Option("Replace existing files.")] = False
