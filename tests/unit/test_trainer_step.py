"""One step of the trainer, in every precision, against the same step in fp32."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch

from srgan_cli.config import PRESETS, LossWeights, TrainConfig
from srgan_cli.data.dataset import Batch
from srgan_cli.engine.amp import Amp
from srgan_cli.engine.checkpoint import Checkpoint
from srgan_cli.engine.discriminators import Discriminator
from srgan_cli.engine.models import Generator
from srgan_cli.engine.perceptual import load_perceptual
from srgan_cli.engine.schedule import Phase
from srgan_cli.engine.trainer import Trainer
from srgan_cli.imaging.resize import downscale
from srgan_cli.imaging.tensors import to_unit
from srgan_cli.observer import SilentObserver
from tests.conftest import synthetic_photograph
from tests.toolbox import random_generator

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
    ("fp16", "discriminator"): 0.15,
    ("bf16", "generator"): 0.03,
    ("bf16", "discriminator"): 0.2,
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
    trainer = Trainer(config, SMALL, Amp(CPU, DTYPES[precision], scale), features)
    # One that is no longer new: all its layers have gradients.
    trainer.generator.load_state_dict(random_generator(SMALL, config.seed).state_dict())
    trainer.ema.load_state_dict(trainer.generator.state_dict())
    return trainer


def _watch(trainer):
    """Return a dict that gets each network's unscaled gradients when its optimiser steps."""
    seen = {}

    def hook(name):
        def keep(optimizer, _args, _kwargs):
            scale = getattr(optimizer, "grad_scale", None)
            grads = [p.grad.flatten() for g in optimizer.param_groups for p in g["params"]]
            seen[name] = torch.cat(grads) / (1 if scale is None else scale)

        return keep

    trainer.generator_descent.optimizer.register_step_pre_hook(hook("generator"))
    trainer.discriminator_descent.optimizer.register_step_pre_hook(hook("discriminator"))
    return seen


def _parameters(module):
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def _step(precision, phase, batch, features, **options):
    trainer = _trainer(precision, features, **options)
    gradients = _watch(trainer)
    terms = trainer.step(PHASES[phase], 0, batch)
    return gradients, {name: term.item() for name, term in terms.items()}


ALL_PIXEL_TERMS = {"weights": LossWeights(fft=0.05, artefact=1.0), "pixel": "charbonnier"}
GAMES = [
    {"adversarial": "wgan-gp"},
    {"adversarial": "wgan-gp", "weights": LossWeights(gradient_penalty=0, r1=10)},
    {"adversarial": "wgan-gp", "discriminator": "unet"},
    {"adversarial": "hinge", "weights": LossWeights(gradient_penalty=1)},
    {"adversarial": "hinge", "discriminator": "unet", "weights": LossWeights(r1=1)},
    {"adversarial": "vanilla", "weights": LossWeights(r1=10)},
    {"adversarial": "vanilla", "discriminator": "unet"},
    {"adversarial": "relativistic", "weights": LossWeights(gradient_penalty=1, r1=1)},
    {"adversarial": "relativistic", "discriminator": "unet"},
    ALL_PIXEL_TERMS,
]


def _assert_close_to_fp32(precision, phase, batch, features, **options):
    wanted, wanted_terms = _step("fp32", phase, batch, features, **options)
    gradients, terms = _step(precision, phase, batch, features, **options)

    assert gradients.keys() == wanted.keys()
    assert ("discriminator" in wanted) == (phase == "adversarial")
    for name, gradient in gradients.items():
        error = (gradient - wanted[name]).norm() / wanted[name].norm()
        assert error < TOLERANCES[precision, name], (name, error)
    # On which side of the border a score that lies on it falls is chance; totals cancel.
    left_out = {"accuracy", "discriminator", "generator"}
    scores = {name: value for name, value in terms.items() if name not in left_out}
    assert scores == pytest.approx({n: wanted_terms[n] for n in scores}, rel=0.03, abs=5e-3)


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
@pytest.mark.parametrize("options", [{}, ALL_PIXEL_TERMS])
def test_pretraining_in_mixed_precision_has_the_gradients_of_fp32(precision, options, batch):
    _assert_close_to_fp32(precision, "pretrain", batch, None, **options)


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
@pytest.mark.parametrize("options", GAMES)
def test_a_game_in_mixed_precision_has_the_gradients_of_fp32(precision, options, batch, features):
    _assert_close_to_fp32(precision, "adversarial", batch, features, **options)


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

    (wanted,), (found,) = features(hr), features(sr)
    by_picture = (found - wanted).abs().mean((1, 2, 3)) / wanted.abs().mean((1, 2, 3))
    distance = by_picture.mean()
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


