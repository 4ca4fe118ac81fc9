"""Rows of convolutions that turn and mirror with the picture: weights tied by symmetry.

Enlarging a picture that was turned or mirrored gives the enlarged picture, turned or mirrored
alike (Cohen & Welling 2016, "Group Equivariant Convolutional Networks"; the group is p4m without
its shifts, which convolutions have anyway). Each eight channels are one feature as the eight
symmetries of a square see it: the regular representation. What is saved is a row like any other.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from srgan_cli.engine.models import ConvolutionRow

Places = npt.NDArray[np.intp]

_TURN, _MIRROR = np.array([[0, -1], [1, 0]]), np.array([[1, 0], [0, -1]])
_SQUARE = [
    np.linalg.matrix_power(_TURN, turns) @ np.linalg.matrix_power(_MIRROR, mirrored)
    for turns, mirrored in product(range(4), range(2))
]
"""The eight symmetries, as matrices."""
ORDER = len(_SQUARE)
"""Channels that make one feature."""
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class _Orbits:
    """Which numbers of a parameter are to be equal."""

    members: Tensor
    """Places in the parameter, for each orbit those that its first is moved to: N, 8."""
    numbers: Tensor
    """The orbit of each place."""

    @classmethod
    def of(cls, moved: Places) -> "_Orbits":
        """Find them from where each symmetry moves every place: 8, places."""
        firsts, numbers = np.unique(moved.min(0), return_inverse=True)
        return cls(torch.from_numpy(moved[:, firsts].T.copy()), torch.from_numpy(numbers))

    def mean(self, values: Tensor) -> Tensor:
        """Return values in which all of an orbit are its mean, to the bit."""
        means = values.reshape(-1)[self.members.to(values.device)].mean(1)
        return means[self.numbers.to(values.device)].reshape(values.shape)

    def first(self, values: Tensor) -> Tensor:
        """Return values in which all of an orbit are its first, so that their spread stays."""
        firsts = values.reshape(-1)[self.members[:, 0].to(values.device)]
        return firsts[self.numbers.to(values.device)].reshape(values.shape)


class Equivariance:
    """What ties a row's weights; its channels must be a multiple of :data:`ORDER`.

    Args:
        network: The row, on its device.
    """

    def __init__(self, network: nn.Module) -> None:
        assert isinstance(network, ConvolutionRow)
        self._orbits: list[tuple[Tensor, _Orbits]] = []
        convs = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
        features = _moved_channels(network.config.channels // ORDER, _regular())
        colours = np.tile(np.arange(3), (ORDER, 1))
        subpixels = _moved_channels(3, _moved_points(network.scale))
        for conv in convs:
            inputs = colours if conv is convs[0] else features
            outputs = subpixels if conv is convs[-1] else features
            assert conv.bias is not None
            self._orbits += [
                (conv.weight, _Orbits.of(_moved_kernels(outputs, inputs))),
                (conv.bias, _Orbits.of(outputs)),
            ]

    @torch.no_grad()
    def start(self) -> None:
        """Make a network that starts from random numbers equivariant."""
        for parameter, orbits in self._orbits:
            parameter.copy_(orbits.first(parameter))

    @torch.no_grad()
    def holds(self) -> bool:
        """Return whether the network is equivariant, up to a thousandth of its weights."""
        return all(
            (orbits.mean(parameter) - parameter).norm() <= _TOLERANCE * parameter.norm()
            for parameter, orbits in self._orbits
        )

    def keep(self) -> None:
        """Let every gradient from now on be the mean over the symmetries.

        For a loss of pixels that is the gradient of a batch in which each patch stands in all
        eight ways. Optimisers keep what they are given: Adam treats equal numbers alike, and
        Muon's orthogonal directions turn with their matrix.
        """
        for parameter, orbits in self._orbits:
            parameter.register_hook(orbits.mean)  # type: ignore[no-untyped-call]


def _regular() -> Places:
    """Return where each symmetry moves the eight views of a feature: 8, 8."""
    names = {symmetry.tobytes(): i for i, symmetry in enumerate(_SQUARE)}
    return np.array([[names[(a @ b).tobytes()] for b in _SQUARE] for a in _SQUARE])


def _moved_points(side: int) -> Places:
    """Return where each symmetry moves the points of a square grid: 8, side²."""
    grid = 2 * np.indices((side, side)).reshape(2, -1) - (side - 1)
    moved = (np.stack(_SQUARE) @ grid + side - 1) // 2
    return np.asarray(moved[:, 0] * side + moved[:, 1])


def _moved_channels(count: int, moved: Places) -> Places:
    """Return where channels go that are so many groups of what is moved: 8, channels."""
    size = moved.shape[1]
    channels: Places = np.arange(count)[:, None] * size + moved[:, None, :]
    return channels.reshape(ORDER, -1)


def _moved_kernels(outputs: Places, inputs: Places) -> Places:
    """Return where the numbers of a convolution's 3×3 kernels go: 8, numbers."""
    points = _moved_points(3)
    by_channel = outputs[:, :, None] * inputs.shape[1] + inputs[:, None, :]
    numbers: Places = by_channel[..., None] * points.shape[1] + points[:, None, None, :]
    return numbers.reshape(ORDER, -1)
