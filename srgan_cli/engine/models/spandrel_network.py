"""Load networks that srgan has no class for through spandrel, if it is installed."""

import math
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from srgan_cli.engine.models.tensor_files import HINT
from srgan_cli.engine.networks.base import Network
from srgan_cli.errors import WeightsError

# Windows of attention begin anew at multiples of their side (8, 16 or 32 in what is
# published), so a tile that begins at a multiple of 64 has the windows of the whole image.
_WINDOWS = 64
_RADIUS = 64  # Unknown: attention over windows reaches far, with little weight.


class SpandrelNetwork(Network):
    """A network that spandrel has built, under the face that the tile engine knows.

    Args:
        module: Takes and returns B, 3, H, W in [0, 1].
        scale: Factor per side.
        architecture: Name by which people know it.
        minimum: Least side, in pixels.
        multiple: What sides must divide by.
        square: Whether both sides must be equal.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        scale: int,
        architecture: str,
        minimum: int = 1,
        multiple: int = 1,
        square: bool = False,
    ) -> None:
        super().__init__()
        self.module = module
        self._scale, self._architecture = scale, architecture
        self._minimum, self._multiple, self._square = max(1, minimum), multiple, square

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale a batch; sides that the network cannot take are continued and cut off."""
        height, width = lr.shape[-2:]
        wanted = [
            -(-max(side, self._minimum) // self._multiple) * self._multiple
            for side in (height, width)
        ]
        if self._square:
            wanted = [max(wanted)] * 2
        padding = (0, wanted[1] - width, 0, wanted[0] - height)
        sr: Tensor = self.module(F.pad(lr, padding, mode="replicate"))
        return sr[..., : height * self._scale, : width * self._scale]

    @property
    def scale(self) -> int:
        """Factor per side."""
        return self._scale

    @property
    def architecture(self) -> str:
        """Name by which people know it."""
        return self._architecture

    @property
    def receptive_radius(self) -> int:
        """A guess that has been wide enough to hide seams."""
        return _RADIUS

    @property
    def align(self) -> int:
        """Where windows of attention, and what the network folds, begin."""
        return math.lcm(_WINDOWS, self._multiple)


def load_with_spandrel(tensors: Mapping[str, Tensor], path: Path) -> SpandrelNetwork:
    """Build the network that parameters belong to, with all that spandrel knows.

    Raises:
        WeightsError: spandrel is not installed, knows no such network, or the network
            does not map one RGB image to another.
    """
    try:
        from spandrel import ImageModelDescriptor, ModelLoader, ModelTiling, UnsupportedModelError
    except ImportError as error:
        raise WeightsError(
            f"{path}: unknown network architecture",
            hint="spandrel supports more architectures: pip install 'srgan-cli[spandrel]'",
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of what its authors will have to change.
            found = ModelLoader().load_from_state_dict(dict(tensors))
    except UnsupportedModelError as error:
        raise WeightsError(
            f"{path}: unknown network architecture, to spandrel too", hint=HINT
        ) from error
    except Exception as error:  # Each of its architectures finds damage in its own way.
        problem = " ".join(str(error).split())[:160]
        raise WeightsError(f"{path}: spandrel cannot load it: {problem}", hint=HINT) from error
    name = found.architecture.name
    channels = (found.input_channels, found.output_channels)
    if not isinstance(found, ImageModelDescriptor) or channels != (3, 3):
        raise WeightsError(f"{path}: {name} does not map RGB images to RGB images", hint=HINT)
    if found.tiling is ModelTiling.INTERNAL:
        raise WeightsError(f"{path}: {name} cannot be run tile by tile", hint=HINT)
    size = found.size_requirements
    return SpandrelNetwork(
        found.model.float(),
        scale=found.scale,
        architecture=name,
        minimum=size.minimum,
        multiple=size.multiple_of,
        square=size.square,
    )