@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("phase", PHASES)
def test_each_scaler_is_updated_once_after_each_update_of_its_network(
    phase, precision, batch, monkeypatch
):
    trainer = _trainer(precision, discriminator_steps=3)
    calls = []
    for network, descent in trainer._descents.items():
        for name in ("step", "update"):
            method = getattr(descent.scaler, name)
            monkeypatch.setattr(
                descent.scaler,
                name,
                lambda *args, call=(network, name), method=method: (
                    calls.append(call),
                    method(*args),
                )[1],
            )
    trainer.step(PHASES[phase], 0, batch)
    once = {name: [(name, "step"), (name, "update")] for name in trainer._descents}
    turns = 3 if phase == "adversarial" else 0
    assert calls == turns * once["discriminator"] + once["generator"]


def test_an_overflow_costs_steps_but_never_weights_or_finite_losses(batch):
    trainer = _trainer("fp16", scale=2.0**20)
    before = {name: _parameters(module) for name, module in trainer._modules.items()}
    scales = []
    for step in range(10):
        terms = trainer.step(PHASES["adversarial"], step, batch)
        assert all(torch.isfinite(term) for term in terms.values())
        scales.append(trainer.discriminator_descent.scaler.get_scale())
        if step == 0:
            assert torch.equal(_parameters(trainer.discriminator), before["discriminator"])
    assert scales[:3] == [2.0**19, 2.0**18, 2.0**17]
    assert scales[-1] == scales[-2]
    skipped = sum(1 for before, after in itertools.pairwise([2.0**20, *scales]) if after < before)
    assert trainer.skipped["discriminator"] == skipped >= 3
    for name, module in trainer._modules.items():
        assert torch.isfinite(_parameters(module)).all()
        assert not torch.equal(_parameters(module), before[name])


def test_pretraining_leaves_the_discriminator_alone(batch):
    trainer = _trainer()
    discriminator, generator = _parameters(trainer.discriminator), _parameters(trainer.generator)
    assert trainer.step(PHASES["pretrain"], 0, batch).keys() == {
        "pixel",
        "generator",
    }
    assert torch.equal(_parameters(trainer.discriminator), discriminator)
    assert not torch.equal(_parameters(trainer.generator), generator)


def test_every_term_of_an_adversarial_step_is_returned_by_name(batch, features):
    terms = _trainer(features=features).step(PHASES["adversarial"], 0, batch)
    assert terms.keys() == {
        "accuracy",
        "discriminator",
        "wasserstein",
        "gradient_penalty",
        "pixel",
        "adversarial",
        "perceptual",
        "generator",
    }
    weights = TrainConfig().weights
    assert terms["generator"].item() == pytest.approx(
        sum(getattr(weights, n) * terms[n].item() for n in ("pixel", "adversarial", "perceptual")),
        rel=1e-5,
    )
    assert terms["discriminator"].item() == pytest.approx(
        (terms["wasserstein"] + weights.gradient_penalty * terms["gradient_penalty"]).item(),
        rel=1e-5,
    )
    assert not any(term.requires_grad for term in terms.values())


def test_the_generator_step_does_not_move_the_discriminator(batch, monkeypatch):
    trainer = _trainer()
    before = _parameters(trainer.discriminator)
    monkeypatch.setattr(trainer, "_discriminator_step", lambda *_: {})
    trainer.step(PHASES["adversarial"], 0, batch)
    assert torch.equal(_parameters(trainer.discriminator), before)
    assert all(p.grad is None and p.requires_grad for p in trainer.discriminator.parameters())


