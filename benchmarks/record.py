"""Keep what a benchmark prints, with machine, versions and command, in a dated file.

python benchmarks/record.py upscale -- benchmarks/upscale.py bundled compact rrdb

writes ``benchmarks/results/upscale-DATE.md``, or adds to that of today. The load is that of the
last minute before the start: what is above 0 is the work of other programs.
"""

import argparse
import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from srgan_cli.processes import num_cores, processor_name

ROOT = Path(__file__).parents[1]
PACKAGES = ("torch", "numpy", "pillow", "ncnn", "onnxruntime", "openvino")


def versions() -> str:
    """Return Python and what is installed of the packages that a speed depends on."""
    found = [f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def commit() -> str:
    """Return the commit of the working copy, and whether it was changed."""
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def machine() -> str:
    gigabytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    cores = f"{num_cores()} cores of {processor_name()}"
    return f"{cores}, {gigabytes:.0f} GB, {platform.system()}, load {os.getloadavg()[0]:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", help="of the file")
    parser.add_argument("command", nargs="+", help="script and arguments, after --")
    parser.add_argument("--to", type=Path, default=ROOT / "benchmarks" / "results")
    given = parser.parse_args()
    about = f"{machine()}. {versions()}. Commit {commit()}."
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    command = [sys.executable, *given.command]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    said = ""
    with process:
        for line in process.stdout:
            said += line
            print(line, end="", flush=True)
    if process.returncode:
        sys.exit(process.returncode)
    date = datetime.now(UTC).date().isoformat()
    path = given.to / f"{given.name}-{date}.md"
    begun = path.read_text() if path.exists() else f"# {given.name}, {date}\n"
    fence = "```"
    line = f"$ python {shlex.join(given.command)}"
    path.write_text(f"{begun}\n{about}\n\n{fence}\n{line}\n{said.strip()}\n{fence}\n")


if __name__ == "__main__":
    main()
