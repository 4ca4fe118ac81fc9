import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.optim import Adam

from srgan_cli.engine.checkpoint import Checkpoint, save_checkpoint
from srgan_cli.errors import WeightsError


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


@pytest.fixture
def saved(tmp_path):
    modules, optimizers = _networks(0)
    _train(modules, optimizers, 3)
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, modules, optimizers, {"step": 3, "scaler": {"scale": 65536.0}})
    return path, modules, optimizers


def test_networks_moments_and_progress_come_back_bit_for_bit(saved):
    path, modules, optimizers = saved
    others, other_optimizers = _networks(1)
    _train(others, other_optimizers, 1)
    checkpoint = Checkpoint(path)
    checkpoint.restore(others, other_optimizers)

    assert checkpoint.progress == {"step": 3, "scaler": {"scale": 65536.0}}
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
    Checkpoint(path).restore(others, other_optimizers)
    _train(modules, optimizers, 2, seed=8)
    _train(others, other_optimizers, 2, seed=8)
    for name, module in modules.items():
        _assert_equal(others[name].state_dict(), module.state_dict())


def test_an_optimiser_that_has_not_stepped_comes_back_without_moments(tmp_path):
    modules, optimizers = _networks(0)
    save_checkpoint(tmp_path / "c", modules, optimizers, {})
    others, other_optimizers = _networks(1)
    _train(others, other_optimizers, 2)
    Checkpoint(tmp_path / "c").restore(others, other_optimizers)
    assert all(not optimizer.state for optimizer in other_optimizers.values())


def test_what_was_read_does_not_change_with_the_file(saved):
    path, modules, optimizers = saved
    checkpoint = Checkpoint(path)
    wanted = {key: value.clone() for key, value in modules["generator"].state_dict().items()}
    _train(modules, optimizers, 1)
    save_checkpoint(path, modules, optimizers, {"step": 4})
    path.write_bytes(b"\0" * path.stat().st_size)
    others, other_optimizers = _networks(1)
    checkpoint.restore(others, other_optimizers)
    _assert_equal(others["generator"].state_dict(), wanted)


def test_saving_leaves_one_file_and_keeps_the_old_one_on_failure(saved, monkeypatch):
    path, modules, optimizers = saved
    old = path.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("srgan_cli.engine.checkpoint.save_file", fail)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(path, modules, optimizers, {"step": 9})
    assert path.read_bytes() == old
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("damage", ["truncated", "text", "foreign", "missing", "folder", "empty"])
def test_a_damaged_checkpoint_is_refused(saved, damage):
    path, _, _ = saved
    content = path.read_bytes()
    path.unlink()
    match damage:
        case "truncated":
            path.write_bytes(content[: len(content) // 2])
        case "text":
            path.write_text("not a checkpoint")
        case "foreign":
            save_file({"weight": torch.zeros(2)}, path)
        case "folder":
            path.mkdir()
        case "empty":
            path.touch()
    with pytest.raises(WeightsError) as caught:
        Checkpoint(path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint
