"""Sizes of the generators that ``srgan train`` can make, and the presets that name them.

The classes are in ``engine/networks``, one file for each architecture, which is all that a new one
takes to be loaded, used and exported. For ``srgan train`` to make it too, its sizes and a preset
come here: options, help and config files are made and checked from them without torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, Literal, Self, get_args

from srgan_cli.config.checks import SCALES, out_of_range
from srgan_cli.config.option import Option, declared, either
from srgan_cli.errors import UsageError

Upsampler = Literal["pixelshuffle", "nearest"]

_size = partial(Option, panel="Generator size", unset="the preset's")
_count = partial(_size, metavar="N")


@dataclass(frozen=True)
class DenseConfig:
    """What rebuilds a network of dense residual blocks; stored in the header of its weights."""

    scale: int
    """Factor per side. 1 is allowed for ESRGAN-style restoration weights."""
    channels: Annotated[
        int, _count("Channels between blocks, or between the layers of a plain network.")
    ]
    growth: Annotated[int, _count("Channels that each convolution of a dense block adds.")]
    num_blocks: Annotated[int, _count("Blocks in the trunk.")]
    dense_blocks: Annotated[int, _count("Dense blocks per block: 1, or 3 for an RRDB.")]
    num_convs: Annotated[int, _count("Convolutions per dense block, or in a plain network.")]
    residual_scale: Annotated[float, _size("Factor on the residual that each block adds.", "0..1")]
    upsampler: Annotated[
        Upsampler, _size(f"Upsampling layers: {either(get_args(Upsampler))}.", "NAME")
    ]
    """``pixelshuffle``: one convolution at LR size, added to the bilinear upscaling.
    ``nearest``: ESRGAN's nearest-neighbour doublings, each with a convolution."""
    unshuffle: int | None = None
    """``nearest`` only: pixels per side that are folded into channels before the trunk.
    None is what Real-ESRGAN's weights of the scale have: 4 at ×1, 2 at ×2, else 1."""

    def __post_init__(self) -> None:
        """Check every number."""
        for field in ("scale", "channels", "growth", "num_blocks", "dense_blocks", "num_convs"):
            value = getattr(self, field)
            if not isinstance(value, int) or not 1 <= value <= 1024:
                raise out_of_range(field, value, "a whole number from 1 to 1024")
        if self.scale not in (1, *SCALES):
            raise out_of_range("scale", self.scale, "2, 3, 4 or 8")
        if not isinstance(self.residual_scale, int | float) or not 0 < self.residual_scale <= 1:
            raise out_of_range("residual_scale", self.residual_scale, "above 0, at most 1")
        if self.upsampler not in ("pixelshuffle", "nearest"):
            raise out_of_range("upsampler", self.upsampler, "pixelshuffle or nearest")
        if self.unshuffle is not None:
            self._check_unshuffle(self.unshuffle)

    def _check_unshuffle(self, fold: int) -> None:
        if (
            not isinstance(fold, int)
            or fold not in (1, 2, 4)
            or (self.upsampler != "nearest" and fold != 1)
        ):
            raise out_of_range("unshuffle", fold, "1, 2 or 4, and 1 with pixelshuffle")
        if fold * self.scale not in (1, 2, 3, 4, 8):
            raise out_of_range("unshuffle", fold, "such that scale × unshuffle is 8 or less")

    @property
    def fold(self) -> int:
        """Pixels per side that are folded into channels before the trunk."""
        if self.unshuffle is not None:
            return self.unshuffle
        return {1: 4, 2: 2}.get(self.scale, 1) if self.upsampler == "nearest" else 1

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild the config from its JSON form; unknown or missing keys are a TypeError."""
        return cls(**values)


SIZES = tuple(option.name for option in declared(DenseConfig))
"""What ``srgan train`` lets people choose; folding is for weights that others published."""


@dataclass(frozen=True)
class _PlainSizes:
    """Sizes of convolutions one after the other."""

    scale: int
    """Factor per side."""
    channels: int
    """Channels of all convolutions but the last."""
    num_convs: int
    """Convolutions between the first and the last."""

    def __post_init__(self) -> None:
        """Check every number."""
        for field in ("channels", "num_convs"):
            value = getattr(self, field)
            if not isinstance(value, int) or not 1 <= value <= 1024:
                raise out_of_range(field, value, "a whole number from 1 to 1024")
        if self.scale not in SCALES:
            raise out_of_range("scale", self.scale, "2, 3, 4 or 8")


@dataclass(frozen=True)
class PlainConfig(_PlainSizes):
    """What rebuilds a plain network: convolutions one after the other, and a long skip."""


@dataclass(frozen=True)
class SrvggConfig(_PlainSizes):
    """What rebuilds an SRVGGNetCompact: convolutions one after the other, without a skip."""


@dataclass(frozen=True)
class SpanConfig:
    """What rebuilds a SPAN: six blocks of attention without parameters."""

    scale: int
    """Factor per side."""
    channels: int
    """Channels of all features."""

    def __post_init__(self) -> None:
        """Check every number."""
        if not isinstance(self.channels, int) or not 1 <= self.channels <= 1024:
            raise out_of_range("channels", self.channels, "a whole number from 1 to 1024")
        if self.scale not in SCALES:
            raise out_of_range("scale", self.scale, "2, 3, 4 or 8")


GeneratorConfig = DenseConfig | PlainConfig | SrvggConfig | SpanConfig

PRESETS: Mapping[str, GeneratorConfig] = {
    "plain": PlainConfig(scale=2, channels=48, num_convs=8),
    "srvgg": SrvggConfig(scale=2, channels=32, num_convs=18),
    "span": SpanConfig(scale=2, channels=48),
    "compact": DenseConfig(
        scale=2,
        channels=32,
        growth=32,
        num_blocks=3,
        dense_blocks=1,
        num_convs=3,
        residual_scale=1.0,
        upsampler="pixelshuffle",
    ),
    "standard": DenseConfig(
        scale=2,
        channels=64,
        growth=32,
        num_blocks=6,
        dense_blocks=1,
        num_convs=5,
        residual_scale=0.2,
        upsampler="pixelshuffle",
    ),
    "esrgan": DenseConfig(
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
FORMER_PRESETS: Mapping[str, str] = {"row": "plain"}
"""Today's name of presets that config files, saved runs and scripts may name as they once were."""


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
