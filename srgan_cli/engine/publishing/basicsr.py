"""Export generators as BasicSR networks, which many programs load from a .pth file.

The ``esrgan`` preset is BasicSR's RRDBNet already. The other presets have no class in BasicSR, but
a wider SRVGGNetCompact can compute the same: a PReLU of slope 1 is the identity, so that channels
carry values unchanged past a convolution, and one of slope 0 multiplies by a mask of the image's
border. Results are the same, at several times the work.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from srgan_cli.engine.networks.base import Network
from srgan_cli.engine.networks.generators import DenseResidualBlock, Generator, PlainNetwork
from srgan_cli.engine.networks.published import MSRResNet, SRVGGNetCompact
from srgan_cli.errors import UsageError

_SLOPE = 0.2  # Of the generator's leaky ReLU.
_SIDES = ((0, 1), (2, 1), (1, 0), (1, 2))  # Kernel places above, below, left and right.
_CORNERS = ((0, 2), (0, 3), (1, 2), (1, 3))  # Pairs of sides.
_NUM_BORDERS = 3 * (len(_SIDES) + len(_CORNERS))


def as_basicsr(network: Network) -> Network:
    """Return a network that BasicSR has a class for and that computes the same.

    Raises:
        UsageError: There is none.
    """
    if isinstance(network, SRVGGNetCompact | MSRResNet):
        return network
    if isinstance(network, Generator):
        config = network.config
        sizes = (config.dense_blocks, config.num_convs, config.growth, config.residual_scale)
        if config.upsampler == "nearest" and sizes == (3, 5, 32, 0.2) and config.scale != 3:
            return network
        if config.upsampler == "pixelshuffle" and config.dense_blocks == 1:
            return _dense_as_srvgg(network)
    if isinstance(network, PlainNetwork):
        return _plain_as_srvgg(network)
    raise UsageError(
        f"--to pth: BasicSR has no class for this {network.architecture}",
        hint="export it to onnx, openvino, torchscript or ncnn",
    )


@dataclass(frozen=True, slots=True)
class _Channels:
    """Which channels of the wide network hold what."""

    num_features: int
    num_dense: int

    @property
    def trunk(self) -> slice:
        return slice(0, self.num_features)

    @property
    def skip(self) -> slice:
        return slice(self.num_features, 2 * self.num_features)

    @property
    def lr(self) -> slice:
        return slice(2 * self.num_features, 2 * self.num_features + 3)

    @property
    def one(self) -> int:
        """Holds 1 everywhere, so that a convolution sees where the image ends."""
        return 2 * self.num_features + 3

    @property
    def free(self) -> int:
        """From here: dense features, at the end the masks, then the border."""
        return 2 * self.num_features + 4

    @property
    def total(self) -> int:
        return self.free + max(self.num_dense, _NUM_BORDERS)


class _Layer:
    """One convolution of the wide network while it is filled in, with its PReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        self.weight = torch.zeros(out_channels, in_channels, 3, 3)
        self.bias = torch.zeros(out_channels)
        self.slope = torch.ones(out_channels)

    def carry(self, channels: slice) -> None:
        """Pass channels on unchanged."""
        for channel in range(channels.start, channels.stop):
            self.weight[channel, channel, 1, 1] = 1

    def parameters(self) -> dict[str, Tensor]:
        return {"weight": self.weight, "bias": self.bias}


@torch.no_grad()
def _dense_as_srvgg(generator: Generator) -> SRVGGNetCompact:
    """Write a generator that works at LR size as convolutions one after the other."""
    config = generator.config
    channels = _Channels(config.channels, (config.num_convs - 1) * config.growth)
    layers = [_first(generator, channels)]
    for block in generator.body:
        assert isinstance(block, DenseResidualBlock)
        layers += _block(block, channels)
    body = _body(channels)
    body.weight[channels.trunk, channels.trunk], body.bias[channels.trunk] = _numbers(
        generator, "conv_body"
    )
    return _assembled(generator, channels, layers, body)


@torch.no_grad()
def _plain_as_srvgg(network: PlainNetwork) -> SRVGGNetCompact:
    """Write a plain network with a long skip connection as a wider one without."""
    channels = _Channels(network.config.channels, num_dense=0)
    layers = [_first(network, channels)]
    for i in range(len(network.body)):
        layer = _Layer(channels.total, channels.total)
        layer.carry(slice(channels.num_features, channels.free))
        layer.weight[channels.trunk, channels.trunk], layer.bias[channels.trunk] = _numbers(
            network, f"body.{i}"
        )
        layer.slope[channels.trunk] = _SLOPE
        layers.append(layer)
    body = _body(channels)
    body.carry(channels.trunk)
    return _assembled(network, channels, layers, body)


