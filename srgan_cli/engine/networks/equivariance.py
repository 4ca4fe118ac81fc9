"""Plain networks that turn and mirror with the image: weights tied by symmetry.

Upscaling an image that was turned or mirrored gives the upscaled image, turned or mirrored alike
(Cohen & Welling 2016, "Group Equivariant Convolutional Networks"; the group is p4m without its
shifts, which convolutions have anyway). Each eight channels are one feature as the eight symmetries
of a square see it: the regular representation. What is saved is a plain network like any other.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np
import torch
from torch import Tensor, nn

from srgan_cli.engine.networks.plain import PlainNetwork
from srgan_cli.imaging.types import IndexArray

_TURN, _MIRROR = np.array([[0, -1], [1, 0]]), np.array([[1, 0], [0, -1]])
_SQUARE = [
    np.linalg.matrix_power(_TURN, turns) @ np.linalg.matrix_power(_MIRROR, mirrored)
    for turns, mirrored in product(range(4), range(2))
]
"""The eight symmetries, as matrices."""
ORDER = len(_SQUARE)
"""Channels that make one feature."""
_TOLERANCE = 1e-3


class Equivariance:
    """What ties the weights of a plain network; its channels must be a multiple of :data:`ORDER`.

    Args:
        network: The plain network, on its device.
    """

    def __init__(self, network: nn.Module) -> None:
        assert isinstance(network, PlainNetwork)
        convs = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
        features = _moved_channels(network.config.channels // ORDER, _regular())
        colours = np.tile(np.arange(3), (ORDER, 1))
        subpixels = _moved_channels(3, _moved_points(network.scale))
        self._parameters: list[Tensor] = []
        moved: list[IndexArray] = []
        for conv in convs:
            inputs = colours if conv is convs[0] else features
            outputs = subpixels if conv is convs[-1] else features
            assert conv.bias is not None
            self._parameters += [conv.weight, conv.bias]
            moved += [_moved_kernels(outputs, inputs), outputs]
        starts = np.cumsum([0] + [parameter.numel() for parameter in self._parameters[:-1]])
        places = np.hstack([start + each for start, each in zip(starts, moved, strict=True)])
        firsts, orbits = np.unique(places.min(0), return_inverse=True)
        device = convs[0].weight.device
        # For each orbit the places that its first number is moved to, and the orbit of each place.
        self._members = torch.from_numpy(places[:, firsts].T.copy()).to(device)
        self._orbits = torch.from_numpy(orbits).to(device)

    @torch.no_grad()
    def start(self) -> None:
        """Make a network that starts from random numbers equivariant.

        All numbers of an orbit become its first, so that their spread stays.
        """
        firsts = _flat(self._parameters)[self._members[:, 0]]
        self._set(self._parameters, firsts)

    @torch.no_grad()
    def tie(self) -> None:
        """Make a network equivariant: the mean of what it is as turned and mirrored in all ways."""
        self._average(self._parameters)

    @torch.no_grad()
    def holds(self) -> bool:
        """Return whether the network is equivariant, up to a thousandth of its weights."""
        tied = [parameter.clone() for parameter in self._parameters]
        self._average(tied)
        return all(
            (mean - parameter).norm() <= _TOLERANCE * parameter.norm()
            for mean, parameter in zip(tied, self._parameters, strict=True)
        )

    @torch.no_grad()
    def tie_gradients(self) -> None:
        """Make the gradient its mean over the symmetries, equal to the bit within an orbit.

        For a loss of pixels that is the gradient of a batch in which each patch stands in all
        eight ways. Optimisers keep what they are given: Adam treats equal numbers alike, and
        Muon's orthogonal directions turn with their matrix.
        """
        self._average([p.grad for p in self._parameters if p.grad is not None])

    def _average(self, tensors: Sequence[Tensor]) -> None:
        self._set(tensors, _flat(tensors)[self._members].mean(1))

    def _set(self, tensors: Sequence[Tensor], numbers: Tensor) -> None:
        """Give every place the number of its orbit."""
        parts = torch.split(numbers[self._orbits], [tensor.numel() for tensor in tensors])
        views = [part.view(each.shape) for part, each in zip(parts, tensors, strict=True)]
        torch._foreach_copy_(list(tensors), views)


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def _regular() -> IndexArray:
    """Return where each symmetry moves the eight views of a feature: 8, 8."""
    names = {symmetry.tobytes(): i for i, symmetry in enumerate(_SQUARE)}
    return np.array([[names[(a @ b).tobytes()] for b in _SQUARE] for a in _SQUARE])


def _moved_points(side: int) -> IndexArray:
    """Return where each symmetry moves the points of a square grid: 8, side²."""
    grid = 2 * np.indices((side, side)).reshape(2, -1) - (side - 1)
    moved = (np.stack(_SQUARE) @ grid + side - 1) // 2
    return np.asarray(moved[:, 0] * side + moved[:, 1])


def _moved_channels(count: int, moved: IndexArray) -> IndexArray:
    """Return where channels go that are so many groups of what is moved: 8, channels."""
    size = moved.shape[1]
    channels: IndexArray = np.arange(count)[:, None] * size + moved[:, None, :]
    return channels.reshape(ORDER, -1)


def _moved_kernels(outputs: IndexArray, inputs: IndexArray) -> IndexArray:
    """Return where the numbers of a convolution's 3×3 kernels go: 8, numbers."""
    points = _moved_points(3)
    by_channel = outputs[:, :, None] * inputs.shape[1] + inputs[:, None, :]
    numbers: IndexArray = by_channel[..., None] * points.shape[1] + points[:, None, None, :]
    return numbers.reshape(ORDER, -1)
