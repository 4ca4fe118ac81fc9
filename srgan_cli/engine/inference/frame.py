"""Upscale one decoded frame: colour and alpha, and any size by repeated passes and a resize."""

from collections.abc import Iterator

import numpy as np

from srgan_cli.engine.inference.bars import Share
from srgan_cli.engine.inference.sizes import num_passes
from srgan_cli.engine.inference.upscaler import Upscaler
from srgan_cli.imaging.alpha import bleed, within_neighbours
from srgan_cli.imaging.canvas import Canvas
from srgan_cli.imaging.frames import Frame
from srgan_cli.imaging.types import ImageArray
from srgan_cli.observer import Bar


def upscale_frame(upscaler: Upscaler, frame: Frame, target: tuple[int, int], bar: Bar) -> Canvas:
    """Upscale one frame to a size: by the model, as often as needed, then by a resize.

    Args:
        upscaler: The model.
        frame: The image, 8 or 16 bits.
        target: Width and height of the result.
        bar: Advanced by the frame's megapixels in total.

    Returns:
        The result, of the frame's depth, with alpha if it has some.
    """
    scale = upscaler.model.scale
    passes = num_passes((frame.width, frame.height), target, scale)
    if frame.alpha is not None:
        frame = Frame(bleed(frame.pixels, frame.alpha), frame.alpha)
    layers = 2 if _alpha_varies(frame) else 1
    work = layers * sum(scale ** (2 * step) for step in range(passes))
    share = Share(bar, 1 / max(work, 1))
    for _ in range(passes - 1):
        frame = _whole(upscaler, frame, share)
    grown = scale if passes else 1
    channels = (1 if frame.grey else 3) + (frame.alpha is not None)
    canvas = Canvas(frame.width * grown, frame.height * grown, channels=channels, deep=frame.deep)
    top = 0
    for band in _bands(upscaler, frame, share) if passes else [_joined(frame.pixels, frame.alpha)]:
        canvas.paste(band, top)
        top += band.shape[0]
    if not passes:
        bar.advance(frame.width * frame.height / 1e6)
    return canvas.resized(*target)


def _whole(upscaler: Upscaler, frame: Frame, bar: Bar) -> Frame:
    """Apply the model once and return a frame for the next time."""
    joined = np.concatenate(list(_bands(upscaler, frame, bar)))
    if frame.alpha is None:
        return Frame(joined)
    colour = joined[..., 0] if frame.grey else joined[..., :-1]
    return Frame(np.ascontiguousarray(colour), np.ascontiguousarray(joined[..., -1]))


def _bands(upscaler: Upscaler, frame: Frame, bar: Bar) -> Iterator[ImageArray]:
    """Yield rows of the upscaled colour, joined with those of the upscaled alpha."""
    colour = upscaler.bands(frame.pixels, bar)
    if frame.alpha is None:
        yield from colour
        return
    alpha = _alpha_bands(upscaler, frame.alpha, bar) if _alpha_varies(frame) else None
    for band in colour:
        if alpha is None:
            yield _joined(band, np.full(band.shape[:2], frame.alpha[0, 0], band.dtype))
        else:
            yield _joined(band, next(alpha))


def _alpha_bands(upscaler: Upscaler, alpha: ImageArray, bar: Bar) -> Iterator[ImageArray]:
    top = 0
    for band in upscaler.bands(alpha, bar):
        yield within_neighbours(band, alpha, top=top, scale=upscaler.model.scale)
        top += band.shape[0]


def _alpha_varies(frame: Frame) -> bool:
    return frame.alpha is not None and bool((frame.alpha != frame.alpha[0, 0]).any())


def _joined(colour: ImageArray, alpha: ImageArray | None) -> ImageArray:
    return colour if alpha is None else np.dstack([colour, alpha])
