import importlib.util
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from srgan_cli.config import DenseConfig, preset
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.runtimes import fastest
from srgan_cli.engine.runtimes.backends import (
    LibraryRuntime,
    NcnnRuntime,
    OnnxRuntime,
    TorchRuntime,
)
from srgan_cli.engine.runtimes.fastest import gains_from_extra, open_runtime
from srgan_cli.engine.runtimes.ncnn_form import to_ncnn
from srgan_cli.engine.runtimes.onnx_form import to_onnx_bytes
from srgan_cli.engine.runtimes.openvino_runtime import OpenVinoRuntime
from srgan_cli.engine.runtimes.operations import UnsupportedError, note_operations
from srgan_cli.engine.runtimes.trust import TOLERANCE
from srgan_cli.errors import ResourceError, UsageError
from tests.toolbox import Chain, Pooled, random_generator

CPU = Amp.create(torch.device("cpu"), "fp32")

PACKAGES = ("ncnn", "onnx", "onnxruntime", "openvino")
needs_fast = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in PACKAGES),
    reason="pip install 'srgan-cli[fast,openvino]'",
)
MAKERS = {
    "ncnn": lambda noted: NcnnRuntime(to_ncnn(noted)),
    "onnxruntime": lambda noted: OnnxRuntime(to_onnx_bytes(noted)),
    "openvino": lambda noted: OpenVinoRuntime(to_onnx_bytes(noted)),
}

GENERATORS = [
    preset("compact", 2),
    preset("compact", 3),
    DenseConfig(4, 16, 8, 1, 3, 5, 0.2, "nearest"),
    DenseConfig(3, 16, 8, 1, 1, 2, 0.2, "nearest"),
    DenseConfig(2, 16, 8, 1, 3, 3, 0.2, "nearest"),
    DenseConfig(1, 16, 8, 1, 3, 3, 0.2, "nearest"),
]


def generator_of(config):
    return random_generator(config).eval().requires_grad_(False)


NETWORKS = {f"{c.upsampler}-x{c.scale}": lambda c=c: generator_of(c) for c in GENERATORS}
NETWORKS["chain"] = lambda: Chain().requires_grad_(False)


class Halved(nn.Module):
    """A network of ×4 whose result is reduced to ×2, as realesr-animevideov3-x2 has it."""

    align = 1

    def __init__(self):
        super().__init__()
        self.inner = generator_of(GENERATORS[2])

    def forward(self, lr):
        return F.interpolate(self.inner(lr), scale_factor=0.5, mode="bicubic")


NETWORKS["halved"] = Halved


@needs_fast
@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS.keys())
@pytest.mark.parametrize("size", [(4, 4), (20, 52), (72, 68)], ids=str)
@pytest.mark.parametrize("name", MAKERS)
def test_each_runtime_gives_what_torch_gives(name, make, size):
    network = make()
    if name == "openvino" and network.align > 1:
        pytest.skip("OpenVINO 2026.4 orders folded channels wrongly; open_runtime refuses it")
    runtime = MAKERS[name](note_operations(network, network.align))
    lr = torch.rand(1, 3, *size)
    expected = TorchRuntime(network, CPU).run(lr, exact=True)
    made = runtime.run(lr, exact=True)
    assert made.shape == expected.shape
    assert float((made - expected).abs().max()) < TOLERANCE / 10


@needs_fast
@pytest.mark.parametrize("name", MAKERS)
def test_each_runtime_gives_the_same_on_any_number_of_threads(name):
    network = generator_of(GENERATORS[0])
    runtime = MAKERS[name](note_operations(network, network.align))
    lr = torch.rand(1, 3, 40, 52)
    expected = TorchRuntime(network, CPU).run(lr, exact=True)

    def run(num_threads):
        torch.set_num_threads(num_threads)
        return runtime.run(lr, exact=True)

    with ThreadPoolExecutor(3, initializer=torch.get_num_threads) as pool:
        first, *others = pool.map(run, [1, 2, 3, 2, 1])
    assert float((first - expected).abs().max()) < TOLERANCE / 10
    assert all(torch.equal(first, other) for other in others)  # Tiles take what cores are free.


@needs_fast
@pytest.mark.parametrize("form", [to_ncnn, to_onnx_bytes])
def test_form_is_the_same_within_inference_mode(form):
    network = generator_of(GENERATORS[0])
    with torch.inference_mode():
        inside = form(note_operations(network))
    assert inside == form(note_operations(network))


@needs_fast
@pytest.mark.parametrize("name", ["auto", *MAKERS])
def test_operations_are_noted_once_on_the_way_to_a_runtime(monkeypatch, name):
    noted = []
    monkeypatch.setattr(
        fastest, "note_operations", lambda *args: noted.append(0) or note_operations(*args)
    )
    assert open_runtime(name, generator_of(GENERATORS[0]), 1, CPU).name != "torch"
    assert len(noted) == 1


