"""Muon: momentum whose directions all count the same."""

from collections import defaultdict
from typing import Any

import torch
from torch import Size, Tensor, nn
from torch.optim import Adam

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
_NEWTON_SCHULZ_STEPS = 5
_RMS = 0.6
"""Root mean square of an update, in learning rates: the best of those raced in
docs/recipes.md; Liu et al. take 0.2."""


class Muon(Adam):
    """Steps hidden kernels by the orthogonalised mean of their gradient (Jordan et al. 2024).

    The kernels of a convolution are taken as one matrix, a row for each output channel. Its
    update has singular values of about 1, so that rare directions are learnt as fast as
    frequent ones. An update's size does not depend on the shape (Liu et al. 2025, "Muon is
    scalable for LLM training", section 2.2), so that the learning rate suits Adam too, which
    steps everything else: biases, slopes, and the convolutions from and to colours.

    PyTorch's own ``torch.optim.Muon`` takes matrices only, not kernels, and nothing else.

    Args:
        network: A network whose first and last convolution read and write pictures.
        lr: Learning rate.
        momentum: Decay of the running mean of hidden kernels' gradients, applied in
            Nesterov's manner.
        betas: Adam's.
    """

    def __init__(
        self,
        network: nn.Module,
        lr: float = 1e-3,
        *,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        hidden = hidden_kernels(network)
        ids = {id(kernels) for kernels in hidden}
        others = [parameter for parameter in network.parameters() if id(parameter) not in ids]
        # Not fused: a loss scaler then leaves out a whole step, not Adam's part of it.
        groups: list[dict[str, Any]] = [
            {"params": others},
            {"params": hidden, "momentum": momentum},
        ]
        super().__init__(groups, lr=lr, betas=betas)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        others, hidden = self.param_groups
        alike: dict[Size, list[Tensor]] = defaultdict(list)
        for kernels in hidden["params"]:
            if kernels.grad is not None:
                alike[kernels.shape].append(kernels)
        # Kernels of one shape are orthogonalised together, in a few large products.
        for group in alike.values():
            self._move(group, hidden["lr"], hidden["momentum"])
        self.param_groups = [others]
        try:
            super().step(closure)
        finally:
            self.param_groups = [others, hidden]

    def _move(self, group: list[Tensor], lr: float, momentum: float) -> None:
        rows = len(group[0])
        updates = torch.stack([self._momentum(k, momentum).reshape(rows, -1) for k in group])
        length = lr * _RMS * max(updates.shape[-2:]) ** 0.5
        for kernels, direction in zip(group, orthogonalised(updates), strict=True):
            kernels.add_(direction.reshape(kernels.shape), alpha=-length)

    def _momentum(self, kernels: Tensor, momentum: float) -> Tensor:
        assert kernels.grad is not None
        state = self.state[kernels]
        if not state:
            state["step"] = torch.zeros(())
            state["momentum"] = torch.zeros_like(kernels)
        state["step"] += 1
        state["momentum"].lerp_(kernels.grad, 1 - momentum)
        return kernels.grad.lerp(state["momentum"], momentum)


def hidden_kernels(network: nn.Module) -> list[Tensor]:
    """Return the weights of all convolutions but the first and the last."""
    convs = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    return [conv.weight for conv in convs[1:-1]]


def orthogonalised(matrices: Tensor) -> Tensor:
    """Bring all singular values of matrices near 1: between about 0.7 and 1.2.

    Newton and Schulz's iteration with the coefficients of Jordan et al. 2024, in fp32.

    Args:
        matrices: B, M, N.
    """
    a, b, c = _NEWTON_SCHULZ
    x: Tensor = matrices / (torch.linalg.matrix_norm(matrices, keepdim=True) + 1e-7)
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    for _ in range(_NEWTON_SCHULZ_STEPS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x
