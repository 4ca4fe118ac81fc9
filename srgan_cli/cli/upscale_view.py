"""The tables that ``srgan upscale`` prints."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from srgan_cli import __version__, engine
from srgan_cli.cli.render import say, show_table
from srgan_cli.config import UpscaleConfig


def show_upscaled(report: "engine.UpscaleReport", config: UpscaleConfig) -> None:
    """Print what was written, left alone and failed."""
    if not report.written and not report.failed:
        say(_nothing(report.unchanged))
        return
    checked = any(item.drift is not None for item in report.written)
    rows = [
        [
            str(item.output),
            f"{item.width}×{item.height}" + (f" ×{item.frames}" if item.frames > 1 else ""),
            f"{item.seconds:.1f} s",
            *([f"{item.drift:.1f} dB" if item.drift is not None else ""] * checked),
        ]
        for item in report.written
    ]
    rows += [[str(item.source), "failed", "", *[""] * checked] for item in report.failed]
    devices = " and ".join(sorted({item.device for item in report.written}))
    where = f", on {devices}" if devices and (devices, config.device) != ("cpu", "auto") else ""
    unchanged = f"{len(report.unchanged)} unchanged, " if report.unchanged else ""
    written = f"{len(report.written)} written"
    if replaced := sum(item.replaced for item in report.written):
        earlier = "an earlier result" if replaced == 1 else "earlier results"
        written += f" ({replaced} replaced {earlier})"
    counts = f"{written}, {unchanged}{len(report.failed)} failed in {_time(report.seconds)}{where}"
    show_table(
        f"×{config.scale or report.scale:g}: {counts}",
        {"image": "left", "size": "right", "time": "right"}
        | ({"drift": "right"} if checked else {}),
        rows,
    )


def _time(seconds: float) -> str:
    if seconds >= 100:
        return str(timedelta(seconds=round(seconds)))
    return f"{seconds:.{0 if seconds >= 10 else 1}f} s"


def show_verified(report: "engine.VerifyReport") -> None:
    """Print whether a result is what its model makes of its source."""
    label = report.label
    strength = f" at strength {label['Strength']}" if "Strength" in label else ""
    maker = f"{label['Model']}{strength}"
    if report.equal:
        say(f"equal: {report.result} is what {maker} makes of {report.source}")
        return
    by, now = label.get("Runtime", "?"), report.runtime
    if "Device" in label:
        by += f" on {label['Device']} in {label.get('Precision', 'fp32')}"
        now += f" on {report.device} in {report.precision}"
    by += f", srgan {label.get('Version', '?')}"
    now += f", srgan {__version__}"
    say(
        f"different: {report.result} is not what {maker} makes of {report.source}: "
        f"{report.difference} (made with {by}; here: {now})"
    )


def show_estimate(report: "engine.EstimateReport") -> None:
    """Print what would be written."""
    if not report.images and not report.failed:
        say(_nothing(report.unchanged))
        return
    rows = [
        [
            str(item.output),
            f"{item.width}×{item.height}" + (f" ×{item.frames}" if item.frames > 1 else ""),
            item.format,
            str(item.tiles),
            f"{item.memory / 1e9:.1f} GB",
            _duration(item.seconds),
        ]
        for item in report.images
    ]
    rows += [[str(item.source), "cannot be read", "", "", "", ""] for item in report.failed]
    total = _duration(sum(item.seconds for item in report.images))
    replaced = sum(item.replaces for item in report.images)
    count = len(report.images)
    counts = [f"{count} image{'s' * (count != 1)}, about {total}"]
    counts += [f"{replaced} would replace earlier results"] * bool(replaced)
    counts += [f"{len(report.unchanged)} up to date"] * bool(report.unchanged)
    show_table(
        f"×{report.scale}: {'; '.join(counts)}; nothing is written",
        {
            "image": "left",
            "size": "right",
            "format": "left",
            "tiles": "right",
            "memory": "right",
            "time": "right",
        },
        rows,
    )


def _nothing(unchanged: Sequence[Path]) -> str:
    count = len(unchanged)
    return f"nothing to do: {count} result{'s are' if count != 1 else ' is'} up to date"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
