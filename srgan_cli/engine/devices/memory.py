"""Measure free memory, and the most that was used, on the CPU and on GPUs."""

import os
import re
from pathlib import Path

import torch


def peak_memory(device: torch.device | None = None) -> int:
    """Return the most bytes taken so far, or 0 where the system does not say.

    Args:
        device: On CUDA its own memory is meant, elsewhere that of this process.
    """
    if device is not None and device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
        import sys
    except ImportError:  # Windows.
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def free_memory() -> float | None:
    """Return the bytes that this process may still take, or None where the system is silent."""
    limits = []
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        found = re.search(r"MemAvailable:\s+(\d+) kB", meminfo.read_text())
        limits += [1024 * int(found[1])] if found else []
    control = Path("/sys/fs/cgroup")
    try:
        most = (control / "memory.max").read_text().strip()
        if most != "max":
            limits.append(int(most) - int((control / "memory.current").read_text()))
    except (OSError, ValueError):
        pass  # No control group of the second version.
    if not limits and "SC_AVPHYS_PAGES" in os.sysconf_names:
        limits.append(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(limits, default=None)
