"""Devices that only upscale: their names, what there is, and what is said where there is none."""

import sys
from types import SimpleNamespace

import pytest
import torch

from srgan_cli.engine.devices import accelerators
from srgan_cli.engine.devices.accelerators import (
    PROVIDERS,
    Accelerator,
    named_accelerator,
    offered_providers,
    vulkan_devices,
)
from srgan_cli.engine.devices.amp import Amp, resolve_device
from srgan_cli.errors import ResourceError, UsageError


def fake_ncnn(monkeypatch, *types):
    """Pretend that ncnn finds devices of these types."""
    infos = [
        SimpleNamespace(
            device_name=lambda i=i: f"GPU {i}",
            type=lambda kind=kind: kind,
            driver_version=lambda: 7,
            api_version=lambda: 4206822,
        )
        for i, kind in enumerate(types)
    ]
    fake = SimpleNamespace(
        get_gpu_count=lambda: len(infos),
        get_gpu_info=infos.__getitem__,
        get_gpu_device=lambda _: SimpleNamespace(get_heap_budget=lambda: 512),
        get_default_gpu_index=lambda: 0,
    )
    monkeypatch.setitem(sys.modules, "ncnn", fake)


def fake_onnxruntime(monkeypatch, *providers):
    fake = SimpleNamespace(get_available_providers=lambda: [*providers, "CPUExecutionProvider"])
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)


@pytest.mark.parametrize("kind", ["vulkan", *PROVIDERS])
def test_a_name_is_read_with_and_without_its_number(kind):
    assert named_accelerator(kind) == Accelerator(kind)
    assert str(Accelerator(kind)) == kind
    if kind != "coreml":
        assert named_accelerator(f"{kind}:12") == Accelerator(kind, 12)
        assert str(Accelerator(kind, 12)) == f"{kind}:12"


@pytest.mark.parametrize("name", ["cpu", "cuda:1", "mps", "vulcan", ""])
def test_devices_of_pytorch_and_unknown_ones_are_no_accelerators(name):
    assert named_accelerator(name) is None


@pytest.mark.parametrize("name", ["vulkan:", "vulkan:-1", "vulkan:x", "openvino:1.5", "coreml:0"])
def test_a_number_that_is_none_is_refused(name):
    with pytest.raises(UsageError, match="unknown"):
        named_accelerator(name)


def test_software_is_told_from_gpus(monkeypatch):
    fake_ncnn(monkeypatch, 0, 1, 2, 3)
    assert [device.software for device in vulkan_devices()] == [False, False, False, True]
    assert vulkan_devices()[1].name == "GPU 1"
    assert vulkan_devices()[1].memory == 512 << 20


def test_the_first_line_names_the_card(monkeypatch):
    fake_ncnn(monkeypatch, 0, 1)
    assert Amp.to_upscale("vulkan:1", "fp32").described == "vulkan:1 (GPU 1)"
    assert Amp.to_upscale("vulkan", "fp32").described == "vulkan:0 (GPU 0)"
    assert Amp.to_upscale("cpu", "fp32").described == "cpu"
    assert [Amp.to_upscale(name, "fp32").kind for name in ("vulkan:1", "cpu")] == ["vulkan", "cpu"]


def test_a_gpu_that_is_not_there_is_answered_with_those_that_are(monkeypatch):
    fake_ncnn(monkeypatch, 0, 3)
    assert Amp.to_upscale("vulkan:1", "fp32").where == "vulkan:1"
    with pytest.raises(ResourceError) as caught:
        Amp.to_upscale("vulkan:2", "fp32")
    assert caught.value.hint == "there is vulkan:0 (GPU 0), vulkan:1 (GPU 1)"
    fake_ncnn(monkeypatch)
    with pytest.raises(ResourceError, match="no device with Vulkan was found"):
        Amp.to_upscale("vulkan", "fp32")


def test_vulkan_without_ncnn_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ncnn", None)
    assert vulkan_devices() == ()
    with pytest.raises(ResourceError) as caught:
        Amp.to_upscale("vulkan", "fp32")
    assert "srgan-cli[fast]" in caught.value.hint


def test_providers_are_those_of_the_installed_wheel(monkeypatch):
    fake_onnxruntime(monkeypatch, "DmlExecutionProvider", "AzureExecutionProvider")
    assert offered_providers() == ("directml",)
    assert Amp.to_upscale("directml:1", "fp32").where == "directml:1"
    with pytest.raises(ResourceError) as caught:
        Amp.to_upscale("openvino", "fp32")
    assert "onnxruntime-openvino" in caught.value.hint
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert offered_providers() == ()


def test_precision_is_fp16_by_itself_and_never_bf16(monkeypatch):
    fake_ncnn(monkeypatch, 1)
    chosen = [Amp.to_upscale("vulkan", each).precision for each in ("auto", "fp16", "fp32")]
    assert chosen == ["fp16", "fp16", "fp32"]
    with pytest.raises(UsageError, match="bf16"):
        Amp.to_upscale("vulkan", "bf16")


def test_devices_that_only_upscale_are_refused_for_training():
    for name in ("vulkan:1", "directml"):
        with pytest.raises(UsageError, match="only upscales"):
            resolve_device(name)


def test_an_accelerator_may_be_looked_for_only_where_the_cpu_was_not_asked_for(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert Amp.to_upscale("auto", "fp32").may_accelerate
    assert not Amp.to_upscale("auto", "bf16").may_accelerate
    assert not Amp.to_upscale("cpu", "fp32").may_accelerate


def test_gpus_of_linux_have_files(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(accelerators, "Path", lambda path: tmp_path / path.lstrip("/"))
    assert not accelerators.may_have_gpu()
    (tmp_path / "dev" / "dri").mkdir(parents=True)
    (tmp_path / "dev" / "dri" / "card0").touch()
    assert not accelerators.may_have_gpu()
    (tmp_path / "dev" / "dri" / "renderD128").touch()
    assert accelerators.may_have_gpu()
    monkeypatch.setattr(sys, "platform", "win32")
    assert accelerators.may_have_gpu()
