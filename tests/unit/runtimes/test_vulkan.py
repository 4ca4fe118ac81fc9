"""Networks by Vulkan, with whatever device there is: Mesa's lavapipe will do.

Debian's package ``mesa-vulkan-drivers`` brings it. Compiling shaders takes it a few seconds.
"""

import numpy as np
import pytest
import torch

from srgan_cli.config import PlainConfig
from srgan_cli.engine.devices.accelerators import vulkan_devices
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.inference.upscaler import Upscaler
from srgan_cli.engine.models.weights import Model, ModelSource
from srgan_cli.engine.networks.plain import PlainNetwork
from srgan_cli.engine.runtimes.accelerated import VulkanRuntime
from srgan_cli.engine.runtimes.opening import open_network
from srgan_cli.engine.runtimes.operations import note_operations
from srgan_cli.observer import SilentBar
from tests.toolbox import random_generator

pytestmark = pytest.mark.skipif(
    not vulkan_devices(), reason="no device with Vulkan; on Debian: mesa-vulkan-drivers"
)

SIZES = [(1, 1), (1, 2), (3, 1), (1, 5), (5, 3), (7, 13), (16, 16), (17, 9), (33, 31), (3, 129)]


@pytest.fixture(scope="module")
def network() -> PlainNetwork:
    return random_generator(PlainConfig(2, 8, 2))


@pytest.fixture(scope="module")
def runtime(network):
    return VulkanRuntime(note_operations(network), 0, fp16=True)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_vulkan_gives_what_pytorch_gives_on_the_cpu(network, runtime, size):
    lr = torch.rand(1, 3, *size)
    for exact, tolerance in ((True, 1e-5), (False, 1e-2)):
        made = runtime.run(lr, exact=exact)
        assert made.dtype == torch.float32
        assert float((made - network(lr)).abs().max()) <= tolerance
    half = runtime.run(lr, exact=False)
    assert not torch.equal(half, runtime.run(lr, exact=True))


def test_pixels_that_lie_side_by_side_in_memory_are_read_rightly(network, runtime):
    """As an image's do: they are copied, and the copy must not be gone before it is read."""
    lr = torch.rand(1, 67, 45, 3).permute(0, 3, 1, 2)
    assert float((runtime.run(lr, exact=True) - network(lr)).abs().max()) <= 1e-5


def test_whole_and_tiled_images_are_within_a_level_of_the_cpu(network):
    pixels = np.random.default_rng(0).integers(0, 256, (61, 83, 3), np.uint8)
    model = Model(ModelSource("a", None, ""), network, {})
    expected = Upscaler(model, Amp.to_upscale("cpu", "fp32")).upscale(pixels, SilentBar())
    amp = Amp.to_upscale("vulkan", "fp32")
    for tile in (None, 16):
        upscaler = Upscaler(model, amp, tile=tile, runtime="auto")
        assert (upscaler.runtime, upscaler.amp.where, upscaler.problem) == ("ncnn", "vulkan", None)
        made = upscaler.upscale(pixels, SilentBar())
        assert int(np.abs(made.astype(int) - expected).max()) <= 1


def test_a_wrong_stride_is_caught_and_the_cpu_is_used(network, monkeypatch):
    """The fault: rows are read a pixel apart from where they stand if a width is not aligned."""
    right = VulkanRuntime.run

    def wrong(self, lr, *, exact):
        width = lr.shape[-1]
        if width % 4 == 0:
            return right(self, lr, exact=exact)
        flat = torch.nn.functional.pad(lr.flatten(2), (0, lr.shape[-2]))
        rows = [flat[..., y * (width + 1) :][..., :width] for y in range(lr.shape[-2])]
        return right(self, torch.stack(rows, 2), exact=exact)

    monkeypatch.setattr(VulkanRuntime, "run", wrong)
    opened = open_network("auto", network, Amp.to_upscale("vulkan", "fp32"))
    assert opened.amp.where == "cpu"
    assert "--device vulkan cannot be used, the CPU is used instead: its results" in opened.problem
