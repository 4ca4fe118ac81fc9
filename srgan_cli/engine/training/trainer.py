"""The AMP trainer: one step of pretraining (pixel loss) or of adversarial training."""

import copy
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from srgan_cli.config import GeneratorConfig, OptimizerName, TrainConfig
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.devices.ranks import Ranks
from srgan_cli.engine.losses.objectives import Objectives
from srgan_cli.engine.losses.terms import Judged, Terms
from srgan_cli.engine.networks.architectures import make_generator
from srgan_cli.engine.networks.discriminators import make_discriminator
from srgan_cli.engine.networks.equivariance import Equivariance
from srgan_cli.engine.networks.vgg import VggFeatures
from srgan_cli.engine.runs.checkpoint import Checkpoint
from srgan_cli.engine.training.muon import Muon
from srgan_cli.engine.training.patches import Batch
from srgan_cli.engine.training.schedule import Phase
from srgan_cli.engine.training.updater import MakeOptimizer, NetworkUpdater, Part, gather
from srgan_cli.imaging.tensors import to_unit

_ACCURACY_DECAY = 0.9


class Trainer:
    """Both networks, their optimisers, and one step of each phase.

    All randomness of a step follows from the seed and the step's number, so the
    networks, the optimisers' moments, the loss scalers and the discriminator's running
    accuracy are the whole state.

    Args:
        config: The run's options.
        generator_config: Sizes of the generator.
        amp: Device and precision.
        features: Network of the perceptual loss; None leaves that term out.
        ranks: The processes that share each batch.
    """

    def __init__(
        self,
        config: TrainConfig,
        generator_config: GeneratorConfig,
        amp: Amp,
        features: VggFeatures | None,
        ranks: Ranks | None = None,
    ) -> None:
        self.config, self.amp, self.ranks = config, amp, ranks or Ranks()
        torch.manual_seed(config.seed)
        self.generator = amp.place(make_generator(generator_config))
        tied = Equivariance(self.generator) if config.equivariant else None
        if tied is not None:
            tied.start()
        self.discriminator = amp.place(make_discriminator(config))
        self._forward = torch.compile(self.generator) if config.compile else self.generator
        self._objectives = Objectives(
            config,
            generator_config.scale,
            amp,
            self.discriminator,
            None if features is None else amp.place(features),
        )
        self.ema = copy.deepcopy(self.generator).requires_grad_(False)
        # WGAN-GP, algorithm 1: no first moment, since the critic's aim keeps moving.
        betas = (0.0, 0.9) if config.adversarial == "wgan-gp" else (0.9, 0.999)
        updater = partial(NetworkUpdater, amp=amp, ranks=self.ranks, clip=config.clip)
        self.generator_updater = updater(self.generator, _maker(config.optimizer), tied=tied)
        self.discriminator_updater = updater(self.discriminator, partial(_adam, betas=betas))
        self._accuracy = torch.full((), 0.5, device=amp.device)

    def begin(self, phase: Phase) -> None:
        """Make ready for the first step of a phase.

        The adversarial phase starts from the averaged weights of pretraining, with
        fresh moments, since its losses are different ones.
        """
        if phase.name == "adversarial":
            self.generator.load_state_dict(self.ema.state_dict())
            self.generator_updater.renew(_adam)

    def step(self, phase: Phase, step: int, batch: Batch) -> Terms:
        """Train on one batch.

        Args:
            phase: The phase that the step lies in.
            step: Counted from 0 over the whole run.
            batch: uint8 patches, this process's share of the batch.

        Returns:
            Every term by name, unweighted, on the device, over this process's share.
        """
        lr, hr = (
            to_unit(side.to(self.amp.device, non_blocking=True)) for side in (batch.lr, batch.hr)
        )
        judged = np.ones(len(lr)) if batch.judged is None else batch.judged
        sides = self._parts(lr), self._parts(hr)
        weights = np.split(judged, np.cumsum([len(part) for part in sides[0]])[:-1])
        parts = list(zip(*sides, weights, strict=True))
        rate = phase.learning_rate(step)
        if phase.name == "pretrain":
            terms = self._pretrain_step(parts, rate)
        else:
            terms = self._adversarial_step(parts, rate, step)
        self._average(step)
        return terms

    def _parts(self, batch: Tensor) -> Sequence[Tensor]:
        """Cut a batch into parts that are small enough for the memory."""
        return batch.chunk(self.config.accumulate)

    def _generate(self, lr: Tensor) -> Tensor:
        with self.amp.autocast():
            sr: Tensor = self._forward(lr)
        return sr.float()

    def _pretrain_step(self, parts: Sequence[Part], rate: float) -> Terms:
        def loss(lr: Tensor, hr: Tensor, _: Judged) -> Terms:
            return self._objectives.pretrain(self._generate(lr), hr)

        terms = gather(parts, loss, "generator", self.generator_updater)
        self.generator_updater.update(rate)
        return terms

    def _adversarial_step(self, parts: Sequence[Part], rate: float, step: int) -> Terms:
        # Of several parts, only one at a time is kept for its gradient: they are made twice.
        whole = len(parts) == 1
        with torch.set_grad_enabled(whole):
            images = [self._generate(lr) for lr, *_ in parts]
        judged = [
            (hr, sr.detach(), weights) for (_, hr, weights), sr in zip(parts, images, strict=True)
        ]
        random = torch.Generator().manual_seed(self.config.seed * 2**32 + step)
        terms: Terms = {}
        for _ in range(self.config.discriminator_steps):
            terms = self._discriminator_step(judged, rate, random)

        def loss(lr: Tensor, hr: Tensor, weights: Judged) -> Terms:
            sr = images[0] if whole else self._generate(lr)
            return self._generator_loss(sr, lr, hr, weights)

        self.discriminator.requires_grad_(False)
        terms |= gather(parts, loss, "generator", self.generator_updater)
        self.discriminator.requires_grad_(True)
        self.generator_updater.update(rate)
        return terms

    def _discriminator_step(
        self, judged: Sequence[Part], rate: float, random: torch.Generator
    ) -> Terms:
        batch = sum(len(hr) for hr, *_ in judged) * self.ranks.size
        mix = torch.rand(batch, generator=random)[self.ranks.share(batch)].to(self.amp.device)
        parts = [(*part, share) for part, share in zip(judged, self._parts(mix), strict=True)]
        # Reading the accuracy waits for the device, so only who asks for it pays for it.
        limit = self.config.discriminator_limit
        ahead = limit < 1 and float(self._accuracy) > limit
        updater = None if ahead else self.discriminator_updater
        terms = gather(parts, self._objectives.discriminator, "discriminator", updater)
        if updater is not None:
            updater.update(rate * self._discriminator_rate)
        if limit < 1:
            self._accuracy.lerp_(self.ranks.mean(terms["accuracy"]), 1 - _ACCURACY_DECAY)
            terms["held"] = torch.tensor(float(ahead))
        return terms

    @property
    def _discriminator_rate(self) -> float:
        """The discriminator's learning rate, relative to the generator's."""
        own = self.config.discriminator_learning_rate
        return 1.0 if own is None else own / self.config.adversarial_learning_rate

    def _generator_loss(self, sr: Tensor, lr: Tensor, hr: Tensor, judged: Judged) -> Terms:
        averaged = None
        if self.config.weights.artefact:
            with torch.no_grad(), self.amp.autocast():
                averaged = self.ema(lr)
        return self._objectives.generator(sr, hr, judged, averaged)

    @torch.no_grad()
    def _average(self, step: int) -> None:
        """Move the averaged weights towards the current ones, faster at first."""
        decay = min(self.config.ema, (1 + step) / (10 + step))
        averaged: list[Tensor] = list(self.ema.parameters())
        current: list[Tensor] = list(self.generator.parameters())
        torch._foreach_lerp_(averaged, current, 1 - decay)

    @property
    def skipped(self) -> dict[str, int]:
        """Updates of each network skipped because a gradient was not finite.

        Reading it makes the host wait for the device.
        """
        return {name: updater.skipped for name, updater in self._updaters.items()}

    def snapshot(self, progress: Mapping[str, Any]) -> Checkpoint:
        """Copy the state as it is now.

        Args:
            progress: What goes with it, as JSON can hold it.
        """
        state = {name: updater.state() for name, updater in self._updaters.items()}
        muon = isinstance(self.generator_updater.optimizer, Muon)
        own = {
            "descents": state,
            "accuracy": float(self._accuracy),
            "optimizer": "muon" if muon else "adam",
        }
        return Checkpoint.of(self._modules, self._optimizers, {**progress, "trainer": own})

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back to the state of a checkpoint."""
        own = checkpoint.progress["trainer"]
        # The adversarial phase has another optimizer than pretraining.
        self.generator_updater.renew(_maker(own.get("optimizer", self.config.optimizer)))
        checkpoint.restore(self._modules, self._optimizers)
        for name, updater in self._updaters.items():
            updater.restore(own["descents"][name])
        self._accuracy.fill_(own["accuracy"])

    @property
    def _modules(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "ema": self.ema, "discriminator": self.discriminator}

    @property
    def _updaters(self) -> dict[str, NetworkUpdater]:
        return {"generator": self.generator_updater, "discriminator": self.discriminator_updater}

    @property
    def _optimizers(self) -> dict[str, Optimizer]:
        return {f"{name}_optimizer": each.optimizer for name, each in self._updaters.items()}


def _maker(name: OptimizerName) -> MakeOptimizer:
    return Muon if name == "muon" else _adam


def _adam(network: nn.Module, betas: tuple[float, float] = (0.9, 0.999)) -> Adam:
    return Adam(network.parameters(), betas=betas, fused=True)
