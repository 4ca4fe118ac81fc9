"""The training objectives: the weighted sums of losses for generator and discriminator."""

from collections.abc import Mapping
from dataclasses import asdict

import torch
from torch import Tensor, nn

from srgan_cli.config import TrainConfig
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.losses.adversarial import (
    accuracy,
    discriminator_adversarial_loss,
    generator_adversarial_loss,
    gradient_penalty,
    r1_penalty,
)
from srgan_cli.engine.losses.content import (
    artefact_loss,
    chroma_loss,
    fft_loss,
    lattice_loss,
    luma_loss,
    perceptual_loss,
    pixel_loss,
    smooth_loss,
)
from srgan_cli.engine.losses.terms import Judged, Terms, only_judged
from srgan_cli.engine.networks.vgg import VggFeatures


class Objectives:
    """Losses of some patches; all images are N, 3, H, W in [0, 1], in fp32.

    Every method returns its terms by name, unweighted, with their weighted sum under the name
    of the network that descends it.

    Args:
        config: The run's options.
        scale: Pixels of a side that the generator makes of one.
        amp: Device and precision.
        discriminator: The network that judges.
        features: Network of the perceptual loss; None leaves that term out.
    """

    def __init__(
        self,
        config: TrainConfig,
        scale: int,
        amp: Amp,
        discriminator: nn.Module,
        features: VggFeatures | None,
    ) -> None:
        self._pixel, self._kind, self._weights = config.pixel, config.adversarial, config.weights
        self._scale, self._amp = scale, amp
        self._discriminator, self._features = discriminator, features

    def pretrain(self, sr: Tensor, hr: Tensor) -> Terms:
        """Return the terms of the generator's pretraining: pixels (weight 1) and VGG."""
        weights = asdict(self._weights)
        terms, looks = self._pixel_terms(sr, hr), weights["pretrain_perceptual"]
        if looks:
            terms |= self._perceptual_terms("perceptual", 1.0, sr, hr)
        total = _sum(terms, weights | {"pixel": 1.0, "perceptual": looks})
        return terms | {"generator": total}

    def discriminator(self, hr: Tensor, sr: Tensor, judged: Judged, mix: Tensor) -> Terms:
        """Return the terms of the discriminator.

        Args:
            hr: The originals.
            sr: What the generator made, detached.
            judged: How much each patch is judged.
            mix: Where between the two the gradient penalty looks, for each patch in [0, 1].
        """
        weights = self._weights
        share, (hr, sr, mix) = only_judged(judged, hr, sr, mix)
        with self._amp.autocast():
            real_logits, fake_logits = self._discriminator(torch.cat((hr, sr))).chunk(2)
        name = "wasserstein" if self._kind == "wgan-gp" else "classification"
        terms = {name: discriminator_adversarial_loss(self._kind, real_logits, fake_logits)}
        penalties = {"gradient_penalty": weights.gradient_penalty or 0.0, "r1": weights.r1}
        if penalties["gradient_penalty"]:
            terms["gradient_penalty"] = gradient_penalty(
                self._discriminator, hr, sr, self._amp, mix=mix
            )
        if penalties["r1"]:
            terms["r1"] = r1_penalty(self._discriminator, hr, self._amp)
        terms |= {
            "discriminator": _sum(terms, penalties),
            "accuracy": accuracy(self._kind, real_logits, fake_logits),
        }
        return {name: share * term for name, term in terms.items()}

    def generator(self, sr: Tensor, hr: Tensor, judged: Judged, averaged: Tensor | None) -> Terms:
        """Return the terms of the generator in the adversarial phase.

        Args:
            sr: What it made.
            hr: The originals.
            judged: How much each patch is judged.
            averaged: What its average weights made; for the artefact term alone.
        """
        weights = self._weights
        relative = {name: getattr(weights, name) for name in ("luma", "chroma", "fft")}
        terms = self._pixel_terms(sr, hr)
        share, looks = only_judged(judged, sr, hr)
        terms["adversarial"] = share * self._adversarial_term(*looks)
        terms |= self._perceptual_terms("perceptual", share, *looks)
        if averaged is not None:
            terms["artefact"] = artefact_loss(sr, hr, averaged)
        part, damaged = only_judged(1.0 * (judged == 0), sr, hr)
        if weights.degraded:
            terms["degraded"] = part * _sum(self._pixel_terms(*damaged), relative)
        if weights.degraded_perceptual:
            terms |= self._perceptual_terms("degraded_perceptual", part, *damaged)
        if weights.lattice:
            terms["lattice"] = lattice_loss(sr, hr, self._scale)
        if weights.smooth:
            terms["smooth"] = smooth_loss(sr, hr)
        of_pixels = {name: weights.pixel * weight for name, weight in relative.items()}
        return terms | {"generator": _sum(terms, asdict(weights) | of_pixels)}

    def _adversarial_term(self, sr: Tensor, hr: Tensor) -> Tensor:
        with self._amp.autocast():
            fake_logits = self._discriminator(sr)
            real_logits = fake_logits
            if self._kind == "relativistic":
                with torch.no_grad():
                    real_logits = self._discriminator(hr)
        return generator_adversarial_loss(self._kind, real_logits, fake_logits)

    def _perceptual_terms(self, name: str, share: float, sr: Tensor, hr: Tensor) -> Terms:
        if self._features is None:
            return {}
        with self._amp.autocast():
            return {name: share * perceptual_loss(self._features, sr, hr)}

    def _pixel_terms(self, sr: Tensor, hr: Tensor) -> Terms:
        terms = {"pixel": pixel_loss(sr, hr, self._pixel)}
        if self._weights.luma:
            terms["luma"] = luma_loss(sr, hr, self._pixel)
        if self._weights.chroma:
            terms["chroma"] = chroma_loss(sr, hr, self._pixel)
        if self._weights.fft:
            terms["fft"] = fft_loss(sr, hr)
        return terms


def _sum(terms: Terms, weights: Mapping[str, float]) -> Tensor:
    """Return the weighted sum of terms; one that is given no weight counts once."""
    parts = [weights.get(name, 1.0) * term for name, term in terms.items()]
    return torch.stack(parts).sum()
