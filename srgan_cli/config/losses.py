"""Weights of the losses of ``srgan train``."""

import math
from dataclasses import dataclass, fields
from functools import partial
from typing import Annotated

from srgan_cli.config.checks import require
from srgan_cli.config.option import Option

_weight = partial(Option, metavar="W", panel="Loss weights")


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms of both losses; a term of weight 0 is not computed.

    Beside L1, pixels have SAFMN's Fourier loss (Sun et al. 2023), about three times as large.
    In adversarial training, the default weight of 5 makes both together about one and a half
    times as large as the perceptual loss (0.3 and 0.2 in ``docs/lab/training-notes.md``).
    The adversarial weight is one for critics, whose scores have no bounds. The discriminator's
    are those of WGAN-GP (Gulrajani et al. 2017, algorithm 1).
    """

    pixel: Annotated[float, _weight("Pixel loss during adversarial training.")] = 5.0
    """Of pixels in [0, 1]; pretraining has it with weight 1."""
    luma: Annotated[
        float, _weight("Loss on luma, as a multiple of the pixel loss, in both phases.")
    ] = 0.0
    """PSNR is measured on luma."""
    chroma: Annotated[
        float,
        _weight("Loss on colour without luma, as a multiple of the pixel loss, in both phases."),
    ] = 0.0
    fft: Annotated[
        float,
        _weight("Loss on Fourier coefficients, as a multiple of the pixel loss, in both phases."),
    ] = 0.05
    perceptual: Annotated[float, _weight("Perceptual loss: L1 distance of VGG features.")] = 1.0
    """Features are normalised to unit mean magnitude per layer."""
    pretrain_perceptual: Annotated[
        float, _weight("Perceptual loss during pretraining, without a discriminator.")
    ] = 0.0
    """Beside a pixel loss of weight 1: damaged images are restored without the grain that an
    adversarial loss adds."""
    artefact: Annotated[float, _weight("LDL artefact loss (Liang et al. 2022).")] = 0.0
    degraded: Annotated[
        float, _weight("Extra pixel loss on degraded patches (with --judge clean).")
    ] = 0.0
    """Luma, chroma and spectrum have the same relation to it as to the pixel loss."""
    degraded_perceptual: Annotated[
        float, _weight("Perceptual loss on degraded patches (with --judge clean).")
    ] = 0.0
    """Restores the look of what is damaged, without a discriminator that asks for grain."""
    lattice: Annotated[
        float, _weight("Penalty on checkerboard patterns that repeat every LR pixel.")
    ] = 0.0
    smooth: Annotated[float, _weight("Extra L1 loss in smooth areas of the original.")] = 0.0
    adversarial: Annotated[float, _weight("Adversarial loss of the generator.")] = 5e-3
    gradient_penalty: Annotated[
        float | None,
        _weight("WGAN-GP gradient penalty on the discriminator.", unset="10 for wgan-gp, else 0"),
    ] = None
    """Mean squared distance of the discriminator's gradient norm from 1."""
    r1: Annotated[float, _weight("R1 gradient penalty on the discriminator.")] = 0.0
    """Half the mean squared norm of the discriminator's gradient at real images."""

    def __post_init__(self) -> None:
        """Refuse negative weights."""
        for each in fields(self):
            value = getattr(self, each.name)
            wanted = value is None or 0 <= value < math.inf
            require(wanted, f"{each.name}_weight", value, "0 or more")
