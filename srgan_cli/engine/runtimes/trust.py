"""Check on this very machine, on few pixels, that a runtime gives what PyTorch gives on the CPU."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srgan_cli.engine.runtimes.backends import Runtime
from srgan_cli.engine.runtimes.operations import UnsupportedError
from srgan_cli.errors import ResourceError

TOLERANCE = 1e-3
"""Largest difference of a runtime to PyTorch in fp32, in the range [0, 1] and before rounding."""


@torch.inference_mode()
def require_equal(
    runtime: Runtime,
    network: nn.Module,
    sizes: Iterable[tuple[int, int]],
    *,
    exact: bool = True,
    tolerance: float = TOLERANCE,
) -> None:
    """Compare results on random images, before a runtime is trusted with others.

    Args:
        runtime: What is to be trusted.
        network: In fp32 on the CPU.
        sizes: Heights and widths of the images.
        exact: Compare in fp32; else in the precision of the runtime.
        tolerance: Largest difference, of the range [0, 1].

    Raises:
        UnsupportedError: It fails, or results differ; the message says by how much.
    """
    for height, width in sizes:
        lr = _image(height, width, smooth=not exact)
        expected = network(lr)
        try:
            made = runtime.run(lr, exact=exact)
        except (MemoryError, ResourceError) as error:  # So few pixels fit: it cannot run them.
            raise UnsupportedError(str(error)) from error
        if made.shape != expected.shape:
            raise UnsupportedError(f"its result is of shape {tuple(made.shape)}")
        difference = float((made - expected).abs().max())
        if not difference <= tolerance * max(1.0, float(expected.abs().max())):
            raise UnsupportedError(
                f"its results differ from PyTorch's by {difference:.2g} ({width}x{height} pixels)"
            )


def _image(height: int, width: int, *, smooth: bool) -> Tensor:
    """Return random pixels, or such as vary as little as a photograph's.

    Half precision is meant for photographs, and far less exact where neighbours differ so much.
    """
    generator = torch.Generator().manual_seed(0)
    if not smooth:
        return torch.rand(1, 3, height, width, generator=generator)
    coarse = torch.rand(1, 3, height // 4 + 1, width // 4 + 1, generator=generator)
    return F.interpolate(coarse, (height, width), mode="bilinear")
