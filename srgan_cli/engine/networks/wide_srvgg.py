"""Networks of LR size with a long skip connection, written as BasicSR's SRVGGNetCompact.

It has no skip connection, but a wider one can compute the same: a PReLU of slope 1 is the
identity, so that channels carry values unchanged past a convolution, and one of slope 0 multiplies
by a mask of the image's border. Results are the same, at several times the work.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from srgan_cli.engine.networks.base import Network
from srgan_cli.engine.networks.srvgg import SRVGGNetCompact

_SIDES = ((0, 1), (2, 1), (1, 0), (1, 2))  # Places in a convolution: above, below, left, right.
_CORNERS = ((0, 2), (0, 3), (1, 2), (1, 3))  # Pairs of sides.
_NUM_BORDERS = 3 * (len(_SIDES) + len(_CORNERS))


@dataclass(frozen=True, slots=True)
class Channels:
    """Which channels of the wide network hold what."""

    num_features: int
    """Channels of the network that is written."""
    num_dense: int
    """Channels that its dense blocks need beside them."""

    @property
    def trunk(self) -> slice:
        """The features that convolutions work on."""
        return slice(0, self.num_features)

    @property
    def skip(self) -> slice:
        """The first features, until the long skip connection adds them."""
        return slice(self.num_features, 2 * self.num_features)

    @property
    def lr(self) -> slice:
        """The LR image."""
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
        """Width of the wide network."""
        return self.free + max(self.num_dense, _NUM_BORDERS)


class Layer:
    """One convolution of the wide network while it is filled in, with its PReLU.

    All is zero at first, and the slope 1: no channel has a value.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        self.weight = torch.zeros(out_channels, in_channels, 3, 3)
        self.bias = torch.zeros(out_channels)
        self.slope = torch.ones(out_channels)

    def carry(self, channels: slice) -> None:
        """Pass channels on unchanged."""
        for channel in range(channels.start, channels.stop):
            self.weight[channel, channel, 1, 1] = 1


class WideSrvgg:
    """The wide network while it is filled in, convolution by convolution.

    Args:
        network: What is written: ``conv_first``, then what :meth:`add_layer` is called for, the
            long skip connection, ``conv_last`` with a pixel shuffle, and the bilinear upscaling.
        num_features: Its channels.
        num_dense: Channels that its dense blocks need beside them.
    """

    def __init__(self, network: Network, num_features: int, num_dense: int = 0) -> None:
        self._network = network
        self.channels = Channels(num_features, num_dense)
        self._layers = [self._first()]

    def add_layer(self, carried: slice) -> Layer:
        """Add a convolution that passes some channels on, to be filled in."""
        layer = Layer(self.channels.total, self.channels.total)
        layer.carry(carried)
        self._layers.append(layer)
        return layer

    def finish(self, conv_body: str | None = None) -> SRVGGNetCompact:
        """Return the whole network.

        Args:
            conv_body: Name of the convolution before the long skip connection, if there is one.
        """
        channels, last = self.channels, self._layers[-1]
        for i, (row, column) in enumerate(_SIDES):  # 1 where the image ends on that side.
            last.bias[channels.free + i] = 1
            last.weight[channels.free + i, channels.one, row, column] = -1
        layers = [*self._layers, self._skip(conv_body), self._last()]
        state: dict[str, Tensor] = {}
        for i, layer in enumerate(layers):
            state[f"body.{2 * i}.weight"], state[f"body.{2 * i}.bias"] = layer.weight, layer.bias
            state[f"body.{2 * i + 1}.weight"] = layer.slope
        del state[f"body.{2 * len(layers) - 1}.weight"]  # No PReLU after the last.
        srvgg = SRVGGNetCompact(channels.total, len(layers) - 2, self._network.scale)
        srvgg.load_state_dict(state)
        return srvgg.eval().requires_grad_(False)

    def _first(self) -> Layer:
        channels = self.channels
        layer = Layer(3, channels.total)
        for part in (channels.trunk, channels.skip):
            layer.weight[part], layer.bias[part] = numbers(self._network, "conv_first")
        for i in range(3):
            layer.weight[channels.lr.start + i, i, 1, 1] = 1
        layer.bias[channels.one] = 1
        return layer

    def _skip(self, conv_body: str | None) -> Layer:
        """Close the long skip connection, and keep the image's border: relu(lr + mask - 1)."""
        channels = self.channels
        layer = Layer(channels.total, channels.total)
        if conv_body is None:
            layer.carry(channels.trunk)
        else:
            trunk = channels.trunk
            layer.weight[trunk, trunk], layer.bias[trunk] = numbers(self._network, conv_body)
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

    def _last(self) -> Layer:
        """Add the bilinear upscaling, less the repeated pixels that SRVGGNetCompact adds."""
        channels, scale = self.channels, self._network.scale
        layer = Layer(channels.total, 3 * scale**2)
        layer.weight[:, channels.trunk], layer.bias[:] = numbers(self._network, "conv_last")
        for colour in range(3):
            for row in range(scale):
                for column in range(scale):
                    weight = layer.weight[colour * scale**2 + row * scale + column]
                    places = torch.outer(_bilinear(row, scale), _bilinear(column, scale))
                    weight[channels.lr.start + colour] += places
                    weight[channels.lr.start + colour, 1, 1] -= 1
                    # Beyond the border its pixels go on, where convolutions see zeros.
                    border = weight[channels.free + colour : channels.free + _NUM_BORDERS : 3]
                    border[0, 1], border[1, 1] = places[0], places[2]
                    border[2, :, 1], border[3, :, 1] = places[:, 0], places[:, 2]
                    corners = [places[r, c] for r in (0, 2) for c in (0, 2)]
                    border[4:, 1, 1] = torch.stack(corners)
        return layer


def _bilinear(place: int, scale: int) -> Tensor:
    """Return the weights of the pixel before, the pixel itself and the pixel after."""
    offset = (place + 0.5) / scale - 0.5
    return torch.tensor([max(-offset, 0), 1 - abs(offset), max(offset, 0)])


def numbers(module: nn.Module, name: str) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a convolution inside a module."""
    conv = module.get_submodule(name)
    weight, bias = conv.weight, conv.bias
    assert isinstance(weight, Tensor)
    assert isinstance(bias, Tensor)
    return weight, bias
