"""What the values in XMP become that describe the image itself: sizes, orientation, regions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

TIFF = "http://ns.adobe.com/tiff/1.0/"
EXIF = "http://ns.adobe.com/exif/1.0/"
PANORAMA = "http://ns.google.com/photos/1.0/panorama/"

_WIDTHS = {(TIFF, "ImageWidth"), (EXIF, "PixelXDimension")}
_HEIGHTS = {(TIFF, "ImageLength"), (EXIF, "PixelYDimension")}
_ACROSS = {
    "FullPanoWidthPixels",
    "CroppedAreaImageWidthPixels",
    "CroppedAreaLeftPixels",
    "LargestValidInteriorRectLeft",
    "LargestValidInteriorRectWidth",
}
_DOWN = {
    "FullPanoHeightPixels",
    "CroppedAreaImageHeightPixels",
    "CroppedAreaTopPixels",
    "LargestValidInteriorRectTop",
    "LargestValidInteriorRectHeight",
}

_TURNED: Mapping[int, Callable[[float, float], tuple[float, float]]] = {
    2: lambda x, y: (1 - x, y),
    3: lambda x, y: (1 - x, 1 - y),
    4: lambda x, y: (x, 1 - y),
    5: lambda x, y: (y, x),
    6: lambda x, y: (1 - y, x),
    7: lambda x, y: (1 - y, 1 - x),
    8: lambda x, y: (y, 1 - x),
}

Name = tuple[str, str]
"""Namespace and local name."""


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of an image."""

    old: tuple[int, int]
    """Width and height of the source, upright."""
    new: tuple[int, int]
    """Width and height of the result."""
    turned: int = 1
    """EXIF orientation that has been applied."""


def corrected(name: Name, text: str, change: Change) -> str | None:
    """Return what a value becomes, or None where it stays."""
    namespace, local = name
    if name == (TIFF, "Orientation"):
        return "1"
    if name in _WIDTHS:
        return str(change.new[0])
    if name in _HEIGHTS:
        return str(change.new[1])
    if namespace != PANORAMA or local not in _ACROSS | _DOWN:
        return None
    axis = 0 if local in _ACROSS else 1
    return _multiplied(text, change.new[axis] / change.old[axis])


def _multiplied(text: str, factor: float) -> str | None:
    try:
        return str(round(float(text) * factor))
    except (ValueError, OverflowError):
        return None


def turned_area(values: Mapping[str, str], orientation: int) -> dict[str, str]:
    """Return the values of a region that change when its image is turned.

    Args:
        values: ``x`` and ``y`` of its centre, and its sides ``w`` and ``h``, as shares of the
            image's sides; any may be missing or no number.
        orientation: EXIF orientation that has been applied, 1 to 8.
    """
    if orientation not in _TURNED:
        return {}
    try:
        x, y = (float(values[key]) for key in ("x", "y"))
    except (KeyError, ValueError):
        return {}
    new = dict(zip(("x", "y"), (f"{v:.6g}" for v in _TURNED[orientation](x, y)), strict=True))
    if orientation >= 5 and {"w", "h"} <= set(values):
        new |= {"w": values["h"], "h": values["w"]}
    return new
