"""Options of ``srgan upscale``."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from srgan_cli.config.checks import out_of_range, require
from srgan_cli.config.common import PrecisionField, RuntimeField, TileField, UpscalingDeviceField
from srgan_cli.config.option import Option
from srgan_cli.errors import UsageError

SAFETY = "Safety"
_PAGE = "Page"
_model = partial(Option, panel="Model")
_size = partial(Option, panel="Size")
_format = partial(Option, panel="Format")
_safety = partial(Option, panel=SAFETY)


def factor(text: str) -> float:
    """Turn what the command line calls a factor into a number: 2, 2.5, 2x, x2, ×2 or 200%.

    Raises:
        UsageError: It is none of these.
    """
    number = text.strip().lower().removeprefix("x").removeprefix("×")
    percent = number.endswith("%")
    number = number.removesuffix("%") if percent else number.removesuffix("x").removesuffix("×")
    try:
        return float(number) / (100 if percent else 1)
    except ValueError as error:
        raise UsageError(
            f"--scale {text!r} is not a factor", hint="pass 2, 2.5, 2x or 250%"
        ) from error


@dataclass(frozen=True)
class UpscaleConfig:
    """Options of ``srgan upscale``."""

    inputs: Annotated[
        tuple[Path, ...],
        Option(
            "Images, folders of images, quoted patterns such as 'scans/*.jpg', or - for "
            "standard input.",
            "IMAGE",
            argument=True,
        ),
    ]
    output: Annotated[
        Path | None,
        Option(
            "Folder for the results, made if needed; for one image also a file; - is standard "
            "output.",
            "FOLDER|FILE",
            unset="beside each image, as name_x2",
            flags=("--output", "-o"),
        ),
    ] = None
    """Beside each image when None, or in its place with ``in_place``."""
    in_place: Annotated[bool, Option("Replace each image by its result.")] = False
    recursive: Annotated[
        bool,
        Option("Include subfolders, and mirror them below --output.", flags=("--recursive", "-r")),
    ] = False
    suffix: Annotated[str, Option("Text added to each file name before its extension.", "TEXT")] = (
        ""
    )

    model: Annotated[
        str | None,
        _model(
            "Model of srgan models list, or a .safetensors, .pth, .onnx or .param (ncnn) file.",
            "NAME|FILE",
            unset="your default, else the newest run that is better than the bundled model, else "
            "photo, or restore for damaged images",
            flags=("--model", "-n"),
        ),
    ] = None
    strength: Annotated[
        float | None,
        _model(
            "From faithful but soft (0) to sharp but partly invented (1), for models that come "
            "as a pair of fidelity and GAN weights.",
            "0..1",
        ),
    ] = None
    """``model`` as it is when None."""
    tta: Annotated[
        bool, _model("Average the results of eight orientations: slightly better, 8 times slower.")
    ] = False

    scale: Annotated[
        float | None,
        _size(
            "Upscaling factor per side, such as 2, 2.5, 2x or 250%.",
            "FACTOR",
            unset="the model's",
            flags=("--scale", "-s"),
            parse=factor,
        ),
    ] = None
    width: Annotated[int | None, _size("Fit the results into this width.", "PIXELS")] = None
    height: Annotated[int | None, _size("Fit the results into this height.", "PIXELS")] = None
    max_side: Annotated[
        int | None, _size("Fit the longer side of the results into this.", "PIXELS")
    ] = None

    ext: Annotated[
        str | None, _format("Format of the results, such as png.", "EXT", unset="each image's own")
    ] = None
    quality: Annotated[
        int | None,
        _format("Quality of lossy formats.", "1-100", unset="JPEG 95, AVIF 90, others lossless"),
    ] = None
    background: Annotated[
        str, _format("Colour behind transparent areas, in formats without transparency.", "COLOUR")
    ] = "white"
    strip_metadata: Annotated[
        bool,
        _format("Write only pixels and colour profile, without a label, dated now."),
    ] = False
    new_dates: Annotated[
        bool, _format("Date results now instead of giving them their source's modification time.")
    ] = False

    overwrite: Annotated[bool, _safety("Replace files that srgan did not make.")] = False
    check: Annotated[
        bool, _safety("Shrink each result again and report its PSNR against the source image.")
    ] = False
    max_drift: Annotated[
        float | None,
        _safety(
            "Do not write a result whose PSNR against its source, once shrunk again, is below "
            "this (exit code 7; implies --check).",
            "DB",
        ),
    ] = None
    max_pixels: Annotated[int, _safety("Refuse images with more pixels than this.", "N")] = (
        256_000_000
    )
    """They are refused before they are decoded."""

    report: Annotated[
        Path | None,
        Option("Write an HTML page that shows results beside their sources.", "FILE.html", _PAGE),
    ] = None
    report_images: Annotated[int, Option("Images that --report shows.", "N", _PAGE)] = 10

    runtime: RuntimeField = "auto"
    tile: TileField = None
    precision: PrecisionField = "auto"
    device: UpscalingDeviceField = "auto"

    def __post_init__(self) -> None:
        """Check ranges and contradictions."""
        if not self.inputs:
            raise UsageError("no images were named", hint="try: srgan upscale *.jpg -o out/")
        if self.in_place and self.output is not None:
            raise UsageError("--in-place contradicts --output", hint="pass one of them")
        strength = self.strength
        require(strength is None or 0 <= strength <= 1, "strength", strength, "from 0 to 1")
        self._check_sizes()
        self._check_format()
        require(self.tile is None or self.tile >= 16, "tile", self.tile, "at least 16")
        if self.report is not None and self.in_place:
            raise UsageError(
                "--report shows results beside their sources, which --in-place replaces",
                hint="pass --output FOLDER instead of --in-place",
            )
        require(self.report_images >= 1, "report_images", self.report_images, "at least 1")
        require(self.max_pixels >= 1, "max_pixels", self.max_pixels, "at least 1")
        if any(c in self.suffix for c in "/\\\0"):
            raise out_of_range("suffix", self.suffix, "text without slashes")

    def _check_sizes(self) -> None:
        if self.scale is not None:
            require(1 < self.scale <= 32, "scale", self.scale, "more than 1 and at most 32")
        limits = (self.width, self.height, self.max_side)
        for name, value in zip(("width", "height", "max_side"), limits, strict=True):
            require(value is None or 1 <= value <= 2**20, name, value, "1 or more pixels")
        if self.scale is not None and limits != (None, None, None):
            raise UsageError(
                "--scale contradicts --width, --height and --max-side", hint="pass one kind"
            )

    def _check_format(self) -> None:
        require(
            self.quality is None or 1 <= self.quality <= 100, "quality", self.quality, "1 to 100"
        )
        drift = self.max_drift
        require(drift is None or 0 < drift < 1000, "max_drift", drift, "a PSNR in dB, such as 30")
        if self.in_place and (self.ext or self.suffix):
            raise UsageError(
                "--in-place keeps names, so --ext and --suffix cannot go with it",
                hint="pass --output FOLDER instead of --in-place",
            )
