import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.optim import Adam

from srgan_cli.engine.models import tensor_files
from srgan_cli.engine.runs.checkpoint import Checkpoint, CheckpointFolder
from srgan_cli.errors import WeightsError
from srgan_cli.observer import SilentObserver


def _networks(seed):
    torch.manual_seed(seed)
    modules = {"generator": nn.Conv2d(3, 4, 3), "discriminator": nn.Linear(5, 2)}
    for module in modules.values():
        module.to(memory_format=torch.channels_last)
    optimizers = {
        f"{name}_optimizer": Adam(module.parameters(), lr=1e-3, fused=True)
        for name, module in modules.items()
    }
    return modules, optimizers


def _train(modules, optimizers, steps, seed=7):
    torch.manual_seed(seed)
    for _ in range(steps):
        modules["generator"](torch.rand(1, 3, 5, 5)).square().sum().backward()
        modules["discriminator"](torch.rand(2, 5)).square().sum().backward()
        for optimizer in optimizers.values():
            optimizer.step()
            optimizer.zero_grad()


def _assert_equal(actual, wanted):
    assert actual.keys() == wanted.keys()
    for key, value in wanted.items():
        assert torch.equal(actual[key], value), key
        assert actual[key].dtype == value.dtype


PROGRESS = {"step": 3, "good": True, "scaler": {"scale": 65536.0}}


@pytest.fixture
def saved(tmp_path):
    modules, optimizers = _networks(0)
    _train(modules, optimizers, 3)
    path = tmp_path / "checkpoint.safetensors"
    Checkpoint.of(modules, optimizers, PROGRESS).write(path)
    return path, modules, optimizers


def test_networks_moments_and_progress_come_back_bit_for_bit(saved):
    path, modules, optimizers = saved
    others, other_optimizers = _networks(1)
    _train(others, other_optimizers, 1)
    checkpoint = Checkpoint.read(path)
    checkpoint.restore(others, other_optimizers)

    assert checkpoint.progress == PROGRESS
    for name, module in modules.items():
        _assert_equal(others[name].state_dict(), module.state_dict())
    for name, optimizer in optimizers.items():
        state, other = optimizer.state_dict(), other_optimizers[name].state_dict()
        assert other["param_groups"] == state["param_groups"]
        assert other["state"].keys() == state["state"].keys()
        for index, moments in state["state"].items():
            _assert_equal(other["state"][index], moments)


def test_training_goes_on_as_if_it_had_not_stopped(saved):
    path, modules, optimizers = saved
    others, other_optimizers = _networks(1)
    Checkpoint.read(path).restore(others, other_optimizers)
    _train(modules, optimizers, 2, seed=8)
    _train(others, other_optimizers, 2, seed=8)
    for name, module in modules.items():
        _assert_equal(others[name].state_dict(), module.state_dict())


def test_an_optimiser_that_has_not_stepped_comes_back_without_moments(tmp_path):
    modules, optimizers = _networks(0)
    Checkpoint.of(modules, optimizers, {}).write(tmp_path / "c")
    others, other_optimizers = _networks(1)
    _train(others, other_optimizers, 2)
    Checkpoint.read(tmp_path / "c").restore(others, other_optimizers)
    assert all(not optimizer.state for optimizer in other_optimizers.values())


def test_what_was_read_does_not_change_with_the_file(saved):
    path, modules, optimizers = saved
    checkpoint = Checkpoint.read(path)
    wanted = {key: value.clone() for key, value in modules["generator"].state_dict().items()}
    _train(modules, optimizers, 1)
    Checkpoint.of(modules, optimizers, {"step": 4}).write(path)
    path.write_bytes(b"\0" * path.stat().st_size)
    others, other_optimizers = _networks(1)
    checkpoint.restore(others, other_optimizers)
    _assert_equal(others["generator"].state_dict(), wanted)


def test_saving_leaves_one_file_and_keeps_the_old_one_on_failure(saved, monkeypatch):
    path, modules, optimizers = saved
    old = path.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tensor_files, "save_file", fail)
    with pytest.raises(OSError, match="No space"):
        Checkpoint.of(modules, optimizers, {"step": 9}).write(path)
    assert path.read_bytes() == old
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    "damage", ["truncated", "bit", "text", "foreign", "missing", "folder", "empty"]
)
def test_a_damaged_checkpoint_is_refused(saved, damage):
    path, _, _ = saved
    content = path.read_bytes()
    path.unlink()
    match damage:
        case "truncated":
            path.write_bytes(content[: len(content) // 2])
        case "bit":
            path.write_bytes(content[:-40] + bytes([content[-40] ^ 1]) + content[-39:])
        case "text":
            path.write_text("not a checkpoint")
        case "foreign":
            save_file({"weight": torch.zeros(2)}, path)
        case "folder":
            path.mkdir()
        case "empty":
            path.touch()
    with pytest.raises(WeightsError) as caught:
        Checkpoint.read(path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_a_state_does_not_change_with_the_networks_it_was_taken_from(tmp_path):
    modules, optimizers = _networks(0)
    _train(modules, optimizers, 1)
    state = Checkpoint.of(modules, optimizers, PROGRESS)
    wanted = {key: value.clone() for key, value in modules["generator"].state_dict().items()}
    _train(modules, optimizers, 2)
    state.write(tmp_path / "c")
    others, other_optimizers = _networks(1)
    Checkpoint.read(tmp_path / "c").restore(others, other_optimizers)
    _assert_equal(others["generator"].state_dict(), wanted)


def test_one_state_can_be_gone_back_to_twice(saved):
    path, _, _ = saved
    state = Checkpoint.read(path)
    results = []
    for _ in range(2):
        others, other_optimizers = _networks(1)
        state.restore(others, other_optimizers)
        _train(others, other_optimizers, 2)  # Fused Adam writes into the moments it was given.
        results.append(
            {key: value.clone() for key, value in others["generator"].state_dict().items()}
        )
    _assert_equal(results[1], results[0])


class _Told(SilentObserver):
    def __init__(self):
        self.warned = []

    def warn(self, message, hint=""):  # noqa: ARG002 - the interface's
        self.warned.append(message)


@pytest.fixture
def folder(tmp_path):
    """Save five states, the second of them the best, the fourth not validated."""
    kept = CheckpointFolder(tmp_path, keep=3)
    for step in range(1, 6):
        state = Checkpoint({"w": torch.full((9,), step)}, {"step": step, "good": step != 4})
        kept.save(state, best=2 if step >= 2 else None)
    return kept


def test_the_last_ones_and_the_best_are_kept(folder):
    assert folder.steps() == [2, 3, 4, 5]


def test_a_damaged_checkpoint_is_told_and_the_one_before_taken(folder):
    observer = _Told()
    assert folder.last(observer).progress["step"] == 5
    assert observer.warned == []
    for step, content in ((5, b"{}"), (4, b"")):
        (folder.folder / f"step-{step:08}.safetensors").write_bytes(content)
    assert folder.last(observer).progress["step"] == 3
    assert ["00000005" in observer.warned[0], "00000004" in observer.warned[1]] == [True, True]
    assert all("using the checkpoint before it" in line for line in observer.warned)


def test_going_back_takes_only_states_that_passed_a_validation(folder):
    folder.forget_after(4)
    assert folder.steps() == [2, 3, 4]
    assert folder.last(_Told()).progress["step"] == 4
    assert folder.last(_Told(), good=True).progress["step"] == 3


def test_nothing_readable_is_an_error_about_the_newest(folder):
    for path in folder.folder.iterdir():
        path.write_bytes(b"")
    with pytest.raises(WeightsError, match="step-00000005"):
        folder.last(_Told())
