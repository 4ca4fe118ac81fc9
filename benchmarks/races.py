"""Short fair races between recipes at ×2: ``races.py DATASET SETS VARIANT [VARIANT …]``.

Every variant gets the same seed, the same patches and the same seconds of processor time on
one thread (``--minutes``), so other work on the machine changes how long a race takes, not
who wins it. What is chosen is chosen by the validation split of DATASET; Set5 and Set14, read
from SETS, are only shown. A variant is ``name:key=value,…`` with the keys of `Variant`.
"""

import argparse
import copy
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from srgan_cli.config import PlainConfig
from srgan_cli.data.manifest import find_dataset
from srgan_cli.data.store import Store
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.losses.content import fft_loss, pixel_loss
from srgan_cli.engine.networks.architectures import make_generator
from srgan_cli.engine.networks.equivariance import Equivariance
from srgan_cli.engine.training.muon import Muon
from srgan_cli.engine.training.patches import PatchSampler
from srgan_cli.imaging.metrics import crop_border, luma, psnr
from srgan_cli.imaging.resize import downscale, mod_crop

_SCALE = 2


@dataclass(frozen=True)
class Variant:
    """What a race may change."""

    kind: str = "plain"
    """``plain``: convolutions one after the other; ``residual``: pairs of them with a skip;
    ``dense``: dense residual blocks; ``attention``: plain networks that weigh their own result, as
    in SPAN; ``gate``: one convolution whose halves are multiplied, and one back; ``branches``: a
    plain network whose weights are sums of branches, as in ECBSR and RepVGG, that come to one in
    the end."""
    channels: int = 48
    growth: int = 32
    blocks: int = 8
    convs: int = 2
    """Convolutions per block; a plain network has one."""
    skip: int = 0
    """1: the first features are added to the last."""
    base: str = "nearest"
    """Upscaling that the network's result is added to: nearest or bilinear."""
    optimizer: str = "adam"
    rate: float = 1e-3
    muon_rate: float = 1e-3
    patch: int = 48
    batch: int = 16
    detail: int = 1
    """Places to choose from for each patch."""
    loss: str = "l1"
    """``l1``, ``charbonnier`` or ``psnr``."""
    fft: float = 0.0
    """Weight of the spectrum's loss beside it."""
    decay: float = 0.999
    """Of the weights' running mean, which is what is scored."""
    equivariant: int = 0
    """1: the preset ``plain`` with tied weights, which has the skip and the bilinear base."""


class _Dense(nn.Module):
    def __init__(self, channels: int, growth: int, convs: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            _conv(channels + i * growth, growth if i < convs - 1 else channels)
            for i in range(convs)
        )

    def forward(self, x: Tensor) -> Tensor:
        *convs, last = self.convs
        features = x
        for conv in convs:
            features = torch.cat((features, F.leaky_relu(conv(features), 0.2)), 1)
        return x + last(features)


