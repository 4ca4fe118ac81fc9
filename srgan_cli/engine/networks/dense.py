"""Dense residual blocks: the presets compact, standard and esrgan, and the published RRDBNet."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from itertools import product
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, cat, nn

from srgan_cli.config import DenseConfig
from srgan_cli.engine.networks.base import Network, Outline, Recognised, Shapes, count
from srgan_cli.engine.networks.layers import SLOPE, conv3x3, leaky
from srgan_cli.engine.networks.wide_srvgg import WideSrvgg, numbers


class DenseResidualBlock(nn.Module):
    """Convolutions that each see all features before them, added to the input.

    The residual dense block of ESRGAN (Wang et al. 2018, section 3.1), without
    batch normalisation. Parameter names are the published ones: ``conv1`` ….
    """

    def __init__(self, config: DenseConfig) -> None:
        super().__init__()
        self.num_convs = config.num_convs
        self.residual_scale = config.residual_scale
        for i in range(config.num_convs):
            last = i == config.num_convs - 1
            seen = config.channels + i * config.growth
            self.add_module(
                f"conv{i + 1}", conv3x3(seen, config.channels if last else config.growth)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map B, C, H, W features to the same shape."""
        *convs, last = self.children()
        features = x
        for conv in convs:
            features = cat((features, leaky(conv(features))), dim=1)
        residual: Tensor = last(features)
        return x + self.residual_scale * residual

    def write_to(self, wide: WideSrvgg) -> None:
        """Add its convolutions to a network that is written as SRVGGNetCompact.

        Each writes behind what has been there; the last adds to the trunk.
        """
        *names, last = (f"conv{i + 1}" for i in range(self.num_convs))
        trunk, free = wide.channels.trunk, wide.channels.free
        end = free
        for name in names:
            weight, bias = numbers(self, name)
            layer = wide.add_layer(carried=slice(0, end))
            new = slice(end, end + len(bias))
            layer.weight[new, trunk] = weight[:, trunk]
            layer.weight[new, free:end] = weight[:, trunk.stop :]
            layer.bias[new], layer.slope[new] = bias, SLOPE
            end = new.stop
        weight, bias = (self.residual_scale * each for each in numbers(self, last))
        layer = wide.add_layer(carried=slice(0, free))
        layer.weight[trunk, trunk] += weight[:, trunk]
        layer.weight[trunk, free:end] = weight[:, trunk.stop :]
        layer.bias[trunk] = bias


class RRDB(nn.Module):
    """Residual-in-residual dense block (ESRGAN, figure 4): ``rdb1`` … in one more skip."""

    def __init__(self, config: DenseConfig) -> None:
        super().__init__()
        self.residual_scale = config.residual_scale
        for i in range(config.dense_blocks):
            self.add_module(f"rdb{i + 1}", DenseResidualBlock(config))

    def forward(self, x: Tensor) -> Tensor:
        """Map B, C, H, W features to the same shape."""
        features = x
        for block in self.children():
            features = block(features)
        return x + self.residual_scale * features


