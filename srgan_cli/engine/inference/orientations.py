"""The eight ways to turn and mirror an image, for self-ensembles."""

from itertools import product
from typing import NamedTuple

from torch import Tensor


class Orientation(NamedTuple):
    """A way to turn and mirror an image."""

    quarters: int
    mirrored: bool

    def applied(self, batch: Tensor) -> Tensor:
        """Turn B, C, H, W so."""
        turned = batch.rot90(self.quarters, (2, 3))
        return turned.flip(3) if self.mirrored else turned

    def undone(self, batch: Tensor) -> Tensor:
        """Turn B, C, H, W back."""
        upright = batch.flip(3) if self.mirrored else batch
        return upright.rot90(-self.quarters, (2, 3))


ORIENTATIONS = tuple(Orientation(*both) for both in product(range(4), (False, True)))
