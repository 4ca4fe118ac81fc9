"""Print a run's first losses, to compare those of others with: trace.py RUN > NAME.json."""

import argparse
import json
import platform
import re
from pathlib import Path

STEPS = 200


def first_losses(run: Path) -> list[float]:
    """Return the generator's losses of the first 200 steps, a mean for each ten."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    return [r["generator"] for r in records if "generator" in r and r["step"] <= STEPS]


def machine() -> dict[str, str]:
    """Return what the bits of a run depend on, besides its recipe, its data and one thread."""
    import torch

    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text() if cpuinfo.is_file() else ""
    kinds = re.findall(r"^(?:vendor_id|cpu family|model)\s*:\s*(\S+)", text, re.MULTILINE)[:3]
    return {"cpu": " ".join(kinds) or platform.processor(), "torch": torch.__version__}


def main() -> None:
    """Print the trace of the run that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a run")
    run = parser.parse_args().run
    trace = {**machine(), "losses": first_losses(run)}
    print(json.dumps(trace, indent=1))


if __name__ == "__main__":
    main()
