"""Options of ``srgan eval``."""

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from srgan_cli.config.checks import require, require_scale
from srgan_cli.config.common import PrecisionField, TileField, UpscalingDeviceField
from srgan_cli.config.option import Option, either
from srgan_cli.errors import UsageError

Channel = Literal["y", "y-float", "rgb"]
EXTRA_METRICS = ("niqe", "vgg16", "lpips", "dists")
"""What ``srgan eval`` can measure beside PSNR and SSIM."""

_input = partial(Option, panel="Models and images")
_protocol = partial(Option, panel="Protocol")
_limit = partial(Option, panel="Limits")
_report = partial(Option, panel="Report")


@dataclass(frozen=True)
class EvalConfig:
    """Options of ``srgan eval``."""

    sets: Annotated[
        tuple[Path, ...],
        Option(
            "Folders of HR images.",
            "FOLDER",
            unset="the validation images of the data set that the model was trained on",
            argument=True,
        ),
    ] = ()
    """Their LR images are made by MATLAB's bicubic."""
    models: Annotated[
        tuple[str, ...],
        _input(
            "Run, bundled model or weights file; repeat it to compare several.",
            "NAME|FILE",
            unset="the newest run and the bundled model",
            flags=("--model", "-n"),
        ),
    ] = ()
    """None is scored by default where ``sr`` is given."""
    hr: Annotated[
        Path | None, _input("HR images that belong to those of --lr or --sr by name.", "FOLDER")
    ] = None
    lr: Annotated[Path | None, _input("LR images.", "FOLDER", unset="made from the HR images")] = (
        None
    )
    sr: Annotated[
        tuple[Path, ...], _input("Images that another tool upscaled; repeatable.", "FOLDER")
    ] = ()

    scale: Annotated[
        int | None,
        _protocol(
            "Upscaling factor; the model must have it.",
            "2|3|4|8",
            unset="the weights' own",
            flags=("--scale", "-s"),
        ),
    ] = None
    channel: Annotated[
        Channel,
        _protocol(
            "Channels to score: y (8-bit luma, as in papers), y-float (not rounded, as in "
            "BasicSR) or rgb."
        ),
    ] = "y"
    border: Annotated[
        int | None,
        _protocol("HR pixels cut off every side before scoring.", "PIXELS", unset="the scale"),
    ] = None
    metrics: Annotated[
        tuple[str, ...],
        _protocol(
            "Another metric to measure; repeatable. lpips and dists need pip install "
            "'srgan-cli[perceptual]'.",
            "|".join(EXTRA_METRICS),
            flags=("--metric",),
        ),
    ] = ()

    min_psnr: Annotated[
        float | None, _limit("Exit with code 8 when a mean PSNR is below this.", "DB")
    ] = None
    min_ssim: Annotated[
        float | None, _limit("Exit with code 8 when a mean SSIM is below this.", "S")
    ] = None
    not_worse_than: Annotated[
        Path | None,
        _limit(
            "Exit with code 8 when a model scores worse than in this earlier output of --json.",
            "RUN.json",
        ),
    ] = None

    tolerance: Annotated[
        float,
        _limit("PSNR that --not-worse-than lets a model lose; SSIM does not count then.", "DB"),
    ] = 0.0

    report: Annotated[
        Path | None, _report("Write an HTML page with plots and images.", "FILE.html")
    ] = None
    report_mb: Annotated[float, _report("Largest size of the HTML page, in megabytes.", "MB")] = (
        20.0
    )
    overwrite: Annotated[bool, _report("Replace an existing --report.")] = False
    show: Annotated[
        int, _report("Show crops of N images in the terminal (kitty, iTerm2 or sixel).", "N")
    ] = 0
    """Of the images that gained least, then most."""

    tile: TileField = None
    precision: PrecisionField = "fp32"
    device: UpscalingDeviceField = "auto"

    def __post_init__(self) -> None:
        """Check ranges, and that the inputs go together."""
        if self.scale is not None:
            require_scale(self.scale)
        require(self.border is None or self.border >= 0, "border", self.border, "0 or more")
        require(self.tile is None or self.tile >= 16, "tile", self.tile, "at least 16")
        require(0 <= self.tolerance < math.inf, "tolerance", self.tolerance, "0 or more")
        if self.tolerance and not self.not_worse_than:
            raise UsageError(
                "--tolerance belongs to --not-worse-than", hint="add --not-worse-than RUN.json"
            )
        require(self.show >= 0, "show", self.show, "0 or more")
        require(self.report_mb >= 1, "report_mb", self.report_mb, "at least 1")
        for metric in self.metrics:
            require(metric in EXTRA_METRICS, "metric", metric, either(EXTRA_METRICS))
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
            raise UsageError("folders of HR images and --hr were given", hint="pass one of the two")
        if self.sr and not (self.scale or self.lr or self.models):
            raise UsageError(
                "--sr needs --scale",
                hint="it sets the border and the baselines' LR: --scale 2, 3, 4 or 8",
            )
