"""ICC profiles: recognise their colour space, and make small ones for other colour codings."""

import struct
from collections.abc import Callable
from functools import cache

import numpy as np

from srgan_cli.imaging.containers.blocks import Coding
from srgan_cli.imaging.types import Float64Array

_D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_D65, _C, _DCI = (0.3127, 0.3290), (0.310, 0.316), (0.314, 0.351)
_BT709 = (_D65, (0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
_SMPTE = (_D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070))
_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
_PRIMARIES = {
    1: _BT709,
    4: (_C, (0.67, 0.33), (0.21, 0.71), (0.14, 0.08)),
    5: (_D65, (0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: _SMPTE,
    7: _SMPTE,
    8: (_C, (0.681, 0.319), (0.243, 0.692), (0.145, 0.049)),
    9: (_D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: (_DCI, *_P3),
    12: (_D65, *_P3),
    22: (_D65, (0.630, 0.340), (0.295, 0.605), (0.155, 0.077)),
}
"""White, red, green and blue in CIE x and y, by H.273's colour primaries."""
_UNSPECIFIED = 2
_VIDEO = (1, 6, 14, 15)  # Shown as sRGB, which they differ little from, by all browsers.
_SRGB, _PQ, _HLG = 13, 16, 18
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
_TABLE = 1024
_ADOBE_PRIMARIES = (_D65, (0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
_SPACES = {b"RGB ": "RGB", b"GRAY": "GRAY", b"CMYK": "CMYK", b"Lab ": "LAB"}

Chromaticities = tuple[tuple[float, float], ...]
Curve = float | Callable[[Float64Array], Float64Array]


def space_of(icc: bytes) -> str:
    """Return the space that a profile describes: RGB, GRAY, CMYK, LAB; empty if it is damaged."""
    if len(icc) < 132 or icc[36:40] != b"acsp":
        return ""
    return _SPACES.get(icc[16:20], "other")


def has_tables(icc: bytes) -> bool:
    """Say whether a profile has more than a matrix and curves."""
    count = int.from_bytes(icc[128:132], "big")
    table = icc[132 : 132 + 12 * min(count, 1000)]
    return any(table[place : place + 4] in (b"A2B0", b"B2A0") for place in range(0, len(table), 12))


def is_srgb(coding: Coding) -> bool:
    """Say whether colours are what a viewer takes them for when nothing is said."""
    if coding.cicp is not None:
        primaries, transfer = coding.cicp[:2]
        usual = transfer in (_UNSPECIFIED, _SRGB, *_VIDEO)
        return primaries in (1, _UNSPECIFIED) and usual
    if coding.srgb is not None:
        return True
    chroma = coding.chroma
    is_usual = chroma is None or all(
        abs(value / 1e5 - wanted) < 0.002
        for value, wanted in zip(chroma, sum(_BT709, ()), strict=True)
    )
    return is_usual and (coding.gamma is None or abs(coding.gamma - 45455) < 1000)


def is_hdr(coding: Coding) -> bool:
    """Say whether levels stand for more light than a profile can say."""
    return coding.cicp is not None and coding.cicp[1] in (_PQ, _HLG)


def of_coding(coding: Coding, *, grey: bool) -> bytes | None:
    """Return a profile for colours that are coded otherwise; None where none can say it."""
    found = _chromaticities_and_curve(coding)
    if found is None:
        return None
    chromaticities, curve = found
    try:
        return _profile(chromaticities, curve, "coded colours", grey=grey)
    except (ValueError, np.linalg.LinAlgError, FloatingPointError, struct.error):
        return None


def _chromaticities_and_curve(coding: Coding) -> tuple[Chromaticities, Curve] | None:
    if coding.cicp is not None:
        primaries, transfer = coding.cicp[:2]
        chromaticities: Chromaticities | None = _PRIMARIES.get(primaries)
        if primaries == _UNSPECIFIED:
            chromaticities = _BT709
        if chromaticities is None:
            return None
        if transfer in (_UNSPECIFIED, _SRGB, *_VIDEO):
            return chromaticities, _srgb_curve
        return (chromaticities, _GAMMAS[transfer]) if transfer in _GAMMAS else None
    chromaticities = _BT709
    if coding.chroma is not None:
        values = [value / 1e5 for value in coding.chroma]
        chromaticities = tuple(zip(values[::2], values[1::2], strict=True))
    if coding.gamma == 0:
        return None
    curve: Curve = _srgb_curve if coding.gamma is None else 1e5 / coding.gamma
    return chromaticities, curve


@cache
def adobe_rgb() -> bytes:
    """Return a profile of Adobe RGB (1998)."""
    return _profile(_ADOBE_PRIMARIES, 563 / 256, "compatible with Adobe RGB (1998)", grey=False)


def _srgb_curve(level: Float64Array) -> Float64Array:
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)


def _profile(chromaticities: Chromaticities, curve: Curve, name: str, *, grey: bool) -> bytes:
    """Build a profile of a matrix and a curve (ICC.1:2001-04, 6.3.1.2 and 6.3.1.1)."""
    curved = _curve(curve)
    text = name.encode() + b"\0"
    described = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78)
    tags = {b"desc": described, b"cprt": b"text\0\0\0\0none\0", b"wtpt": _xyz(_D50)}
    if grey:
        tags[b"kTRC"] = curved
    else:
        columns = _adapted(chromaticities).T
        for letter, column in zip((b"r", b"g", b"b"), columns, strict=True):
            tags[letter + b"XYZ"] = _xyz(tuple(column))
            tags[letter + b"TRC"] = curved
    start = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for tag, data in tags.items():
        table += tag + struct.pack(">II", start + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    space = b"GRAY" if grey else b"RGB "
    header = struct.pack(">I4sI", start + len(body), bytes(4), 0x02400000) + b"mntr" + space
    header += b"XYZ " + struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    header += struct.pack(">3i", *(round(value * 65536) for value in _D50))
    return header.ljust(128, b"\0") + table + body


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def _curve(curve: Curve) -> bytes:
    if isinstance(curve, float):
        return b"curv\0\0\0\0" + struct.pack(">IH2x", 1, round(curve * 256))
    levels = np.round(65535 * curve(np.linspace(0, 1, _TABLE))).astype(">u2")
    return b"curv\0\0\0\0" + struct.pack(">I", _TABLE) + levels.tobytes()


def _adapted(chromaticities: Chromaticities) -> Float64Array:
    """Return the matrix from linear RGB to XYZ, adapted to D50."""
    white, *primaries = (_to_xyz(*xy) for xy in chromaticities)
    columns = np.stack(primaries, axis=1)
    matrix = columns * np.linalg.solve(columns, white)
    gains = (_BRADFORD @ np.array(_D50)) / (_BRADFORD @ white)
    adaptation = np.linalg.inv(_BRADFORD) @ np.diag(gains) @ _BRADFORD
    adapted: Float64Array = adaptation @ matrix
    if not np.isfinite(adapted).all() or np.abs(adapted).max() > 100:
        raise ValueError("primaries that make no space")
    return adapted


def _to_xyz(x: float, y: float) -> Float64Array:
    if y <= 0:
        raise ValueError("a chromaticity without luminance")
    return np.array([x / y, 1.0, (1 - x - y) / y])
