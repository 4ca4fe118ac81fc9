"""From gradients to updates: scaling, clipping, what is left out, what is held back."""

import itertools
import math

import pytest
import torch

from srgan_cli.engine.losses import objectives
from srgan_cli.engine.runs.checkpoint import Checkpoint
from tests.trainer_steps import (
    DTYPES,
    PHASES,
    first_step,
    flat_parameters,
    small_trainer,
)


@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("phase", PHASES)
def test_each_scaler_is_updated_once_after_each_update_of_its_network(
    phase, precision, batch, monkeypatch
):
    trainer = small_trainer(precision, discriminator_steps=3)
    calls = []
    for network, updater in trainer._updaters.items():
        for name in ("step", "update"):
            method = getattr(updater.scaler, name)
            monkeypatch.setattr(
                updater.scaler,
                name,
                lambda *args, call=(network, name), method=method: (
                    calls.append(call),
                    method(*args),
                )[1],
            )
    trainer.step(PHASES[phase], 0, batch)
    once = {name: [(name, "step"), (name, "update")] for name in trainer._updaters}
    turns = 3 if phase == "adversarial" else 0
    assert calls == turns * once["discriminator"] + once["generator"]


def test_an_overflow_costs_steps_but_never_weights_or_finite_losses(batch):
    trainer = small_trainer("fp16", scale=2.0**20)
    before = {name: flat_parameters(module) for name, module in trainer._modules.items()}
    scales = []
    for step in range(10):
        terms = trainer.step(PHASES["adversarial"], step, batch)
        assert all(torch.isfinite(term) for term in terms.values())
        scales.append(trainer.discriminator_updater.scaler.get_scale())
        if step == 0:
            assert torch.equal(flat_parameters(trainer.discriminator), before["discriminator"])
    assert scales[:3] == [2.0**19, 2.0**18, 2.0**17]
    assert scales[-1] == scales[-2]
    skipped = sum(1 for before, after in itertools.pairwise([2.0**20, *scales]) if after < before)
    assert trainer.skipped["discriminator"] == skipped >= 3
    for name, module in trainer._modules.items():
        assert torch.isfinite(flat_parameters(module)).all()
        assert not torch.equal(flat_parameters(module), before[name])


@pytest.mark.parametrize("precision", DTYPES)
def test_a_long_gradient_is_shortened_and_keeps_its_direction(precision, batch):
    free, _ = first_step(precision, "adversarial", batch, None)
    clipped, _ = first_step(precision, "adversarial", batch, None, clip=5e-3)
    for name in free:
        assert free[name].norm() > 1e-2
        assert clipped[name].norm().item() == pytest.approx(5e-3, rel=1e-3)
        assert torch.cosine_similarity(free[name], clipped[name], dim=0) > 0.999
    short, _ = first_step(precision, "adversarial", batch, None, clip=1e6)
    assert all(torch.equal(short[name], free[name]) for name in free)


@pytest.mark.parametrize("precision", DTYPES)
def test_an_update_that_is_not_finite_is_left_out_and_counted(precision, batch, monkeypatch):
    trainer = small_trainer(precision)
    trainer.step(PHASES["adversarial"], 0, batch)
    before = {name: flat_parameters(module) for name, module in trainer._modules.items()}
    with monkeypatch.context() as patch:
        patch.setattr(objectives, "pixel_loss", lambda sr, *_: sr.sum() * math.nan)
        terms = trainer.step(PHASES["adversarial"], 1, batch)
    assert torch.isnan(terms["generator"])
    assert torch.equal(flat_parameters(trainer.generator), before["generator"])
    assert not torch.equal(flat_parameters(trainer.discriminator), before["discriminator"])
    assert trainer.skipped == {"generator": 1, "discriminator": 0}
    trainer.step(PHASES["adversarial"], 2, batch)
    assert trainer.skipped == {"generator": 1, "discriminator": 0}
    assert not torch.equal(flat_parameters(trainer.generator), before["generator"])


def test_skipped_updates_are_remembered_over_phases_and_checkpoints(batch, tmp_path, monkeypatch):
    trainer = small_trainer("fp16", scale=2.0**20)
    with monkeypatch.context() as patch:
        patch.setattr(objectives, "pixel_loss", lambda sr, *_: sr.sum() * math.nan)
        trainer.step(PHASES["adversarial"], 0, batch)
    assert trainer.skipped["generator"] == 1
    trainer.begin(PHASES["adversarial"])
    assert trainer.skipped["generator"] == 1
    trainer.step(PHASES["adversarial"], 1, batch)
    found = trainer.skipped
    assert found["discriminator"] == 2
    assert found["generator"] >= 1
    trainer.snapshot({}).write(tmp_path / "c")
    other = small_trainer("fp16")
    other.restore(Checkpoint.read(tmp_path / "c"))
    assert other.skipped == found
    assert other._accuracy == trainer._accuracy
    for ours, theirs in zip(other._updaters.values(), trainer._updaters.values(), strict=True):
        assert ours.scaler.state_dict() == theirs.scaler.state_dict()


def test_a_discriminator_that_is_far_ahead_is_held_back_until_it_is_not(batch):
    trainer = small_trainer(discriminator_limit=0.8)
    held = []
    for step, ahead in enumerate([0.5, 0.79, 0.81, 1.0, 0.6]):
        trainer._accuracy.fill_(ahead)
        before = flat_parameters(trainer.discriminator)
        terms = trainer.step(PHASES["adversarial"], step, batch)
        held.append(torch.equal(flat_parameters(trainer.discriminator), before))
        assert terms["held"] == held[-1]
        assert trainer._accuracy.item() == pytest.approx(0.9 * ahead + 0.1 * terms["accuracy"])
    assert held == [False, False, True, True, False]


def test_without_a_limit_it_is_never_held_back(batch):
    trainer = small_trainer()
    trainer._accuracy.fill_(1.0)
    assert "held" not in trainer.step(PHASES["adversarial"], 0, batch)
    assert trainer.discriminator_updater.optimizer.state
