"""What a network costs to run."""

import copy

import torch

from srgan_cli.engine.network import Network

_SIDE = 64  # LR pixels; a whole number of everybody's windows.


def macs_per_pixel(network: Network) -> float:
    """Count multiply-accumulates for each pixel of the result.

    Counted by PyTorch's own counter: convolutions, matrix products and attention; sums
    and activations are left out, as is usual in the literature.
    """
    on_meta = copy.deepcopy(network).to("meta")
    try:
        flops = _flops(on_meta, torch.zeros(1, 3, _SIDE, _SIDE, device="meta"))
    except (RuntimeError, NotImplementedError):  # Some compute with the numbers themselves.
        flops = _flops(network, torch.zeros(1, 3, _SIDE, _SIDE))
    return flops / 2 / (_SIDE * network.scale) ** 2


@torch.no_grad()
def _flops(network: Network, lr: torch.Tensor) -> int:
    from torch.utils.flop_counter import FlopCounterMode  # Brings a compiler, slow to import.

    with FlopCounterMode(display=False) as counter:
        network(lr)
    return int(counter.get_total_flops())
