"""Small prepared data sets, and batches of them."""

import numpy as np
import torch
from safetensors.numpy import save_file

from srgan_cli.data.manifest import MANIFEST, Manifest, ManifestEntry
from srgan_cli.data.store import Store
from srgan_cli.engine.training.patches import PatchSampler
from srgan_cli.imaging.resize import downscale

SCALE = 2


def shard_name(number):
    return f"shard-{number}.safetensors"


def write_set(folder, images, split=lambda _: "train", per_shard=3):
    """Write HR images as a prepared data set, several shards of it."""
    folder.mkdir()
    entries = []
    for start in range(0, len(images), per_shard):
        tensors = {}
        for index in range(start, min(start + per_shard, len(images))):
            hr = images[index]
            tensors[f"hr/{index}"] = np.ascontiguousarray(hr)
            tensors[f"lr-x{SCALE}/{index}"] = np.ascontiguousarray(downscale(hr, SCALE))
            height, width = hr.shape[:2]
            shard = shard_name(start // per_shard)
            entries.append(
                ManifestEntry(f"{index}.png", "", width, height, split(index), shard, index)
            )
        save_file(tensors, folder / shard_name(start // per_shard))
    shards = tuple({entry.shard: None for entry in entries})
    manifest = Manifest("set", (SCALE,), "f", "l", {}, tuple(entries), (), (), shards)
    (folder / MANIFEST).write_text(manifest.to_json())
    return Store(folder)


def sampler_of(store, **options):
    return PatchSampler(store, "train", **{"patch": 16, "batch": 4, "seed": 0, **options})


def equal(a, b):
    return torch.equal(a.lr, b.lr) and torch.equal(a.hr, b.hr)
