"""Muon: momentum whose directions all count the same."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Size, Tensor
from torch.optim import Optimizer

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
_NEWTON_SCHULZ_STEPS = 5
_ADAM_RMS = 0.2


class Muon(Optimizer):
    """Steps by the orthogonalised running mean of the gradient (Jordan et al. 2024).

    The kernels of a convolution are taken as one matrix, a row for each output channel. Its
    update has singular values of about 1, so that rare directions are learnt as fast as
    frequent ones; for thin networks that is worth about half of the steps. Updates
    have the size that Adam's have (Liu et al. 2025, "Muon is scalable for LLM training",
    section 2.2), so that one learning rate suits both.

    PyTorch's own ``torch.optim.Muon`` takes matrices only, not kernels.

    Args:
        params: Weights of at least two dimensions.
        lr: Learning rate.
        momentum: Decay of the running mean, applied in Nesterov's manner.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move every weight that has a gradient."""
        del closure  # Part of PyTorch's interface; nothing here calls the model again.
        for group in self.param_groups:
            alike: dict[Size, list[Tensor]] = defaultdict(list)
            for weight in group["params"]:
                if weight.grad is not None:
                    alike[weight.shape].append(weight)
            # Weights of one shape are orthogonalised together, in a few large products.
            for weights in alike.values():
                self._move(weights, group["lr"], group["momentum"])

    def _move(self, weights: list[Tensor], lr: float, momentum: float) -> None:
        rows = len(weights[0])
        updates = torch.stack([self._momentum(w, momentum).reshape(rows, -1) for w in weights])
        length = lr * _ADAM_RMS * max(updates.shape[-2:]) ** 0.5
        for weight, direction in zip(weights, orthogonalised(updates), strict=True):
            weight.add_(direction.reshape(weight.shape), alpha=-length)

    def _momentum(self, weight: Tensor, momentum: float) -> Tensor:
        assert weight.grad is not None
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        state["momentum"].lerp_(weight.grad, 1 - momentum)
        return weight.grad.lerp(state["momentum"], momentum)


def orthogonalised(matrices: Tensor) -> Tensor:
    """Bring all singular values of matrices near 1: between about 0.7 and 1.2.

    Newton and Schulz's iteration with the coefficients of Jordan et al. 2024, in fp32.

    Args:
        matrices: B, M, N.
    """
    a, b, c = _NEWTON_SCHULZ
    x = matrices / (torch.linalg.matrix_norm(matrices, keepdim=True) + 1e-7)
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    for _ in range(_NEWTON_SCHULZ_STEPS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x