class DenseNetwork(Network):
    """Restores an HR image from an LR one.

    A first convolution, a trunk of dense residual blocks inside one long skip
    connection, and upsampling. With ``upsampler="nearest"`` names and shapes of
    all parameters equal the published ESRGAN / Real-ESRGAN ``RRDBNet``, whose ×1
    and ×2 variants first fold pixels into channels (pixel unshuffle).

    Args:
        config: Sizes; see :class:`srgan_cli.config.DenseConfig`.
    """

    def __init__(self, config: DenseConfig) -> None:
        super().__init__()
        self._config = config
        channels = config.channels
        block = DenseResidualBlock if config.dense_blocks == 1 else RRDB
        self.conv_first = conv3x3(3 * config.fold**2, channels)
        self.body = nn.Sequential(*(block(config) for _ in range(config.num_blocks)))
        self.conv_body = conv3x3(channels, channels)
        if config.upsampler == "pixelshuffle":
            self.conv_last = conv3x3(channels, 3 * config.scale**2)
            # A new generator is the bilinear upscaling: training starts from there, not
            # from what random weights would add to it.
            for parameter in self.conv_last.parameters():
                nn.init.zeros_(parameter)
        else:
            for i in range(len(self._factors)):
                self.add_module(f"conv_up{i + 1}", conv3x3(channels, channels))
            self.conv_hr = conv3x3(channels, channels)
            self.conv_last = conv3x3(channels, 3)

    @property
    def _factors(self) -> list[int]:
        """Factor before each ``conv_up``; together they undo the folding, too."""
        total = self._config.scale * self._config.fold
        return [3] if total == 3 else [2] * (total.bit_length() - 1)

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale a batch.

        Args:
            lr: B, 3, H, W, RGB in [0, 1].

        Returns:
            B, 3, scale·H, scale·W, RGB, about [0, 1] but not clipped; always fp32
            where a bilinear skip connection is added.
        """
        if self._config.upsampler == "pixelshuffle":
            features = self._trunk(lr)
            detail = F.pixel_shuffle(self.conv_last(features), self._config.scale)
            scale = float(self._config.scale)
            return detail + F.interpolate(lr, scale_factor=scale, mode="bilinear")
        return self._upscale(lr)

    def _trunk(self, x: Tensor) -> Tensor:
        first: Tensor = self.conv_first(x)
        deep: Tensor = self.conv_body(self.body(first))
        return first + deep

    def _upscale(self, lr: Tensor) -> Tensor:
        height, width = lr.shape[-2:]
        fold = self._config.fold
        if fold > 1:
            # Sides that do not divide are continued by their last pixels, and cut off below.
            lr = F.pad(lr, (0, -width % fold, 0, -height % fold), mode="replicate")
            lr = F.pixel_unshuffle(lr, fold)
        features = self._trunk(lr)
        for i, factor in enumerate(self._factors):
            features = F.interpolate(features, scale_factor=float(factor), mode="nearest")
            features = leaky(self.get_submodule(f"conv_up{i + 1}")(features))
        sr: Tensor = self.conv_last(leaky(self.conv_hr(features)))
        return sr[..., : height * self._config.scale, : width * self._config.scale]

    @property
    def scale(self) -> int:
        """Factor per side."""
        return self._config.scale

    @property
    def architecture(self) -> str:
        """``RRDBNet`` where the published network has the same layers, else our own name."""
        config = self._config
        if config.upsampler == "nearest" and config.dense_blocks > 1:
            return "RRDBNet"
        return "dense residual"

    @property
    def align(self) -> int:
        """Folding starts anew at every such pixel."""
        return self._config.fold

    @property
    def receptive_radius(self) -> int:
        """LR pixels that an output pixel depends on, to each side of its own."""
        config = self._config
        radius = 2 + config.num_blocks * config.dense_blocks * config.num_convs
        if config.upsampler == "pixelshuffle":
            return radius + 1  # conv_last; the bilinear skip reaches 1.
        return (radius + self._radius_after_trunk) * config.fold

    @property
    def _radius_after_trunk(self) -> int:
        """Reach of the convolutions between and after the doublings, in pixels of the trunk."""
        reach = 2  # conv_hr and conv_last, in pixels of the result.
        for factor in reversed(self._factors):
            reach = -(-(reach + 1) // factor)
        return reach

    @property
    def config(self) -> DenseConfig:
        """Its sizes."""
        return self._config

    @classmethod
    def for_training(cls, config: object) -> Self | None:
        """Build a network; its constructor sets the numbers that training starts from."""
        return cls(config) if isinstance(config, DenseConfig) else None

    def to_header(self) -> Mapping[str, Any]:
        """Return its sizes, of which parameters do not tell the factor on residuals."""
        return {"generator": asdict(self._config)}

    @classmethod
    def from_header(cls, header: Mapping[str, Any], num_tensors: int) -> Self | None:
        """Rebuild it from its sizes."""
        if "generator" not in header:
            return None
        return cls._held_by(num_tensors, DenseConfig.from_dict(header["generator"]))

    @classmethod
    def _held_by(cls, num_tensors: int, config: DenseConfig) -> Self:
        """Build the network that a file with so many tensors holds.

        A made-up file can ask for a thousand million layers.
        """
        if config.num_blocks * config.dense_blocks * config.num_convs > num_tensors:
            raise ValueError("fewer tensors than layers")
        return cls(config)

    @classmethod
    def recognise(cls, shapes: Shapes) -> Recognised | None:
        """Tell the sizes of a published RRDBNet, under any of its three sets of names."""
        names = _new_names(shapes)
        shapes = {names.get(key, key): shape for key, shape in shapes.items()}
        if "body.0.rdb1.conv1.weight" not in shapes or "conv_first.weight" not in shapes:
            return None
        channels, folded = shapes["conv_first.weight"][:2]
        fold = math.isqrt(folded // 3)
        if folded != 3 * fold**2 or shapes["conv_last.weight"][0] != 3:
            return None
        total = 2 ** count(shapes, r"conv_up(\d+)\.weight")
        if total % fold:
            return None
        config = DenseConfig(
            scale=total // fold,
            channels=channels,
            growth=shapes["body.0.rdb1.conv1.weight"][0],
            num_blocks=count(shapes, r"body\.(\d+)\..*"),
            dense_blocks=count(shapes, r"body\.0\.rdb(\d+)\..*"),
            num_convs=count(shapes, r"body\.0\.rdb1\.conv(\d+)\.weight"),
            residual_scale=0.2,
            upsampler="nearest",
        )
        if config.fold != fold:
            config = replace(config, unshuffle=fold)
        return Recognised(cls._held_by(len(shapes), config), names)

    @classmethod
    def from_outline(cls, outline: Outline) -> Iterable[Self]:
        """Tell its sizes from its convolutions; the factor on residuals is one of the numbers."""
        (channels, folded, *_), *inner = outline.convolutions
        growth, fold = inner[0][0], math.isqrt(folded // 3)
        # A block begins where as many channels are read as lie between blocks.
        num_convs = 1 + [shape[1] for shape in inner[1:]].index(channels)
        shuffled = outline.convolutions[-1][0] != 3
        total = outline.scale * fold
        tail = 2 if shuffled else 3 + (1 if total == 3 else total.bit_length() - 1)
        for dense_blocks, factor in product((3, 1), sorted({1.0, *outline.numbers})):
            num_blocks, rest = divmod(len(inner) - tail, dense_blocks * num_convs)
            if rest or not 0 < factor <= 1:
                continue
            config = DenseConfig(
                scale=outline.scale,
                channels=channels,
                growth=growth,
                num_blocks=num_blocks,
                dense_blocks=dense_blocks,
                num_convs=num_convs,
                residual_scale=factor,
                upsampler="pixelshuffle" if shuffled else "nearest",
                unshuffle=None if shuffled else fold,
            )
            yield cls(config)

    @torch.no_grad()
    def as_basicsr(self) -> Network | None:
        """Return it as it is where it is an RRDBNet, and written wider where it can be."""
        config = self._config
        sizes = (config.dense_blocks, config.num_convs, config.growth, config.residual_scale)
        if config.upsampler == "nearest" and sizes == (3, 5, 32, 0.2) and config.scale != 3:
            return self
        if config.upsampler != "pixelshuffle" or config.dense_blocks != 1:
            return None
        wide = WideSrvgg(self, config.channels, (config.num_convs - 1) * config.growth)
        for block in self.body:
            assert isinstance(block, DenseResidualBlock)
            block.write_to(wide)
        return wide.finish("conv_body")


# The RRDBNet of ESRGAN has been published under three sets of names.
_OLD_NAMES = (
    (r"model\.0\.(\w+)", r"conv_first.\1"),
    (r"model\.1\.sub\.(\d+)\.RDB(\d+)\.conv(\d+)\.0\.(\w+)", r"body.\1.rdb\2.conv\3.\4"),
    (r"model\.1\.sub\.\d+\.(\w+)", r"conv_body.\1"),
    (r"RRDB_trunk\.(\d+)\.RDB(\d+)\.conv(\d+)\.(\w+)", r"body.\1.rdb\2.conv\3.\4"),
    (r"trunk_conv\.(\w+)", r"conv_body.\1"),
    (r"upconv(\d)\.(\w+)", r"conv_up\1.\2"),
    (r"HRconv\.(\w+)", r"conv_hr.\1"),
)


def _new_names(shapes: Shapes) -> dict[str, str]:
    """Map the older names of RRDBNet's parameters to those of Real-ESRGAN."""
    if not any("RDB1.conv1" in key for key in shapes):
        return {}
    names = {}
    heads = sorted({int(match[1]) for key in shapes if (match := re.match(r"model\.(\d+)\.", key))})
    tail = ["conv_hr", "conv_last"]
    tail = [f"conv_up{i + 1}" for i in range(len(heads) - 4)] + tail
    numbered = dict(zip(heads[2:], tail, strict=False))
    for key in shapes:
        for old, new in _OLD_NAMES:
            if re.fullmatch(old, key):
                names[key] = re.sub(old, new, key)
        if (match := re.fullmatch(r"model\.(\d+)\.(\w+)", key)) and int(match[1]) in numbered:
            names[key] = f"{numbered[int(match[1])]}.{match[2]}"
    return names
