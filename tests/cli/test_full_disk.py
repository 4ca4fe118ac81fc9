"""A disk without room: one error, one hint, code 5, nothing half written, and a way on."""

import errno
import os
import tempfile

import pytest

from srgan_cli.engine.models.weights import ModelSource, load_model
from srgan_cli.engine.runs.background import Background
from srgan_cli.paths import models_dir
from tests.toolbox import TINY, assert_fails, enlarge, files_below, small_disk

FORMS = {
    "onnx": "onnxruntime",
    "openvino": "openvino",
    "torchscript": "torch",
    "ncnn": "ncnn",
    "pth": "torch",
}
"""Each with the module that it needs."""


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("size", [pytest.param("64k", marks=pytest.mark.slow), "400k"])
@pytest.mark.parametrize("to", FORMS)
@pytest.mark.filterwarnings("ignore")
def test_an_export_without_room_leaves_nothing(srgan, tmp_path, to, size):
    pytest.importorskip(FORMS[to])
    disk = tmp_path / "disk"
    with small_disk(disk, size):
        result = srgan("models", "export", "fidelity-x2", "--to", to, "-o", disk / "out")
        assert_fails(result, 5, f"{disk}/out: No space left on device", "free some disk space")
        assert files_below(disk) == []


@pytest.mark.parametrize("to", FORMS)
@pytest.mark.filterwarnings("ignore")
def test_an_export_that_cannot_be_flushed_replaces_nothing(srgan, monkeypatch, tmp_path, to):
    pytest.importorskip(FORMS[to])
    command = ("models", "export", "fidelity-x2", "--to", to, "-o", tmp_path, "--overwrite")
    names = [file.rpartition("/")[2] for file in srgan(*command, "--json").document["files"]]
    for name in names:
        (tmp_path / name).write_text("mine")
    monkeypatch.setattr(os, "fsync", full)
    assert_fails(srgan(*command), 5, "No space left on device")
    assert files_below(tmp_path) == sorted(names)
    assert all((tmp_path / name).read_text() == "mine" for name in names)


@pytest.mark.filterwarnings("ignore")
def test_openvino_without_room_for_its_temporary_files_is_told(srgan, monkeypatch, tmp_path):
    pytest.importorskip("openvino")
    with small_disk(tmp_path / "tmp", "64k"):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
        result = srgan(
            "models", "export", "fidelity-x2", "--to", "openvino", "-o", tmp_path / "out"
        )
        assert_fails(result, 5, str(tmp_path / "tmp"), "OpenVINO", "free space")
        assert files_below(tmp_path) == ["tmp"]


@pytest.mark.parametrize(
    "size", [*(pytest.param(size, marks=pytest.mark.slow) for size in ("4k", "12k")), "300k"]
)
def test_a_run_without_room_for_its_first_checkpoint_can_be_started_again(srgan, used_home, size):
    """The sizes stop it at its log, at its checkpoint and in the middle of that."""
    runs = used_home / "runs"
    before = (runs / "tiny/weights.safetensors").read_bytes()
    with small_disk(runs, size):
        command = ("train", *TINY, "--name", "new")
        result = srgan(*command)
        assert_fails(result, 5, "run new: No space left on device", "start the run again")
        assert "--resume" not in result.err
        assert files_below(runs) == []
        enlarge(runs, "50m")
        assert srgan(*command).code == 0
        weights = runs / "new/weights.safetensors"
        assert load_model(ModelSource("new", weights, "")).trained["steps"] == 6
    assert (runs / "tiny/weights.safetensors").read_bytes() == before


def test_a_run_without_a_thread_for_its_first_checkpoint_leaves_nothing(
    srgan, used_home, monkeypatch
):
    """With a real ``ulimit -u`` the first thread that fails is that of the checkpoint."""
    command = ("train", *TINY, "--name", "new")
    with monkeypatch.context() as patch:
        patch.setattr(Background, "start", no_thread)
        assert_fails(srgan(*command), 5, "no further thread can be started", "ulimit -u")
    assert not (used_home / "runs/new").exists()
    assert srgan(*command).code == 0


def no_thread(*_, **__):
    raise RuntimeError("can't start new thread")


@pytest.mark.parametrize("size", ["8k", "64k"])
def test_a_data_set_without_room_leaves_nothing_and_says_how_much_it_needs(
    srgan, tmp_path, home, make_photographs, size
):
    make_photographs(tmp_path / "photos", count=3, size=(136, 128))
    command = ("prepare", tmp_path / "photos", "--min-side", 64)
    with small_disk(home, size):
        result = srgan(*command)
        assert_fails(result, 5, "not enough disk space: the data set needs up to", "SRGAN_HOME")
        assert "0.0 GB" not in result.err
        assert not [path for path in home.rglob("*") if path.is_file()]
        enlarge(home, "20m")
        assert srgan(*command).code == 0


def test_a_run_keeps_what_it_found_in_its_folder(srgan, used_home, monkeypatch):
    (used_home / "runs/new").mkdir()
    (used_home / "runs/new/notes.txt").write_text("mine")
    monkeypatch.setattr(os, "fsync", full)
    result = srgan("train", *TINY, "--name", "new")
    assert_fails(result, 5, "No space left on device", "start the run again")
    assert (used_home / "runs/new/notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "line", ["models add {}", "models blend fidelity-x2 photo-x2", "models default fidelity-x2"]
)
def test_a_shelf_without_room_stays_as_it_was(srgan, used_home, tmp_path, line):
    (tmp_path / "w.safetensors").write_bytes(
        (used_home / "runs/tiny/weights.safetensors").read_bytes()
    )
    with small_disk(models_dir(), "8k"):
        (models_dir() / "filler").write_bytes(bytes(8192))
        result = srgan(*line.format(tmp_path / "w.safetensors").split())
        assert_fails(result, 5, "No space left on device", "free space")
        assert files_below(models_dir()) == ["filler"]
