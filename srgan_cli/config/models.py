"""Options of ``srgan models``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from srgan_cli.config.option import Option
from srgan_cli.errors import UsageError

MODEL = Option(
    "Model: its name, a unique part of its name, or a weights file.", "NAME|FILE", argument=True
)

_SUFFIXES = {".onnx", ".xml", ".pt", ".param", ".bin", ".pth", ".safetensors"}
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

    def __post_init__(self) -> None:
        """Refuse a file in the place of the folder."""
        if self.output.suffix in _SUFFIXES and not self.output.is_dir():
            raise UsageError(
                f"--output {self.output} is named like a file, but a folder is needed",
                hint=f"the file is called after the model: --output {self.output.parent}",
            )
