"""Execution providers of ONNX Runtime, with its CPU in the place of a GPU."""

import pytest
import torch

from srgan_cli.config import PlainConfig
from srgan_cli.engine.devices import accelerators, amp
from srgan_cli.engine.devices.accelerators import PROVIDERS, Accelerator, Provider
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.networks.onnx_network import OnnxNetwork
from srgan_cli.engine.runtimes import accelerated
from srgan_cli.engine.runtimes.accelerated import ProviderRuntime
from srgan_cli.engine.runtimes.opening import open_network
from srgan_cli.engine.runtimes.operations import note_operations
from srgan_cli.errors import ResourceError
from tests.toolbox import random_generator
from tests.toolbox.layer_files import onnx_file

onnxruntime = pytest.importorskip("onnxruntime", reason="pip install 'srgan-cli[fast]'")
helper = pytest.importorskip("onnx", reason="pip install 'srgan-cli[fast]'").helper

ON_CPU = Provider("CPUExecutionProvider", "onnxruntime", "", {})


@pytest.fixture(autouse=True)
def offered(monkeypatch):
    """Let the CPU be what ``--device directml`` chooses."""
    fakes = {**PROVIDERS, "directml": ON_CPU}
    for module in (accelerators, accelerated):
        monkeypatch.setattr(module, "PROVIDERS", fakes)
    monkeypatch.setattr(amp, "require_present", accelerators.require_present)


@pytest.fixture
def network():
    return random_generator(PlainConfig(2, 8, 2))


def test_a_provider_computes_in_both_precisions(network):
    opened = open_network("auto", network, Amp.to_upscale("directml", "fp16"))
    assert (opened.runtime.name, opened.amp.where, opened.problem) == (
        "onnxruntime",
        "directml",
        None,
    )
    lr = torch.rand(1, 17, 23, 3).permute(0, 3, 1, 2)
    exact, half = (opened.runtime.run(lr, exact=each) for each in (True, False))
    assert float((exact - network(lr)).abs().max()) < 1e-5
    assert 0 < float((half - network(lr)).abs().max()) < 1e-2


def test_a_network_of_which_there_is_only_a_file_runs_on_a_provider():
    doubled = onnx_file(
        [
            helper.make_node("Concat", ["lr", "lr", "lr", "lr"], ["four"], axis=1),
            helper.make_node("DepthToSpace", ["four"], ["large"], blocksize=2, mode="DCR"),
            helper.make_node("Erf", ["large"], ["sr"]),
        ]
    )
    network = OnnxNetwork(torch.frombuffer(bytearray(doubled), dtype=torch.uint8)).eval()
    opened = open_network("auto", network, Amp.to_upscale("directml", "fp32"))
    assert (opened.amp.where, opened.problem) == ("directml", None)
    lr = torch.rand(1, 3, 9, 7)
    expected = torch.erf(lr.repeat_interleave(2, 2).repeat_interleave(2, 3))
    assert float((opened.runtime.run(lr, exact=True) - expected).abs().max()) < 1e-5


def test_a_provider_that_does_not_start_is_named(network, monkeypatch):
    monkeypatch.setitem(
        accelerated.PROVIDERS, "directml", Provider("NoExecutionProvider", "x", "", {})
    )
    monkeypatch.setattr(amp, "require_present", lambda _: None)
    opened = open_network("auto", network, Amp.to_upscale("directml", "fp32"))
    assert opened.amp.where == "cpu"
    assert "--device directml cannot be used, the CPU is used instead" in opened.problem
    assert "NoExecutionProvider" in opened.problem


def test_a_session_that_uses_another_provider_is_not_trusted(monkeypatch):
    class Elsewhere:
        def __init__(self, *_, **__):
            pass

        def get_providers(self):
            return ["CPUExecutionProvider"]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Elsewhere)
    with pytest.raises(accelerated.UnsupportedError, match="could not start OpenVINO"):
        accelerated.provider_session(b"", Accelerator("openvino"))


@pytest.mark.parametrize(
    ("device", "wanted"),
    [
        ("onnx-cuda:1", {"device_id": "1"}),
        ("openvino", {"device_type": "AUTO"}),
        ("openvino:1", {"device_type": "GPU.1"}),
        ("migraphx", {}),
        ("coreml", {"ModelFormat": "MLProgram"}),
    ],
)
def test_a_number_becomes_the_option_of_the_provider(device, wanted):
    accelerator = accelerators.named_accelerator(device)
    assert PROVIDERS[accelerator.kind].options_for(accelerator.index) == wanted


@pytest.mark.parametrize(
    ("message", "kind"),
    [("Failed to allocate memory for requested buffer", MemoryError), ("bad dim", ResourceError)],
)
def test_only_a_lack_of_memory_is_called_one(network, monkeypatch, message, kind):
    runtime = ProviderRuntime(note_operations(network), Accelerator("directml"), fp16=False)

    class Failing:
        def run(self, *_):
            raise RuntimeError(message)

    monkeypatch.setattr(runtime, "_session", Failing())
    with pytest.raises(kind, match=message):
        runtime.run(torch.rand(1, 3, 8, 8), exact=True)


@pytest.mark.parametrize(
    ("message", "kind"),
    [("std::bad_alloc", MemoryError), ("invalid dimensions", ResourceError)],
)
def test_only_a_lack_of_memory_is_called_one_by_a_network_of_a_file(message, kind):
    content = onnx_file([helper.make_node("Erf", ["lr"], ["sr"])])
    network = OnnxNetwork(torch.frombuffer(bytearray(content), dtype=torch.uint8)).eval()

    class Failing:
        def run(self, *_):
            raise RuntimeError(message)

    network = network.with_session(Failing())
    with pytest.raises(kind, match=message):
        network(torch.rand(1, 3, 8, 8))