@needs_fast
@pytest.mark.parametrize(
    ("capability", "expected"),
    [("AVX2", ["ncnn", "onnxruntime", "ncnn"]), ("AVX512", ["onnxruntime"] * 3)],
)
def test_automatic_runtime_is_the_fastest_that_fits(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    plain, dense = generator_of(preset("plain", 2)), generator_of(preset("compact", 2))
    rrdb = generator_of(replace(preset("esrgan", 4), num_blocks=1))
    half = Amp.create(torch.device("cpu"), "bf16")

    def chosen(network, amp):
        return open_runtime("auto", network, 1, amp).name

    assert [chosen(each, CPU) for each in (plain, dense, rrdb)] == expected
    assert chosen(plain, half) == "torch"
    assert chosen(Pooled(), CPU) == "torch"


@needs_fast
def test_runtime_that_computes_something_else_is_not_trusted(monkeypatch):
    network, other = generator_of(GENERATORS[0]), generator_of(GENERATORS[0])
    other.conv_last.bias.data += 2e-3
    monkeypatch.setattr(fastest, "_fastest_first", lambda *_: ("onnxruntime", "ncnn"))
    monkeypatch.setattr(fastest, "to_onnx_bytes", lambda _: to_onnx_bytes(note_operations(other)))
    assert open_runtime("auto", network, 1, CPU).name == "ncnn"
    monkeypatch.setattr(fastest, "to_ncnn", lambda _: to_ncnn(note_operations(other)))
    assert open_runtime("auto", network, 1, CPU).name == "torch"
    for name in MAKERS:
        with pytest.raises(UsageError, match="differ from PyTorch"):
            open_runtime(name, network, 1, CPU)


@needs_fast
@pytest.mark.parametrize("name", MAKERS)
def test_network_that_a_runtime_cannot_run_is_refused_when_asked_for(name):
    with pytest.raises(UsageError, match="no counterpart"):
        open_runtime(name, Pooled(), 1, CPU)
    half = Amp.create(torch.device("cpu"), "bf16")
    with pytest.raises(UsageError, match="needs fp32 on the CPU, not bf16"):
        open_runtime(name, generator_of(GENERATORS[0]), 1, half)


@pytest.mark.parametrize("name", MAKERS)
def test_missing_runtime_names_its_extra(monkeypatch, name):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    network = generator_of(GENERATORS[0])
    with pytest.raises(UsageError) as caught:
        open_runtime(name, network, 1, CPU)
    extra = "openvino" if name == "openvino" else "fast"
    assert f"srgan-cli[{extra}]" in caught.value.hint
    assert open_runtime("auto", network, 1, CPU).name == "torch"


def test_the_extra_is_worth_naming_only_where_it_would_be_faster(monkeypatch):
    network, half = generator_of(GENERATORS[0]), Amp.create(torch.device("cpu"), "bf16")
    monkeypatch.setattr(fastest, "is_installed", lambda _: False)
    assert gains_from_extra("auto", network, 1, CPU)
    assert not gains_from_extra("torch", network, 1, CPU)
    assert not gains_from_extra("auto", network, 1, half)
    assert not gains_from_extra("auto", Pooled(), 1, CPU)
    monkeypatch.setattr(fastest, "is_installed", lambda name: name == "ncnn")
    assert not gains_from_extra("auto", network, 1, CPU)


@needs_fast
@pytest.mark.parametrize("name", MAKERS)
def test_runtime_that_fails_on_a_few_pixels_is_not_taken(monkeypatch, name):
    def run(*_, **__):
        raise MemoryError("it could not run a tile")

    for runtime in (NcnnRuntime, OnnxRuntime, OpenVinoRuntime):
        monkeypatch.setattr(runtime, "run", run)
    network = generator_of(GENERATORS[0])
    with pytest.raises(UsageError, match=f"{name} cannot run this network: it could not"):
        open_runtime(name, network, 1, CPU)
    assert open_runtime("auto", network, 1, CPU).name == "torch"


def test_operations_that_depend_on_the_size_are_not_written_down():
    class Cropped(Chain):
        def forward(self, x):
            return super().forward(x[..., 1:])

    with pytest.raises(UnsupportedError, match="depend on the size"):
        note_operations(Cropped())


class _Failing(LibraryRuntime):
    library = "A library"

    def __init__(self, message):
        self._message = message
        super().__init__()

    def _load(self, num_threads):
        return num_threads

    def _upscale(self, *_):
        raise RuntimeError(self._message)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("[ONNXRuntimeError] : 6 : Failed to allocate memory for requested buffer", MemoryError),
        ("std::bad_alloc", MemoryError),
        ("[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Got invalid dimensions", ResourceError),
    ],
)
def test_only_a_lack_of_memory_is_called_so(message, kind):
    with pytest.raises(kind, match="A library could not run a tile"):
        _Failing(message).run(torch.zeros(1, 3, 4, 4), exact=True)
