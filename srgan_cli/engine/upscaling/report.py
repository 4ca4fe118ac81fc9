"""What ``srgan upscale`` did, image by image."""

from dataclasses import dataclass
from pathlib import Path

from srgan_cli.engine.models.weights import ModelSource
from srgan_cli.engine.upscaling.inputs import Failed


@dataclass(frozen=True, slots=True)
class Upscaled:
    """An image that was written."""

    source: Path
    output: Path
    width: int
    """Columns of the result."""
    height: int
    """Rows of the result."""
    frames: int
    """Frames or pages of the result."""
    seconds: float
    """Reading, upscaling and writing."""
    notes: tuple[str, ...]
    """What could not be kept as it was, in words."""
    device: str
    """Where the network ran, as ``--device`` takes it."""
    runtime: str
    """What ran it."""
    precision: str
    """In which it ran: ``fp32``, ``fp16`` or ``bf16``."""
    drift: float | None = None
    """PSNR in dB of the reduced result beside its source; None when not measured."""
    replaced: bool = False
    """It took the place of a result that an earlier command made in another way."""
    model: str = ""
    """Name of the model that made it."""
    damage: tuple[str, ...] = ()
    """What was found in the source, for which ``restoring`` made it, in words."""


@dataclass(frozen=True, slots=True)
class UpscaleReport:
    """What ``srgan upscale`` did."""

    model: ModelSource
    """Of images that are not damaged, or of all."""
    scale: int
    """The model's factor per side."""
    written: tuple[Upscaled, ...]
    unchanged: tuple[Path, ...]
    """Results that stood there already, made from the same image in the same way."""
    failed: tuple[Failed, ...]
    seconds: float
    """Of the whole batch, once the model was loaded."""
    restoring: ModelSource | None = None
    """The model of damaged images; None where one model makes all."""
