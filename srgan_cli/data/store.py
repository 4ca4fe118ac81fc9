"""A prepared data set, opened for reading.

Shards are memory-mapped, so opening a set reads no pixels and a crop reads only
the pages that it touches.
"""

from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from srgan_cli.data.manifest import Entry, Manifest, Split, shard_name
from srgan_cli.errors import InputError


class Store:
    """A prepared data set, opened for reading.

    Args:
        folder: The data set's folder.

    Raises:
        InputError: The folder holds no data set, or a shard is missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = Manifest.read(folder)
        self._tensors: dict[str, Tensor] = {}
        for number in sorted({entry.shard for entry in self.manifest.pictures}):
            self._map(folder / shard_name(number))
        for entry in self.manifest.pictures:
            self._require_pair(entry)

    def _map(self, path: Path) -> None:
        try:
            with safe_open(path, framework="pt") as shard:
                # safetensors hands out views of the mapped file: no pixel is read here.
                self._tensors |= {key: shard.get_tensor(key) for key in shard.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise InputError(
                f"{path}: damaged shard ({error})", hint="prepare the data set again"
            ) from error

    def _require_pair(self, entry: Entry) -> None:
        for side, factor in (("hr", 1), ("lr", self.manifest.scale)):
            tensor = self._tensors.get(f"{side}/{entry.index}")
            shape = () if tensor is None else tensor.shape
            if [factor * n for n in shape[:2]] != [entry.height, entry.width]:
                path = self.folder / shard_name(entry.shard)
                raise InputError(
                    f"{path}: damaged shard (no {side} pixels of {entry.source})",
                    hint="prepare the data set again",
                )

    def entries(self, split: Split) -> list[Entry]:
        """Return the pictures of one split in their order."""
        return [entry for entry in self.manifest.pictures if entry.split == split]

    def pair(self, entry: Entry) -> tuple[Tensor, Tensor]:
        """Return a picture's LR and HR pixels: uint8, H, W, 3, views of the mapped file."""
        return self._tensors[f"lr/{entry.index}"], self._tensors[f"hr/{entry.index}"]
