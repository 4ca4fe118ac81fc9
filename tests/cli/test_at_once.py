"""Two commands at once that want the same name: one gets it, the other says so."""

import json
import threading

import pytest
import torch

from srgan_cli import engine
from srgan_cli.engine.models import library, shelf
from srgan_cli.engine.networks.srvgg import SRVGGNetCompact
from srgan_cli.paths import file_sha256, models_dir
from tests.toolbox import Result, assert_fails, start

ADDED = "models add {} --name same"
BLENDED = "models blend fidelity-x2 photo-x2 --name same"


@pytest.fixture
def files(tmp_path):
    """Write two weights files that differ."""
    paths = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        paths.append(tmp_path / f"{seed}.pth")
        torch.save({"params": SRVGGNetCompact(8, 2, 2).state_dict()}, paths[-1])
    return paths


@pytest.mark.parametrize("second", [ADDED, BLENDED])
def test_a_model_that_came_meanwhile_is_not_replaced(srgan, files, monkeypatch, second):
    """The other command gets between the check of the name and the writing."""
    intact, between = library.save_tensors, []

    def save_tensors(*arguments, **options):
        if not between:
            between.append(None)
            assert srgan(*ADDED.format(files[0]).split()).code == 0
        return intact(*arguments, **options)

    monkeypatch.setattr(library, "save_tensors", save_tensors)
    result = srgan(*second.format(files[1]).split())
    assert_fails(result, 2, "same is already the name of a shelf model", "--name")
    assert engine.show_model("same").origin["sha256"] == file_sha256(files[0])
    assert [path.name for path in models_dir().iterdir()] == ["same.safetensors"]


@pytest.mark.usefixtures("home")
def test_of_processes_that_add_at_once_one_wins_and_the_other_says_so(files):
    processes = {path: start(*ADDED.format(path).split()) for path in files}
    results = {}
    for path, process in processes.items():
        out, err = process.communicate(timeout=120)
        results[path] = Result(process.returncode, out, err)
    (winner,) = (path for path, result in results.items() if result.code == 0)
    assert engine.show_model("same").origin["sha256"] == file_sha256(winner)
    for path, result in results.items():
        if path != winner:
            assert_fails(result, 2, "same is already the name of a shelf model")
    assert [path.name for path in models_dir().iterdir()] == ["same.safetensors"]


def test_defaults_that_are_chosen_at_once_are_both_kept(srgan, monkeypatch):
    """A second choice has to wait until the first has written what it read."""
    intact, others = shelf.write_text, []

    def write_text(path, text):
        if not others:
            others.append(threading.Thread(target=engine.choose_default, args=["fidelity-x4"]))
            others[0].start()
            others[0].join(1)  # Seconds in which it would be done, could it read at once.
        intact(path, text)

    monkeypatch.setattr(shelf, "write_text", write_text)
    assert srgan("models", "default", "fidelity-x2").code == 0
    others[0].join()
    chosen = json.loads((models_dir() / "defaults.json").read_text())
    assert chosen == {"2": "fidelity-x2", "4": "fidelity-x4"}
    assert [path.name for path in models_dir().iterdir()] == ["defaults.json"]


def test_a_default_that_is_never_let_go_is_told(srgan, monkeypatch):
    monkeypatch.setattr(shelf, "_PATIENCE", 0.1)
    models_dir().mkdir(parents=True)
    with shelf.locked(models_dir() / ".defaults.json.lock"):
        assert_fails(srgan("models", "default", "fidelity-x2"), 5, "another process", "try again")
    assert not (models_dir() / "defaults.json").exists()