def _assembled(
    generator: Generator | PlainNetwork,
    channels: _Channels,
    layers: list[_Layer],
    body: _Layer,
) -> SRVGGNetCompact:
    """Note the image's border in the last of some layers, and add what ends the network."""
    for i, (row, column) in enumerate(_SIDES):  # 1 where the image ends on that side.
        layers[-1].bias[channels.free + i] = 1
        layers[-1].weight[channels.free + i, channels.one, row, column] = -1
    layers = [*layers, body, _last(generator, channels)]
    state: dict[str, Tensor] = {}
    for i, layer in enumerate(layers):
        state |= {f"body.{2 * i}.{key}": value for key, value in layer.parameters().items()}
        state[f"body.{2 * i + 1}.weight"] = layer.slope
    del state[f"body.{2 * len(layers) - 1}.weight"]  # No PReLU after the last.
    srvgg = SRVGGNetCompact(channels.total, len(layers) - 2, generator.scale)
    srvgg.load_state_dict(state)
    return srvgg.eval().requires_grad_(False)


def _first(generator: Generator | PlainNetwork, channels: _Channels) -> _Layer:
    layer = _Layer(3, channels.total)
    for part in (channels.trunk, channels.skip):
        layer.weight[part], layer.bias[part] = _numbers(generator, "conv_first")
    for i in range(3):
        layer.weight[channels.lr.start + i, i, 1, 1] = 1
    layer.bias[channels.one] = 1
    return layer


def _block(block: DenseResidualBlock, channels: _Channels) -> list[_Layer]:
    """Each dense convolution writes behind what has been there; the last adds to the trunk."""
    *names, last = (f"conv{i + 1}" for i in range(block.num_convs))
    layers, end = [], channels.free
    for name in names:
        weight, bias = _numbers(block, name)
        layer = _Layer(channels.total, channels.total)
        layer.carry(slice(0, end))
        new = slice(end, end + len(bias))
        layer.weight[new, channels.trunk] = weight[:, : channels.num_features]
        layer.weight[new, channels.free : end] = weight[:, channels.num_features :]
        layer.bias[new], layer.slope[new] = bias, _SLOPE
        layers.append(layer)
        end = new.stop
    weight, bias = (block.residual_scale * numbers for numbers in _numbers(block, last))
    layer = _Layer(channels.total, channels.total)
    layer.carry(slice(0, channels.free))
    layer.weight[channels.trunk, channels.trunk] += weight[:, : channels.num_features]
    layer.weight[channels.trunk, channels.free : end] = weight[:, channels.num_features :]
    layer.bias[channels.trunk] = bias
    return [*layers, layer]


def _body(channels: _Channels) -> _Layer:
    """Close the long skip connection, and keep the image's border: relu(lr + mask - 1)."""
    layer = _Layer(channels.total, channels.total)
    for i in range(channels.num_features):
        layer.weight[i, channels.skip.start + i, 1, 1] = 1
    layer.carry(channels.lr)
    masks = [(side,) for side in range(len(_SIDES))]
    for i, sides in enumerate([*masks, *_CORNERS]):
        for colour in range(3):
            channel = channels.free + 3 * i + colour
            layer.weight[channel, channels.lr.start + colour, 1, 1] = 1
            for side in sides:
                layer.weight[channel, channels.free + side, 1, 1] = 1
            layer.bias[channel], layer.slope[channel] = -len(sides), 0
    return layer


def _last(generator: Generator | PlainNetwork, channels: _Channels) -> _Layer:
    """Add the bilinear upscaling, less the repeated pixels that SRVGGNetCompact adds."""
    scale = generator.scale
    layer = _Layer(channels.total, 3 * scale**2)
    layer.weight[:, channels.trunk], layer.bias[:] = _numbers(generator, "conv_last")
    for colour in range(3):
        for row in range(scale):
            for column in range(scale):
                kernels = layer.weight[colour * scale**2 + row * scale + column]
                places = torch.outer(_bilinear(row, scale), _bilinear(column, scale))
                kernels[channels.lr.start + colour] += places
                kernels[channels.lr.start + colour, 1, 1] -= 1
                # Beyond the border its pixels go on, where convolutions see zeros.
                border = kernels[channels.free + colour : channels.free + _NUM_BORDERS : 3]
                border[0, 1], border[1, 1] = places[0], places[2]
                border[2, :, 1], border[3, :, 1] = places[:, 0], places[:, 2]
                border[4:, 1, 1] = torch.stack([places[r, c] for r in (0, 2) for c in (0, 2)])
    return layer


def _bilinear(place: int, scale: int) -> Tensor:
    """Return the weights of the pixel before, the pixel itself and the pixel after."""
    offset = (place + 0.5) / scale - 0.5
    return torch.tensor([max(-offset, 0), 1 - abs(offset), max(offset, 0)])


def _numbers(module: torch.nn.Module, name: str) -> tuple[Tensor, Tensor]:
    conv = module.get_submodule(name)
    weight, bias = conv.weight, conv.bias
    assert isinstance(weight, Tensor)
    assert isinstance(bias, Tensor)
    return weight, bias
