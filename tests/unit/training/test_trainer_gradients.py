"""Gradients of one step: of every precision, of parts of a batch, of a compiled generator."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from srgan_cli.config import LossWeights
from srgan_cli.engine.networks.dense import DenseNetwork
from srgan_cli.engine.networks.discriminators import Discriminator
from srgan_cli.engine.training.patches import Batch
from srgan_cli.imaging.tensors import to_unit
from tests.trainer_steps import (
    ALL_PIXEL_TERMS,
    PHASES,
    SMALL,
    first_step,
    given_kinks,
    noted_kinks,
    small_trainer,
    watched_gradients,
)

# Relative error of all gradients of a network together.
TOLERANCES = {
    ("fp16", "generator"): 0.003,
    ("fp16", "discriminator"): 0.003,
    ("bf16", "generator"): 0.01,
    ("bf16", "discriminator"): 0.02,
}

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
    """Compare with fp32 on the same side of every kink.

    Rounding moves activations that are all but zero over the kink of their leaky ReLU: one
    in 7,000 in fp16, one in 800 in bf16. That is no error, since the gradient of either side
    is as good, but it changes the discriminator's by 9 to 16 % in the norm, and would hide
    errors of that size. So fp32 is given the sides that the other precision found.
    """
    with noted_kinks() as sides:
        gradients, terms = first_step(precision, phase, batch, features, **options)
    with given_kinks(sides):
        wanted, wanted_terms = first_step("fp32", phase, batch, features, **options)

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


@pytest.mark.thorough
@pytest.mark.parametrize("precision", ["fp16", "bf16"])
@pytest.mark.parametrize("options", GAMES)
def test_a_game_in_mixed_precision_has_the_gradients_of_fp32(precision, options, batch, features):
    _assert_close_to_fp32(precision, "adversarial", batch, features, **options)


def test_gradients_in_fp32_are_those_of_the_losses_written_out(batch, features):
    trainer = small_trainer(features=features)
    generator, discriminator = DenseNetwork(SMALL), Discriminator(8)
    generator.load_state_dict(trainer.generator.state_dict())
    discriminator.load_state_dict(trainer.discriminator.state_dict())
    weights = trainer.config.weights
    lr, hr = to_unit(batch.lr), to_unit(batch.hr)
    sr = generator(lr)

    gradients = watched_gradients(trainer)
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
    by_image = (found - wanted).abs().mean((1, 2, 3)) / wanted.abs().mean((1, 2, 3))
    distance = by_image.mean()
    # The discriminator has taken its step by then, so the generator meets the new one.
    score = trainer.discriminator(sr).mean()
    spectrum = torch.view_as_real(torch.fft.rfft2(sr - hr)).abs().mean()
    loss = (
        weights.pixel * ((sr - hr).abs().mean() + weights.fft * spectrum)
        + weights.perceptual * distance
        - weights.adversarial * score
    )
    by_generator = torch.autograd.grad(loss, list(generator.parameters()))
    torch.testing.assert_close(
        gradients["generator"], torch.cat([g.flatten() for g in by_generator]), rtol=1e-3, atol=1e-5
    )


@pytest.mark.parametrize("options", [{}, {"adversarial": "hinge"}, ALL_PIXEL_TERMS])
@pytest.mark.parametrize("phase", PHASES)
def test_a_batch_in_parts_has_the_gradients_of_the_whole(phase, options, batch, features):
    wanted, wanted_terms = first_step("fp32", phase, batch, features, **options)
    for parts in (3, 4):
        gradients, terms = first_step("fp32", phase, batch, features, accumulate=parts, **options)
        for name, gradient in gradients.items():
            # The generator meets a discriminator whose first Adam step is all but its
            # gradient's sign, which rounding decides where the gradient is zero.
            assert (gradient - wanted[name]).norm() / wanted[name].norm() < 1e-3, name
        terms.pop("accuracy", None)
        assert terms == pytest.approx({n: wanted_terms[n] for n in terms}, rel=5e-4, abs=1e-6)


def test_the_game_on_some_patches_is_that_of_a_batch_of_them_alone(batch, features):
    options = {"weights": LossWeights(gradient_penalty=0)}  # Which mixes by place in the batch.
    some = replace(batch, judged=np.array([0, 2, 0, 2.0]))
    gradients, terms = first_step("fp32", "adversarial", some, features, **options)
    alone = Batch(batch.lr[1::2], batch.hr[1::2])
    wanted, wanted_terms = first_step("fp32", "adversarial", alone, features, **options)
    _, of_all = first_step("fp32", "adversarial", batch, features, **options)

    torch.testing.assert_close(gradients["discriminator"], wanted["discriminator"])
    for name in ("wasserstein", "accuracy", "adversarial", "perceptual"):
        assert terms[name] == pytest.approx(wanted_terms[name], rel=1e-4), name
    assert terms["pixel"] == pytest.approx(of_all["pixel"], rel=1e-5)
    assert terms["pixel"] != pytest.approx(wanted_terms["pixel"], rel=1e-3)


@pytest.mark.parametrize("judged", [(0, 4 / 3, 4 / 3, 4 / 3), (0, 0, 4, 0)])
def test_judged_patches_in_parts_have_the_gradients_of_the_whole(judged, batch, features):
    some = replace(batch, judged=np.array(judged))
    wanted, wanted_terms = first_step("fp32", "adversarial", some, features)
    gradients, terms = first_step("fp32", "adversarial", some, features, accumulate=4)
    for name, gradient in gradients.items():
        assert (gradient - wanted[name]).norm() / wanted[name].norm() < 1e-3, name
    assert terms == pytest.approx({n: wanted_terms[n] for n in terms}, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize(
    "others",
    [{"fft": 0.1}, {"luma": 4, "fft": 0.1}, {"luma": 2, "chroma": 1, "fft": 0.05}],
    ids=str,
)
def test_the_degraded_term_is_that_of_the_pixels_of_what_is_not_judged(others, batch):
    some = replace(batch, judged=np.array([0, 2, 0, 2.0]))
    rest = replace(batch, judged=np.array([0, 0, 0, 0.0]))
    weights = LossWeights(degraded=3, pixel=0, adversarial=0, **others)
    options = {"weights": weights, "judge": "clean"}
    gradients, terms = first_step("fp32", "adversarial", some, None, **options)
    alone = Batch(batch.lr[::2], batch.hr[::2])
    pixels = LossWeights(pixel=1, adversarial=0, **others)
    wanted, wanted_terms = first_step("fp32", "adversarial", alone, None, weights=pixels)
    assert terms["degraded"] == pytest.approx(wanted_terms["generator"] / 2, rel=1e-5)
    torch.testing.assert_close(gradients["generator"], 1.5 * wanted["generator"])
    _, of_none = first_step("fp32", "adversarial", batch, None, **options)
    _, of_all = first_step("fp32", "adversarial", rest, None, **options)
    assert of_none["degraded"] == 0
    wanted_of_all = of_all["pixel"] + sum(others[name] * of_all[name] for name in others)
    assert of_all["degraded"] == pytest.approx(wanted_of_all)
    parts, _ = first_step("fp32", "adversarial", some, None, **options, accumulate=4)
    torch.testing.assert_close(parts["generator"], gradients["generator"], rtol=1e-3, atol=1e-6)


def test_a_perceptual_loss_in_pretraining_is_that_of_adversarial_training(batch, features):
    looks = LossWeights(pretrain_perceptual=3, luma=2)
    gradients, terms = first_step("fp32", "pretrain", batch, features, weights=looks)
    alike = LossWeights(pixel=1, luma=2, perceptual=3, adversarial=0)
    wanted, wanted_terms = first_step("fp32", "adversarial", batch, features, weights=alike)
    assert terms == pytest.approx({name: wanted_terms[name] for name in terms})
    torch.testing.assert_close(gradients["generator"], wanted["generator"])
    assert "discriminator" not in gradients


def test_the_degraded_perceptual_term_is_that_of_what_is_not_judged(batch, features):
    some = replace(batch, judged=np.array([0, 2, 0, 2.0]))
    weights = LossWeights(degraded_perceptual=3, pixel=0, perceptual=0, adversarial=0)
    options = {"weights": weights, "judge": "clean"}
    gradients, terms = first_step("fp32", "adversarial", some, features, **options)
    alone = Batch(batch.lr[::2], batch.hr[::2])
    looks = LossWeights(perceptual=1, pixel=0, adversarial=0)
    wanted, wanted_terms = first_step("fp32", "adversarial", alone, features, weights=looks)
    assert terms["degraded_perceptual"] == pytest.approx(wanted_terms["generator"] / 2, rel=1e-5)
    torch.testing.assert_close(gradients["generator"], 1.5 * wanted["generator"])
    _, of_all_judged = first_step("fp32", "adversarial", batch, features, **options)
    assert of_all_judged["degraded_perceptual"] == 0


def test_a_batch_without_a_judged_patch_has_the_pixel_loss_alone(batch, features):
    none = replace(batch, judged=np.zeros(4))
    gradients, terms = first_step("fp32", "adversarial", none, features)
    assert not gradients["discriminator"].any()
    assert terms["adversarial"] == terms["perceptual"] == 0
    pixels = LossWeights(perceptual=0, adversarial=0)
    wanted, _ = first_step("fp32", "adversarial", batch, None, weights=pixels)
    torch.testing.assert_close(gradients["generator"], wanted["generator"])


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_compiled_generator_has_the_gradients_of_the_other(precision, batch):
    wanted, _ = first_step(precision, "pretrain", batch, None)
    gradients, _ = first_step(precision, "pretrain", batch, None, compile=True)
    error = (gradients["generator"] - wanted["generator"]).norm() / wanted["generator"].norm()
    assert error < (1e-5 if precision == "fp32" else 0.03)
