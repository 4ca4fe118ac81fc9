"""The canvas that a result is written to, row by row, before it is encoded."""

import numpy as np
from PIL import Image

from srgan_cli.imaging.frames import shallow
from srgan_cli.imaging.types import ImageArray, Uint16Image

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


class Canvas:
    """An image that is filled from top to bottom.

    With 8 bits per channel it is Pillow's own image, so that a large result is
    in memory once and not a second time for its encoder; with 16 bits, of which
    Pillow has no colour, it is an array.

    Args:
        width: Columns.
        height: Rows.
        channels: 1 (grey), 2 (grey + alpha), 3 (RGB) or 4 (RGBA).
        deep: 16 bits per channel instead of 8.
    """

    def __init__(self, width: int, height: int, *, channels: int, deep: bool) -> None:
        self.width, self.height, self.channels = width, height, channels
        self._image: Image.Image | None = None
        self._array: Uint16Image | None = None
        if deep:
            self._array = np.empty((height, width, channels), np.uint16)
        else:
            self._image = Image.new(_MODES[channels], (width, height), None)

    @classmethod
    def of(cls, image: Image.Image) -> "Canvas":
        """Wrap an image of mode L, LA, RGB or RGBA."""
        canvas = cls(1, 1, channels=len(image.getbands()), deep=False)
        canvas.width, canvas.height = image.size
        canvas._image = image
        return canvas

    @property
    def deep(self) -> bool:
        """Whether there are 16 bits per channel."""
        return self._array is not None

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel is alpha."""
        return self.channels in {2, 4}

    @property
    def num_bytes(self) -> int:
        """Host memory that the pixels take; Pillow stores RGB and LA in four bytes."""
        bytes_per_pixel = 2 * self.channels if self.deep else (1 if self.channels == 1 else 4)
        return self.width * self.height * bytes_per_pixel

    def paste(self, band: ImageArray, top: int) -> None:
        """Fill the rows from ``top`` with H, W or H, W, C pixels as wide as the canvas."""
        if self._array is not None:
            self._array[top : top + band.shape[0]] = band.reshape(*band.shape[:2], self.channels)
        else:
            assert self._image is not None
            flat = band[..., 0] if band.ndim == 3 and self.channels == 1 else band
            self._image.paste(Image.fromarray(np.ascontiguousarray(flat)), (0, top))

    def image(self) -> Image.Image:
        """Return the image with 8 bits per channel; no copy unless it has 16."""
        if self._image is None:
            self._image, self._array = Image.fromarray(shallow(self.array())), None
        return self._image

    def array(self) -> Uint16Image:
        """Return H, W or H, W, C pixels with 16 bits per channel."""
        assert self._array is not None
        return self._array[..., 0] if self.channels == 1 else self._array

    def rows(self, start: int, stop: int) -> ImageArray:
        """Return a copy of some rows, H, W or H, W, C, at the canvas's own depth."""
        if self._image is None:
            return self.array()[start:stop].copy()
        return np.asarray(self._image.crop((0, start, self.width, stop)))

    def resized(
        self, width: int, height: int, filter_: Image.Resampling = Image.Resampling.LANCZOS
    ) -> "Canvas":
        """Resize, antialiased when shrinking.

        The channels are resized apart: colour has been continued under transparent
        parts, so it needs no premultiplying, which would lose it there.
        """
        if (width, height) == (self.width, self.height):
            return self
        if self._array is None:
            bands = [band.resize((width, height), filter_) for band in self.image().split()]
            merged = bands[0] if len(bands) == 1 else Image.merge(_MODES[self.channels], bands)
            return Canvas.of(merged)
        result = Canvas(width, height, channels=self.channels, deep=True)
        assert result._array is not None
        for channel in range(self.channels):
            plane = Image.fromarray(self._array[..., channel].astype(np.float32))
            values = np.asarray(plane.resize((width, height), filter_))
            result._array[..., channel] = np.clip(np.round(values), 0, 65535)
        return result
