"""The Muon optimizer: momentum whose directions are made equally long (orthogonalised)."""

from collections import defaultdict
from typing import Any

import torch
from torch import Size, Tensor, nn
from torch.optim import Adam

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
_NEWTON_SCHULZ_STEPS = 5
_RMS = 0.6
"""Root mean square of an update, as a multiple of the learning rate: the best of those compared in
docs/lab/recipes.md; Liu et al. use 0.2."""


class Muon(Adam):
    """Steps hidden kernels by the orthogonalised mean of their gradient (Jordan et al. 2024).

    The kernels of a convolution are taken as one matrix, a row for each output channel. Its
    update has singular values of about 1, so that rare directions are learnt as fast as
    frequent ones. An update's size does not depend on the shape (Liu et al. 2025, "Muon is
    scalable for LLM training", section 2.2), so that the learning rate suits Adam too, which
    steps everything else: biases, slopes, and the convolutions from and to colours.

    PyTorch's own ``torch.optim.Muon`` takes matrices only, not kernels, and nothing else.

    Args:
        network: A network whose first and last convolution read and write images.
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
        # Lists of tensors are changed in one launch, which is what a GPU's small steps wait for.
        grads = [kernels.grad for kernels in group if kernels.grad is not None]
        means = [self._mean(kernels) for kernels in group]
        torch._foreach_lerp_(means, grads, 1 - momentum)
        moved = torch._foreach_lerp(grads, means, momentum)  # noqa: SLF001 - it has no public name
        updates = torch.stack(moved).reshape(len(group), len(group[0]), -1)
        length = lr * _RMS * max(updates.shape[-2:]) ** 0.5
        directions = orthogonalised(updates).reshape(len(group), *group[0].shape)
        torch._foreach_add_(group, directions.unbind(), alpha=-length)

    def _mean(self, kernels: Tensor) -> Tensor:
        """Return the running mean of a gradient, and count the step."""
        state = self.state[kernels]
        if not state:
            state["step"] = torch.zeros(())
            state["momentum"] = torch.zeros_like(kernels)
        state["step"] += 1
        mean: Tensor = state["momentum"]
        return mean


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
