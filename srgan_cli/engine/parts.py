"""A batch in parts, one after the other in memory, of which some patches may not be judged."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from srgan_cli.engine.descent import Descent

Terms = dict[str, Tensor]
"""Loss terms of one step by name, detached."""
Judged = npt.NDArray[np.float64]
"""How much each patch is judged: its weight in the means of what judges."""
Part = tuple[Tensor, Tensor, Judged]
"""Two sides of some patches, and how much each patch is judged."""


def only_judged(judged: Judged, *sides: Tensor) -> tuple[float, Sequence[Tensor]]:
    """Keep the patches that are judged.

    Returns:
        What a mean over them counts in the whole batch, and each side's patches. Where none is
        judged the first stays, and counts nothing.
    """
    weight = float(judged.mean())
    if judged.all():
        return weight, sides
    # Found on the host: a mask on the device would make the host wait for its sum.
    chosen = torch.from_numpy(np.flatnonzero(judged) if judged.any() else np.zeros(1, np.int64))
    return weight, [side[chosen.to(side.device, non_blocking=True)] for side in sides]


def gather(
    parts: Sequence[tuple[Tensor, *tuple[Any, ...]]],
    loss: Callable[..., Terms],
    total: str,
    descent: Descent | None,
) -> Terms:
    """Add up a loss over the parts of a batch, and its gradient too.

    Args:
        parts: Arguments of ``loss``, part by part.
        loss: Returns means over a part by name.
        total: Name of the one to descend.
        descent: Takes the gradients; None leaves them out.

    Returns:
        Means over the whole batch by name, detached.
    """
    size = sum(len(part[0]) for part in parts)
    means: Terms = {}
    for part in parts:
        share = len(part[0]) / size
        terms = loss(*part)
        if descent is not None:
            descent.add(share * terms[total])
        for name, term in terms.items():
            mean = share * term.detach()
            means[name] = means[name] + mean if name in means else mean
    return means
