"""The training steps that ``benchmarks/train.py`` is measured against.

The plain loop is PyTorch as popular repositories write it: fp32, NCHW, a ``Dataset`` that
decodes PNG files, losses read every step. BasicSR's and Lornatang/SRGAN-PyTorch's are
their own code from a checkout, with this project's networks and the same losses put in;
their packages' other imports, which a step does not use, are replaced by stand-ins.
"""

import copy
import importlib.util
import io
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

LEARNING_RATE = 1e-4
PIXEL, PERCEPTUAL, ADVERSARIAL = 1e-2, 1.0, 5e-3

_LORNATANG = {
    "SCALE": 2,
    "MODEL": {"D": {"NAME": "discriminator_for_vgg"}, "EMA": {"ENABLE": True}},
    "TRAIN": {
        "LOSSES": {
            "PIXEL_LOSS": {"WEIGHT": [PIXEL]},
            "CONTENT_LOSS": {"WEIGHT": [PERCEPTUAL]},
            "ADVERSARIAL_LOSS": {"WEIGHT": [ADVERSARIAL]},
        },
        "DATASET": {"GT_IMAGE_SIZE": 96},
        "PRINT_FREQ": 100,
    },
}

Batches = Callable[[], Iterator[tuple[Tensor, Tensor]]]
TakeSteps = Callable[[Iterator[tuple[Tensor, Tensor]], int], None]


class PngPatches(Dataset):
    """Decodes a pair of PNG files for every random patch."""

    def __init__(self, pairs: list[tuple[Path, Path]], patch: int, scale: int, length: int) -> None:
        self.pairs, self.patch, self.scale, self.length = pairs, patch, scale, length

    def __len__(self) -> int:
        """Return the length of an epoch."""
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Decode a pair and cut the same place out of both."""
        lr, hr = (
            np.asarray(Image.open(p).convert("RGB")) for p in self.pairs[index % len(self.pairs)]
        )
        top, left = (random.randrange(side - self.patch + 1) for side in lr.shape[:2])
        s, n = self.scale, self.patch
        lr = lr[top : top + n, left : left + n]
        hr = hr[s * top : s * (top + n), s * left : s * (left + n)]
        if random.random() < 0.5:
            lr, hr = lr[:, ::-1], hr[:, ::-1]
        return tuple(
            torch.from_numpy(side.transpose(2, 0, 1).astype(np.float32) / 255) for side in (lr, hr)
        )


def png_batches(dataset: Dataset, batch: int, workers: int) -> Batches:
    return lambda: iter(DataLoader(dataset, batch, shuffle=True, num_workers=workers))


@dataclass
class Networks:
    """Networks of this project, in PyTorch's own layout."""

    generator: nn.Module
    discriminator: nn.Module
    features: nn.Module

    def content(self, sr: Tensor, hr: Tensor) -> Tensor:
        """Return the distance of features, the same for everyone."""
        (found,), (wanted,) = self.features(sr), self.features(hr)
        return nn.functional.l1_loss(found, wanted)

    def optimizers(self) -> list[torch.optim.Optimizer]:
        """Return Adam for each network, as everyone makes it."""
        return [
            torch.optim.Adam(n.parameters(), LEARNING_RATE, (0.9, 0.999))
            for n in (self.generator, self.discriminator)
        ]


def plain_pixel(networks: Networks) -> TakeSteps:
    optimizer, _ = networks.optimizers()
    losses = []

    def take(batches: Iterator[tuple[Tensor, Tensor]], steps: int) -> None:
        for _, (lr, hr) in zip(range(steps), batches, strict=False):
            optimizer.zero_grad()
            loss = nn.functional.l1_loss(networks.generator(lr), hr)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())

    return take


def plain_adversarial(networks: Networks, kind: str) -> TakeSteps:
    for_generator, for_discriminator = networks.optimizers()
    d, bce = networks.discriminator, nn.functional.binary_cross_entropy_with_logits
    losses = []

    def game(real: Tensor, fake: Tensor) -> Tensor:
        if kind == "wgan-gp":
            return fake.mean() - real.mean()
        return bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))

    def penalty(hr: Tensor, sr: Tensor) -> Tensor:
        mix = torch.rand(len(hr), 1, 1, 1)
        between = (mix * hr + (1 - mix) * sr).requires_grad_()
        (slope,) = torch.autograd.grad(d(between).sum(), between, create_graph=True)
        return 10 * (slope.flatten(1).norm(dim=1) - 1).square().mean()

    def take(batches: Iterator[tuple[Tensor, Tensor]], steps: int) -> None:
        for _, (lr, hr) in zip(range(steps), batches, strict=False):
            sr = networks.generator(lr)
            for_discriminator.zero_grad()
            loss_d = game(d(hr), d(sr.detach()))
            if kind == "wgan-gp":
                loss_d = loss_d + penalty(hr, sr.detach())
            loss_d.backward()
            for_discriminator.step()
            for_generator.zero_grad()
            score = d(sr)
            adversarial = -score.mean() if kind == "wgan-gp" else bce(score, torch.ones_like(score))
            pixel, content = nn.functional.l1_loss(sr, hr), networks.content(sr, hr)
            loss_g = PIXEL * pixel + PERCEPTUAL * content + ADVERSARIAL * adversarial
            loss_g.backward()
            for_generator.step()
            losses.append([value.item() for value in (loss_d, loss_g, pixel, content, adversarial)])

    return take