def test_the_discriminator_takes_as_many_steps_as_asked(batch):
    trainer = _trainer("fp16", discriminator_steps=3)
    trainer.step(PHASES["adversarial"], 0, batch)
    taken = {int(state["step"]) for state in trainer.discriminator_descent.optimizer.state.values()}
    assert taken == {3}
    assert {int(s["step"]) for s in trainer.generator_descent.optimizer.state.values()} == {1}


def test_both_learning_rates_follow_the_schedule(batch):
    trainer, phase = _trainer(), Phase("adversarial", 0, 10, 1e-3, 4)
    for step in (0, 7):
        trainer.step(phase, step, batch)
        for descent in trainer._descents.values():
            assert descent.optimizer.param_groups[0]["lr"] == phase.learning_rate(step)


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
    assert not trainer.generator_descent.optimizer.state


def test_two_trainers_of_one_seed_are_equal_and_of_another_are_not(batch):
    runs = [_trainer(), _trainer()]
    for trainer in runs:
        trainer.step(PHASES["adversarial"], 5, batch)
    assert torch.equal(_parameters(runs[0].generator), _parameters(runs[1].generator))
    assert torch.equal(_parameters(runs[0].discriminator), _parameters(runs[1].discriminator))
    other = Trainer(TrainConfig(discriminator_width=8, seed=4), SMALL, runs[0].amp, None)
    assert not torch.equal(_parameters(other.ema), _parameters(_trainer().ema))


@pytest.mark.parametrize("options", [{}, {"adversarial": "hinge"}, ALL_PIXEL_TERMS])
@pytest.mark.parametrize("phase", PHASES)
def test_a_batch_in_parts_has_the_gradients_of_the_whole(phase, options, batch, features):
    wanted, wanted_terms = _step("fp32", phase, batch, features, **options)
    for parts in (3, 4):
        gradients, terms = _step("fp32", phase, batch, features, accumulate=parts, **options)
        for name, gradient in gradients.items():
            # The generator meets a discriminator whose first Adam step is all but its
            # gradient's sign, which rounding decides where the gradient is zero.
            assert (gradient - wanted[name]).norm() / wanted[name].norm() < 1e-3, name
        terms.pop("accuracy", None)
        assert terms == pytest.approx({n: wanted_terms[n] for n in terms}, rel=5e-4, abs=1e-6)


@pytest.mark.parametrize("precision", DTYPES)
def test_a_long_gradient_is_shortened_and_keeps_its_direction(precision, batch):
    free, _ = _step(precision, "adversarial", batch, None)
    clipped, _ = _step(precision, "adversarial", batch, None, clip=5e-3)
    for name in free:
        assert free[name].norm() > 1e-2
        assert clipped[name].norm().item() == pytest.approx(5e-3, rel=1e-3)
        assert torch.cosine_similarity(free[name], clipped[name], dim=0) > 0.999
    short, _ = _step(precision, "adversarial", batch, None, clip=1e6)
    assert all(torch.equal(short[name], free[name]) for name in free)


@pytest.mark.parametrize("precision", DTYPES)
def test_an_update_that_is_not_finite_is_left_out_and_counted(precision, batch, monkeypatch):
    trainer = _trainer(precision)
    trainer.step(PHASES["adversarial"], 0, batch)
    before = {name: _parameters(module) for name, module in trainer._modules.items()}
    with monkeypatch.context() as patch:
        patch.setattr("srgan_cli.engine.trainer.pixel_loss", lambda sr, *_: sr.sum() * math.nan)
        terms = trainer.step(PHASES["adversarial"], 1, batch)
    assert torch.isnan(terms["generator"])
    assert torch.equal(_parameters(trainer.generator), before["generator"])
    assert not torch.equal(_parameters(trainer.discriminator), before["discriminator"])
    assert trainer.skipped == {"generator": 1, "discriminator": 0}
    trainer.step(PHASES["adversarial"], 2, batch)
    assert trainer.skipped == {"generator": 1, "discriminator": 0}
    assert not torch.equal(_parameters(trainer.generator), before["generator"])


