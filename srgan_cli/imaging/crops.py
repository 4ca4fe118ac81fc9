"""Find the crops of an image where upscaling gains most and least, and encode them small."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from srgan_cli.imaging.levels import to_levels
from srgan_cli.imaging.types import Float64Array, Levels


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of an image, in HR pixels; all four numbers divide by the scale."""

    x: int
    y: int
    width: int
    height: int

    def of(self, image: Levels, scale: int = 1) -> Levels:
        """Cut the window out of an image that is ``scale`` times smaller per side than HR."""
        x, y, width, height = (n // scale for n in (self.x, self.y, self.width, self.height))
        return image[y : y + height, x : x + width]


def extreme_windows(gain: Float64Array, side: int, scale: int) -> tuple[Window, Window]:
    """Find where an image gains most and where it gains least.

    Args:
        gain: H, W; how much smaller a pixel's squared error has become. Both sides
            divide by ``scale``.
        side: Longest side of a window, in HR pixels.
        scale: Corners and sides are multiples of it, so that LR has the same window.

    Returns:
        The windows with the largest and with the smallest mean; the same one twice when
        the image is no larger than a window.
    """
    height, width = (min(length, side // scale * scale) for length in gain.shape)
    total = np.zeros((gain.shape[0] + 1, gain.shape[1] + 1))
    total[1:, 1:] = gain.cumsum(axis=0).cumsum(axis=1)
    sums = (
        total[height:, width:]
        - total[:-height, width:]
        - total[height:, :-width]
        + total[:-height, :-width]
    )[::scale, ::scale]
    most, least = (np.unravel_index(i, sums.shape) for i in (sums.argmax(), sums.argmin()))
    return (
        Window(int(most[1]) * scale, int(most[0]) * scale, width, height),
        Window(int(least[1]) * scale, int(least[0]) * scale, width, height),
    )


def encode_webp(image: Levels, quality: int | None) -> bytes:
    """Encode an image as WebP, without loss when ``quality`` is None."""
    buffer = io.BytesIO()
    options = {"lossless": True} if quality is None else {"quality": quality}
    # Pillow's encoder takes RGB only where the image is to stay small and portable.
    Image.fromarray(to_levels(image)).convert("RGB").save(buffer, "WEBP", method=4, **options)
    return buffer.getvalue()
