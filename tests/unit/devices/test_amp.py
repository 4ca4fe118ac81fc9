import pytest
import torch
from torch import nn

from srgan_cli.engine.devices.amp import Amp, resolve_device
from srgan_cli.errors import ResourceError, UsageError

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("fp32", torch.float32), ("fp16", torch.float16), ("bf16", torch.bfloat16)],
)
def test_networks_compute_in_the_precision_that_was_asked_for(precision, dtype):
    amp = Amp.create(CPU, precision)
    with amp.autocast():
        result = nn.Conv2d(3, 1, 3)(torch.rand(1, 3, 4, 4))
    assert result.dtype == dtype
    assert amp.precision == precision


@pytest.mark.parametrize(("precision", "scaled"), [("fp32", 1), ("bf16", 1), ("fp16", 65536)])
def test_only_fp16_losses_are_scaled(precision, scaled):
    assert Amp.create(CPU, precision).scaler().scale(torch.ones(())) == scaled


@pytest.mark.parametrize(
    ("avx512", "amx", "precision"),
    [(False, False, "fp32"), (True, False, "bf16"), (False, True, "bf16")],
)
def test_auto_takes_bf16_where_the_cpu_computes_in_it(monkeypatch, avx512, amx, precision):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
    assert Amp.create(CPU, "auto").precision == precision


@pytest.mark.parametrize(("supported", "precision"), [(True, "bf16"), (False, "fp16")])
def test_auto_takes_bf16_or_else_fp16_on_cuda(monkeypatch, supported, precision):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda _emulated: supported)
    amp = Amp.create(torch.device("cuda"), "auto")
    assert amp.precision == precision
    assert amp.scales == (precision == "fp16")


def test_auto_takes_fp32_on_other_devices():
    assert Amp.create(torch.device("mps"), "auto").precision == "fp32"


def test_convolutions_are_placed_channels_last():
    conv = Amp.create(CPU, "fp32").place(nn.Conv2d(4, 4, 3))
    assert conv.weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("cuda", "mps", "device"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_takes_cuda_then_mps_then_the_cpu(monkeypatch, cuda, mps, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(torch, "empty", lambda *_, **__: None)
    assert resolve_device("auto").type == device


@pytest.mark.parametrize("name", ["toaster", "", "meta", "cpu0"])
def test_an_unknown_kind_of_device_is_wrong_usage(name):
    with pytest.raises(UsageError) as caught:
        resolve_device(name)
    assert repr(name) in caught.value.message
    assert "cuda:1" in caught.value.hint


@pytest.mark.parametrize("name", ["cuda:99", "xpu:99"])
def test_a_device_that_is_not_present_is_lacking(name):
    with pytest.raises(ResourceError) as caught:
        resolve_device(name)
    assert name in caught.value.message
    assert "--device cpu" in caught.value.hint
