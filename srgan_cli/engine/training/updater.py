"""From the losses of a network to updates of its weights: loss scaling, clipping, optimiser."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.devices.ranks import Ranks
from srgan_cli.engine.losses.terms import Judged, Terms
from srgan_cli.engine.networks.equivariance import Equivariance

MakeOptimizer = Callable[[nn.Module], Optimizer]


class NetworkUpdater:
    """Turns a network's losses into updates of its weights.

    Each network has a loss scaler of its own, updated once after each of its updates. A
    scale shared by two networks would be the smaller of what either needs, and an
    overflow in one would cost the other its precision; and it could not follow a
    discriminator that is updated several times a step.

    An update whose gradient is not finite is skipped, in every precision, and counted;
    the check runs on the device, and the host does not wait for it.

    Args:
        module: The network.
        optimizer: Makes what steps the network.
        amp: Precision; its scaler starts here.
        ranks: The processes that share each batch.
        clip: Largest norm of a gradient; 0 does not clip.
        tied: Ties the network's weights.
    """

    def __init__(
        self,
        module: nn.Module,
        optimizer: MakeOptimizer,
        *,
        amp: Amp,
        ranks: Ranks,
        clip: float,
        tied: Equivariance | None = None,
    ) -> None:
        self._module = module
        self.parameters = list(module.parameters())
        self.scaler = amp.scaler()
        self._scales = amp.scales
        self._ranks, self._clip, self._tied = ranks, clip, tied
        self._attempts, self._skipped_before = 0, 0
        self.optimizer = optimizer(module)

    def add(self, loss: Tensor) -> None:
        """Add the gradient of a loss to what the next update follows."""
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def update(self, learning_rate: float) -> None:
        """Move the weights along the gradient that has gathered in all ranks, and forget it."""
        self._ranks.average(p.grad for p in self.parameters if p.grad is not None)
        if self._tied is not None:
            self._tied.tie_gradients()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        if self._clip:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.parameters, self._clip)
        self.scaler.step(self.optimizer)
        # Without fp16 the scale stays 1, and the scaler only looks for what is not finite.
        self.scaler.update(None if self._scales else 1.0)
        self.optimizer.zero_grad(set_to_none=True)
        self._attempts += 1

    def renew(self, optimizer: MakeOptimizer) -> None:
        """Forget the moments: the loss is going to be another one."""
        self._skipped_before, self._attempts = self.skipped, 0
        self.optimizer = optimizer(self._module)

    @property
    def skipped(self) -> int:
        """Updates skipped because a gradient was not finite; the host waits for the device."""
        if not self._attempts:
            return self._skipped_before
        # Optimisers count the updates that they made; the fused Adam takes back those it skipped.
        made = max((int(state["step"]) for state in self.optimizer.state.values()), default=0)
        return self._skipped_before + self._attempts - made

    def state(self) -> dict[str, Any]:
        """Return what JSON can hold of the state; moments are in ``optimizer``."""
        return {
            "scaler": self.scaler.state_dict(),
            "attempts": self._attempts,
            "skipped_before": self._skipped_before,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state that :meth:`state` returned."""
        self.scaler.load_state_dict(state["scaler"])
        self._attempts, self._skipped_before = state["attempts"], state["skipped_before"]


Part = tuple[Tensor, Tensor, Judged]


"""LR and HR of some patches, and the weight of each patch (``--judge``)."""


def gather(
    parts: Sequence[tuple[Tensor, *tuple[Any, ...]]],
    loss: Callable[..., Terms],
    total: str,
    updater: NetworkUpdater | None,
) -> Terms:
    """Add up a loss over the parts of a batch, and its gradient too.

    Args:
        parts: Arguments of ``loss``, part by part.
        loss: Returns means over a part by name.
        total: Name of the one to descend.
        updater: Takes the gradients; None computes none.

    Returns:
        Means over the whole batch by name, detached.
    """
    size = sum(len(part[0]) for part in parts)
    means: Terms = {}
    for part in parts:
        share = len(part[0]) / size
        terms = loss(*part)
        if updater is not None:
            updater.add(share * terms[total])
        for name, term in terms.items():
            mean = share * term.detach()
            means[name] = means[name] + mean if name in means else mean
    return means
