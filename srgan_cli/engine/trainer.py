"""The AMP trainer: pixel-loss pretraining, then the adversarial phase."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from srgan_cli.config import GeneratorConfig, TrainConfig
from srgan_cli.data.dataset import Batch
from srgan_cli.engine.amp import Amp
from srgan_cli.engine.checkpoint import Checkpoint, save_checkpoint
from srgan_cli.engine.losses import (
    generator_adversarial_loss,
    gradient_penalty,
    perceptual_loss,
    pixel_loss,
    wasserstein_loss,
)
from srgan_cli.engine.models import Discriminator, Generator
from srgan_cli.engine.perceptual import VggFeatures
from srgan_cli.engine.ranks import Ranks
from srgan_cli.engine.schedule import Phase
from srgan_cli.imaging.tensors import to_unit

Terms = dict[str, Tensor]
"""Loss terms of one step by name, detached."""


class Trainer:
    """Both networks, their optimisers, and one step of each phase.

    All randomness of a step follows from the seed and the step's number, so the
    networks, the optimisers' moments and the loss scaler are the whole state.

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
        self.generator = amp.place(Generator(generator_config))
        self.discriminator = amp.place(Discriminator(config.discriminator_width))
        self.features = None if features is None else amp.place(features)
        self.ema = copy.deepcopy(self.generator).requires_grad_(False)
        self.generator_optimizer = self._adam(self.generator, betas=(0.9, 0.999))
        # WGAN-GP, algorithm 1: no first moment, since the discriminator's aim keeps moving.
        self.discriminator_optimizer = self._adam(self.discriminator, betas=(0.0, 0.9))

    def _adam(self, module: torch.nn.Module, betas: tuple[float, float]) -> Adam:
        return Adam(module.parameters(), lr=self.config.learning_rate, betas=betas, fused=True)

    def begin(self, phase: Phase) -> None:
        """Make ready for the first step of a phase.

        The adversarial phase starts from the averaged weights of pretraining, with
        fresh moments, since its losses are different ones.
        """
        if phase.name == "adversarial":
            self.generator.load_state_dict(self.ema.state_dict())
            self.generator_optimizer = self._adam(self.generator, betas=(0.9, 0.999))

    def step(self, phase: Phase, step: int, batch: Batch) -> Terms:
        """Train on one batch.

        Args:
            phase: The phase that the step lies in.
            step: Counted from 0 over the whole run.
            batch: uint8 patches, this process's share of the batch.

        Returns:
            Every loss term by name, unweighted, on the device, over this process's share.
        """
        for optimizer in (self.generator_optimizer, self.discriminator_optimizer):
            for group in optimizer.param_groups:
                group["lr"] = phase.learning_rate(step)
        lr, hr = (to_unit(side.to(self.amp.device)) for side in (batch.lr, batch.hr))
        if phase.name == "pretrain":
            terms = self._pretrain_step(lr, hr)
        else:
            terms = self._adversarial_step(lr, hr, step)
        self._average(step)
        return terms

    def _pretrain_step(self, lr: Tensor, hr: Tensor) -> Terms:
        with self.amp.autocast():
            sr = self.generator(lr)
        loss = pixel_loss(sr, hr)
        self._descend(loss, self.generator_optimizer)
        self.amp.scaler.update()
        return {"pixel": loss.detach()}

    def _adversarial_step(self, lr: Tensor, hr: Tensor, step: int) -> Terms:
        with self.amp.autocast():
            sr = self.generator(lr).float()
        random = torch.Generator().manual_seed(self.config.seed * 2**32 + step)
        for turn in range(self.config.discriminator_steps):
            if turn:
                self.amp.scaler.update()
            terms = self._discriminator_step(hr, sr.detach(), random)
        terms |= self._generator_step(sr, hr)
        self.amp.scaler.update()  # Once, after both optimisers have stepped.
        return terms

    def _discriminator_step(self, hr: Tensor, sr: Tensor, random: torch.Generator) -> Terms:
        with self.amp.autocast():
            real_logits, fake_logits = self.discriminator(torch.cat((hr, sr))).chunk(2)
        difference = wasserstein_loss(real_logits, fake_logits)
        batch = len(hr) * self.ranks.size
        mix = torch.rand(batch, generator=random)[self.ranks.share(batch)].to(hr.device)
        penalty = gradient_penalty(self.discriminator, hr, sr, self.amp, mix=mix)
        total = difference + self.config.weights.gradient_penalty * penalty
        self._descend(total, self.discriminator_optimizer)
        return {
            "discriminator": total.detach(),
            "wasserstein": difference.detach(),
            "gradient_penalty": penalty.detach(),
        }

    def _generator_step(self, sr: Tensor, hr: Tensor) -> Terms:
        weights = self.config.weights
        terms = {"pixel": pixel_loss(sr, hr)}
        self.discriminator.requires_grad_(False)
        with self.amp.autocast():
            terms["adversarial"] = generator_adversarial_loss(self.discriminator(sr))
            if self.features is not None:
                terms["perceptual"] = perceptual_loss(self.features, sr, hr, self.ranks)
        total = torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()
        self._descend(total, self.generator_optimizer)
        self.discriminator.requires_grad_(True)
        return {name: term.detach() for name, term in terms.items()} | {"generator": total.detach()}

    def _descend(self, loss: Tensor, optimizer: Optimizer) -> None:
        optimizer.zero_grad(set_to_none=True)
        self.amp.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self.ranks.average(p.grad for p in parameters if p.grad is not None)
        self.amp.scaler.step(optimizer)

    @torch.no_grad()
    def _average(self, step: int) -> None:
        """Move the averaged weights towards the current ones, faster at first."""
        decay = min(self.config.ema, (1 + step) / (10 + step))
        pairs = zip(self.ema.parameters(), self.generator.parameters(), strict=True)
        for averaged, current in pairs:
            averaged.lerp_(current, 1 - decay)

    def save(self, path: Path, progress: Mapping[str, Any]) -> None:
        """Write a checkpoint.

        Raises:
            OSError: The disk is full or the folder cannot be written.
        """
        scaler = self.amp.scaler.state_dict()
        save_checkpoint(path, self._modules, self._optimizers, {**progress, "scaler": scaler})

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back to the state of a checkpoint."""
        checkpoint.restore(self._modules, self._optimizers)
        self.amp.scaler.load_state_dict(checkpoint.progress["scaler"])

    @property
    def _modules(self) -> dict[str, torch.nn.Module]:
        return {"generator": self.generator, "ema": self.ema, "discriminator": self.discriminator}

    @property
    def _optimizers(self) -> dict[str, Optimizer]:
        return {
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }
