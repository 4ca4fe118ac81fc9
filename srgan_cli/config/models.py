"""Options of ``srgan models``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Target = Literal["onnx", "openvino", "torchscript", "ncnn", "pth"]


@dataclass(frozen=True)
class ExportConfig:
    """Options of ``srgan models export``."""

    model: str
    """Name, part of a name, or weights file."""
    to: Target
    """Form of the file."""
    output: Path = Path()
    """Folder that it is written into; made when it does not exist."""
    fp16: bool = False
    """Store numbers in half precision, and compute in it where the form says how to."""
    overwrite: bool = False
    """Replace files of the same name."""
