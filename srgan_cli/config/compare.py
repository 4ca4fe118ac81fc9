"""Options of ``srgan compare``."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from srgan_cli.config.checks import require
from srgan_cli.config.common import PrecisionField, RuntimeField, TileField, UpscalingDeviceField
from srgan_cli.config.option import Option
from srgan_cli.config.upscale import factor
from srgan_cli.errors import UsageError

_page = partial(Option, panel="Page")


@dataclass(frozen=True)
class CompareConfig:
    """Options of ``srgan compare``."""

    inputs: Annotated[
        tuple[Path, ...],
        Option(
            "Images, folders of images, or quoted patterns such as 'scans/*.jpg'.",
            "IMAGE",
            argument=True,
        ),
    ]
    models: Annotated[
        tuple[str, ...],
        Option(
            "Model to compare, as srgan upscale takes it; repeat it for several.",
            "NAME|FILE",
            unset="all bundled ones of the scale",
            flags=("--model", "-n"),
        ),
    ] = ()
    scale: Annotated[
        float | None,
        Option(
            "Upscaling factor per side, such as 2, 2x or 250%.",
            "FACTOR",
            unset="that of the first --model, else 2",
            flags=("--scale", "-s"),
            parse=factor,
        ),
    ] = None
    recursive: Annotated[bool, Option("Include subfolders.", flags=("--recursive", "-r"))] = False

    output: Annotated[Path, _page("The page to write.", "FILE.html", flags=("--output", "-o"))] = (
        Path("compare.html")
    )
    images: Annotated[int, _page("Compare at most this many images.", "N")] = 20
    crops: Annotated[int, _page("Crops of each image, where the models differ most.", "N")] = 3
    page_mb: Annotated[float, _page("Largest size of the page, in megabytes.", "MB")] = 20.0
    overwrite: Annotated[bool, _page("Replace an existing page.")] = False
    max_pixels: Annotated[int, _page("Refuse images with more pixels than this.", "N")] = 64_000_000

    runtime: RuntimeField = "auto"
    tile: TileField = None
    precision: PrecisionField = "auto"
    device: UpscalingDeviceField = "auto"

    def __post_init__(self) -> None:
        """Check ranges."""
        if not self.inputs:
            raise UsageError("no images were named", hint="try: srgan compare a.jpg")
        scale = self.scale
        require(scale is None or 1 < scale <= 32, "scale", scale, "more than 1 and at most 32")
        require(self.images >= 1, "images", self.images, "at least 1")
        require(self.crops >= 0, "crops", self.crops, "0 or more")
        require(self.page_mb >= 1, "page_mb", self.page_mb, "at least 1")
        require(self.max_pixels >= 1, "max_pixels", self.max_pixels, "at least 1")
        require(self.tile is None or self.tile >= 16, "tile", self.tile, "at least 16")
        if len(set(self.models)) < len(self.models):
            raise UsageError("a --model is named twice", hint="name each model once")