class _Residual(nn.Module):
    def __init__(self, channels: int, convs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(convs):
            layers += [_conv(channels, channels), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class _Attention(nn.Module):
    """After SPAN (Wan et al. 2024), starting as the identity."""

    def __init__(self, channels: int, convs: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(_near_identity(channels) for _ in range(convs - 1))
        self.last = _conv(channels, channels)
        with torch.no_grad():
            for parameter in self.last.parameters():
                parameter.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        features = x
        for conv in self.convs:
            features = F.leaky_relu(conv(features), 0.2)
        residual = self.last(features)
        return (x + residual) * (2 * torch.sigmoid(residual))


class _Gate(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.wide, self.back = _conv(channels, channels), _conv(channels // 2, channels)

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.wide(x).chunk(2, 1)
        return x + self.back(a * b)


class _Branches(nn.Module):
    """After ECBSR (Zhang et al. 2021): 3×3, 1×1, and 1×1 into 3×3, summed up in one convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.main = _near_identity(channels)
        self.point = nn.Conv2d(channels, channels, 1, bias=False)
        self.wide = nn.Conv2d(channels, 2 * channels, 1, bias=False)
        self.back = nn.Conv2d(2 * channels, channels, 3, bias=False)
        with torch.no_grad():
            for branch in (self.point, self.back):
                branch.weight.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        through = torch.einsum("okhw,ki->oihw", self.back.weight, self.wide.weight[..., 0, 0])
        kernels = self.main.weight + F.pad(self.point.weight, (1, 1, 1, 1)) + through
        return F.conv2d(x, kernels, self.main.bias, padding=1)


class _Network(nn.Module):
    def __init__(self, variant: Variant) -> None:
        super().__init__()
        channels, self.variant = variant.channels, variant
        self.first = _conv(3, channels)
        if variant.kind in {"plain", "branches"}:
            conv = _near_identity if variant.kind == "plain" else _Branches
            blocks = [
                nn.Sequential(conv(channels), nn.LeakyReLU(0.2)) for _ in range(variant.blocks)
            ]
        elif variant.kind == "residual":
            blocks = [_Residual(channels, variant.convs) for _ in range(variant.blocks)]
        elif variant.kind == "attention":
            blocks = [_Attention(channels, variant.convs) for _ in range(variant.blocks)]
        elif variant.kind == "gate":
            blocks = [_Gate(channels) for _ in range(variant.blocks)]
        else:
            blocks = [
                _Dense(channels, variant.growth, variant.convs) for _ in range(variant.blocks)
            ]
        if variant.kind in {"residual", "dense"}:
            blocks.append(_conv(channels, channels))
        self.body = nn.Sequential(*blocks)
        self.last = _conv(channels, 3 * _SCALE**2)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, lr: Tensor) -> Tensor:
        first = self.first(lr)
        if self.variant.skip:
            features = first + self.body(first)
        else:
            features = self.body(F.leaky_relu(first, 0.2))
        base = F.interpolate(lr, scale_factor=float(_SCALE), mode=self.variant.base)
        return F.pixel_shuffle(self.last(features), _SCALE).float() + base


def _conv(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, 1, 1)


def _near_identity(channels: int) -> nn.Conv2d:
    conv = _conv(channels, channels)
    with torch.no_grad():
        conv.weight.mul_(0.5).add_(nn.init.dirac_(torch.empty_like(conv.weight)))
        conv.bias.zero_()
    return conv


def train(variant: Variant, store: Store, minutes: float) -> tuple[nn.Module, int]:
    """Train for some minutes of processor time; return the averaged weights and the steps."""
    torch.manual_seed(0)
    amp = Amp.create(torch.device("cpu"), "auto")
    tied = None
    if variant.equivariant:
        network: nn.Module = make_generator(PlainConfig(_SCALE, variant.channels, variant.blocks))
        tied = Equivariance(network)
        tied.start()
    else:
        network = _Network(variant)
    network = network.to(memory_format=torch.channels_last)
    averaged = copy.deepcopy(network)
    sizes = {"patch": variant.patch, "batch": variant.batch, "detail": variant.detail}
    sampler = PatchSampler(store, "train", seed=0, **sizes)
    if variant.optimizer == "muon":
        optimizer: torch.optim.Optimizer = Muon(network)
        peaks = [variant.rate, variant.muon_rate]  # Its groups: everything else, hidden kernels.
    else:
        optimizer, peaks = torch.optim.Adam(network.parameters(), fused=True), [variant.rate]
    started, step = time.process_time(), 0
    while (done := (time.process_time() - started) / (60 * minutes)) < 1:
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            rise = min(1, (step + 1) / 50)
            group["lr"] = peak * (rise * 0.5 * (1 + math.cos(math.pi * done)) + 1e-5)
        batch = sampler.batch(step)
        lr, hr = (side.permute(0, 3, 1, 2).float() / 255 for side in (batch.lr, batch.hr))
        with amp.autocast():
            sr = network(lr)
        network.zero_grad(set_to_none=True)
        loss = pixel_loss(sr, hr, variant.loss)
        if variant.fft:
            loss = loss + variant.fft * fft_loss(sr, hr)
        loss.backward()
        if tied is not None:
            tied.tie_gradients()
        optimizer.step()
        step += 1
        decay = min(variant.decay, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_([*averaged.parameters()], [*network.parameters()], 1 - decay)
    return averaged, step


@torch.no_grad()
def score(network: nn.Module, hr: np.ndarray, lr: np.ndarray) -> float:
    """PSNR on Y."""
    sr = network(torch.from_numpy(lr.copy()).permute(2, 0, 1)[None].float() / 255)
    sr = (sr[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    return psnr(*(crop_border(luma(picture), _SCALE) for picture in (hr, sr)))


def crops(store: Store, side: int = 192) -> list[tuple[np.ndarray, np.ndarray]]:
    """Two squares of every validation photograph, HR and LR."""
    found = []
    for entry in store.entries("validation"):
        lr, hr = (picture.numpy() for picture in store.pair(entry))
        for down, right in ((0.3, 0.3), (0.7, 0.6)):
            y, x = int((lr.shape[0] - side) * down), int((lr.shape[1] - side) * right)
            large = [slice(_SCALE * n, _SCALE * (n + side)) for n in (y, x)]
            found.append((hr[large[0], large[1]], lr[y : y + side, x : x + side]))
    return found


def pictures(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Images of an evaluation set with their reductions."""
    found = []
    for path in sorted(folder.iterdir()):
        with Image.open(path) as image:
            hr = mod_crop(np.asarray(image.convert("RGB")), _SCALE)
        found.append((hr, downscale(hr, _SCALE)))
    return found


def parse(spec: str) -> tuple[str, Variant]:
    """Read ``name:key=value,…``."""
    name, _, rest = spec.partition(":")
    values = dict(pair.split("=") for pair in rest.split(",") if pair)
    defaults = Variant()
    return name, Variant(
        **{key: type(getattr(defaults, key))(value) for key, value in values.items()}
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", help="name or folder of a prepared set")
    parser.add_argument("sets", type=Path, help="folder that holds Set5 and Set14")
    parser.add_argument("variants", nargs="+")
    parser.add_argument("--minutes", type=float, default=4)
    options = parser.parse_args()
    torch.set_num_threads(1)
    store = Store(find_dataset(options.dataset)[0], _SCALE)
    shown = {"validation": crops(store)}
    shown |= {name: pictures(options.sets / name) for name in ("Set5", "Set14")}
    for name, variant in map(parse, options.variants):
        network, steps = train(variant, store, options.minutes)
        size = sum(weight.numel() for weight in network.parameters())
        figures = "  ".join(
            f"{title} {np.mean([score(network, *pair) for pair in pairs]):.2f}"
            for title, pairs in shown.items()
        )
        print(f"{name:16s} {size:8,d} parameters {steps:6d} steps  {figures}", flush=True)


if __name__ == "__main__":
    main()
