"""Options of ``srgan upscale``."""

from dataclasses import dataclass
from pathlib import Path

from srgan_cli.config.checks import Precision, RuntimeName, out_of_range, require
from srgan_cli.errors import UsageError


@dataclass(frozen=True)
class UpscaleConfig:
    """Options of ``srgan upscale``."""

    inputs: tuple[Path, ...]
    """Images, folders whose images are taken, and patterns such as ``scans/*.jpg``."""
    output: Path | None = None
    """Folder for the results; made when it does not exist. None with ``in_place``."""
    in_place: bool = False
    """Replace each image by its result."""
    recursive: bool = False
    """Take the images of subfolders too, and mirror these below ``output``."""
    model: str | None = None
    """Run, bundled model or weights file; the newest run, else the bundled model."""
    strength: float | None = None
    """Between the fidelity (0) and the GAN (1) weights of a pair; ``model`` as it is when None."""
    scale: float | None = None
    """Factor per side of the results; the weights' own when no size is given."""
    width: int | None = None
    """Results are fitted into this many columns."""
    height: int | None = None
    """Results are fitted into this many rows."""
    max_side: int | None = None
    """Results are fitted into this many pixels along their longer side."""
    suffix: str = ""
    """Added to each file name before its extension."""
    ext: str | None = None
    """Extension of the results' format; each image's own format when not given."""
    quality: int | None = None
    """1 to 100, for lossy formats."""
    background: str = "white"
    """Colour that transparency is laid on in formats that have none."""
    strip_metadata: bool = False
    """Keep nothing beside the pixels but the colour profile, which they mean nothing without."""
    tile: int | None = None
    """Side of the square that each call of the network makes, in LR pixels; else by memory."""
    runtime: RuntimeName = "auto"
    """What runs the network; ``auto`` takes the fastest that is installed and fits."""
    tta: bool = False
    """Average the results of all eight orientations of the image."""
    precision: Precision = "fp32"
    """Arithmetic of the generator."""
    device: str = "auto"
    """``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``, …"""
    max_pixels: int = 256_000_000
    """Images with more input pixels than this are refused before they are decoded."""
    overwrite: bool = False
    """Replace files in the way that srgan did not make."""
    check: bool = False
    """Reduce each result again and measure how far it is from its source."""
    max_drift: float | None = None
    """PSNR in dB; results further from their source than this fail. Implies ``check``."""

    def __post_init__(self) -> None:
        """Check ranges and contradictions."""
        if not self.inputs:
            raise UsageError("no images were named", hint="try: srgan upscale *.jpg -o out/")
        if self.in_place == (self.output is not None):
            raise UsageError(
                "either --output or --in-place is needed, and not both",
                hint="try: srgan upscale *.jpg -o out/",
            )
        strength = self.strength
        require(strength is None or 0 <= strength <= 1, "strength", strength, "from 0 to 1")
        self._check_sizes()
        self._check_format()
        require(self.tile is None or self.tile >= 16, "tile", self.tile, "at least 16")
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
