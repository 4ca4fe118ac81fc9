"""The generators."""

import torch.nn.functional as F
from torch import Tensor, cat, nn

from srgan_cli.config import AnyGeneratorConfig, GeneratorConfig, PlainConfig, SrvggConfig
from srgan_cli.engine.networks.base import Network
from srgan_cli.engine.networks.published import SRVGGNetCompact, start_near_identity

_SLOPE = 0.2


def _conv(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, stride, 1)


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, _SLOPE)


class DenseResidualBlock(nn.Module):
    """Convolutions that each see all features before them, added to the input.

    The residual dense block of ESRGAN (Wang et al. 2018, section 3.1), without
    batch normalisation. Parameter names are the published ones: ``conv1`` ….
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.num_convs = config.num_convs
        self.residual_scale = config.residual_scale
        for i in range(config.num_convs):
            last = i == config.num_convs - 1
            seen = config.channels + i * config.growth
            self.add_module(f"conv{i + 1}", _conv(seen, config.channels if last else config.growth))

    def forward(self, x: Tensor) -> Tensor:
        """Map B, C, H, W features to the same shape."""
        *convs, last = self.children()
        features = x
        for conv in convs:
            features = cat((features, _leaky(conv(features))), dim=1)
        residual: Tensor = last(features)
        return x + self.residual_scale * residual


class RRDB(nn.Module):
    """Residual-in-residual dense block (ESRGAN, figure 4): ``rdb1`` … in one more skip."""

    def __init__(self, config: GeneratorConfig) -> None:
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


class Generator(Network):
    """Restores an HR image from an LR one.

    A first convolution, a trunk of dense residual blocks inside one long skip
    connection, and upsampling. With ``upsampler="nearest"`` names and shapes of
    all parameters equal the published ESRGAN / Real-ESRGAN ``RRDBNet``, whose ×1
    and ×2 variants first fold pixels into channels (pixel unshuffle).

    Args:
        config: Sizes; see :class:`srgan_cli.config.GeneratorConfig`.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        block = DenseResidualBlock if config.dense_blocks == 1 else RRDB
        self.conv_first = _conv(3 * config.fold**2, channels)
        self.body = nn.Sequential(*(block(config) for _ in range(config.num_blocks)))
        self.conv_body = _conv(channels, channels)
        if config.upsampler == "pixelshuffle":
            self.conv_last = _conv(channels, 3 * config.scale**2)
            # A new generator is the bilinear upscaling: training starts from there, not
            # from what random weights add to it.
            for parameter in self.conv_last.parameters():
                nn.init.zeros_(parameter)
        else:
            for i in range(len(self._factors)):
                self.add_module(f"conv_up{i + 1}", _conv(channels, channels))
            self.conv_hr = _conv(channels, channels)
            self.conv_last = _conv(channels, 3)

    @property
    def _factors(self) -> list[int]:
        """Upscalement before each ``conv_up``, which undoes the folding too."""
        total = self.config.scale * self.config.fold
        return [3] if total == 3 else [2] * (total.bit_length() - 1)

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale a batch.

        Args:
            lr: B, 3, H, W, RGB in [0, 1].

        Returns:
            B, 3, scale·H, scale·W, RGB, about [0, 1] but not clipped; always fp32
            where a bilinear skip connection is added.
        """
        if self.config.upsampler == "pixelshuffle":
            features = self._trunk(lr)
            detail = F.pixel_shuffle(self.conv_last(features), self.config.scale)
            scale = float(self.config.scale)
            return detail + F.interpolate(lr, scale_factor=scale, mode="bilinear")
        return self._upscale(lr)

    def _trunk(self, x: Tensor) -> Tensor:
        first: Tensor = self.conv_first(x)
        deep: Tensor = self.conv_body(self.body(first))
        return first + deep

    def _upscale(self, lr: Tensor) -> Tensor:
        height, width = lr.shape[-2:]
        fold = self.config.fold
        if fold > 1:
            # Sides that do not divide are continued by their last pixels, and cut off below.
            lr = F.pad(lr, (0, -width % fold, 0, -height % fold), mode="replicate")
            lr = F.pixel_unshuffle(lr, fold)
        features = self._trunk(lr)
        for i, factor in enumerate(self._factors):
            features = F.interpolate(features, scale_factor=float(factor), mode="nearest")
            features = _leaky(self.get_submodule(f"conv_up{i + 1}")(features))
        sr: Tensor = self.conv_last(_leaky(self.conv_hr(features)))
        return sr[..., : height * self.config.scale, : width * self.config.scale]

    @property
    def scale(self) -> int:
        """Factor per side."""
        return self.config.scale

    @property
    def architecture(self) -> str:
        """``RRDBNet`` where the published network has the same layers, else our own name."""
        config = self.config
        if config.upsampler == "nearest" and config.dense_blocks > 1:
            return "RRDBNet"
        return "dense residual"

    @property
    def align(self) -> int:
        """Folding starts anew at every such pixel."""
        return self.config.fold

    @property
    def receptive_radius(self) -> int:
        """LR pixels that an output pixel depends on, to each side of its own."""
        config = self.config
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


class PlainNetwork(Network):
    """Restores an HR image by convolutions one after the other.

    VDSR's plain chain (Kim et al. 2016, section 3) at LR size, with one long skip from the
    first features to the last (as in SRResNet, Ledig et al. 2017), pixel shuffle, and the
    result added to the bilinear upscaling. Of all networks of its size it runs fastest,
    and in the races of docs/recipes.md it comes furthest in the same time.

    Args:
        config: Sizes; see :class:`srgan_cli.config.PlainConfig`.
    """

    def __init__(self, config: PlainConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        self.conv_first = _conv(3, channels)
        self.body = nn.Sequential(*(_conv(channels, channels) for _ in range(config.num_convs)))
        self.conv_last = _conv(channels, 3 * config.scale**2)

    def initialise(self) -> None:
        """Set the numbers that training starts from: the bilinear upscaling."""
        for conv in self.body:
            assert isinstance(conv, nn.Conv2d)
            start_near_identity(conv)
        for parameter in self.conv_last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale a batch: B, 3, H, W to B, 3, scale·H, scale·W, RGB, always fp32."""
        first: Tensor = self.conv_first(lr)
        features = first
        for conv in self.body:
            features = _leaky(conv(features))
        detail = F.pixel_shuffle(self.conv_last(first + features), self.scale)
        return detail + F.interpolate(lr, scale_factor=float(self.scale), mode="bilinear")

    @property
    def scale(self) -> int:
        """Factor per side."""
        return self.config.scale

    @property
    def architecture(self) -> str:
        """Our own name."""
        return "plain"

    @property
    def receptive_radius(self) -> int:
        """One pixel for each convolution."""
        return self.config.num_convs + 2


AnyGenerator = Generator | PlainNetwork | SRVGGNetCompact


def make_generator(config: AnyGeneratorConfig) -> AnyGenerator:
    """Build a generator to train, with the numbers that training starts from."""
    if isinstance(config, SrvggConfig):
        srvgg = SRVGGNetCompact(config.channels, config.num_convs, config.scale, slope=_SLOPE)
        srvgg.initialise()
        return srvgg
    if isinstance(config, PlainConfig):
        network = PlainNetwork(config)
        network.initialise()
        return network
    return Generator(config)


def take_over(source: AnyGenerator, target: AnyGenerator) -> None:
    """Copy the parameters of a generator into one that differs at most in its scale.

    Those whose shape depends on the scale stay as they are where scales differ.
    """
    shapes = {name: value.shape for name, value in target.state_dict().items()}
    alike = {
        name: value
        for name, value in source.state_dict().items()
        if value.shape == shapes.get(name)
    }
    target.load_state_dict(alike, strict=source.scale == target.scale)


def num_parameters(module: nn.Module) -> int:
    """Count the parameters of a network."""
    return sum(parameter.numel() for parameter in module.parameters())
