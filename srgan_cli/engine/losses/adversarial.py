"""Adversarial losses of generator and discriminator, and their gradient penalties (WGAN-GP, R1).

Logits are B scores, or one for each pixel; a loss is their mean, in fp32.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srgan_cli.config import Adversarial
from srgan_cli.engine.devices.amp import Amp

# A gradient of norm 1 over a million numbers has entries of 1e-3; fp16 is exact to
# 2^-24 and ends at 2^16. This centres the one between the others.
_INNER_SCALE = 2.0**8


def discriminator_adversarial_loss(
    kind: Adversarial, real_logits: Tensor, fake_logits: Tensor
) -> Tensor:
    """Return what the discriminator pays for taking one kind of image for the other.

    Args:
        kind: ``wgan-gp``: mean score of generated images minus that of real ones
            (Gulrajani et al. 2017, equation 3); minus this value estimates the distance
            of the two distributions. ``vanilla``: cross entropy (Goodfellow et al. 2014,
            equation 1). ``hinge``: what is scored less than 1 on the right side of zero
            (Lim and Ye 2017; Miyato et al. 2018, equation 16). ``relativistic``: cross
            entropy of being more real than the other kind is on average
            (Jolicoeur-Martineau 2018; ESRGAN, Wang et al. 2018, equation 1), an average
            over what is passed: a part of a batch, or a process's share of it.
        real_logits: Scores of real images, higher for more real.
        fake_logits: Scores of generated images.
    """
    real, fake = real_logits.float(), fake_logits.float()
    match kind:
        case "wgan-gp":
            return fake.mean() - real.mean()
        case "vanilla":
            return F.softplus(-real).mean() + F.softplus(fake).mean()
        case "hinge":
            return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
        case "relativistic":
            return F.softplus(fake.mean() - real).mean() + F.softplus(fake - real.mean()).mean()


def generator_adversarial_loss(
    kind: Adversarial, real_logits: Tensor, fake_logits: Tensor
) -> Tensor:
    """Return what the generator pays for images that do not look real.

    Args:
        kind: As of the discriminator. ``wgan-gp`` and ``hinge``: minus the mean score.
            ``vanilla``: the form that does not saturate (Goodfellow et al. 2014, section
            3). ``relativistic``: generated images should look more real than real ones
            (ESRGAN, equation 2).
        real_logits: Scores of real images, which only ``relativistic`` uses.
        fake_logits: Scores of generated images.
    """
    fake = fake_logits.float()
    match kind:
        case "wgan-gp" | "hinge":
            return -fake.mean()
        case "vanilla":
            return F.softplus(-fake).mean()
        case "relativistic":
            real = real_logits.float()
            return F.softplus(real - fake.mean()).mean() + F.softplus(real.mean() - fake).mean()


@torch.no_grad()
def accuracy(kind: Adversarial, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return the share of logits on their own side of the border, from 0 to 1.

    The border is zero where the loss has one (``vanilla``, ``hinge``), else the mean
    score of the other kind of image.
    """
    real, fake = real_logits.float(), fake_logits.float()
    absolute = kind in {"vanilla", "hinge"}
    above = real > (0 if absolute else fake.mean())
    below = fake < (0 if absolute else real.mean())
    return (above.float().mean() + below.float().mean()) / 2


def gradient_penalty(
    discriminator: nn.Module, hr: Tensor, sr: Tensor, amp: Amp, *, mix: Tensor
) -> Tensor:
    """Return the mean squared distance of the discriminator's gradient norm from 1.

    WGAN-GP (Gulrajani et al. 2017, equation 3): the gradient of the score of a
    image drawn between a real and a generated one, with respect to its pixels.

    Args:
        discriminator: Scores B, 3, H, W images; no layer may mix images of a batch.
        hr: Real images, B, 3, H, W, fp32 in [0, 1].
        sr: Generated images of the same shape, detached.
        amp: Precision of the discriminator's passes.
        mix: B numbers in [0, 1], the share of ``hr`` in each mixed image.

    Returns:
        A scalar in fp32 that can be differentiated by the discriminator's parameters.
    """
    mix = mix.view(-1, 1, 1, 1)
    norms = _pixel_gradient(discriminator, mix * hr + (1 - mix) * sr.float(), amp).norm(dim=1)
    penalty: Tensor = (norms - 1).square().mean()
    return penalty


def r1_penalty(discriminator: nn.Module, hr: Tensor, amp: Amp) -> Tensor:
    """Return half the mean square of the discriminator's gradient norm at real images.

    R1 (Mescheder et al. 2018, equation 9, whose γ is this term's weight): where the
    generator makes real images, there should be nothing to push it away from them.

    Args:
        discriminator: Scores B, 3, H, W images; no layer may mix images of a batch.
        hr: Real images, B, 3, H, W, fp32 in [0, 1].
        amp: Precision of the discriminator's passes.

    Returns:
        A scalar in fp32 that can be differentiated by the discriminator's parameters.
    """
    return 0.5 * _pixel_gradient(discriminator, hr, amp).square().sum(1).mean()


def _pixel_gradient(discriminator: nn.Module, images: Tensor, amp: Amp) -> Tensor:
    """Return each image's score differentiated by its own pixels: B, N, in fp32.

    The gradient is itself taken in mixed precision, so the scores are scaled first, or
    fp16 would flush parts of it to zero; the gradient is then unscaled by a plain
    division that autograd sees. The scale is a constant: the loss scaler's searches for
    the edge of fp16's range by overflowing now and then, which must cost a step but
    never show as an infinite penalty. What is made of the gradient is unscaled: add it
    to the discriminator's loss and scale the sum once.

    The score of an image with a logit for each pixel is their mean, as in the loss.
    """
    images = images.detach().requires_grad_()
    with amp.autocast():
        logits = discriminator(images)
    scores = logits.float().reshape(len(images), -1).mean(1)
    (scaled,) = torch.autograd.grad(_INNER_SCALE * scores.sum(), images, create_graph=True)
    return scaled.float().flatten(1) / _INNER_SCALE
