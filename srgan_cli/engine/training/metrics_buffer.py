"""Loss terms of the last steps of a run, kept until the journal records their means."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

import torch

from srgan_cli.engine.devices.ranks import Ranks
from srgan_cli.engine.losses.terms import Terms


class MetricsBuffer:
    """Loss terms of the steps that are not recorded yet; they stay on the device until then.

    Args:
        ranks: The processes that train together.
    """

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self._steps: list[Terms] = []

    def __len__(self) -> int:
        """Return how many steps wait for their record."""
        return len(self._steps)

    def add(self, terms: Terms) -> None:
        """Take up the terms of one more step."""
        self._steps.append(terms)

    def clear(self) -> None:
        """Begin anew."""
        self._steps = []

    def means(self) -> dict[str, float | None]:
        """Return the mean of each term over the steps, of all processes, in which it was finite.

        It is None if there was none. The one place where the host waits for the device.
        """
        names = [name for terms in self._steps for name in terms]
        values = torch.stack([terms[name].float() for terms in self._steps for name in terms])
        gathered: dict[str, list[float]] = {name: [] for name in names}
        for name, value in zip(names, self._ranks.mean(values).tolist(), strict=True):
            if math.isfinite(value):
                gathered[name].append(value)
        return {name: fmean(found) if found else None for name, found in gathered.items()}

    def numbers(self) -> tuple[dict[str, float], ...]:
        """Return the terms of each step, as JSON can hold them."""
        return tuple({n: float(v) for n, v in terms.items()} for terms in self._steps)

    def restore(self, numbers: Sequence[Mapping[str, float]], device: torch.device) -> None:
        """Take up what :meth:`numbers` gave."""
        self._steps = [
            {name: torch.tensor(value, device=device) for name, value in terms.items()}
            for terms in numbers
        ]
