"""The terms of both losses."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srgan_cli.engine.amp import Amp
from srgan_cli.engine.perceptual import VggFeatures
from srgan_cli.engine.ranks import Ranks

# A gradient of norm 1 over a million numbers has entries of 1e-3; fp16 is exact to
# 2^-24 and ends at 2^16. This centres the one between the others.
_INNER_SCALE = 2.0**8


def pixel_loss(sr: Tensor, hr: Tensor) -> Tensor:
    """Return the mean absolute difference of pixels, computed in fp32."""
    return F.l1_loss(sr.float(), hr)


def perceptual_loss(
    features: VggFeatures, sr: Tensor, hr: Tensor, ranks: Ranks | None = None
) -> Tensor:
    """Return the L1 distance of VGG features, relative to their mean magnitude.

    SRGAN (Ledig et al. 2017, equation 5) with ESRGAN's L1 norm (Wang et al. 2018,
    section 3.3). Dividing by the mean magnitude of the HR features makes the weight
    mean the same for every network and layer.

    Args:
        features: A frozen feature network.
        sr: Generated pictures, B, 3, H, W, RGB in [0, 1].
        hr: Real pictures of the same shape.
        ranks: The processes that share the batch; the magnitude is that of all of it.
    """
    with torch.no_grad():
        wanted = features(hr).float()
        magnitude = (ranks or Ranks()).mean(wanted.abs().mean()).clamp_min(1e-6)
    distance: Tensor = F.l1_loss(features(sr).float(), wanted) / magnitude
    return distance


def generator_adversarial_loss(fake_logits: Tensor) -> Tensor:
    """Return minus the discriminator's mean score of generated pictures (WGAN)."""
    return -fake_logits.float().mean()


def wasserstein_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return the discriminator's mean difference: generated minus real (WGAN-GP, equation 3).

    Minus this value estimates the distance between the two distributions.
    """
    return fake_logits.float().mean() - real_logits.float().mean()


def gradient_penalty(
    discriminator: nn.Module, hr: Tensor, sr: Tensor, amp: Amp, *, mix: Tensor
) -> Tensor:
    """Return the mean squared distance of the discriminator's gradient norm from 1.

    WGAN-GP (Gulrajani et al. 2017, equation 3): the gradient of the score of a
    picture drawn between a real and a generated one, with respect to its pixels.

    The inner gradient is itself taken in mixed precision, so the scores are scaled
    first, or fp16 would flush parts of it to zero; the gradients are then unscaled by
    a plain division that autograd sees, and their norm is taken in fp32. The scale is
    a constant: the loss scaler's searches for the edge of fp16's range by overflowing
    now and then, which must cost a step but never show as an infinite penalty. The
    result is unscaled: add it to the discriminator's loss and scale the sum once.

    Args:
        discriminator: Scores B, 3, H, W pictures; no layer may mix pictures of a batch.
        hr: Real pictures, B, 3, H, W, fp32 in [0, 1].
        sr: Generated pictures of the same shape, detached.
        amp: Precision of the discriminator's passes.
        mix: B numbers in [0, 1], the share of ``hr`` in each mixed picture.

    Returns:
        A scalar in fp32 that can be differentiated by the discriminator's parameters.
    """
    mix = mix.view(-1, 1, 1, 1)
    between = (mix * hr + (1 - mix) * sr.float()).requires_grad_()
    with amp.autocast():
        logits = discriminator(between)
    scaled = _INNER_SCALE * logits.float().sum()
    (scaled_gradient,) = torch.autograd.grad(scaled, between, create_graph=True)
    gradient = scaled_gradient.float() / _INNER_SCALE
    norms = gradient.flatten(1).norm(dim=1)
    penalty: Tensor = (norms - 1).square().mean()
    return penalty
