"""Which device runs a network: what is trusted, what is faster, and what is used otherwise."""

from dataclasses import replace

import pytest
import torch

from srgan_cli.config import PlainConfig
from srgan_cli.engine.devices import amp as amps
from srgan_cli.engine.devices.accelerators import Accelerator, VulkanDevice
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.runtimes import opening
from srgan_cli.engine.runtimes.accelerated import is_black
from srgan_cli.engine.runtimes.opening import open_network
from srgan_cli.errors import UsageError
from tests.toolbox import Pooled, random_generator
from tests.toolbox.fake_gpu import FakeGpu, right

CPU = Amp.create(torch.device("cpu"), "fp32")
GPU = VulkanDevice(0, "a GPU", False, 1 << 30)


@pytest.fixture
def network():
    return random_generator(PlainConfig(2, 8, 2))


@pytest.fixture
def gpu(monkeypatch):
    """Return a function that lets devices compute with a fault."""
    monkeypatch.setattr(amps, "require_present", lambda _: None)
    opened = []

    def faulty(spoiled=right):
        def fake(of, device, **_):
            opened.append(device)
            return FakeGpu(of, spoiled)

        monkeypatch.setattr(opening, "_opened", fake)
        return opened

    return faulty


def wide(sr):
    """Say whether a result is of an image whose sides are no multiples of 4."""
    return sr.shape[-1] // 2 % 4 != 0


