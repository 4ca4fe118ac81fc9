"""One step of the trainer: which losses and weights it touches, by which rules."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from srgan_cli.config import TrainConfig
from srgan_cli.engine.training.schedule import Phase
from srgan_cli.engine.training.trainer import Trainer
from tests.trainer_steps import (
    PHASES,
    SMALL,
    flat_parameters,
    small_trainer,
)


def test_pretraining_leaves_the_discriminator_alone(batch):
    trainer = small_trainer()
    discriminator, generator = (
        flat_parameters(trainer.discriminator),
        flat_parameters(trainer.generator),
    )
    assert trainer.step(PHASES["pretrain"], 0, batch).keys() == {
        "pixel",
        "fft",
        "generator",
    }
    assert torch.equal(flat_parameters(trainer.discriminator), discriminator)
    assert not torch.equal(flat_parameters(trainer.generator), generator)


def test_every_term_of_an_adversarial_step_is_returned_by_name(batch, features):
    terms = small_trainer(features=features).step(PHASES["adversarial"], 0, batch)
    assert terms.keys() == {
        "accuracy",
        "discriminator",
        "wasserstein",
        "gradient_penalty",
        "pixel",
        "fft",
        "adversarial",
        "perceptual",
        "generator",
    }
    weights = TrainConfig().weights
    assert terms["generator"].item() == pytest.approx(
        sum(getattr(weights, n) * terms[n].item() for n in ("pixel", "adversarial", "perceptual"))
        + weights.pixel * weights.fft * terms["fft"].item(),
        rel=1e-5,
    )
    assert terms["discriminator"].item() == pytest.approx(
        (terms["wasserstein"] + weights.gradient_penalty * terms["gradient_penalty"]).item(),
        rel=1e-5,
    )
    assert not any(term.requires_grad for term in terms.values())


def test_the_generator_step_does_not_move_the_discriminator(batch, monkeypatch):
    trainer = small_trainer()
    before = flat_parameters(trainer.discriminator)
    monkeypatch.setattr(trainer, "_discriminator_step", lambda *_: {})
    trainer.step(PHASES["adversarial"], 0, batch)
    assert torch.equal(flat_parameters(trainer.discriminator), before)
    assert all(p.grad is None and p.requires_grad for p in trainer.discriminator.parameters())


def test_the_discriminator_takes_as_many_steps_as_asked(batch):
    trainer = small_trainer("fp16", discriminator_steps=3)
    trainer.step(PHASES["adversarial"], 0, batch)
    taken = {int(state["step"]) for state in trainer.discriminator_updater.optimizer.state.values()}
    assert taken == {3}
    assert {int(s["step"]) for s in trainer.generator_updater.optimizer.state.values()} == {1}


def test_both_learning_rates_follow_the_schedule(batch):
    trainer, phase = small_trainer(), Phase("adversarial", 0, 10, 1e-3, 4)
    for step in (0, 7):
        trainer.step(phase, step, batch)
        for updater in trainer._updaters.values():
            assert updater.optimizer.param_groups[0]["lr"] == phase.learning_rate(step)


def test_the_averaged_weights_follow_the_generator_faster_at_first(batch):
    trainer = small_trainer(ema=0.999)
    before = flat_parameters(trainer.ema)
    trainer.step(PHASES["pretrain"], 0, batch)
    # Decay of the first step is 1/10.
    expected = 0.1 * before + 0.9 * flat_parameters(trainer.generator)
    torch.testing.assert_close(flat_parameters(trainer.ema), expected)
    before = flat_parameters(trainer.ema)
    trainer._average(10**6)
    expected = 0.999 * before + 0.001 * flat_parameters(trainer.generator)
    torch.testing.assert_close(flat_parameters(trainer.ema), expected)


def test_the_adversarial_phase_begins_from_the_averaged_weights_with_fresh_moments(batch):
    trainer = small_trainer()
    trainer.step(PHASES["pretrain"], 0, batch)
    trainer.begin(PHASES["adversarial"])
    assert torch.equal(flat_parameters(trainer.generator), flat_parameters(trainer.ema))
    assert not trainer.generator_updater.optimizer.state


def test_two_trainers_of_one_seed_are_equal_and_of_another_are_not(batch):
    runs = [small_trainer(), small_trainer()]
    for trainer in runs:
        trainer.step(PHASES["adversarial"], 5, batch)
    assert torch.equal(flat_parameters(runs[0].generator), flat_parameters(runs[1].generator))
    assert torch.equal(
        flat_parameters(runs[0].discriminator), flat_parameters(runs[1].discriminator)
    )
    other = Trainer(TrainConfig(discriminator_width=8, seed=4), SMALL, runs[0].amp, None)
    assert not torch.equal(flat_parameters(other.ema), flat_parameters(small_trainer().ema))


def test_the_discriminator_may_have_a_learning_rate_of_its_own(batch):
    trainer = small_trainer(adversarial_learning_rate=1e-3, discriminator_learning_rate=4e-3)
    phase = Phase("adversarial", 0, 10, 1e-3, 4)
    trainer.step(phase, 2, batch)
    rates = [each.optimizer.param_groups[0]["lr"] for each in trainer._updaters.values()]
    assert rates == pytest.approx([phase.learning_rate(2), 4 * phase.learning_rate(2)])


@pytest.mark.parametrize("judged", [None, np.array([0, 2, 0, 2.0])])
@pytest.mark.parametrize("options", [{}, {"adversarial": "relativistic", "clip": 1.0}])
@pytest.mark.parametrize("phase", PHASES)
def test_the_host_never_waits_for_the_device(phase, options, judged, batch, features, monkeypatch):
    trainer = small_trainer("fp16", features, **options)
    batch = replace(batch, judged=judged)
    trainer.step(PHASES[phase], 0, batch)  # Adam counts its first step on the host.

    def waits(*_):
        raise AssertionError("reads a tensor")

    for name in ("item", "tolist", "numpy", "__float__", "__int__", "__bool__"):
        monkeypatch.setattr(torch.Tensor, name, waits)
    trainer.step(PHASES[phase], 1, batch)


def test_only_who_asks_for_it_gets_a_compiled_generator(batch, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda module: compiled.append(module) or module)
    small_trainer()
    assert not compiled
    trainer = small_trainer(compile=True)
    assert compiled == [trainer.generator]
    trainer.step(PHASES["pretrain"], 0, batch)