def _stand_in(name: str) -> ModuleType:
    module = MagicMock(name=name)
    module.__path__ = []
    sys.modules[name] = module
    return module


def basicsr(checkout: Path, networks: Networks, phase: str) -> TakeSteps:
    """Return SRModel's or SRGANModel's own ``optimize_parameters``, with EMA as in its recipes."""
    for name in ("", ".archs", ".losses", ".metrics", ".utils", ".utils.dist_util", ".models"):
        _stand_in(f"basicsr{name}")
    registry = _stand_in("basicsr.utils.registry")
    for which in ("MODEL_REGISTRY", "LOSS_REGISTRY"):
        getattr(registry, which).register = lambda: lambda cls: cls
    _stand_in("basicsr.archs.vgg_arch")
    for name in ("losses.loss_util", "losses.basic_loss", "losses.gan_loss"):
        _load(f"basicsr.{name}", checkout / "basicsr" / f"{name.replace('.', '/')}.py")
    for name in ("base_model", "sr_model", "srgan_model"):
        _load(f"basicsr.models.{name}", checkout / "basicsr" / "models" / f"{name}.py")
    losses, gan = sys.modules["basicsr.losses.basic_loss"], sys.modules["basicsr.losses.gan_loss"]
    cls = {
        "pixel": sys.modules["basicsr.models.sr_model"].SRModel,
        "vanilla": sys.modules["basicsr.models.srgan_model"].SRGANModel,
    }[phase]
    model = cls.__new__(cls)
    model.opt, model.device = {"dist": False}, torch.device("cpu")
    model.net_g, model.net_d = networks.generator, networks.discriminator
    model.net_g_ema = copy.deepcopy(networks.generator)
    model.ema_decay, model.net_d_iters, model.net_d_init_iters = 0.999, 1, -1
    model.cri_pix = losses.L1Loss(loss_weight=1.0 if phase == "pixel" else PIXEL)
    model.cri_gan = gan.GANLoss("vanilla", loss_weight=ADVERSARIAL)
    model.cri_perceptual = None
    if phase != "pixel":
        model.cri_perceptual = lambda sr, hr: (PERCEPTUAL * networks.content(sr, hr), None)
    model.get_bare_model = lambda net: net
    model.optimizer_g, model.optimizer_d = networks.optimizers()

    def take(batches: Iterator[tuple[Tensor, Tensor]], steps: int) -> None:
        for step, (lr, hr) in zip(range(steps), batches, strict=False):
            model.feed_data({"lq": lr, "gt": hr})
            model.optimize_parameters(step)

    return take


def lornatang(checkout: Path, networks: Networks, phase: str) -> TakeSteps:
    """Return the loop of ``train_net.train`` or ``train_gan.train``, with EMA as configured.

    Its own content loss makes a new tensor of numbers, which no gradient reaches; with the
    one used here it trains, and costs what it should.
    """
    for name in ("cv2", "dataset", "test", "natsort", "image_quality_assessment"):
        _stand_in(name)
    _stand_in("torch.utils.tensorboard")
    sys.path.insert(0, str(checkout))
    for name in ("imgproc", "model", "utils"):
        _load(name, checkout / f"{name}.py")
    name = "train_net" if phase == "pixel" else "train_gan"
    train = _load(name, checkout / f"{name}.py").train
    ema = torch.optim.swa_utils.AveragedModel(
        networks.generator, avg_fn=lambda old, new, _: 0.999 * old + 0.001 * new
    )
    for_generator, for_discriminator = networks.optimizers()
    judge = nn.Sequential(networks.discriminator, nn.Unflatten(0, (-1, 1)))
    side = next(networks.generator.parameters()).device
    scaler = torch.amp.GradScaler("cuda", enabled=False)

    def take(batches: Iterator[tuple[Tensor, Tensor]], steps: int) -> None:
        given = ({"lr": lr, "gt": hr} for _, (lr, hr) in zip(range(steps), batches, strict=False))
        prefetcher = MagicMock(next=lambda: next(given, None), __len__=lambda _: steps)
        common = {
            "train_data_prefetcher": prefetcher,
            "pixel_criterion": nn.L1Loss(),
            "epoch": 0,
            "scaler": scaler,
            "writer": MagicMock(),
            "device": side,
            "config": _LORNATANG,
        }
        with redirect_stdout(io.StringIO()):
            if phase == "pixel":
                train(networks.generator, ema, optimizer=for_generator, **common)
            else:
                train(
                    networks.generator,
                    ema,
                    judge,
                    content_criterion=networks.content,
                    adversarial_criterion=nn.BCEWithLogitsLoss(),
                    g_optimizer=for_generator,
                    d_optimizer=for_discriminator,
                    **common,
                )

    return take


def _load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
