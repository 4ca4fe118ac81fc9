from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from srgan_cli.config import GeneratorConfig, SrvggConfig, preset
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.networks.generators import make_generator
from srgan_cli.engine.networks.published import MSRResNet
from srgan_cli.engine.runtimes import program
from srgan_cli.engine.runtimes.backends import TorchRuntime
from srgan_cli.engine.runtimes.fastest import open_runtime
from srgan_cli.engine.runtimes.operations import UnsupportedError
from srgan_cli.engine.runtimes.program import Program
from tests.toolbox import random_generator
from tests.unit.runtimes.test_runtimes import Chain, Pooled

CPU = Amp.create(torch.device("cpu"), "fp32")


class Row(nn.Module):
    """A first convolution that is read again at the end, beyond all others."""

    align = 1

    def __init__(self, channels=32):
        super().__init__()
        self.first = nn.Conv2d(3, channels, 3, padding=1)
        self.middle = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(3))
        self.last = nn.Conv2d(channels, 12, 3, padding=1)

    def forward(self, x):
        first = features = F.leaky_relu(self.first(x), 0.2)
        for convolution in self.middle:
            features = F.leaky_relu(convolution(features), 0.2)
        detail = F.pixel_shuffle(self.last(features + first), 2)
        return detail + F.interpolate(x, scale_factor=2, mode="bilinear")


class Unfused(Row):
    """Reads what a convolution gives both before and after the activation."""

    def forward(self, x):
        before = self.first(x)
        features = self.middle[0](F.relu(before)) + before * 0.5
        return F.pixel_shuffle(self.last(features), 2)


NETWORKS = {
    "row": Row,
    "unfused": Unfused,
    "preset row": lambda: random_generator(preset("row", 2)),
    "compact": lambda: random_generator(preset("compact", 2)),
    "standard x3": lambda: random_generator(replace(preset("standard", 3), num_blocks=1)),
    "rrdb x4": lambda: random_generator(replace(preset("esrgan", 4), num_blocks=1)),
    "rrdb x2": lambda: random_generator(replace(preset("esrgan", 2), num_blocks=1)),
    "rrdb x1": lambda: random_generator(replace(preset("esrgan", 1), num_blocks=1)),
    "srvgg": lambda: make_generator(SrvggConfig(2, 32, 2)),
    "msrresnet": lambda: MSRResNet(32, 2, 4),
}


def made(name):
    torch.manual_seed(0)
    return NETWORKS[name]().eval().requires_grad_(requires_grad=False)


def difference(network, size, lr=None):
    lr = torch.rand(1, 3, *size) if lr is None else lr
    expected = network(lr)
    result = Program(network, network.align)(lr)
    assert result.shape == expected.shape
    return float((result - expected).abs().max()) / max(1, float(expected.abs().max()))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [(4, 4), (20, 52), (44, 36)], ids=str)
def test_program_gives_what_the_network_gives(name, size):
    network = made(name)
    with torch.inference_mode():
        assert difference(network, size) < 1e-5


def test_operations_of_other_kinds_are_run_by_pytorch(monkeypatch):
    monkeypatch.setattr(program, "_pays", lambda _: True)
    with torch.inference_mode():
        assert difference(Chain().requires_grad_(requires_grad=False), (11, 17)) < 1e-5


def test_input_is_left_as_it_was_in_any_layout():
    network, lr = made("row"), torch.rand(1, 3, 14, 9)
    last = lr.contiguous(memory_format=torch.channels_last)
    before = lr.clone()
    with torch.inference_mode():
        assert difference(network, None, lr) < 1e-5
        assert difference(network, None, last) < 1e-5
    assert torch.equal(lr, before)
    assert torch.equal(last, before)


def test_program_may_run_in_several_threads_at_once():
    network = made("row")
    run = Program(network, 1)
    tiles = [torch.rand(1, 3, 30 + side, 40) for side in range(8)]

    def once(tile):
        with torch.inference_mode():
            return run(tile)

    with ThreadPoolExecutor(4) as pool:
        for tile, result in zip(tiles, pool.map(once, tiles), strict=True):
            torch.testing.assert_close(result, network(tile), atol=1e-5, rtol=0)


def test_networks_that_it_does_not_pay_for_stay_as_they_are():
    narrow = Row(16).requires_grad_(requires_grad=False)
    with pytest.raises(UnsupportedError, match="too few channels"):
        Program(narrow, 1)
    lr = torch.rand(1, 3, 12, 10)
    for network in (narrow, Pooled().requires_grad_(requires_grad=False)):
        runtime = open_runtime("torch", network, 1, CPU)
        assert torch.equal(
            runtime.run(lr, exact=True), TorchRuntime(network, CPU).run(lr, exact=True)
        )


def test_program_that_is_not_exact_is_not_used(monkeypatch):
    network = made("row")
    lr = torch.rand(1, 3, 12, 10)

    def runs_as_it_is():
        runtime = open_runtime("torch", network, 1, CPU)
        return torch.equal(runtime.run(lr, exact=True), network(lr))

    run = Program.__call__
    assert not runs_as_it_is()
    monkeypatch.setattr(Program, "__call__", lambda self, lr: run(self, lr) + 1e-4)
    assert runs_as_it_is()


def test_other_precisions_do_not_use_it(monkeypatch):
    monkeypatch.setattr("srgan_cli.engine.runtimes.fastest.Program", None)
    half = Amp.create(torch.device("cpu"), "bf16")
    assert open_runtime("torch", made("row"), 1, half).name == "torch"


def test_what_cannot_be_rewritten_is_named(monkeypatch):
    class Shifted(Row):
        def forward(self, x):
            return super().forward(x) + 1.0

    with pytest.raises(UnsupportedError, match="only values are added"):
        Program(Shifted().requires_grad_(requires_grad=False), 1)
    monkeypatch.setattr(program, "_pays", lambda _: True)
    with pytest.raises(UnsupportedError, match="mean has no counterpart"):
        Program(Pooled(), 1)


class EndsJoined(Row):
    def __init__(self):
        super().__init__()
        self.grey = nn.Conv2d(32, 1, 3, padding=1)

    def forward(self, x):
        grey = self.grey(self.middle[0](self.first(x)))
        return torch.cat([grey, grey, grey], 1)


class AddsToItsOwn(Row):
    def forward(self, x):
        sr = super().forward(x)
        return torch.ones(sr.shape) + sr


class ComputesKernels(Row):
    def forward(self, x):
        kernel = F.interpolate(x, size=(1, 1)).transpose(0, 1)
        return F.conv2d(super().forward(x), kernel, groups=3)


@pytest.mark.parametrize("kind", [EndsJoined, AddsToItsOwn, ComputesKernels])
def test_networks_of_unusual_form_are_run_by_pytorch(kind):
    torch.manual_seed(0)
    network, lr = kind().requires_grad_(requires_grad=False), torch.rand(1, 3, 12, 10)
    runtime = open_runtime("torch", network, 1, CPU)
    assert torch.equal(runtime.run(lr, exact=True), network(lr))


def test_images_whose_sides_are_folded_are_upscaled_alike():
    config = GeneratorConfig(2, 32, 32, 1, 1, 2, 0.2, "nearest")
    network = random_generator(config).eval().requires_grad_(requires_grad=False)
    with torch.inference_mode():
        assert difference(network, (16, 22)) < 1e-5
