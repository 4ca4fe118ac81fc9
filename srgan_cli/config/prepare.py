"""Options of ``srgan prepare``."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from srgan_cli.config.checks import require, require_plain_name, require_scale, require_seed

Action = Literal["drop", "flag", "keep"]
"""What becomes of a photograph with a fault: left out, kept and named, or kept."""


@dataclass(frozen=True)
class PrepareConfig:
    """Options of ``srgan prepare``."""

    source: Path
    """Folder of photographs, searched with all its subfolders."""
    scale: int | tuple[int, ...] = 2
    """Factor per side, or several: 2 gives HR images four times the pixels of LR ones."""
    name: str | None = None
    """Name of the data set; the source folder's name and the scale when not given."""
    max_side: int = 2048
    """Longest side of an HR image; larger photographs are reduced to it. 0 keeps all."""
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
    reduce: tuple[float, ...] = ()
    """Shares of their sides at which photographs are in the set once more."""
    exclude: tuple[Path, ...] = ()
    """Folders of evaluation images; what looks like one of them is left out."""
    duplicates: Action = "drop"
    """Photographs that look like another one, which is kept."""
    flat: Action = "drop"
    """Photographs with hardly anything in them."""
    blurry: Action = "drop"
    """Photographs without fine detail."""
    upscaled: Action = "drop"
    """Photographs whose spectrum ends early, as it does after an upscaling."""
    blocky: Action = "drop"
    """Photographs with the 8×8 blocks of strong JPEG compression."""
    check: bool = False
    """Examine the photographs and write nothing."""
    export: Literal["png"] | None = None
    """Also write the set as plain folders of images in this format."""

    def __post_init__(self) -> None:
        """Check ranges."""
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
            require_plain_name(self.name, "--name")

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
        """Faults of a single photograph for which it is left out."""
        return self._kinds("drop")

    @property
    def flagged_kinds(self) -> tuple[str, ...]:
        """Faults of a single photograph that are named."""
        return self._kinds("flag")

    def _kinds(self, action: Action) -> tuple[str, ...]:
        kinds = ("flat", "blurry", "upscaled", "blocky")
        return tuple(kind for kind in kinds if getattr(self, kind) == action)
