"""3×3 convolutions on a CPU with 2¼ times fewer multiplications, in plain PyTorch.

Winograd's minimal filtering F(6, 3) (Winograd 1980; Lavin and Gray 2016) in the direction of
columns only: six rows of a result are made from eight rows of features, which takes eight
products of matrices instead of eighteen. Both directions at once would take fewer
multiplications still, but more copies, and lose two digits; one loses none that matter.

Pixels lie one after the other with all their channels, so that a row is one row of a matrix:
both transforms are products with a matrix of a few numbers, and nothing is gathered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

_STRIP = 6
"""Rows of a result that are made together."""
_POINTS = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5)
"""Where the polynomials are evaluated, beside infinity: what loses the fewest digits."""
_PIXELS = 1024
"""Columns that are multiplied together, of as many strips as that takes: less does not pay
for what a product costs at its start, more does not fit into the cache."""
_FEW = 16
"""Channels under which the three columns of a kernel are applied in one product."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Features inside a border of zeros, of one pixel and of rows that fill the last strip."""

    rows: Tensor
    """Rows, width + 2, channels; contiguous, fp32."""
    height: int
    width: int

    @classmethod
    def shape(cls, height: int, width: int, channels: int) -> tuple[int, int, int]:
        """Return the shape of the rows of a frame."""
        return -(-height // _STRIP) * _STRIP + 2, width + 2, channels

    @classmethod
    def around(cls, batch: Tensor) -> "Frame":
        """Copy 1, C, H, W features into a new frame."""
        channels, height, width = batch.shape[1:]
        frame = cls(batch.new_empty(cls.shape(height, width, channels)), height, width)
        frame.inner().copy_(batch)
        frame.clear_border()
        return frame

    def inner(self) -> Tensor:
        """Return the features as 1, C, H, W, channels last in memory; nothing is copied."""
        return self.rows[1 : self.height + 1, 1:-1].permute(2, 0, 1)[None]

    def clear_border(self) -> None:
        """Set all but the features to 0."""
        self.rows[0].zero_()
        self.rows[self.height + 1 :].zero_()
        self.rows[:, 0].zero_()
        self.rows[:, -1].zero_()


class Convolution:
    """A 3×3 convolution that keeps the size, of features that may lie in several frames.

    Args:
        weight: Cout, Cin, 3, 3.
        bias: Cout, or None.
        channels: Of each frame; together they are Cin.
        activation: Applied to each strip of the result in place, of shape rows, W, Cout;
            None for none. It must not depend on where a pixel is.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        channels: Sequence[int],
        activation: Callable[[Tensor], object] | None = None,
    ) -> None:
        self.num_outputs = weight.shape[0]
        self._bias = torch.zeros(self.num_outputs) if bias is None else bias.detach()
        self._activation = activation
        _, kernel, _ = _transforms()
        # Points, columns of the kernel, Cin, Cout.
        turned = torch.einsum("ia,ocab->ibco", kernel, weight.detach().double()).float()
        self._weights = [_arranged(part) for part in torch.split(turned, list(channels), dim=2)]

    def run(self, frames: Sequence[Frame], result: Frame) -> None:
        """Compute the result from frames of its size."""
        pixels, _, back = _transforms()
        padded, num_points = result.width + 2, len(pixels)
        num_strips = len(range(0, result.height, _STRIP))
        together = min(num_strips, max(1, _PIXELS // padded))
        parts = [
            _Part.make(frame, weights, num_points, together * padded)
            for frame, weights in zip(frames, self._weights, strict=True)
        ]
        products = torch.empty(num_points, together * padded, self.num_outputs)
        # Strips, their points or rows, and the numbers of a row.
        by_strip = products.view(num_points, together, -1).transpose(0, 1)
        inner = result.rows[:, 1:-1]
        size = (together, _STRIP, result.width * self.num_outputs)
        for first in range(0, num_strips, together):
            count = min(together, num_strips - first)
            for part in parts:
                part.turn(pixels, first, count)
            self._multiply(parts, products[:, : count * padded])
            # A polynomial that is 1 at this point alone adds 1 to each row.
            products[_POINTS.index(1.0)] += self._bias
            rows = inner[first * _STRIP + 1 :][: count * _STRIP]
            line = rows.stride(0)
            strips = rows.as_strided((count, *size[1:]), (_STRIP * line, line, 1))
            torch.bmm(back.expand(count, -1, -1), by_strip[:count, :, : size[2]], out=strips)
            if self._activation is not None:
                self._activation(rows)
        result.clear_border()

    @staticmethod
    def _multiply(parts: Sequence["_Part"], products: Tensor) -> None:
        """Sum over all frames and the three columns of the kernel."""
        count = products.shape[1]
        factors = [factor for part in parts for factor in part.factors(count)]
        torch.bmm(*factors[0], out=products)
        for columns, kernel in factors[1:]:
            products.baddbmm_(columns, kernel)


@dataclass(frozen=True, slots=True)
class _Part:
    """What one frame gives to a convolution, some strips at a time."""

    rows: Tensor
    """The frame's, each as a row of a matrix."""
    weights: Tensor
    """3, points, Cin, Cout, or points, 3·Cin, Cout."""
    turned: Tensor
    """Points, pixels and 2 more, Cin: strips one after the other, with their borders."""

    @classmethod
    def make(cls, frame: Frame, weights: Tensor, num_points: int, num_pixels: int) -> "_Part":
        # Products beyond the last column are made of anything, and not read.
        turned = torch.empty(num_points, num_pixels + 2, frame.rows.shape[2])
        return cls(frame.rows.flatten(1), weights, turned)

    def turn(self, pixels: Tensor, first: int, count: int) -> None:
        """Transform so many strips from this one on."""
        num_points, length = len(pixels), self.rows.shape[1]
        strips = self.rows[first * _STRIP :].as_strided(
            (count, num_points, length), (_STRIP * length, length, 1)
        )
        into = self.turned[:, :-2].view(num_points, -1, length).transpose(0, 1)[:count]
        torch.bmm(pixels.expand(count, -1, -1), strips, out=into)

    def factors(self, count: int) -> list[tuple[Tensor, Tensor]]:
        """Return pixels and kernels to be multiplied and summed, for so many pixels."""
        shifted = [self.turned[:, column : column + count] for column in range(3)]
        if self.weights.dim() == 3:
            return [(torch.cat(shifted, dim=2), self.weights)]
        return list(zip(shifted, self.weights, strict=True))


def _arranged(turned: Tensor) -> Tensor:
    """Return kernels of points, 3, Cin, Cout as the products want them."""
    if turned.shape[2] < _FEW:
        return turned.flatten(1, 2).contiguous()
    return turned.transpose(0, 1).contiguous()


@cache
@torch.inference_mode(mode=False)  # They outlive the mode of whoever is the first to ask.
def _transforms() -> tuple[Tensor, Tensor, Tensor]:
    """Return the matrices that turn pixels (fp32), kernels (fp64) and products back (fp32).

    A product of polynomials is evaluated at points, multiplied there and interpolated
    (Toom and Cook); transposed, that is a convolution.
    """
    num_points = _STRIP + 2

    def powers(count: int) -> Tensor:
        at_infinity = [0.0] * (count - 1) + [1.0]
        rows = [[point**power for power in range(count)] for point in _POINTS]
        return torch.tensor([*rows, at_infinity], dtype=torch.float64)

    kernel, pixels = powers(3), torch.linalg.inv(powers(num_points)).T
    # Every factor that a kernel is multiplied by may as well multiply the pixels.
    size = kernel.abs().amax(dim=1, keepdim=True)
    return (pixels * size).float().contiguous(), kernel / size, powers(_STRIP).T.float()
