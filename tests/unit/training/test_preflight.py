"""Whether a step fits, from memory that is made up and devices that run out."""

from types import SimpleNamespace

import pytest
import torch

from srgan_cli.config import DenseConfig, TrainConfig
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.training import preflight
from srgan_cli.engine.training.preflight import (
    MemoryBudget,
    find_memory_budget,
    require_memory,
    step_memory,
)
from srgan_cli.engine.training.trainer import Trainer
from srgan_cli.errors import ResourceError

PHASES = ["pretrain", "adversarial"]
SMALL = DenseConfig(
    scale=2, channels=8, growth=4, num_blocks=1, dense_blocks=1, num_convs=3,
    residual_scale=0.2, upsampler="pixelshuffle",
)  # fmt: skip


def make_trainer(**options):
    config = TrainConfig(**{"patch": 16, "discriminator_width": 4} | options)
    return Trainer(config, SMALL, Amp.create(torch.device("cpu"), "fp32"), None)


def test_memory_of_a_patch_is_what_its_graph_holds_on_to(monkeypatch):
    def step(*_):
        kept = torch.zeros(1000, requires_grad=True)
        first = kept * 2  # Multiplying two tensors saves both, fp32.
        second = kept * 3
        (first * second).sum().backward()
        (first.detach() * kept * kept).sum().backward()

    monkeypatch.setattr(Trainer, "step", step)
    _, patch = step_memory(make_trainer(), ["pretrain"])
    assert patch == 1.5 * 2 * 4000


def test_a_larger_patch_needs_more_and_a_game_more_than_pixels():
    _, small = step_memory(make_trainer(), ["pretrain"])
    _, large = step_memory(make_trainer(patch=32), ["pretrain"])
    _, game = step_memory(make_trainer(), PHASES)
    assert large == pytest.approx(4 * small, rel=0.05)
    assert game > small


def test_the_batch_that_fits_follows_from_what_is_free(monkeypatch):
    fixed, patch = step_memory(make_trainer(), PHASES)
    monkeypatch.setattr(preflight, "free_memory", lambda: (fixed + 10.5 * patch) / 0.8)
    budget = find_memory_budget(make_trainer, PHASES)
    assert budget.patches == 10
    assert find_memory_budget(make_trainer, PHASES, wanted=4).patches == 4
    assert find_memory_budget(lambda: make_trainer(accumulate=2), PHASES).patches == 20
    assert find_memory_budget(make_trainer, PHASES, num_local=2).patches < 6
    monkeypatch.setattr(preflight, "free_memory", lambda: fixed)
    assert find_memory_budget(make_trainer, PHASES).patches == 0
    monkeypatch.setattr(preflight, "free_memory", lambda: None)
    assert find_memory_budget(make_trainer, PHASES).patches == preflight.LARGEST_BATCH


def test_on_cuda_the_step_is_tried_until_it_fits(monkeypatch):
    trainer, tried = make_trainer(), []
    trainer.amp = SimpleNamespace(device=torch.device("cuda"))

    def step(*arguments):
        batch = arguments[-1]
        tried.append(len(batch.lr))
        if len(batch.lr) > 20:
            raise torch.OutOfMemoryError

    monkeypatch.setattr(Trainer, "step", step)
    budget = find_memory_budget(lambda: trainer, PHASES)
    assert budget.patches == 16
    assert tried == [64, 32, 16, 16]


def test_a_batch_that_does_not_fit_is_refused_with_one_that_does():
    require_memory(MemoryBudget(16, "tried"), 16)
    with pytest.raises(ResourceError, match="does not fit") as caught:
        require_memory(MemoryBudget(16, "tried"), 17)
    assert "--batch 16" in caught.value.hint
    with pytest.raises(ResourceError) as caught:
        require_memory(MemoryBudget(0, "tried"), 1)
    assert "--patch" in caught.value.hint
