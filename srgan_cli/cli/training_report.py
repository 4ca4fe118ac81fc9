"""Write ``report.html`` into the folder of a run at its end, also if it was stopped."""

import json
import tomllib
from pathlib import Path

from srgan_cli import engine
from srgan_cli.observer import TrainingStatus
from srgan_cli.paths import write_text


def write_report(status: TrainingStatus) -> Path:
    """Write the page about a run from what is in its folder.

    Args:
        status: Where the run stood last.

    Returns:
        The file.

    Raises:
        OSError: The disk is full.
    """
    from srgan_cli.report.training import training_page

    run = status.run
    lines = (run / engine.METRICS_FILE).read_text(encoding="utf-8").splitlines()
    page = training_page(
        run.name,
        tomllib.loads((run / engine.CONFIG_FILE).read_text(encoding="utf-8")),
        [json.loads(line) for line in lines],
        sorted((run / engine.SHEETS).glob("step-*.png")),
        steps=status.steps,
    )
    path = run / engine.REPORT_FILE
    write_text(path, page)
    return path
