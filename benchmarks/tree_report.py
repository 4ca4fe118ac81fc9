"""Prepare a tree of benchmarks/photo_tree.py and count what was caught: python … TREE.

Prints, for each kind of fault, how many were planted and found, the share of good
photographs that were skipped, the time, and the peak memory of all processes together.
"""

import argparse
import contextlib
import ctypes
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

LACKING = {"blurry", "upscaled"}


def tree_memory(pid: int) -> int:
    """Return the bytes that a process and its descendants hold, shared ones counted once."""
    total, queue = 0, [pid]
    while queue:
        process = queue.pop()
        try:
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
            total += next(int(line.split()[1]) for line in rollup.splitlines() if "Pss:" in line)
            for task in Path(f"/proc/{process}/task").iterdir():
                queue += map(int, (task / "children").read_text().split())
        except (OSError, StopIteration):
            continue
    return total * 1024


def prepare(tree: Path, home: str) -> tuple[dict, float, int]:
    command = [sys.executable, "-m", "srgan_cli", "prepare", str(tree), "--json"]
    started, peak = time.perf_counter(), 0
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, env=os.environ | {"SRGAN_HOME": home}, text=True
    )
    output: list[str] = []
    reader = threading.Thread(target=lambda: output.append(process.stdout.read()))
    reader.start()
    while process.poll() is None:
        peak = max(peak, tree_memory(process.pid))
        time.sleep(0.2)
    reader.join()
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()  # For its fork server, whose time counts too.
    return json.loads(output[0])["manifest"], time.perf_counter() - started, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path)
    tree = parser.parse_args().tree
    truth = json.loads(tree.with_suffix(".json").read_text())
    load = os.getloadavg()[0]
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: orphans become ours.
    with tempfile.TemporaryDirectory(dir=tree.parent) as home:
        manifest, seconds, peak = prepare(tree, home)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = used.ru_utime + used.ru_stime
    found = {finding["source"]: finding for finding in manifest["dropped"]}
    planted = Counter(truth.values())
    caught: Counter[str] = Counter()
    for source, kind in truth.items():
        if kind in {"duplicate", "near-duplicate"}:
            copy = str(Path(source).with_name("copy of " + Path(source).name))
            copy = copy if kind == "duplicate" else str(Path(copy).with_suffix(".jpg"))
            caught[kind] += source in found or copy in found
        elif kind in LACKING:
            caught[kind] += source in found and found[source]["kind"] in LACKING | {"blocky"}
        else:
            caught[kind] += source in found
    pixels = sum(entry["width"] * entry["height"] for entry in manifest["images"]) / 1e6
    print(
        f"{seconds:.0f} s, {processor:.0f} s of processor, load {load:.1f} before; "
        f"{pixels:.0f} MP kept, peak {peak / 2**30:.2f} GiB"
    )
    for kind in planted:
        print(f"{kind:15s} {caught[kind]:6d} of {planted[kind]}")
    false = Counter(found[s]["kind"] for s, kind in truth.items() if kind == "good" and s in found)
    print("skipped of the good ones:", dict(false))


if __name__ == "__main__":
    main()
