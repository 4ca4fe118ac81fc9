"""Single steps of a small trainer, and what they did, for the tests of the trainer."""

import dataclasses
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch import Tensor

from srgan_cli.config import PRESETS, LossWeights, TrainConfig
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.networks import discriminators
from srgan_cli.engine.training.schedule import Phase
from srgan_cli.engine.training.trainer import Trainer
from tests.toolbox import random_generator

CPU = torch.device("cpu")
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
SMALL = dataclasses.replace(PRESETS["compact"], channels=8, growth=8, num_blocks=1)
PHASES = {
    "pretrain": Phase("pretrain", 0, 10, 1e-4, 0),
    "adversarial": Phase("adversarial", 0, 10, 1e-4, 0),
}
ALL_PIXEL_TERMS = {
    "weights": LossWeights(
        luma=10.0, chroma=1.0, fft=0.05, artefact=1.0, lattice=1.0, smooth=1.0, degraded=1.0
    ),
    "judge": "clean",
    "pixel": "charbonnier",
}


def small_trainer(precision="fp32", features=None, scale=2.0**10, **options):
    config = TrainConfig(**{"discriminator_width": 8, "seed": 3, "optimizer": "adam"} | options)
    # A scale that fits at once: the default's search for it is another test.
    trainer = Trainer(config, SMALL, Amp(CPU, DTYPES[precision], scale), features)
    # One that is no longer new: all its layers have gradients.
    trainer.generator.load_state_dict(random_generator(SMALL, config.seed).state_dict())
    trainer.ema.load_state_dict(trainer.generator.state_dict())
    return trainer


def watched_gradients(trainer):
    """Return a dict that gets each network's unscaled gradients when its optimiser steps."""
    seen = {}

    def hook(name):
        def keep(optimizer, _args, _kwargs):
            scale = getattr(optimizer, "grad_scale", None)
            grads = [p.grad.flatten() for g in optimizer.param_groups for p in g["params"]]
            seen[name] = torch.cat(grads) / (1 if scale is None else scale)

        return keep

    trainer.generator_updater.optimizer.register_step_pre_hook(hook("generator"))
    trainer.discriminator_updater.optimizer.register_step_pre_hook(hook("discriminator"))
    return seen


def flat_parameters(module):
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def first_step(precision, phase, batch, features, **options):
    trainer = small_trainer(precision, features, **options)
    gradients = watched_gradients(trainer)
    terms = trainer.step(PHASES[phase], 0, batch)
    return gradients, {name: term.item() for name, term in terms.items()}


@contextmanager
def noted_kinks() -> Iterator[list[Tensor]]:
    """Note on which side of its kink each of the discriminators' activations lies, call by call."""
    sides = []
    leaky = discriminators._leaky

    def noting(x):
        sides.append(x.detach() > 0)
        return leaky(x)

    with patch.object(discriminators, "_leaky", noting):
        yield sides


@contextmanager
def given_kinks(sides: Iterable[Tensor]) -> Iterator[None]:
    """Have activations lie on given sides: a leaky ReLU, in PyTorch's own terms, but for them."""
    given = iter(sides)
    slope = discriminators._SLOPE
    with patch.object(discriminators, "_leaky", lambda x: torch.where(next(given), x, slope * x)):
        yield
    assert next(given, None) is None
