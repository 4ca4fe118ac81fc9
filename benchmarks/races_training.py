"""The races of ``benchmarks/races.py``: training for a given time, and scoring."""

import copy
import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from races_networks import SCALE, Network, Variant
from torch import nn

from srgan_cli.config import PlainConfig
from srgan_cli.data.manifest import find_dataset
from srgan_cli.data.store import Store
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.losses.content import fft_loss, luma_loss, pixel_loss
from srgan_cli.engine.networks.architectures import make_generator
from srgan_cli.engine.networks.equivariance import Equivariance
from srgan_cli.engine.training.muon import Muon
from srgan_cli.engine.training.patches import PatchSampler
from srgan_cli.imaging.metrics import crop_border, luma, psnr
from srgan_cli.imaging.resize import downscale, mod_crop


def train(variant: Variant, store: Store, minutes: float) -> tuple[nn.Module, int]:
    """Train for some minutes of processor time; return the averaged weights and the steps."""
    torch.manual_seed(variant.seed)
    amp = Amp.create(torch.device("cpu"), "auto")
    tied = None
    if variant.equivariant:
        network: nn.Module = make_generator(PlainConfig(SCALE, variant.channels, variant.blocks))
        tied = Equivariance(network)
        tied.start()
    else:
        network = Network(variant)
    network = network.to(memory_format=torch.channels_last)
    averaged = copy.deepcopy(network)
    sizes = {"patch": variant.patch, "batch": variant.batch, "detail": variant.detail}
    sampler = PatchSampler(store, "train", seed=variant.seed, **sizes)
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
        if variant.luma:
            loss = loss + variant.luma * luma_loss(sr, hr, variant.loss)
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
    """Return PSNR on Y."""
    sr = network(torch.from_numpy(lr.copy()).permute(2, 0, 1)[None].float() / 255)
    sr = (sr[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    return psnr(*(crop_border(luma(image), SCALE) for image in (hr, sr)))


def crops(store: Store, largest: int = 192) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return two squares of every validation photograph, HR and LR."""
    found = []
    for entry in store.entries("validation"):
        lr, hr = (image.numpy() for image in store.pair(entry))
        side = min(largest, *lr.shape[:2])
        for down, right in ((0.3, 0.3), (0.7, 0.6)):
            y, x = int((lr.shape[0] - side) * down), int((lr.shape[1] - side) * right)
            large = [slice(SCALE * n, SCALE * (n + side)) for n in (y, x)]
            found.append((hr[large[0], large[1]], lr[y : y + side, x : x + side]))
    return found


def images(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the images of an evaluation set with their reductions."""
    found = []
    for path in sorted(folder.iterdir()):
        with Image.open(path) as image:
            hr = mod_crop(np.asarray(image.convert("RGB")), SCALE)
        found.append((hr, downscale(hr, SCALE)))
    return found


def parse(spec: str) -> tuple[str, Variant]:
    """Read ``name:key=value,…``."""
    name, _, rest = spec.partition(":")
    values = dict(pair.split("=") for pair in rest.split(",") if pair)
    defaults = Variant()
    return name, Variant(
        **{key: type(getattr(defaults, key))(value) for key, value in values.items()}
    )


def race(dataset: str, sets: Path, variants: Sequence[str], minutes: float) -> None:
    """Train every variant and print its size, its steps and its scores."""
    torch.set_num_threads(1)
    store = Store(find_dataset(dataset)[0], SCALE)
    shown = {"validation": crops(store)}
    shown |= {name: images(sets / name) for name in ("Set5", "Set14")}
    for name, variant in map(parse, variants):
        network, steps = train(variant, store, minutes)
        size = sum(weight.numel() for weight in network.parameters())
        figures = "  ".join(
            f"{title} {np.mean([score(network, *pair) for pair in pairs]):.2f}"
            for title, pairs in shown.items()
        )
        print(f"{name:16s} {size:8,d} parameters {steps:6d} steps  {figures}", flush=True)
