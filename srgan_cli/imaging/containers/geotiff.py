"""GeoTIFF's tags, which tie pixels to the ground (OGC 19-008r4)."""

import struct
from collections.abc import Sequence
from dataclasses import replace

from srgan_cli.imaging.containers.directories import Entry

_PIXEL_SCALE, _TIE_POINTS, _TRANSFORMATION, _KEYS = 33550, 33922, 34264, 34735
_RASTER_TYPE, _PIXEL_IS_POINT = 1025, 2
_DOUBLE = 12


def scaled(entries: Sequence[Entry], order: str, factors: tuple[float, float]) -> list[Entry]:
    """Return the tags as they hold for more and smaller pixels on the same ground.

    Args:
        entries: Of the source.
        order: Their byte order.
        factors: How many times as many columns and rows there are.
    """
    # Where a pixel is a point, coordinates count from its centre.
    centre = 0.5 if _is_point(entries, order) else 0.0
    return [_scaled(entry, order, factors, centre) for entry in entries]


def _is_point(entries: Sequence[Entry], order: str) -> bool:
    for entry in entries:
        if entry.tag == _KEYS and entry.kind == 3:
            keys = struct.unpack(f"{order}{entry.count}H", entry.data)
            for place in range(4, len(keys) - 3, 4):
                if keys[place] == _RASTER_TYPE:
                    return bool(keys[place + 3] == _PIXEL_IS_POINT)
    return False


def _scaled(entry: Entry, order: str, factors: tuple[float, float], centre: float) -> Entry:
    if entry.kind != _DOUBLE or entry.tag not in (_PIXEL_SCALE, _TIE_POINTS, _TRANSFORMATION):
        return entry
    across, down = factors
    values = list(struct.unpack(f"{order}{entry.count}d", entry.data))
    if entry.tag == _PIXEL_SCALE and len(values) >= 2:
        values[0] /= across
        values[1] /= down
    elif entry.tag == _TIE_POINTS:
        for place in range(0, len(values) - 5, 6):
            values[place] = (values[place] + centre) * across - centre
            values[place + 1] = (values[place + 1] + centre) * down - centre
    elif entry.tag == _TRANSFORMATION and len(values) == 16:
        for row in range(0, 12, 4):
            a, b = values[row], values[row + 1]
            values[row], values[row + 1] = a / across, b / down
            shift = a * (centre / across - centre) + b * (centre / down - centre)
            values[row + 3] += shift
    return replace(entry, data=struct.pack(f"{order}{entry.count}d", *values))
