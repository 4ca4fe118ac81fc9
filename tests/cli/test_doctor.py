"""``srgan doctor`` describes a machine and an installation, also a broken one."""

import os
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest
import torch

from srgan_cli import __version__
from srgan_cli.engine.doctor import inventory, measure
from srgan_cli.engine.doctor.present_devices import Device
from srgan_cli.engine.models.shelf import find_model
from srgan_cli.engine.models.weights import load_model
from srgan_cli.engine.runtimes.speeds import Subject
from srgan_cli.imaging.files.formats import FORMATS
from tests.toolbox import assert_fails


def test_it_describes_versions_devices_formats_and_folders(srgan):
    found = srgan("doctor", "--json").document
    assert found["format"] == 1
    assert found["version"] == __version__
    versions = {package["name"]: package["version"] for package in found["packages"]}
    assert versions["torch"] == metadata.version("torch")
    assert versions["pillow"] == metadata.version("pillow")
    cpu = found["devices"][0]
    assert cpu["name"] == "cpu"
    assert cpu["memory"] > 2**28
    assert {"fp32"} <= {*cpu["precisions"]}
    assert {"PNG", "TIFF", "JPEG"} <= {*found["reads"]} & {*found["writes"]} <= {*FORMATS}
    assert all(disk["free"] > 0 for disk in found["disks"])
    assert found["models"][0].startswith("×2: photo-x2")
    assert found["speeds"] == []
    assert found["problems"] == []


def test_the_table_says_the_same_in_words(srgan):
    result = srgan("doctor")
    assert result.code == 0
    for words in (f"srgan {__version__}", "torch", "cpu", "data sets", "free: ", "writes: PNG"):
        assert words in result.out


def test_folders_are_counted_and_measured(srgan, home):
    (home / "models").mkdir(parents=True)
    (home / "models" / "a.bin").write_bytes(bytes(1000))
    (home / "models" / "b.bin").write_bytes(bytes(234))
    folders = {one["name"]: one for one in srgan("doctor", "--json").document["folders"]}
    assert (folders["models"]["files"], folders["models"]["size"]) == (2, 1234)
    assert (folders["runs"]["files"], folders["runs"]["size"]) == (0, 0)


def test_what_is_missing_is_named_with_the_command_that_installs_it(srgan, monkeypatch):
    real = metadata.version

    def without_ncnn(name):
        if name in {"ncnn", "onnx"}:
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", without_ncnn)
    missing = srgan("doctor", "--json").document["missing"]
    (fast,) = [one for one in missing if "ncnn" in one["what"]]
    assert "onnx" in fast["what"]
    assert fast["command"] == "pip install 'srgan-cli[fast]'"
    assert fast["command"] in srgan("doctor").out


