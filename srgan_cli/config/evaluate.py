"""Options of ``srgan eval``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from srgan_cli.config.checks import Precision, require, require_scale
from srgan_cli.errors import UsageError

Channel = Literal["y", "y-float", "rgb"]
EXTRA_METRICS = ("niqe", "vgg16", "lpips", "dists")
"""What ``srgan eval`` can measure beside PSNR and SSIM."""


@dataclass(frozen=True)
class EvalConfig:
    """Options of ``srgan eval``."""

    sets: tuple[Path, ...] = ()
    """Folders of HR images, whose LR is made by MATLAB's bicubic."""
    models: tuple[str, ...] = ()
    """Runs, bundled models or weights files; when empty and no ``sr`` is given: the
    newest run, else the bundled model."""
    hr: Path | None = None
    """Folder of HR images that go with ``lr`` or ``sr`` by name."""
    lr: Path | None = None
    """Folder of LR images; made from HR when not given."""
    sr: tuple[Path, ...] = ()
    """Folders of images that other tools upscaled."""
    scale: int | None = None
    """Factor per side that the weights must have; the weights' own when not given."""
    channel: Channel = "y"
    """``y``: the Y channel rounded to 8 bits, as in the literature. ``y-float``: not
    rounded, as in BasicSR. ``rgb``: all three channels."""
    border: int | None = None
    """HR pixels cut off every side before scoring; the scale when not given."""
    metrics: tuple[str, ...] = ()
    """What is measured beside PSNR and SSIM: ``niqe``, ``vgg16``, ``lpips``, ``dists``."""
    min_psnr: float | None = None
    """Least mean PSNR, in dB, of every model on every set."""
    min_ssim: float | None = None
    """Least mean SSIM of every model on every set."""
    not_worse_than: Path | None = None
    """The JSON of an earlier ``srgan eval --json``."""
    report: Path | None = None
    """HTML file to write."""
    show: int = 0
    """Crops to show in the terminal: of the images that gained least, then most."""
    report_mb: float = 20.0
    """Largest size of the HTML file, in megabytes."""
    overwrite: bool = False
    """Replace an existing ``report``."""
    tile: int | None = None
    """Side of the square given to the generator at once, in LR pixels."""
    precision: Precision = "fp32"
    """Arithmetic of the generator."""
    device: str = "auto"
    """``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``, …"""

    def __post_init__(self) -> None:
        """Check ranges, and that the inputs go together."""
        if self.scale is not None:
            require_scale(self.scale)
        require(self.border is None or self.border >= 0, "border", self.border, "0 or more")
        require(self.tile is None or self.tile >= 16, "tile", self.tile, "at least 16")
        require(self.show >= 0, "show", self.show, "0 or more")
        require(self.report_mb >= 1, "report_mb", self.report_mb, "at least 1")
        for metric in self.metrics:
            require(metric in EXTRA_METRICS, "metric", metric, ", ".join(EXTRA_METRICS))
        if self.hr is None and (self.lr or self.sr):
            raise UsageError(
                f"--{'lr' if self.lr else 'sr'} needs --hr",
                hint="name the folder of HR images to compare with: --hr FOLDER",
            )
        if self.hr is not None and not (self.lr or self.sr):
            raise UsageError(
                "--hr needs --lr or --sr",
                hint=f"to score a model on made LR images: srgan eval {self.hr}",
            )
        if self.hr is not None and self.sets:
            raise UsageError("folders of HR images and --hr", hint="give one of the two")
        if self.sr and not (self.scale or self.lr or self.models):
            raise UsageError(
                "--sr needs --scale",
                hint="it sets the border and the baselines' LR: --scale 2, 3, 4 or 8",
            )
