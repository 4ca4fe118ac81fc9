"""Choose and encode the crops that the HTML report shows, within a limit of bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from srgan_cli.engine.evaluation.contenders import BASELINES, Contender
from srgan_cli.engine.evaluation.sets import EvaluationImage
from srgan_cli.imaging.crops import Window, encode_webp, extreme_windows
from srgan_cli.imaging.metrics import luma_unrounded
from srgan_cli.imaging.types import Levels

_RUNGS: Sequence[tuple[int, int | None]] = (
    (384, None), (256, None), (320, 92), (256, 90), (192, 88), (128, 85), (96, 80), (64, 70)
)  # fmt: skip
"""Longest side in HR pixels and WebP quality, from the best on."""
_PAGE_BYTES = 120_000
_ROW_BYTES = 800
_BASE64 = 4 / 3


@dataclass(frozen=True, slots=True)
class Crop:
    """One part of one image, as every contender shows it."""

    kind: str
    """Why it is shown, in words."""
    x: int
    y: int
    width: int
    height: int
    """In HR pixels."""
    quality: int | None
    """Of the WebP encoding; None: without loss."""
    layers: Mapping[str, bytes]
    """WebP files by contender, besides ``LR``, which is ``scale`` times smaller, and ``HR``."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """The crops of one image."""

    set: str
    name: str
    crops: tuple[Crop, ...]
    """Empty where the size allowed for the page leaves no room."""


def allowance(report_mb: float, num_images: int) -> int:
    """Return how many bytes of WebP each image may take, so that the page keeps its limit."""
    room = report_mb * 1e6 - _PAGE_BYTES - _ROW_BYTES * num_images
    return max(0, int(room / _BASE64 / num_images))


def make_crops(
    image: EvaluationImage,
    results: Mapping[str, Levels],
    contenders: Sequence[Contender],
    scale: int,
    most_bytes: int,
) -> tuple[Crop, ...]:
    """Cut out where an image gains most over bicubic and where it gains least.

    The gain is that of the first model or folder, in squared error of Y.

    Args:
        image: The image's LR and HR.
        results: What each contender made of it, of HR's shape.
        contenders: Their order; of the baselines, only bicubic is shown.
        scale: Factor per side.
        most_bytes: The crops are made smaller, then coarser, until they fit.

    Returns:
        Two crops, one when the whole image is shown, none when nothing fits.
    """
    tested = [contender.name for contender in contenders if contender.kind != "baseline"]
    lead, baseline = (tested or BASELINES[1:])[0], BASELINES[0]
    truth = luma_unrounded(image.hr)
    gain = (luma_unrounded(results[baseline]) - truth) ** 2
    gain -= (luma_unrounded(results[lead]) - truth) ** 2
    layers = {baseline: results[baseline], **{name: results[name] for name in tested}}
    layers["HR"] = image.hr
    for side, quality in _RUNGS:
        most, least = extreme_windows(gain, side, scale)
        windows = {"largest gain": most, "smallest gain": least}
        if most == least:
            windows = {"whole image": most}
        pixels = sum(w.width * w.height for w in windows.values()) * len(layers)
        if quality is None and pixels > most_bytes:
            continue  # A photograph takes more than a byte a pixel without loss.
        crops = tuple(
            _crop(kind, window, image, layers, scale, quality) for kind, window in windows.items()
        )
        if sum(len(layer) for crop in crops for layer in crop.layers.values()) <= most_bytes:
            return crops
    return ()


def _crop(
    kind: str,
    window: Window,
    image: EvaluationImage,
    layers: Mapping[str, Levels],
    scale: int,
    quality: int | None,
) -> Crop:
    encoded = {name: encode_webp(window.of(image), quality) for name, image in layers.items()}
    # LR is small, and nearest-neighbour upscaling shows every one of its pixels.
    encoded["LR"] = encode_webp(window.of(image.lr, scale), None)
    return Crop(kind, window.x, window.y, window.width, window.height, quality, encoded)
