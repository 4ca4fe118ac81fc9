import itertools
import json
import threading
from dataclasses import replace

import pytest
import torch

from srgan_cli.config import preset
from srgan_cli.engine.devices import amp as devices
from srgan_cli.engine.devices.accelerators import VulkanDevice
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.runtimes import fastest, speeds
from srgan_cli.engine.runtimes.fastest import gains_from_half, learn_speeds, open_runtime
from srgan_cli.engine.runtimes.speeds import (
    Subject,
    forget,
    in_turns,
    learn,
    remember,
    remembered,
)
from srgan_cli.observer import SilentObserver
from tests.toolbox import random_generator

CPU = torch.device("cpu")
FP32, BF16 = Amp(CPU, torch.float32), Amp(CPU, torch.bfloat16)


@pytest.fixture(autouse=True)
def _measuring(monkeypatch, home):  # noqa: ARG001 - it is a new home for what is remembered
    monkeypatch.delenv("SRGAN_MEASURE")


@pytest.fixture(scope="module")
def network():
    return random_generator(preset("plain", 2)).eval().requires_grad_(False)


def learned(monkeypatch, network, seconds):
    """Let a measurement come out like this."""
    monkeypatch.setattr(fastest, "in_turns", lambda *_: seconds)
    learn_speeds(network, 1, BF16, SilentObserver())


@pytest.mark.parametrize("winner", ["torch", "ncnn", "onnxruntime", "openvino"])
def test_automatic_runtime_is_the_one_that_was_measured_to_be_the_fastest(
    monkeypatch, network, winner
):
    names = ("torch", "ncnn", "onnxruntime", "openvino")
    if not all(map(fastest.is_installed, names[1:])):
        pytest.skip("pip install 'srgan-cli[fast,openvino]'")
    seconds = {f"{name} fp32": 1.0 - 0.1 * (name == winner) for name in names}
    learned(monkeypatch, network, seconds | {"torch bf16": 0.1})
    assert open_runtime("auto", network, 1, FP32).name == winner
    assert open_runtime("auto", network, 1, BF16).name == "torch"


@pytest.mark.parametrize(
    ("half", "name", "gains"),
    [(0.8, "auto", True), (0.95, "auto", False), (1.5, "torch", True), (0.1, "ncnn", False)],
)
def test_half_precision_has_to_be_clearly_faster_than_the_fastest_in_fp32(
    monkeypatch, network, half, name, gains
):
    monkeypatch.setattr(fastest, "is_installed", lambda name: name == "ncnn")
    seconds = {"torch fp32": 2.0, "ncnn fp32": 1.0, "torch bf16": half}
    learned(monkeypatch, network, seconds)
    assert gains_from_half(name, network, BF16) == gains


def test_half_precision_is_not_taken_unmeasured(network):
    assert not gains_from_half("auto", network, BF16)


def test_each_form_of_network_is_measured_once(monkeypatch, network):
    measured = []
    monkeypatch.setattr(fastest, "in_turns", lambda *_: measured.append(0) or {"torch fp32": 1.0})
    other = random_generator(preset("compact", 2)).eval()
    alike = random_generator(preset("plain", 2)).eval()
    for one in (network, network, alike, other, other, network):
        learn_speeds(one, 1, BF16, SilentObserver())
    assert len(measured) == 2


def test_another_version_of_a_runtime_is_measured_anew(monkeypatch, network):
    learn(Subject.of(network, CPU), lambda: {"torch fp32": 1.0})
    monkeypatch.setattr(speeds.metadata, "version", lambda _: "99")
    assert not remembered(Subject.of(network, CPU))


def test_everything_that_can_run_a_network_is_measured(network):
    expected = {"torch fp32", "torch bf16"}
    expected |= {f"{name} fp32" for name in fastest._MODULES if fastest.is_installed(name)}
    learn_speeds(network, 1, BF16, SilentObserver())
    assert set(remembered(Subject.of(network, CPU))) == expected
    weights = network.state_dict().values()
    assert all(tensor.dtype == torch.float32 for tensor in weights)


@pytest.mark.parametrize("damage", [
    b"", b"{", b"[]", b'{"format": 2}', b'{"format": 99, "measurements": []}', b"\xff\xfe\x00",
    b'{"format": 2, "measurements": [{"subject": 1, "seconds": {}, "date": ""}]}',
])  # fmt: skip
def test_damaged_file_counts_for_nothing_and_is_replaced(network, home, damage):
    home.mkdir()
    (home / "speeds.json").write_bytes(damage)
    subject = Subject.of(network, CPU)
    assert remembered(subject) == {}
    learn(subject, lambda: {"torch fp32": 1.0})
    assert remembered(subject) == {"torch fp32": 1.0}


@pytest.mark.parametrize("seconds", [-1.0, 0.0])
def test_times_that_cannot_be_are_not_believed(network, home, seconds):
    subject = Subject.of(network, CPU)
    learn(subject, lambda: {"torch fp32": 1.0})
    text = (home / "speeds.json").read_text()
    assert json.loads(text)["format"] == speeds.FORMAT
    (home / "speeds.json").write_text(text.replace('"torch fp32": 1.0', f'"torch fp32": {seconds}'))
    assert remembered(subject) == {}


