"""The tables and crops that ``srgan eval`` shows in a terminal."""

import math
import os
import sys
from collections.abc import Mapping
from typing import Any

from srgan_cli import engine
from srgan_cli.cli.progress import RichObserver
from srgan_cli.cli.render import say, show_table


def show_evaluation(report: "engine.EvalReport") -> None:
    """Print a table for each set, the comparisons of models, and the protocol."""
    gain = {metric.name: metric for metric in report.metrics}["psnr"]
    columns = {
        "": "left",
        **{metric.label: "right" for metric in report.metrics},
        "gain over bicubic (95 %)": "right",
        "verdict": "left",
    }
    for scored in report.sets:
        against_bicubic = {
            comparison.contender: comparison
            for comparison in report.comparisons
            if comparison.set == scored.name
            and comparison.metric == gain.name
            and comparison.against == "bicubic"
        }
        rows = [
            [
                contender.name,
                *(
                    f"{scored.means[contender.name][metric.name]:.{metric.digits}f}"
                    for metric in report.metrics
                ),
                *_gain(against_bicubic.get(contender.name)),
            ]
            for contender in report.contenders
        ]
        title = f"{scored.name} ×{report.protocol.scale}, {_count(scored)}"
        show_table(title, columns, rows)
        for note in scored.notes:
            say(note)
    for comparison in report.comparisons:
        if comparison.against != "bicubic" and comparison.metric == gain.name:
            difference, verdict = _gain(comparison)
            say(
                f"{comparison.set}: {comparison.contender} against {comparison.against}: "
                f"{verdict}, {difference}"
            )
    say(f"protocol: {report.protocol_text}")


def show_crops(
    document: Mapping[str, Any], exhibits: list[Any], count: int, observer: RichObserver
) -> None:
    """Draw the crops of the images that gained least, then of those that gained most."""
    if not count:
        return
    from srgan_cli.cli.terminal_images import escape_sequence, side_by_side, supported

    protocol = supported(os.environ) if sys.stdout.isatty() else None
    if protocol is None:
        observer.say(
            "this terminal cannot show images (kitty, iTerm2 and sixel ones can); use --report"
        )
        return
    names = [contender["name"] for contender in document["contenders"]]
    lead = names[min(2, len(names) - 1)]
    figures = {
        (scored["name"], image["name"]): image["scores"]
        for scored in document["sets"]
        for image in scored["images"]
    }

    def gain(exhibit: Mapping[str, Any]) -> float:
        scores = figures[exhibit["set"], exhibit["name"]]
        return (scores[lead]["psnr"] or math.inf) - (scores["bicubic"]["psnr"] or math.inf)

    ranked = sorted((e for e in exhibits if e["crops"]), key=gain)
    most = ranked[len(ranked) - count // 2 :] if count // 2 else []
    for exhibit in list({id(e): e for e in (*ranked[: count - count // 2], *most)}.values()):
        crop = exhibit["crops"][0 if exhibit in most else -1]
        order = [n for n in ("LR", *names, "HR") if n in crop["layers"]]
        say(f"{exhibit['set']}, {exhibit['name']}, {crop['kind']}: {' | '.join(order)}")
        sheet = side_by_side(crop["layers"], order, crop["width"], crop["height"])
        print(escape_sequence(sheet, protocol))


def _count(scored: "engine.SetScores") -> str:
    skipped = f", {len(scored.failed)} skipped" if scored.failed else ""
    return f"{len(scored.images)} image{'s' * (len(scored.images) != 1)}{skipped}"


def _gain(comparison: "engine.Comparison | None") -> tuple[str, str]:
    if comparison is None:
        return "", ""
    difference = comparison.difference
    if not math.isfinite(difference.mean):
        return "", "equal to HR"
    if difference.low is None or difference.high is None:
        return f"{difference.mean:+.2f} dB", difference.verdict
    interval = f"({difference.low:+.2f} to {difference.high:+.2f})"
    return f"{difference.mean:+.2f} dB {interval}", difference.verdict
