"""The page about a training run: curves, verdicts and image sheets in one file."""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

from PIL import Image

from srgan_cli.report.page import page

_WIDTH, _HEIGHT = 400, 140
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 10, 10, 22
_MOST_POINTS = 300
_MOST_SHEETS = 12
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_NOT_TERMS = {"step", "learning_rate", "skipped", "rollbacks", "held"}


@dataclass(frozen=True, slots=True)
class Chart:
    """One set of axes, in the coordinates of its image."""

    title: str
    lines: list[tuple[str, str]]
    """Name and points of each line."""
    marks: list[float]
    """Where the next phase begins."""
    ticks: list[tuple[float, str]]
    """Height and label of the horizontal lines."""
    last: str
    """Label of the right end."""
    width: int = _WIDTH
    height: int = _HEIGHT
    left: int = _LEFT
    right: int = _WIDTH - _RIGHT
    bottom: int = _HEIGHT - _BOTTOM
    top: int = _TOP


def training_page(
    name: str,
    config: Mapping[str, Any],
    records: Sequence[Mapping[str, Any]],
    sheets: Sequence[Path],
    *,
    steps: int | None = None,
) -> str:
    """Render a run as one HTML file that opens from disk and asks nothing of a network.

    There is no script in it; the content security policy allows its own style and images
    inside the file, and nothing else.

    Args:
        name: Of the run.
        config: Its options.
        records: The lines of ``metrics.jsonl``.
        sheets: Image sheets in their order; at most 12 are shown, evenly chosen.
        steps: The whole length of the run, where it is known.

    Returns:
        The page.
    """
    scored = [record for record in records if "validation_psnr" in record]
    return page(
        "training.html",
        title=f"{name} - srgan train",
        styles=["page.css", "training.css"],
        name=name,
        config=_flat(config),
        scored=scored,
        last=scored[-1] if scored else None,
        done=max((record["step"] for record in records), default=0),
        steps=steps,
        skipped=max((record.get("skipped", 0) for record in records), default=0),
        rollbacks=[record for record in records if "rolled_back_from" in record],
        charts=_charts(records, scored),
        sheets=[(path.stem, _embedded(path)) for path in _evenly(sheets)],
    )


def _charts(
    records: Sequence[Mapping[str, Any]], scored: Sequence[Mapping[str, Any]]
) -> list[Chart]:
    end = max((record["step"] for record in records), default=0)
    starts = [
        record["step"]
        for before, record in pairwise(records)
        if "phase" in before and "phase" in record and before["phase"] != record["phase"]
    ]
    charts = [
        _chart(title, {label: _series(scored, key) for label, key in lines.items()}, starts, end)
        for title, lines in (
            ("PSNR on Y, dB", {"this run": "validation_psnr", "bicubic": "bicubic_psnr"}),
            ("SSIM on Y", {"this run": "validation_ssim", "bicubic": "bicubic_ssim"}),
            ("detail, share of real images", {"this run": "detail", "bicubic": "bicubic_detail"}),
        )
    ]
    losses = [record for record in records if "learning_rate" in record]
    terms = dict.fromkeys(key for record in losses for key in record)
    for term in [*(t for t in terms if t not in _NOT_TERMS and t != "phase"), "learning_rate"]:
        line = {"this run": _series(losses, term)}
        charts.append(_chart(term.replace("_", " "), line, starts, end))
    return [chart for chart in charts if chart.lines]


def _series(records: Sequence[Mapping[str, Any]], key: str) -> list[tuple[float, float]]:
    """Return steps and values, neighbours put together where there are too many to see."""
    points = [(record["step"], record[key]) for record in records if record.get(key) is not None]
    size = -(-len(points) // _MOST_POINTS) or 1
    groups = [points[i : i + size] for i in range(0, len(points), size)]
    return [(group[-1][0], fmean(value for _, value in group)) for group in groups]


def _chart(
    title: str, lines: Mapping[str, list[tuple[float, float]]], starts: list[int], end: int
) -> Chart:
    values = [value for points in lines.values() for _, value in points]
    low, high = min(values, default=0.0), max(values, default=1.0)
    if high == low:
        low, high = low - 0.5, high + 0.5

    def x(step: float) -> float:
        return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * step / max(1, end), 1)

    def y(value: float) -> float:
        share = (value - low) / (high - low)
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)

    power, digits = _notation(low, high)
    return Chart(
        f"{title}, × 10{str(power).translate(_RAISED)}" if power else title,
        [
            (name, " ".join(f"{x(step)},{y(value)}" for step, value in points))
            for name, points in lines.items()
            if points
        ],
        [x(start) for start in starts],
        [
            (y(value), f"{round(value / 10**power, digits) + 0.0:.{digits}f}")  # No "-0".
            for value in (low, (low + high) / 2, high)
        ],
        f"step {end:,}",
    )


def _notation(low: float, high: float) -> tuple[int, int]:
    """Return which power of ten to leave to the title, and how many decimals tell ticks apart.

    So that a label has at most six characters, which is what there is room for.
    """
    # Of three decimals, so that 9.9999 is the 10.000 that it would be printed as.
    size = math.floor(math.log10(float(f"{max(abs(low), abs(high)):.3e}")))
    power = 0 if -1 <= size <= 3 else size
    wanted = 2 - math.floor(math.log10(high - low)) + power
    return power, min(max(wanted, 0), 3 - max(0, size - power))


def _flat(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return options and values as rows; groups of options are spread out."""
    rows: list[tuple[str, str]] = []
    for key, value in config.items():
        if isinstance(value, Mapping):
            rows += [(f"{key}: {inner}", f"{one}") for inner, one in value.items()]
        elif value is not None:
            rows.append((key, f"{value}"))
    return [(key.replace("_", " "), value) for key, value in rows]


def _evenly(sheets: Sequence[Path]) -> list[Path]:
    """Choose at most 12, the first and the last among them, newest first."""
    if len(sheets) > _MOST_SHEETS:
        last = len(sheets) - 1
        chosen = {round(i * last / (_MOST_SHEETS - 1)) for i in range(_MOST_SHEETS)}
        sheets = [sheets[i] for i in sorted(chosen)]
    return list(reversed(sheets))


def _embedded(path: Path) -> str:
    buffer = io.BytesIO()
    with Image.open(path) as sheet:
        sheet.convert("RGB").save(buffer, "WEBP", quality=85)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
