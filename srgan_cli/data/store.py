"""Read a prepared data set.

Shards are memory-mapped, so opening a set reads no pixels and a crop reads only
the pages that it touches.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from srgan_cli.data.manifest import MANIFEST, Manifest, ManifestEntry, Split
from srgan_cli.errors import InputError


class Store:
    """A prepared data set, opened for reading.

    Args:
        folder: The data set's folder.
        scale: Which of the set's scales to read; its first when not given.

    Raises:
        InputError: The folder holds no data set, none of that scale, or a shard is
            missing or damaged.
    """

    def __init__(self, folder: Path, scale: int | None = None) -> None:
        self.folder = folder
        self.manifest = Manifest.read(folder)
        self.scale = self.manifest.scale if scale is None else scale
        if self.scale not in self.manifest.scales:
            held = ", ".join(f"×{factor}" for factor in self.manifest.scales)
            raise InputError(
                f"data set {self.manifest.name} has {held}, not ×{scale}",
                hint=f"prepare it again with --scale {scale}, or choose another data set",
            )
        self._tensors: dict[tuple[str, str], Tensor] = {}
        wanted: dict[str, list[ManifestEntry]] = {}
        for entry in self.manifest.images:
            wanted.setdefault(entry.shard, []).append(entry)
        for shard, entries in wanted.items():
            self._map(folder / shard, entries)

    def _map(self, path: Path, entries: list[ManifestEntry]) -> None:
        known = self.manifest.checksums.get(path.name)
        if not path.is_file():
            raise self._damaged(path, "no such file")
        try:
            if known is not None and (size := path.stat().st_size) != known.size:
                raise self._damaged(path, f"{size:,} bytes instead of {known.size:,}")
            with safe_open(path, framework="pt") as shard:
                # safetensors hands out views of the mapped file: no pixel is read here.
                for key in (key for entry in entries for key in self._keys(entry)):
                    self._tensors[path.name, key] = shard.get_tensor(key)
        except (OSError, SafetensorError) as error:
            raise self._damaged(path, str(error)) from error
        for entry in entries:
            self._require_pair(path, entry)

    def _require_pair(self, path: Path, entry: ManifestEntry) -> None:
        lr, hr = self.pair(entry)
        width, height = entry.width, entry.height
        for side, factor in ((lr, self.scale), (hr, 1)):
            if side.dtype != torch.uint8 or side.shape != (height // factor, width // factor, 3):
                raise self._damaged(path, f"not the pixels of {entry.source}")

    def _damaged(self, path: Path, problem: str) -> InputError:
        return InputError(f"{path}: damaged shard ({problem})", hint=self.manifest.repair)

    def _keys(self, entry: ManifestEntry) -> tuple[str, str]:
        return f"lr-x{self.scale}/{entry.index}", f"hr/{entry.index}"

    def entries(self, split: Split) -> list[ManifestEntry]:
        """Return the images of one split in their order.

        Raises:
            InputError: There are none.
        """
        found = [entry for entry in self.manifest.images if entry.split == split]
        if not found:
            raise InputError(
                f"{self.folder / MANIFEST}: no {split} images",
                hint="prepare the set again: srgan prepare FOLDER --overwrite",
            )
        return found

    def pair(self, entry: ManifestEntry) -> tuple[Tensor, Tensor]:
        """Return an image's LR and HR pixels: uint8, H, W, 3, views of the mapped file."""
        lr, hr = (self._tensors[entry.shard, key] for key in self._keys(entry))
        return lr, hr
