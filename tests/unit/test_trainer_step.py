"""One step of the trainer, in every precision, against the same step in fp32."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.amp import GradScaler

from srgan_cli.config import PRESETS, LossWeights, TrainConfig
from srgan_cli.data.dataset import Batch
from srgan_cli.engine.amp import Amp
from srgan_cli.engine.models import Discriminator, Generator
from srgan_cli.engine.perceptual import load_perceptual
from srgan_cli.engine.schedule import Phase
from srgan_cli.engine.trainer import Trainer
from srgan_cli.imaging.resize import downscale
from srgan_cli.imaging.tensors import to_unit
from srgan_cli.observer import SilentObserver
from tests.conftest import synthetic_photograph

CPU = torch.device("cpu")
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
SMALL = dataclasses.replace(PRESETS["compact"], channels=8, growth=8, num_blocks=1)
PHASES = {
    "pretrain": Phase("pretrain", 0, 10, 1e-4, 0),
    "adversarial": Phase("adversarial", 0, 10, 1e-4, 0),
}

# Relative error of all gradients of a network together. Rounding moves some activations over
# the kink of a leaky ReLU: an error of one in a thousand of them is one of 3 % in the norm.
TOLERANCES = {
    ("fp16", "generator"): 0.01,
    ("fp16", "discriminator"): 0.08,
    ("bf16", "generator"): 0.03,
    ("bf16", "discriminator"): 0.15,
}


@pytest.fixture(scope="module")
def batch():
    hr = [synthetic_photograph(32, 32, seed) for seed in range(4)]
    pairs = ([downscale(image, 2) for image in hr], hr)
    return Batch(*(torch.from_numpy(np.stack(side)) for side in pairs))


@pytest.fixture(scope="module")
def features():
    return load_perceptual("vgg16", SilentObserver())


def _trainer(precision="fp32", features=None, scale=2.0**10, **options):
    config = TrainConfig(discriminator_width=8, seed=3, **options)
    # A scale that fits at once: the default's search for it is another test.
    scaler = GradScaler("cpu", init_scale=scale, enabled=precision == "fp16")
    return Trainer(config, SMALL, Amp(CPU, DTYPES[precision], scaler), features)


def _watch(trainer):
    """Return a dict that gets each network's unscaled gradients when its optimiser steps."""
    seen = {}

    def hook(name):
        def keep(optimizer, _args, _kwargs):
            scale = getattr(optimizer, "grad_scale", None)
            grads = [p.grad.flatten() for g in optimizer.param_groups for p in g["params"]]
            seen[name] = torch.cat(grads) / (1 if scale is None else scale)

        return keep

    trainer.generator_optimizer.register_step_pre_hook(hook("generator"))
    trainer.discriminator_optimizer.register_step_pre_hook(hook("discriminator"))
    return seen


def _parameters(module):
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def _step(precision, phase, batch, features):
    trainer = _trainer(precision, features)
    gradients = _watch(trainer)
    terms = trainer.step(PHASES[phase], 0, batch)
    return gradients, {name: term.item() for name, term in terms.items()}


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
@pytest.mark.parametrize("phase", PHASES)
def test_a_step_in_mixed_precision_has_the_gradients_of_fp32(phase, precision, batch, features):
    wanted, wanted_terms = _step("fp32", phase, batch, features)
    gradients, terms = _step(precision, phase, batch, features)

    assert gradients.keys() == wanted.keys()
    assert ("discriminator" in wanted) == (phase == "adversarial")
    for name, gradient in gradients.items():
        error = (gradient - wanted[name]).norm() / wanted[name].norm()
        assert error < TOLERANCES[precision, name], name
    assert terms == pytest.approx(wanted_terms, rel=0.03, abs=5e-3)


def test_gradients_in_fp32_are_those_of_the_losses_written_out(batch, features):
    trainer = _trainer(features=features)
    generator, discriminator = Generator(SMALL), Discriminator(8)
    generator.load_state_dict(trainer.generator.state_dict())
    discriminator.load_state_dict(trainer.discriminator.state_dict())
    weights = trainer.config.weights
    lr, hr = to_unit(batch.lr), to_unit(batch.hr)
    sr = generator(lr)

    gradients = _watch(trainer)
    trainer.step(PHASES["adversarial"], 0, batch)

    mix = torch.rand(4, generator=torch.Generator().manual_seed(3 * 2**32)).view(4, 1, 1, 1)
    between = (mix * hr + (1 - mix) * sr.detach()).requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
    penalty = (slope.square().sum((1, 2, 3)).sqrt() - 1).square().mean()
    loss = (
        discriminator(sr.detach()).mean()
        - discriminator(hr).mean()
        + weights.gradient_penalty * penalty
    )
    by_discriminator = torch.autograd.grad(
        loss, list(discriminator.parameters()), materialize_grads=True
    )
    torch.testing.assert_close(
        gradients["discriminator"],
        torch.cat([g.flatten() for g in by_discriminator]),
        rtol=1e-3,
        atol=1e-5,
    )

    wanted = features(hr)
    distance = (features(sr) - wanted).abs().mean() / wanted.abs().mean()
    # The discriminator has taken its step by then, so the generator meets the new one.
    score = trainer.discriminator(sr).mean()
    loss = (
        weights.pixel * (sr - hr).abs().mean()
        + weights.perceptual * distance
        - weights.adversarial * score
    )
    by_generator = torch.autograd.grad(loss, list(generator.parameters()))
    torch.testing.assert_close(
        gradients["generator"], torch.cat([g.flatten() for g in by_generator]), rtol=1e-3, atol=1e-5
    )