def test_the_users_home_folder_is_not_shown(srgan, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SRGAN_HOME", str(tmp_path / "deep" / "srgan"))
    found = srgan("doctor", "--json").document
    assert {one["path"].split("/")[0] for one in found["folders"]} == {"~"}
    assert found["variables"]["SRGAN_HOME"] == "~/deep/srgan"


def test_damaged_defaults_are_a_problem_among_the_rest(srgan, home):
    (home / "models").mkdir(parents=True)
    (home / "models" / "defaults.json").write_text("{")
    found = srgan("doctor", "--json")
    assert found.code == 0
    assert "defaults.json: damaged" in found.document["problems"][0]
    assert found.document["devices"][0]["name"] == "cpu"


def test_an_installation_without_a_working_torch_is_described(home, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "torch.py").write_text('raise ImportError("libcudart.so.12: cannot open")\n')
    repository = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": f"{broken}{os.pathsep}{repository}"}
    command = [sys.executable, "-m", "srgan_cli", "doctor"]
    done = subprocess.run(
        command,
        check=False,
        env=environment | {"SRGAN_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "problem: ImportError: libcudart.so.12: cannot open" in done.stdout
    assert "writes: PNG" in done.stdout


def test_it_measures_every_runtime_on_request(srgan, monkeypatch):
    monkeypatch.setattr(measure, "_EACH", 0.01)
    monkeypatch.setattr(measure, "_SECONDS", 100.0)
    speeds = srgan("doctor", "--json", "--measure").document["speeds"]
    by_name = {(one["runtime"], one["precision"]): one for one in speeds}
    assert by_name["torch", "fp32"]["megapixels"] > 0
    assert by_name["auto", "auto"]["note"].startswith("takes ")
    for runtime in ("ncnn", "onnxruntime"):
        one = by_name[runtime, "fp32"]
        assert (one["megapixels"] is None) == ("not installed" in one["note"])


def test_a_measurement_ends_when_its_time_is_over(srgan, monkeypatch):
    now = [0.0]

    def clock():
        now[0] += 3.0
        return now[0]

    monkeypatch.setattr(time, "perf_counter", clock)
    speeds = srgan("doctor", "--json", "--measure").document["speeds"]
    assert speeds[0]["megapixels"] is not None
    assert speeds[-1]["note"] == "the 20 seconds were over"
    assert speeds[-1]["megapixels"] is None


def device(name, *, software=False):
    return Device(name, "a GPU", None, None, ("fp16", "fp32"), True, software)


@pytest.fixture
def two_gpus(monkeypatch):
    """Pretend that there are an emulated GPU and another; return what was measured, in order."""
    monkeypatch.setattr(inventory, "present_devices", lambda: iter(DEVICES))
    monkeypatch.setattr(measure, "_renew", lambda *_: None)
    asked, speed = [], [1.0]

    def measured(source, device, runtime, precision):
        asked.append((source.name, device.name, runtime, precision))
        return speed[0], ""

    monkeypatch.setattr(measure, "_speed", measured)
    return asked, speed


DEVICES = (
    Device("cpu", "2 cores", None, None, ("fp32",)),
    device("vulkan:0", software=True),
    device("vulkan:1"),
)


def test_every_device_is_measured_for_each_model_that_is_named(srgan, two_gpus):
    asked, _ = two_gpus
    found = srgan("doctor", "--json", "--model", "photo-x4", "--model", "restore-x4").document
    one = [
        ("cpu", "auto", "auto"),
        *((name, "auto", each) for name in ("vulkan:0", "vulkan:1") for each in ("fp16", "fp32")),
        ("cpu", "torch", "fp32"),
        *(("cpu", name, "fp32") for name in ("ncnn", "onnxruntime", "openvino")),
    ]
    assert asked == [(model, *each) for model in ("photo-x4", "restore-x4") for each in one]
    assert {each["model"] for each in found["speeds"]} == {"photo-x4", "restore-x4"}
    assert "speed of restore-x4" in srgan("doctor", "--model", "restore-x4").out


def test_an_emulated_gpu_is_left_out_where_it_would_take_minutes(srgan, two_gpus):
    asked, speed = two_gpus
    speed[0] = 0.01
    speeds = srgan("doctor", "--json", "--measure").document["speeds"]
    assert {name for _, name, _, _ in asked} == {"cpu", "vulkan:1"}
    (note,) = {one["note"] for one in speeds if one["device"] == "vulkan:0"}
    assert note == "a program on the CPU: it would take minutes"


def test_only_the_speeds_of_the_measured_model_are_renewed(srgan, monkeypatch):
    monkeypatch.setattr(measure, "_speed", lambda *_: (1.0, ""))
    forgotten, learned = [], []
    monkeypatch.setattr(measure, "vulkan_devices", tuple)
    monkeypatch.setattr(measure, "forget", forgotten.append)
    monkeypatch.setattr(measure, "learn_speeds", lambda network, *_: learned.append(network))
    srgan("doctor", "--model", "photo-x4")
    network = load_model(find_model("photo-x4", None)).generator
    assert forgotten == [Subject.of(network, torch.device("cpu"))]
    assert len(learned) == 1


def test_a_model_that_is_not_there_is_refused(srgan):
    assert_fails(srgan("doctor", "--model", "nope"), 4, "no model or file is called nope")


@pytest.mark.parametrize("line", ["doctor extra", "doctor --nope"])
def test_wrong_usage_is_told(srgan, line):
    assert srgan(*line.split()).code == 2
