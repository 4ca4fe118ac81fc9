"""The interface of every network that upscales images, ours or published by others.

An architecture is one file of this folder: a subclass of :class:`Network` that also says how it is
made for training, what rebuilds it from a weights file, how it is recognised in files of others,
and its form for programs that know BasicSR's classes. The tuple in ``architectures.py`` names all
of them. The methods that are not abstract have defaults for a network that only runs.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from torch import Size, Tensor, nn

from srgan_cli.config import GeneratorConfig

Shapes = Mapping[str, Size]
"""Shapes of a file's parameters by name, without wrappers such as ``module.``."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What a file of layers without the parameters' names tells of a network (ncnn, ONNX)."""

    scale: int
    """Factor per side."""
    convolutions: tuple[Size, ...]
    """Shapes of the weights of all convolutions, in the order in which they run."""
    numbers: frozenset[float]
    """What values are multiplied by."""
    constants: tuple[Tensor, ...]
    """Small tensors that do not depend on the image."""


class Network(nn.Module, ABC):
    """A network that takes B, 3, H, W in [0, 1] and returns it ``scale`` times as large.

    The tile engine needs to know no more of a network than what is abstract here. All sizes of at
    least one pixel are taken; the result is not clipped.
    """

    @property
    @abstractmethod
    def scale(self) -> int:
        """Factor per side."""

    @property
    @abstractmethod
    def architecture(self) -> str:
        """Name by which people know it."""

    @property
    @abstractmethod
    def receptive_radius(self) -> int:
        """LR pixels that an output pixel depends on, to each side of its own."""

    @property
    def receptive_radius_is_least(self) -> bool:
        """Whether it may be larger than :attr:`receptive_radius`."""
        return False

    @property
    def align(self) -> int:
        """Tiles must start at multiples of it for the result to be that of the whole image."""
        return 1

    @abstractmethod
    def forward(self, lr: Tensor) -> Tensor:
        """Upscale a batch: B, 3, H, W to B, 3, scale·H, scale·W, RGB."""

    @property
    def config(self) -> GeneratorConfig | None:
        """Its sizes, if ``srgan train`` can make it."""
        return None

    @classmethod
    def for_training(cls, config: object) -> Self | None:
        """Build a network with the numbers that training starts from.

        Args:
            config: Sizes of any architecture.

        Returns:
            None if the sizes are another architecture's.
        """
        del config
        return None

    def to_header(self) -> Mapping[str, Any]:
        """Return what the header of a weights file must hold to rebuild it, under a key of its own.

        Nothing if :meth:`recognise` can tell all from the parameters.
        """
        return {}

    @classmethod
    def from_header(cls, header: Mapping[str, Any], num_tensors: int) -> Self | None:
        """Rebuild what :meth:`to_header` described.

        Args:
            header: A file's header, which anybody may have written.
            num_tensors: How many tensors the file holds.

        Returns:
            The network, or None if the header describes none of this class.

        Raises:
            TypeError: The description has other keys than it should have.
            UsageError: It holds an impossible size.
            ValueError: The file holds too few tensors for the network.
        """
        del header, num_tensors
        return None

    @classmethod
    def recognise(cls, shapes: Shapes) -> "Recognised | None":
        """Build the network that a file without a header belongs to.

        Called on the meta device, so that no memory is taken. What is raised for shapes that make
        no sense counts as None.

        Returns:
            The network, or None if the parameters are another architecture's.
        """
        del shapes
        return None

    @classmethod
    def from_outline(cls, outline: Outline) -> Iterable["Network"]:
        """Build the networks whose layers a file may hold, without values.

        Called on the meta device. Which of them it is, if any, is found by putting the file's
        numbers into them and comparing results. What is raised for shapes that make no sense
        counts as none.
        """
        del outline
        return ()

    def as_basicsr(self) -> "Network | None":
        """Return a network that BasicSR has a class for and that computes the same, if any.

        Many programs load its parameters from a ``.pth``.
        """
        return None


@dataclass(frozen=True, slots=True)
class Recognised:
    """A network that fits a file's parameters, as far as their names tell."""

    network: Network
    """Without values: on the meta device."""
    names: Mapping[str, str]
    """The file's name of a parameter to the network's; the others are the same."""


def count(shapes: Shapes, pattern: str) -> int:
    """Count the different numbers in the names of parameters that fit a pattern."""
    return len({match[1] for key in shapes if (match := re.fullmatch(pattern, key))})


def num_parameters(module: nn.Module) -> int:
    """Count the parameters of a network."""
    return sum(parameter.numel() for parameter in module.parameters())
