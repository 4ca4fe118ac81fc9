"""One frozen dataclass per command, validated when it is made. No torch here."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, Self

from srgan_cli.errors import UsageError

SCALES = (2, 3, 4, 8)

Precision = Literal["auto", "fp32", "fp16", "bf16"]
Channel = Literal["y", "y-float", "rgb"]
EXTRA_METRICS = ("niqe", "vgg16", "lpips", "dists")
"""What ``srgan eval`` can measure beside PSNR and SSIM."""
Action = Literal["drop", "flag", "keep"]
"""What becomes of a photograph with a fault: left out, kept and named, or kept."""
Degrade = Literal["none", "mild", "strong"]
Upsampler = Literal["pixelshuffle", "nearest"]


def _require_scale(scale: int) -> None:
    _require(scale in SCALES, "scale", scale, "2, 3, 4 or 8")


def _require_seed(seed: int) -> None:
    _require(0 <= seed < 2**31, "seed", seed, "from 0 to 2147483647")


def _require(condition: bool, name: str, value: object, wanted: str) -> None:
    if not condition:
        raise _out_of_range(name, value, wanted)


def _out_of_range(name: str, value: object, wanted: str) -> UsageError:
    return UsageError(f"--{name.replace('_', '-')} is {value!r}", hint=f"it must be {wanted}")


def require_plain_name(name: str, option: str) -> None:
    """Refuse a name that could point outside its folder.

    Raises:
        UsageError: The name is empty, starts with a dot, or holds a path separator.
    """
    too_long = len(name.encode(errors="surrogateescape")) > 100
    if not name or name.startswith(".") or too_long or any(c in name for c in "/\\\0\n"):
        raise UsageError(
            f"{option} {name!r} is not a plain name",
            hint="use at most 100 letters, digits, '-' and '_'",
        )


@dataclass(frozen=True)
class GeneratorConfig:
    """What rebuilds a generator; stored in the header of every weights file."""

    scale: int
    """Factor per side. 1 is allowed for ESRGAN-style restoration weights."""
    channels: int
    """Feature maps between blocks."""
    growth: int
    """Feature maps that each convolution of a dense block adds."""
    num_blocks: int
    """Blocks in the trunk."""
    dense_blocks: int
    """Dense residual blocks per trunk block: 1 for a plain one, 3 for an RRDB."""
    num_convs: int
    """Convolutions per dense residual block."""
    residual_scale: float
    """Factor on each block's residual before it is added to the skip connection."""
    upsampler: Upsampler
    """``pixelshuffle``: one convolution at LR size, added to the bilinear enlargement.
    ``nearest``: ESRGAN's nearest-neighbour doublings, each with a convolution."""

    def __post_init__(self) -> None:
        """Check every number."""
        for field in ("scale", "channels", "growth", "num_blocks", "dense_blocks", "num_convs"):
            value = getattr(self, field)
            if not isinstance(value, int) or not 1 <= value <= 1024:
                raise _out_of_range(field, value, "a whole number from 1 to 1024")
        if self.scale not in (1, *SCALES):
            raise _out_of_range("scale", self.scale, "2, 3, 4 or 8")
        if not isinstance(self.residual_scale, int | float) or not 0 < self.residual_scale <= 1:
            raise _out_of_range("residual_scale", self.residual_scale, "above 0, at most 1")
        if self.upsampler not in ("pixelshuffle", "nearest"):
            raise _out_of_range("upsampler", self.upsampler, "pixelshuffle or nearest")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild the config from its JSON form; unknown or missing keys are a TypeError."""
        return cls(**values)


PRESETS: Mapping[str, GeneratorConfig] = {
    "compact": GeneratorConfig(
        scale=2,
        channels=32,
        growth=32,
        num_blocks=3,
        dense_blocks=1,
        num_convs=3,
        residual_scale=1.0,
        upsampler="pixelshuffle",
    ),
    "standard": GeneratorConfig(
        scale=2,
        channels=64,
        growth=32,
        num_blocks=6,
        dense_blocks=1,
        num_convs=5,
        residual_scale=0.2,
        upsampler="pixelshuffle",
    ),
    "esrgan": GeneratorConfig(
        scale=2,
        channels=64,
        growth=32,
        num_blocks=23,
        dense_blocks=3,
        num_convs=5,
        residual_scale=0.2,
        upsampler="nearest",
    ),
}
"""Generator sizes by name, at ×2; :func:`preset` gives them at any scale."""


def preset(name: str, scale: int) -> GeneratorConfig:
    """Return the named generator size for a scale.

    Raises:
        UsageError: No preset has that name.
    """
    if name not in PRESETS:
        raise UsageError(
            f"no preset is called {name!r}", hint=f"choose one of: {', '.join(PRESETS)}"
        )
    return replace(PRESETS[name], scale=scale)


@dataclass(frozen=True)
class PrepareConfig:
    """Options of ``srgan prepare``."""

    source: Path
    """Folder of photographs, searched with all its subfolders."""
    scale: int | tuple[int, ...] = 2
    """Factor per side, or several: 2 gives HR pictures four times the pixels of LR ones."""
    name: str | None = None
    """Name of the data set; the source folder's name and the scale when not given."""
    max_side: int = 2048
    """Longest side of an HR picture; larger photographs are reduced to it. 0 keeps all."""
    min_side: int | None = None
    """Photographs with a side shorter than this, in pixels, are left out; 64 LR pixels
    when not given, so that training patches of the default size fit."""
    validation: int = 16
    """Photographs set aside to measure a run (at most a tenth of all)."""
    seed: int = 0
    """Chooses which photographs are set aside."""
    overwrite: bool = False
    """Replace a data set of the same name made from other photographs or settings."""
    crop: int = 0
    """Side of the HR sub-images that photographs are cut into; 0 keeps them whole."""
    exclude: tuple[Path, ...] = ()
    """Folders of evaluation pictures; what looks like one of them is left out."""
    duplicates: Action = "drop"
    """Photographs that look like another one, which is kept."""
    flat: Action = "drop"
    """Photographs with hardly anything in them."""
    blurry: Action = "drop"
    """Photographs without fine detail."""
    upscaled: Action = "drop"
    """Photographs whose spectrum ends early, as it does after an enlargement."""
    blocky: Action = "drop"
    """Photographs with the 8×8 blocks of strong JPEG compression."""
    check: bool = False
    """Examine the photographs and write nothing."""
    export: Literal["png"] | None = None
    """Also write the set as plain folders of pictures in this format."""

    def __post_init__(self) -> None:
        """Check ranges."""
        for scale in self.scales:
            _require_scale(scale)
        _require(
            len(set(self.scales)) == len(self.scales) > 0, "scale", self.scale, "all different"
        )
        _require(self.max_side == 0 or self.max_side >= 64, "max_side", self.max_side, "0 or >= 64")
        _require(
            self.min_side is None or self.min_side >= 16, "min_side", self.min_side, "at least 16"
        )
        _require(
            self.max_side == 0 or self.max_side >= (self.min_side or 0),
            "max_side",
            self.max_side,
            f"at least --min-side, which is {self.min_side}",
        )
        step = math.lcm(*self.scales)
        _require(
            self.crop == 0 or (self.crop % step == 0 and self.crop >= 16),
            "crop",
            self.crop,
            f"0 or a multiple of {step}, at least 16",
        )
        _require(self.validation >= 1, "validation", self.validation, "at least 1")
        _require_seed(self.seed)
        if self.name is not None:
            require_plain_name(self.name, "--name")

    @property
    def scales(self) -> tuple[int, ...]:
        """All factors per side."""
        return (self.scale,) if isinstance(self.scale, int) else self.scale

    @property
    def shortest(self) -> int:
        """Least side of an HR picture, in pixels."""
        return max(self.min_side or 64 * max(self.scales), self.crop)

    @property
    def dropped_kinds(self) -> tuple[str, ...]:
        """Faults of a single photograph for which it is left out."""
        return self._kinds("drop")

    @property
    def flagged_kinds(self) -> tuple[str, ...]:
        """Faults of a single photograph that are named."""
        return self._kinds("flag")

    def _kinds(self, action: Action) -> tuple[str, ...]:
        kinds = ("flat", "blurry", "upscaled", "blocky")
        return tuple(kind for kind in kinds if getattr(self, kind) == action)


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms of both losses.

    Defaults follow ESRGAN (Wang et al. 2018, section 4.1) for the generator and
    WGAN-GP (Gulrajani et al. 2017, algorithm 1) for the discriminator.
    """

    pixel: float = 1e-2
    """L1 distance of pixels in [0, 1] during the adversarial phase (1 in pretraining)."""
    perceptual: float = 1.0
    """L1 distance of VGG features, normalised to unit mean magnitude per layer."""
    adversarial: float = 5e-3
    """Minus the critic's mean score of generated pictures."""
    gradient_penalty: float = 10.0
    """Mean squared distance of the critic's gradient norm from 1."""

    def __post_init__(self) -> None:
        """Refuse negative weights."""
        for field in fields(self):
            value = getattr(self, field.name)
            _require(0 <= value < math.inf, f"{field.name}_weight", value, "0 or more")


