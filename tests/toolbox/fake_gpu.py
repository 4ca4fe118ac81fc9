"""A GPU that PyTorch does not know, as the CPU plays it."""

import torch

from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.runtimes.backends import TorchRuntime

CPU = Amp.create(torch.device("cpu"), "fp32")


def right(sr, _):
    return sr


class FakeGpu(TorchRuntime):
    """Computes what PyTorch computes, with a fault."""

    name = "ncnn"

    def __init__(self, network, spoiled=right):
        super().__init__(network, CPU)
        self._spoiled = spoiled

    def run(self, lr, *, exact):
        return self._spoiled(super().run(lr, exact=exact), exact)
