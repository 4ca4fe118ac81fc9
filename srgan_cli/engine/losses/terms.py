"""Types that losses share: the terms of a step by name, and the patches that are judged."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from srgan_cli.imaging.types import Float64Array

Terms = dict[str, Tensor]
"""Loss terms of one step by name, detached."""


Judged = Float64Array
"""Weight of each patch in the adversarial and the VGG loss (``--judge``)."""


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