def test_nothing_is_measured_where_it_cannot_be_remembered(monkeypatch, network, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SRGAN_HOME", str(tmp_path / "file"))
    learn(Subject.of(network, CPU), lambda: pytest.fail("it measured"))
    assert remembered(Subject.of(network, CPU)) == {}


def test_the_environment_can_forbid_to_measure_and_to_remember(monkeypatch, network):
    subject = Subject.of(network, CPU)
    learn(subject, lambda: {"torch fp32": 1.0})
    monkeypatch.setenv("SRGAN_MEASURE", "0")
    assert remembered(subject) == {}
    learn(subject, lambda: pytest.fail("it measured"))


def test_only_what_was_measured_of_the_network_on_the_processor_is_forgotten(monkeypatch, network):
    here = Subject.of(network, CPU)
    other = Subject.of(random_generator(preset("compact", 2)).eval(), CPU)
    for one in (here, other):
        learn(one, lambda: {"torch fp32": 1.0})
    monkeypatch.setattr(speeds, "processor_name", lambda: "another")
    there = Subject.of(network, CPU)
    assert remembered(there) == {}
    learn(there, lambda: {"torch fp32": 2.0})
    forget(there)
    assert [bool(remembered(one)) for one in (here, other, there)] == [True, True, False]


def test_more_can_be_remembered_of_a_network_later(network):
    subject = Subject.on_vulkan(network, VulkanDevice(0, "a GPU", False, 1, "7"))
    remember(subject, {"check fp32": 1.0})
    remember(subject, {"check fp16": 2.0})
    assert remembered(subject) == {"check fp32": 1.0, "check fp16": 2.0}


def test_a_check_on_a_gpu_holds_for_its_driver_and_these_weights(network):
    gpu = VulkanDevice(0, "a GPU", False, 1, "7")
    alike = random_generator(preset("plain", 2), seed=1).eval()
    subject = Subject.on_vulkan(network, gpu)
    assert subject == Subject.on_vulkan(network, replace(gpu, index=1))
    assert subject != Subject.on_vulkan(network, replace(gpu, driver="8"))
    assert subject != Subject.on_vulkan(alike, gpu)
    assert Subject.of(network, CPU) == Subject.of(alike, CPU)


def test_nothing_is_measured_or_remembered_where_it_is_only_read(network, home):
    subject = Subject.of(network, CPU)
    with speeds.only_read():
        learn(subject, lambda: pytest.fail("it measured"))
        remember(subject, {"torch fp32": 1.0})
    assert not home.exists()
    remember(subject, {"torch fp32": 1.0})
    with speeds.only_read():
        assert remembered(subject) == {"torch fp32": 1.0}


@pytest.fixture
def clock(monkeypatch):
    """Give a function that makes runs of given seconds on one core, and the sides of each image."""
    now, sides = [0.0], []
    monkeypatch.setattr(speeds.time, "process_time", lambda: now[0])
    monkeypatch.setattr(speeds.Node, "num_threads", 1)

    def taking(*seconds):
        left = list(seconds)

        def run(lr):
            now[0] += left.pop(0)
            sides.append(lr.shape[-1])

        return run

    return taking, sides


def failing(_):
    raise RuntimeError("not implemented for 'BFloat16'")


def test_the_least_time_after_the_first_round_counts_and_failures_are_left_out(clock):
    taking, sides = clock
    # Two runs of few pixels come first, and the third sets up what larger images need.
    runs = {"a": taking(9, 0.001, 0.1, 5, 4), "b": taking(9, 0.5, 0.1, 8, 7)}
    assert in_turns(runs | {"c": failing}, 5, CPU) == pytest.approx({"a": 4, "b": 7})
    assert sides == [35] * 4 + [195] * 6


def test_slow_networks_run_twice_on_few_pixels(clock):
    taking, sides = clock
    runs = {"a": taking(9, 2), "b": taking(9, 3)}
    assert in_turns(runs | {"c": failing}, 1, CPU) == pytest.approx({"a": 2, "b": 3})
    assert sides == [32] * 4


def test_all_cores_are_at_work_while_a_run_is_timed_each_on_one_thread(monkeypatch):
    monkeypatch.setattr(speeds.Node, "num_threads", 3)
    monkeypatch.setattr(speeds.time, "process_time", itertools.count().__next__)
    together, threads = threading.Barrier(3), set()

    def run(_):
        together.wait(10)  # Fails unless three runs are at it.
        threads.add(torch.get_num_threads())

    assert in_turns({"a": run}, 1, CPU) == pytest.approx({"a": 1 / 3})
    assert threads == {1}


def test_fp16_is_for_upscaling_alone_on_apples_gpus():
    mps = torch.device("mps")
    assert Amp.fastest(mps).precision == "fp16"
    assert Amp.create(mps, "auto").precision == "fp32"


@pytest.mark.parametrize(("has", "precision"), [(True, "bf16"), (False, "fp32")])
def test_networks_run_in_bf16_only_where_the_cpu_computes_in_it(monkeypatch, has, precision):
    monkeypatch.setattr(devices, "_cpu_computes_bf16", lambda: has)
    assert Amp.fastest(CPU).precision == precision