def test_skipped_updates_are_remembered_over_phases_and_checkpoints(batch, tmp_path, monkeypatch):
    trainer = _trainer("fp16", scale=2.0**20)
    with monkeypatch.context() as patch:
        patch.setattr("srgan_cli.engine.trainer.pixel_loss", lambda sr, *_: sr.sum() * math.nan)
        trainer.step(PHASES["adversarial"], 0, batch)
    assert trainer.skipped["generator"] == 1
    trainer.begin(PHASES["adversarial"])
    assert trainer.skipped["generator"] == 1
    trainer.step(PHASES["adversarial"], 1, batch)
    found = trainer.skipped
    assert found["discriminator"] == 2
    assert found["generator"] >= 1
    trainer.snapshot({}).write(tmp_path / "c")
    other = _trainer("fp16")
    other.restore(Checkpoint.read(tmp_path / "c"))
    assert other.skipped == found
    assert other._accuracy == trainer._accuracy
    for ours, theirs in zip(other._descents.values(), trainer._descents.values(), strict=True):
        assert ours.scaler.state_dict() == theirs.scaler.state_dict()


def test_a_discriminator_that_is_far_ahead_is_held_back_until_it_is_not(batch):
    trainer = _trainer(discriminator_limit=0.8)
    held = []
    for step, ahead in enumerate([0.5, 0.79, 0.81, 1.0, 0.6]):
        trainer._accuracy.fill_(ahead)
        before = _parameters(trainer.discriminator)
        terms = trainer.step(PHASES["adversarial"], step, batch)
        held.append(torch.equal(_parameters(trainer.discriminator), before))
        assert terms["held"] == held[-1]
        assert trainer._accuracy.item() == pytest.approx(0.9 * ahead + 0.1 * terms["accuracy"])
    assert held == [False, False, True, True, False]


def test_without_a_limit_it_is_never_held_back(batch):
    trainer = _trainer()
    trainer._accuracy.fill_(1.0)
    assert "held" not in trainer.step(PHASES["adversarial"], 0, batch)
    assert trainer.discriminator_descent.optimizer.state


def test_the_discriminator_may_have_a_learning_rate_of_its_own(batch):
    trainer = _trainer(adversarial_learning_rate=1e-3, discriminator_learning_rate=4e-3)
    phase = Phase("adversarial", 0, 10, 1e-3, 4)
    trainer.step(phase, 2, batch)
    rates = [each.optimizer.param_groups[0]["lr"] for each in trainer._descents.values()]
    assert rates == pytest.approx([phase.learning_rate(2), 4 * phase.learning_rate(2)])


@pytest.mark.parametrize("options", [{}, {"adversarial": "relativistic", "clip": 1.0}])
@pytest.mark.parametrize("phase", PHASES)
def test_the_host_never_waits_for_the_device(phase, options, batch, features, monkeypatch):
    trainer = _trainer("fp16", features, **options)
    trainer.step(PHASES[phase], 0, batch)  # Adam counts its first step on the host.

    def waits(*_):
        raise AssertionError("reads a tensor")

    for name in ("item", "tolist", "numpy", "__float__", "__int__", "__bool__"):
        monkeypatch.setattr(torch.Tensor, name, waits)
    trainer.step(PHASES[phase], 1, batch)


def test_only_who_asks_for_it_gets_a_compiled_generator(batch, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda module: compiled.append(module) or module)
    _trainer()
    assert not compiled
    trainer = _trainer(compile=True)
    assert compiled == [trainer.generator]
    trainer.step(PHASES["pretrain"], 0, batch)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_compiled_generator_has_the_gradients_of_the_other(precision, batch):
    wanted, _ = _step(precision, "pretrain", batch, None)
    gradients, _ = _step(precision, "pretrain", batch, None, compile=True)
    error = (gradients["generator"] - wanted["generator"]).norm() / wanted["generator"].norm()
    assert error < (1e-5 if precision == "fp32" else 0.03)
