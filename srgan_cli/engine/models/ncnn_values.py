"""The numbers of ncnn's layers and their options, as its two files hold them."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from srgan_cli.engine.models.layer_files import UnknownLayerError

_MOST_NUMBERS = 1 << 30
_FP16, _FP32 = 0x01306B47, 0x0002C056
_OPTION = re.compile(r"-?\d{1,9}=\S*")


class Numbers:
    """The numbers of all layers, of which each is read once, in their order."""

    def __init__(self, path: Path) -> None:
        self._name, self._size, self._at = path.name, path.stat().st_size, 0
        self._bytes = np.memmap(path, np.uint8, "r") if self._size else np.empty(0, np.uint8)

    def plain(self, *shape: int) -> Tensor:
        """Read fp32 numbers."""
        return self._read("<f4", shape)

    def tagged(self, *shape: int) -> Tensor:
        """Read numbers behind a tag, which says of what type they are."""
        tag = int(self._taken(4).view("<u4")[0])
        if tag in {0, _FP32}:
            return self._read("<f4", shape)
        if tag == _FP16:
            return self._read("<f2", shape)
        raise UnknownLayerError("its numbers are quantised, which is not supported")

    def _read(self, kind: str, shape: Sequence[int]) -> Tensor:
        count = 1
        for side in shape:
            count *= side
            if side < 1 or count > _MOST_NUMBERS:
                raise ValueError("a layer of impossible size")
        taken = self._taken(count * int(kind[2]))
        self._at += -self._at % 4
        return torch.from_numpy(taken.view(kind).astype(np.float32).reshape(shape))

    def _taken(self, count: int) -> Any:
        if self._at + count > self._size:
            raise ValueError(f"{self._name} has only {self._size:,} bytes")
        taken = self._bytes[self._at : self._at + count]
        self._at += count
        return taken

    def finish(self) -> None:
        """Refuse numbers that no layer has read."""
        if self._at != self._size:
            raise ValueError(f"{self._name} has {self._size:,} bytes instead of {self._at:,}")


class Options:
    """The options of a layer, by their numbers."""

    def __init__(self, items: Sequence[str]) -> None:
        self._items: dict[int, str] = {}
        for item in items:
            if not _OPTION.fullmatch(item):
                raise ValueError(f"no option of a layer: {item[:40]}")
            key, _, value = item.partition("=")
            self._items[int(key)] = value

    def whole(self, key: int, default: int = 0) -> int:
        """Return a whole number."""
        return int(self._items.get(key, default))

    def number(self, key: int, default: float = 0.0) -> float:
        """Return a number."""
        return float(self._items.get(key, default))

    def list(self, key: int) -> list[float]:
        """Return a list: its key is -23300 less its number, its first value its length."""
        count, *values = self._items.get(-23300 - key, "0").split(",")
        if int(count) != len(values):
            raise ValueError("a list of another length than it says")
        return [float(value) for value in values]

    def refuse(self, **keys: int) -> None:
        """Refuse options that are not supported, by what they are called."""
        for name, key in keys.items():
            if self.number(key):
                raise UnknownLayerError(f"the option {name} of a layer is not supported")

    def pair(self, horizontal: int, vertical: int, default: int) -> tuple[int, int]:
        """Return height and width of what is square if only its width is told."""
        width = self.whole(horizontal, default)
        return self.whole(vertical, width), width

    def sides(self) -> tuple[int, int, int, int]:
        """Return the padding to the left, the right, above and below."""
        left = self.whole(4)
        top = self.whole(14, left)
        sides = (left, self.whole(15, left), top, self.whole(16, top))
        if not all(0 <= side <= 64 for side in sides):
            raise UnknownLayerError("a padding that depends on the size is not supported")
        return sides