FAULTS = {
    "black": lambda sr, _: torch.zeros_like(sr),
    "not a number": lambda sr, _: torch.full_like(sr, torch.nan),
    "off by a hundredth": lambda sr, _: sr + 0.01,
    "shifted where the width is odd": lambda sr, _: sr.roll(1, -1) if wide(sr) else sr,
    "one wrong pixel": lambda sr, _: sr.index_fill(-1, torch.tensor([0]), 0.2),
    "too small": lambda sr, _: sr[..., 1:],
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_device_that_computes_something_else_is_not_trusted(network, gpu, fault):
    gpu(fault)
    opened = open_network("auto", network, Amp.to_upscale("vulkan", "fp32"))
    assert opened.amp.where == "cpu"
    assert "--device vulkan cannot be used, the CPU is used instead: its result" in opened.problem


def test_a_device_that_lacks_memory_for_a_few_pixels_is_not_used(network, gpu):
    def fails(*_):
        raise MemoryError("no memory")

    gpu(fails)
    opened = open_network("auto", network, Amp.to_upscale("vulkan:1", "fp32"))
    assert opened.amp.where == "cpu"
    assert opened.problem == (
        "--device vulkan:1 cannot be used, the CPU is used instead: no memory"
    )


def test_a_device_that_computes_the_same_is_used(network, gpu):
    asked = gpu()
    opened = open_network("auto", network, Amp.to_upscale("directml:1", "fp16"))
    assert (opened.amp.where, opened.amp.precision, opened.problem) == ("directml:1", "fp16", None)
    assert asked == [Accelerator("directml", 1)]


def test_a_device_that_fails_in_fp16_alone_is_used_in_fp32(network, gpu):
    gpu(lambda sr, exact: sr if exact else sr + 0.15)
    opened = open_network("auto", network, Amp.to_upscale("vulkan", "auto"))
    assert (opened.amp.where, opened.amp.precision) == ("vulkan", "fp32")
    assert opened.problem.startswith("--device vulkan is used in fp32, because fp16 is too inexact")


def test_errors_of_half_precision_are_left_to_be_judged_on_images(network, gpu):
    gpu(lambda sr, exact: sr if exact else sr + 0.03)
    opened = open_network("auto", network, Amp.to_upscale("vulkan", "auto"))
    assert (opened.amp.precision, opened.problem) == ("fp16", None)


class TestRemembering:
    """A check or a race on a GPU with Vulkan is done once for a network and a driver."""

    AUTO = Amp(torch.device("cpu"), torch.float32, may_accelerate=True)

    @pytest.fixture(autouse=True)
    def machine(self, monkeypatch, gpu, home):  # noqa: ARG002 - what is remembered is there
        monkeypatch.delenv("SRGAN_MEASURE")
        self.said, self.runs = [], []
        gpu(lambda sr, exact: self.runs.append(exact) or sr)
        self.device = GPU
        monkeypatch.setattr(opening, "vulkan_device", lambda _: self.device)
        monkeypatch.setattr(opening, "vulkan_devices", lambda: (self.device,))
        monkeypatch.setattr(opening, "may_have_gpu", lambda: True)

    def say(self, message):
        self.said.append(message)

    def opened(self, network, precision):
        """Open it, and return how often the GPU ran and whether a check was announced."""
        self.said.clear()
        self.runs.clear()
        amp = Amp.to_upscale("vulkan", precision) if precision else self.AUTO
        open_network("auto", network, amp, self)
        return len(self.runs), self.said

    def test_each_precision_is_checked_once_and_that_is_told(self, network):
        told = ["checking vulkan against the CPU"]
        assert self.opened(network, "fp32") == (4, told)
        assert self.opened(network, "fp32") == (0, [])
        assert self.opened(network, "fp16") == (4, told)
        assert self.opened(network, "fp16") == (0, [])

    def test_another_driver_is_checked_again(self, network):
        self.opened(network, "fp32")
        self.device = replace(GPU, driver="another")
        assert self.opened(network, "fp32")[0] == 4

    def test_a_check_that_fails_is_not_remembered(self, network, gpu):
        gpu(FAULTS["black"])
        for _ in range(2):
            opened = open_network("auto", network, Amp.to_upscale("vulkan", "fp32"))
            assert opened.amp.where == "cpu"

    def test_a_race_is_run_once(self, network, monkeypatch):
        raced = []
        monkeypatch.setattr(opening, "_seconds", lambda *_: raced.append(0) or 1.0)
        for _ in range(2):
            self.opened(network, None)
        assert len(raced) == 2


def test_a_network_that_the_device_cannot_run_runs_on_the_cpu(monkeypatch):
    monkeypatch.setattr(amps, "require_present", lambda _: None)
    opened = open_network("auto", Pooled(), Amp.to_upscale("vulkan", "fp16"))
    assert (opened.runtime.name, opened.amp.where, opened.amp.precision) == ("torch", "cpu", "fp32")
    assert opened.problem.startswith(
        "--device vulkan cannot be used, the CPU is used instead: "
        "this network has no equivalent in ncnn: "
    )


@pytest.mark.parametrize(
    ("device", "runtime"), [("vulkan", "onnxruntime"), ("vulkan", "torch"), ("directml", "ncnn")]
)
def test_a_runtime_that_is_not_the_devices_is_refused(network, gpu, device, runtime):
    gpu()
    with pytest.raises(UsageError, match="contradicts"):
        open_network(runtime, network, Amp.to_upscale(device, "fp32"))


class TestAuto:
    """``--device auto`` where PyTorch knows no GPU."""

    AUTO = Amp(torch.device("cpu"), torch.float32, may_accelerate=True)

    @pytest.fixture(autouse=True)
    def machine(self, monkeypatch, gpu):
        self.asked = gpu()
        self.devices = [GPU]
        self.times = {"FakeGpu": 1.0}
        monkeypatch.setattr(opening, "may_have_gpu", lambda: True)
        monkeypatch.setattr(opening, "vulkan_devices", lambda: tuple(self.devices))
        monkeypatch.setattr(
            opening, "_seconds", lambda runtime, _: self.times.get(type(runtime).__name__, 2.0)
        )

    def test_a_faster_gpu_is_taken(self, network):
        opened = open_network("auto", network, self.AUTO)
        assert (opened.amp.where, opened.amp.precision) == ("vulkan:0", "fp32")

    def test_a_slower_gpu_is_not(self, network):
        self.times["FakeGpu"] = 3.0
        opened = open_network("auto", network, self.AUTO)
        assert (opened.amp.where, opened.problem) == ("cpu", None)

    def test_software_is_never_taken_and_never_tried(self, network):
        self.devices = [VulkanDevice(0, "llvmpipe", True, 1 << 30)]
        assert open_network("auto", network, self.AUTO).amp.where == "cpu"
        assert self.asked == []

    def test_a_gpu_behind_software_is_found(self, network):
        software = VulkanDevice(0, "llvmpipe", True, 1 << 30)
        self.devices = [software, VulkanDevice(1, "a GPU", False, 1 << 30)]
        assert open_network("auto", network, self.AUTO).amp.where == "vulkan:1"

    def test_a_gpu_that_computes_something_else_is_not_taken(self, network, gpu):
        gpu(FAULTS["black"])
        opened = open_network("auto", network, self.AUTO)
        assert (opened.amp.where, opened.problem) == ("cpu", None)

    def test_a_gpu_is_not_looked_for_where_the_cpu_or_a_runtime_was_named(self, network):
        assert open_network("auto", network, CPU).amp.where == "cpu"
        assert open_network("torch", network, self.AUTO).amp.where == "cpu"
        assert self.asked == []


def test_a_result_that_is_black_for_a_bright_tile_is_a_lack_of_memory():
    black, bright, dark = torch.zeros(1, 3, 4, 4), torch.rand(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    assert is_black(bright, black)
    assert not is_black(dark, black)
    assert not is_black(bright, bright)
