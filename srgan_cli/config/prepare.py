"""Options of ``srgan prepare``."""

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from srgan_cli.config.checks import require, require_plain_name, require_scale, require_seed
from srgan_cli.config.option import Option

Action = Literal["drop", "flag", "keep"]
"""What becomes of an image with a fault: skipped, kept and reported, or kept."""

CHECKS = "Image checks"
_set = partial(Option, panel="Data set")
_check = partial(Option, panel=CHECKS)


@dataclass(frozen=True)
class PrepareConfig:
    """Options of ``srgan prepare``."""

    source: Annotated[
        Path | tuple[Path, ...],
        Option(
            "Folders of images, searched with all their subfolders, and files.",
            "FOLDER",
            argument=True,
        ),
    ]
    scale: Annotated[
        int | tuple[int, ...],
        _set(
            "Upscaling factor to prepare for; repeat it for several in one data set.",
            "2|3|4|8",
            flags=("--scale", "-s"),
        ),
    ] = 2
    """2 gives HR images four times the pixels of LR ones."""
    name: Annotated[str | None, _set("Name of the data set.", "NAME", unset="FOLDER-xSCALE")] = None
    max_side: Annotated[
        int,
        _set(
            "Shrink images whose longer side exceeds this; 0: never.",
            "PIXELS",
            flags=("--size", "--max-side"),
        ),
    ] = 2048
    crop: Annotated[
        int, _set("Cut images into squares of this side; 0: keep them whole.", "PIXELS")
    ] = 0
    reduce: Annotated[
        tuple[float, ...],
        _set("Also add every image shrunk to this fraction of its sides; repeatable.", "FRACTION"),
    ] = ()
    validation: Annotated[
        int, _set("Images held out for validation, by scene; at most a tenth of all.", "N")
    ] = 16
    seed: Annotated[int, _set("Random seed that decides which scenes are held out.", "N")] = 0
    overwrite: Annotated[
        bool, _set("Replace a data set of the same name, or drop images that are gone from FOLDER.")
    ] = False
    export: Annotated[
        Literal["png"] | None, _set("Also write plain hr and lr folders, for other tools.")
    ] = None

    check: Annotated[bool, _check("Only check and report; write nothing.")] = False
    exclude: Annotated[
        tuple[Path, ...],
        _check("Skip images that look like one of this evaluation set; repeatable.", "FOLDER"),
    ] = ()
    min_side: Annotated[
        int | None, _check("Skip images with a shorter side.", "PIXELS", unset="64 × scale")
    ] = None
    """64 LR pixels suffice for training patches of the default size."""
    duplicates: Annotated[
        Action,
        _check(
            "Duplicates (same file, or alike by perceptual hash and thumbnail): drop, flag "
            "(keep and report) or keep."
        ),
    ] = "drop"
    flat: Annotated[
        Action, _check("Flat images: 9 of 10 blocks deviate by less than 2 levels of 255.")
    ] = "drop"
    blurry: Annotated[
        Action, _check("Blurry images: fine detail is missing (see docs/data.md).")
    ] = "drop"
    upscaled: Annotated[
        Action,
        _check("Already upscaled images, by spectrum or srgan's label (see docs/data.md)."),
    ] = "drop"
    blocky: Annotated[Action, _check("Images with the 8×8 blocks of strong JPEG compression.")] = (
        "drop"
    )

    def __post_init__(self) -> None:
        """Check ranges."""
        require(bool(self.sources), "source", "nothing", "at least one folder or file")
        for scale in self.scales:
            require_scale(scale)
        require(len(set(self.scales)) == len(self.scales) > 0, "scale", self.scale, "all different")
        require(self.max_side == 0 or self.max_side >= 64, "max_side", self.max_side, "0 or >= 64")
        require(
            self.min_side is None or self.min_side >= 16, "min_side", self.min_side, "at least 16"
        )
        require(
            self.max_side == 0 or self.max_side >= (self.min_side or 0),
            "max_side",
            self.max_side,
            f"at least --min-side, which is {self.min_side}",
        )
        step = math.lcm(*self.scales)
        require(
            self.crop == 0 or (self.crop % step == 0 and self.crop >= 16),
            "crop",
            self.crop,
            f"0 or a multiple of {step}, at least 16",
        )
        require(
            all(0.1 <= share < 1 for share in self.reduce)
            and len(set(self.reduce)) == len(self.reduce),
            "reduce",
            ", ".join(map(str, self.reduce)),
            "at least 0.1 and below 1, all different",
        )
        require(self.validation >= 1, "validation", self.validation, "at least 1")
        require_seed(self.seed)
        if self.name is not None:
            require_plain_name(self.name)

    @property
    def sources(self) -> tuple[Path, ...]:
        """All folders and files."""
        return (self.source,) if isinstance(self.source, Path) else self.source

    @property
    def scales(self) -> tuple[int, ...]:
        """All factors per side."""
        return (self.scale,) if isinstance(self.scale, int) else self.scale

    @property
    def shortest(self) -> int:
        """Least side of an HR image, in pixels."""
        return max(self.min_side or 64 * max(self.scales), self.crop)

    @property
    def dropped_kinds(self) -> tuple[str, ...]:
        """Faults of a single image for which it is skipped."""
        return self._kinds("drop")

    @property
    def flagged_kinds(self) -> tuple[str, ...]:
        """Faults of a single photograph that are named."""
        return self._kinds("flag")

    def _kinds(self, action: Action) -> tuple[str, ...]:
        kinds = ("flat", "blurry", "upscaled", "blocky")
        return tuple(kind for kind in kinds if getattr(self, kind) == action)