@dataclass(frozen=True)
class TrainConfig:
    """Options of ``srgan train``."""

    data: str | None = None
    """Name or folder of a prepared data set; the newest when not given."""
    scale: int | None = None
    """Which scale of a set that holds several; its first when not given."""
    degrade: Degrade = "none"
    """Blur, noise, resizing and JPEG damage to learn to undo, drawn anew for each patch."""
    name: str | None = None
    """Name of the run; the preset, scale and time when not given."""
    preset: str = "compact"
    """Generator size: ``compact``, ``standard`` or ``esrgan``."""
    epochs: int = 131
    """Passes over the photographs, one random patch of each per pass."""
    steps: int | None = None
    """Length of the run in steps instead of epochs."""
    pretrain: float = 0.5
    """Share of the run, from its start, that trains on the pixel loss alone."""
    batch: int = 16
    """Patches per step."""
    patch: int = 48
    """Side of a training patch, in LR pixels."""
    learning_rate: float = 1e-3
    """Adam's peak learning rate in pretraining; cosine to zero."""
    adversarial_learning_rate: float = 1e-4
    """Adam's peak learning rate of both networks in the adversarial phase; cosine to zero."""
    warmup: int = 50
    """Steps over which each phase's learning rate rises to its peak."""
    weights: LossWeights = LossWeights()
    """Weights of the loss terms."""
    perceptual: str = "vgg16"
    """``vgg16`` (bundled), ``vgg19`` (downloaded once), ``none`` or a safetensors file."""
    critic_width: int = 64
    """Kernels of the discriminator's first convolution; the last has eight times as many."""
    critic_steps: int = 1
    """Discriminator updates per generator update."""
    ema: float = 0.999
    """Decay of the running mean of the generator's weights, which is what gets saved."""
    init: Path | None = None
    """Generator weights to start from."""
    precision: Precision = "auto"
    """Arithmetic of the forward passes; ``auto`` chooses by device."""
    device: str = "auto"
    """``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``, …"""
    seed: int = 0
    """Fixes initialisation, the order of the data and every random crop."""
    validate_every: int = 500
    """Steps between validations; weights and the checkpoint are saved at each."""
    resume: str | None = None
    """Name or folder of a run to go on with; its own settings are used."""

    def __post_init__(self) -> None:
        """Check ranges."""
        for name in ("epochs", "batch", "critic_width", "critic_steps", "validate_every"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        _require(self.steps is None or self.steps >= 1, "steps", self.steps, "at least 1")
        _require(0 <= self.pretrain <= 1, "pretrain", self.pretrain, "from 0 to 1")
        _require(self.patch >= 16, "patch", self.patch, "at least 16")
        _require(self.warmup >= 0, "warmup", self.warmup, "0 or more")
        _require(0 <= self.ema < 1, "ema", self.ema, "from 0 to below 1")
        for name in ("learning_rate", "adversarial_learning_rate"):
            _require(0 < getattr(self, name) < 1, name, getattr(self, name), "between 0 and 1")
        _require_seed(self.seed)
        preset(self.preset, 2)
        if self.name is not None:
            require_plain_name(self.name, "--name")

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, which :meth:`from_dict` reads back."""
        values = asdict(self)
        values["init"] = None if self.init is None else str(self.init)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild a config from its JSON form; unknown keys are a TypeError."""
        rebuilt = dict(values)
        rebuilt["weights"] = LossWeights(**rebuilt["weights"])
        rebuilt["init"] = None if rebuilt["init"] is None else Path(rebuilt["init"])
        return cls(**rebuilt)


@dataclass(frozen=True)
class UpscaleConfig:
    """Options of ``srgan upscale``."""

    inputs: tuple[Path, ...]
    """Pictures, folders whose pictures are taken, and patterns such as ``scans/*.jpg``."""
    output: Path | None = None
    """Folder for the results; made when it does not exist. None with ``in_place``."""
    in_place: bool = False
    """Replace each picture by its result."""
    recursive: bool = False
    """Take the pictures of subfolders too, and mirror these below ``output``."""
    model: str | None = None
    """Run, bundled model or weights file; the newest run, else the bundled model."""
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
    """Extension of the results' format; each picture's own format when not given."""
    quality: int | None = None
    """1 to 100, for lossy formats."""
    background: str = "white"
    """Colour that transparency is laid on in formats that have none."""
    strip_metadata: bool = False
    """Keep nothing beside the pixels but the colour profile, which they mean nothing without."""
    tile: int = 256
    """Side of the square given to the generator at once, in LR pixels."""
    precision: Precision = "fp32"
    """Arithmetic of the generator."""
    device: str = "auto"
    """``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``, …"""
    max_pixels: int = 256_000_000
    """Pictures with more input pixels than this are refused before they are decoded."""
    overwrite: bool = False
    """Replace files in the way that srgan did not make."""
    check: bool = False
    """Reduce each result again and measure how far it is from its source."""
    max_drift: float | None = None
    """PSNR in dB; results further from their source than this fail. Implies ``check``."""

    def __post_init__(self) -> None:
        """Check ranges and contradictions."""
        if not self.inputs:
            raise UsageError("no pictures were named", hint="try: srgan upscale *.jpg -o out/")
        if self.in_place == (self.output is not None):
            raise UsageError(
                "either --output or --in-place is needed, and not both",
                hint="try: srgan upscale *.jpg -o out/",
            )
        self._check_sizes()
        self._check_format()
        _require(self.tile >= 16, "tile", self.tile, "at least 16")
        _require(self.max_pixels >= 1, "max_pixels", self.max_pixels, "at least 1")
        if any(c in self.suffix for c in "/\\\0"):
            raise _out_of_range("suffix", self.suffix, "text without slashes")

    def _check_sizes(self) -> None:
        if self.scale is not None:
            _require(1 < self.scale <= 32, "scale", self.scale, "more than 1 and at most 32")
        limits = (self.width, self.height, self.max_side)
        for name, value in zip(("width", "height", "max_side"), limits, strict=True):
            _require(value is None or 1 <= value <= 2**20, name, value, "1 or more pixels")
        if self.scale is not None and limits != (None, None, None):
            raise UsageError(
                "--scale contradicts --width, --height and --max-side", hint="pass one kind"
            )

    def _check_format(self) -> None:
        _require(
            self.quality is None or 1 <= self.quality <= 100, "quality", self.quality, "1 to 100"
        )
        drift = self.max_drift
        _require(drift is None or 0 < drift < 1000, "max_drift", drift, "a PSNR in dB, such as 30")
        if self.in_place and (self.ext or self.suffix):
            raise UsageError(
                "--in-place keeps names, so --ext and --suffix cannot go with it",
                hint="pass --output FOLDER instead of --in-place",
            )


@dataclass(frozen=True)
class EvalConfig:
    """Options of ``srgan eval``."""

    sets: tuple[Path, ...] = ()
    """Folders of HR pictures, whose LR is made by MATLAB's bicubic."""
    models: tuple[str, ...] = ()
    """Runs, bundled models or weights files; when empty and no ``sr`` is given: the
    newest run, else the bundled model."""
    hr: Path | None = None
    """Folder of HR pictures that go with ``lr`` or ``sr`` by name."""
    lr: Path | None = None
    """Folder of LR pictures; made from HR when not given."""
    sr: tuple[Path, ...] = ()
    """Folders of pictures that other tools enlarged."""
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
    """Crops to show in the terminal: of the pictures that gained least, then most."""
    report_mb: float = 20.0
    """Largest size of the HTML file, in megabytes."""
    overwrite: bool = False
    """Replace an existing ``report``."""
    tile: int = 256
    """Side of the square given to the generator at once, in LR pixels."""
    precision: Precision = "fp32"
    """Arithmetic of the generator."""
    device: str = "auto"
    """``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``, …"""

    def __post_init__(self) -> None:
        """Check ranges, and that the inputs go together."""
        if self.scale is not None:
            _require_scale(self.scale)
        _require(self.border is None or self.border >= 0, "border", self.border, "0 or more")
        _require(self.tile >= 16, "tile", self.tile, "at least 16")
        _require(self.show >= 0, "show", self.show, "0 or more")
        _require(self.report_mb >= 1, "report_mb", self.report_mb, "at least 1")
        for metric in self.metrics:
            _require(metric in EXTRA_METRICS, "metric", metric, ", ".join(EXTRA_METRICS))
        if self.hr is None and (self.lr or self.sr):
            raise UsageError(
                f"--{'lr' if self.lr else 'sr'} needs --hr",
                hint="name the folder of HR pictures to compare with: --hr FOLDER",
            )
        if self.hr is not None and not (self.lr or self.sr):
            raise UsageError(
                "--hr needs --lr or --sr",
                hint=f"to score a model on made LR pictures: srgan eval {self.hr}",
            )
        if self.hr is not None and self.sets:
            raise UsageError("folders of HR pictures and --hr", hint="give one of the two")
        if self.sr and not (self.scale or self.lr or self.models):
            raise UsageError(
                "--sr needs --scale",
                hint="it sets the border and the baselines' LR: --scale 2, 3, 4 or 8",
            )