@pytest.mark.parametrize("phase", PHASES)
def test_the_scaler_is_updated_once_a_step(phase, batch, monkeypatch):
    trainer = _trainer("fp16")
    calls = []
    for name in ("step", "update"):
        method = getattr(trainer.amp.scaler, name)
        monkeypatch.setattr(
            trainer.amp.scaler,
            name,
            lambda *args, name=name, method=method: (calls.append(name), method(*args))[1],
        )
    trainer.step(PHASES[phase], 0, batch)
    optimizers = 1 if phase == "pretrain" else 2
    assert calls == ["step"] * optimizers + ["update"]


def test_an_overflow_costs_steps_but_never_weights_or_finite_losses(batch):
    trainer = _trainer("fp16", scale=2.0**20)
    before = {name: _parameters(module) for name, module in trainer._modules.items()}
    scales = []
    for step in range(10):
        terms = trainer.step(PHASES["adversarial"], step, batch)
        assert all(torch.isfinite(term) for term in terms.values())
        scales.append(trainer.amp.scaler.get_scale())
        if step == 0:
            assert torch.equal(_parameters(trainer.discriminator), before["discriminator"])
    assert scales[:3] == [2.0**19, 2.0**18, 2.0**17]
    assert scales[-1] == scales[-2]
    for name, module in trainer._modules.items():
        assert torch.isfinite(_parameters(module)).all()
        assert not torch.equal(_parameters(module), before[name])


def test_pretraining_leaves_the_discriminator_alone(batch):
    trainer = _trainer()
    discriminator, generator = _parameters(trainer.discriminator), _parameters(trainer.generator)
    assert trainer.step(PHASES["pretrain"], 0, batch).keys() == {"pixel"}
    assert torch.equal(_parameters(trainer.discriminator), discriminator)
    assert not torch.equal(_parameters(trainer.generator), generator)


def test_every_term_of_an_adversarial_step_is_returned_by_name(batch, features):
    terms = _trainer(features=features).step(PHASES["adversarial"], 0, batch)
    assert terms.keys() == {
        "discriminator",
        "wasserstein",
        "gradient_penalty",
        "pixel",
        "adversarial",
        "perceptual",
        "generator",
    }
    weights = LossWeights()
    assert terms["generator"].item() == pytest.approx(
        sum(getattr(weights, n) * terms[n].item() for n in ("pixel", "adversarial", "perceptual")),
        rel=1e-5,
    )
    assert terms["discriminator"].item() == pytest.approx(
        (terms["wasserstein"] + weights.gradient_penalty * terms["gradient_penalty"]).item(),
        rel=1e-5,
    )
    assert not any(term.requires_grad for term in terms.values())


def test_the_generator_step_does_not_move_the_discriminator(batch):
    trainer = _trainer()
    lr, hr = to_unit(batch.lr), to_unit(batch.hr)
    before = _parameters(trainer.discriminator)
    trainer._generator_step(trainer.generator(lr), hr)
    assert torch.equal(_parameters(trainer.discriminator), before)
    assert all(p.grad is None and p.requires_grad for p in trainer.discriminator.parameters())


def test_the_discriminator_takes_as_many_steps_as_asked(batch):
    trainer = _trainer("fp16", discriminator_steps=3)
    trainer.step(PHASES["adversarial"], 0, batch)
    taken = {int(state["step"]) for state in trainer.discriminator_optimizer.state.values()}
    assert taken == {3}
    assert {int(s["step"]) for s in trainer.generator_optimizer.state.values()} == {1}


def test_both_learning_rates_follow_the_schedule(batch):
    trainer, phase = _trainer(), Phase("adversarial", 0, 10, 1e-3, 4)
    for step in (0, 7):
        trainer.step(phase, step, batch)
        for optimizer in (trainer.generator_optimizer, trainer.discriminator_optimizer):
            assert optimizer.param_groups[0]["lr"] == phase.learning_rate(step)


def test_the_averaged_weights_follow_the_generator_faster_at_first(batch):
    trainer = _trainer(ema=0.999)
    before = _parameters(trainer.ema)
    trainer.step(PHASES["pretrain"], 0, batch)
    # Decay of the first step is 1/10.
    expected = 0.1 * before + 0.9 * _parameters(trainer.generator)
    torch.testing.assert_close(_parameters(trainer.ema), expected)
    before = _parameters(trainer.ema)
    trainer._average(10**6)
    expected = 0.999 * before + 0.001 * _parameters(trainer.generator)
    torch.testing.assert_close(_parameters(trainer.ema), expected)


def test_the_adversarial_phase_begins_from_the_averaged_weights_with_fresh_moments(batch):
    trainer = _trainer()
    trainer.step(PHASES["pretrain"], 0, batch)
    trainer.begin(PHASES["adversarial"])
    assert torch.equal(_parameters(trainer.generator), _parameters(trainer.ema))
    assert not trainer.generator_optimizer.state


def test_two_trainers_of_one_seed_are_equal_and_of_another_are_not(batch):
    runs = [_trainer(), _trainer()]
    for trainer in runs:
        trainer.step(PHASES["adversarial"], 5, batch)
    assert torch.equal(_parameters(runs[0].generator), _parameters(runs[1].generator))
    assert torch.equal(_parameters(runs[0].discriminator), _parameters(runs[1].discriminator))
    other = Trainer(TrainConfig(discriminator_width=8, seed=4), SMALL, runs[0].amp, None)
    assert not torch.equal(_parameters(other.ema), _parameters(_trainer().ema))
