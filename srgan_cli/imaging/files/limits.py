"""Limit the pixels that Pillow decodes, for the current thread only."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image


class _Current(threading.local):
    pixels: float = float("inf")


_current = _Current()


class _ThreadLimit(int):
    """A number that is compared as the limit of the thread that asks.

    Pillow has one limit for the whole process and compares sizes with once and twice of it.
    """

    def __rmul__(self, other: object) -> float:  # type: ignore[override]
        return _current.pixels

    def __lt__(self, other: object) -> bool:
        return isinstance(other, int) and _current.pixels < other


Image.MAX_IMAGE_PIXELS = _ThreadLimit(1)


@contextmanager
def pixels_within(max_pixels: float) -> Iterator[None]:
    """Refuse larger images in this thread, and images inside images, which no header tells of."""
    before, _current.pixels = _current.pixels, max_pixels
    try:
        yield
    finally:
        _current.pixels = before
