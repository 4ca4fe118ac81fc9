"""Content losses: distances between a generated image and the real one (pixels, Fourier, VGG)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from srgan_cli.config import PixelLoss
from srgan_cli.engine.networks.vgg import VggFeatures
from srgan_cli.imaging.levels import LUMA

_CHARBONNIER_EPSILON = 1e-3
_PSNR_EPSILON = 1e-5
"""Mean squared error (50 dB PSNR) below which an image weighs less and less."""
_LDL_WINDOW = 7
_SMOOTH_DEVIATION = 2 / 255
_LATTICE_WINDOW = 6
"""Side, in LR pixels, of the squares in which a repeating lattice is looked for."""


def pixel_loss(sr: Tensor, hr: Tensor, kind: PixelLoss = "l1") -> Tensor:
    """Return the mean distance of pixels, computed in fp32.

    Args:
        sr: Generated images, B, 3, H, W.
        hr: Real images of the same shape, fp32.
        kind: ``l1``, the mean absolute difference; ``charbonnier``, its smooth relative
            ``sqrt(d² + ε²)`` with ε = 1e-3 (LapSRN, Lai et al. 2017); or ``psnr``, the mean
            logarithm of each image's squared error, ``log(1 + MSE / ε)`` with ε = 1e-5,
            which is what PSNR averages (as in HINet, Chen et al. 2021): smooth
            images, whose errors are small, count as much as busy ones.
    """
    if kind == "l1":
        return F.l1_loss(sr.float(), hr)
    squared = (sr.float() - hr).square()
    if kind == "psnr":
        return (squared.flatten(1).mean(1) / _PSNR_EPSILON).log1p().mean()
    return (squared + _CHARBONNIER_EPSILON**2).sqrt().mean()


def luma_loss(sr: Tensor, hr: Tensor, kind: PixelLoss = "l1") -> Tensor:
    """Return the mean distance of luma, computed in fp32.

    The eye sees it sharper than colour, and the literature measures it: networks for
    super-resolution have been trained on luma alone since SRCNN (Dong et al. 2014). It is
    BT.601's of the full range, so that grey costs what it costs in :func:`pixel_loss`.

    Args:
        sr: Generated images, B, 3, H, W.
        hr: Real images of the same shape, fp32.
        kind: As for :func:`pixel_loss`.
    """
    return pixel_loss(_luma(sr.float()), _luma(hr), kind)


def chroma_loss(sr: Tensor, hr: Tensor, kind: PixelLoss = "l1") -> Tensor:
    """Return the mean distance of colour, that is of red, green and blue less luma, in fp32.

    Beside a game that adds texture the distance of red, green and blue is all but that of luma, and
    colours are left to chance: the channels part at sharp edges. By itself the distance of
    colours stays small, and ``psnr`` counts it by its own size.

    Args:
        sr: Generated images, B, 3, H, W.
        hr: Real images of the same shape, fp32.
        kind: As for :func:`pixel_loss`.
    """
    sr = sr.float()
    return pixel_loss(sr - _luma(sr), hr - _luma(hr), kind)


def _luma(images: Tensor) -> Tensor:
    share = images.new_tensor(LUMA).view(1, 3, 1, 1)
    return (images * share).sum(1, keepdim=True)


def fft_loss(sr: Tensor, hr: Tensor) -> Tensor:
    """Return the mean absolute difference of Fourier coefficients, real and imaginary.

    The loss of SAFMN (Sun et al. 2023), which weighs it 0.05 beside L1, and of
    MIMO-UNet (Cho et al. 2021): L1 forgives a missing texture what it costs on average;
    in the spectrum each frequency that is missing stands by itself. The transform is
    unnormalised and, the other half being its mirror image, one-sided.

    Args:
        sr: Generated images, B, 3, H, W; computed in fp32 (fp16 ends at 65,504, which
            the sum of a 256×256 image reaches).
        hr: Real images of the same shape, fp32.
    """
    difference = torch.view_as_real(torch.fft.rfft2(sr.float() - hr))
    return difference.abs().mean()


def perceptual_loss(features: VggFeatures, sr: Tensor, hr: Tensor) -> Tensor:
    """Return the L1 distance of VGG features, relative to their mean magnitude.

    SRGAN (Ledig et al. 2017, equation 5) with ESRGAN's L1 norm (Wang et al. 2018,
    section 3.3), averaged over the chosen layers. Dividing by the mean magnitude of the
    HR features makes the weight mean the same for every network and layer. Each image is
    divided by its own, so that the loss of a batch is the mean of its parts'.

    Args:
        features: A frozen feature network.
        sr: Generated images, B, 3, H, W, RGB in [0, 1].
        hr: Real images of the same shape.
    """
    with torch.no_grad():
        wanted = [layer.float().flatten(1) for layer in features(hr)]
    distances = [
        (layer.float().flatten(1) - goal).abs().mean(1) / goal.abs().mean(1).clamp_min(1e-6)
        for layer, goal in zip(features(sr), wanted, strict=True)
    ]
    return torch.stack(distances).mean()


def artefact_loss(sr: Tensor, hr: Tensor, averaged_sr: Tensor) -> Tensor:
    """Return the L1 distance of pixels where the image looks like an artefact.

    LDL (Liang et al. 2022). The map of :func:`artefact_map` is a constant of the step:
    the loss says where to come closer, not to make the error even.

    Args:
        sr: Generated images, B, 3, H, W.
        hr: Real images of the same shape, fp32.
        averaged_sr: What the generator's averaged weights make of the same LR images.
    """
    sr = sr.float()
    where = artefact_map(sr.detach(), hr, averaged_sr.detach().float())
    return (where * (sr - hr)).abs().mean()


def artefact_map(sr: Tensor, hr: Tensor, averaged_sr: Tensor) -> Tensor:
    """Return how much each pixel looks like an artefact: B, 1, H, W, zero or more.

    LDL (Liang et al. 2022): the variance of the error in a window of 7×7 pixels, times
    the fifth root of its variance over the whole image, wherever the error is larger
    than that of the averaged generator, whose images change less from step to step.

    Args:
        sr: Generated images, B, 3, H, W, at least 4 pixels a side.
        hr: Real images of the same shape.
        averaged_sr: Images of the averaged generator.
    """
    residual = (hr - sr).abs().sum(1, keepdim=True)
    averaged_residual = (hr - averaged_sr).abs().sum(1, keepdim=True)
    whole = residual.var(dim=(1, 2, 3), keepdim=True) ** 0.2
    suspect = residual >= averaged_residual
    return suspect * whole * _local_variance(residual, _LDL_WINDOW)


def lattice_loss(sr: Tensor, hr: Tensor, scale: int) -> Tensor:
    """Return the L1 distance of what repeats from LR pixel to LR pixel.

    A generator makes the pixels of every LR pixel by the same weights, each place within it by
    its own. Where a texture cannot be known, features and discriminator are pleased most cheaply by
    one that repeats at each LR pixel: a lattice over leaves and grass, a relative of the
    checkerboard of Odena et al. 2016. Here the error of each place is averaged over windows of
    6×6 LR pixels and compared with that of all places. Textures of any other kind cancel.

    Args:
        sr: Generated images, B, 3, H, W, at least 6 LR pixels a side.
        hr: Real images of the same shape, fp32.
        scale: Factor per side.
    """
    places = F.pixel_unshuffle(sr.float() - hr, scale)
    places = places.view(len(sr), 3, scale**2, *places.shape[2:])
    own = (places - places.mean(2, keepdim=True)).flatten(1, 2)
    return F.avg_pool2d(own, _LATTICE_WINDOW, _LATTICE_WINDOW // 2).abs().mean()


def smooth_loss(sr: Tensor, hr: Tensor) -> Tensor:
    """Return the L1 distance of pixels where the original is smooth.

    Texture hides what is wrong in it, smooth ground shows it: dots beside outlines, grain in a sky,
    JPEG's ringing around letters. A window of 3×3 pixels is smooth by ``exp(−variance / σ²)``
    of the original's luma, σ being 2 levels of 255, and a pixel as much as the
    smoothest window that it lies in, so that ground counts up to the edge of what stands on it.

    Args:
        sr: Generated images, B, 3, H, W, at least 3 pixels a side.
        hr: Real images of the same shape, fp32.
    """
    luma = _luma(hr)
    mean, mean_square = (F.avg_pool2d(each, 3, 1) for each in (luma, luma.square()))
    smooth = ((mean.square() - mean_square) / _SMOOTH_DEVIATION**2).clamp_max(0).exp()
    where = F.max_pool2d(F.pad(smooth, [2] * 4), 3, 1)
    return (where * (sr.float() - hr)).abs().mean()


def _local_variance(values: Tensor, window: int) -> Tensor:
    """Return the unbiased variance around each pixel of B, 1, H, W; borders are mirrored."""
    padded = F.pad(values, [window // 2] * 4, mode="reflect")
    mean = F.avg_pool2d(padded, window, 1)
    mean_square = F.avg_pool2d(padded.square(), window, 1)
    count = window**2
    return (mean_square - mean.square()).clamp_min(0) * (count / (count - 1))
