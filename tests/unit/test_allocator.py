"""What a process does with memory that it has freed."""

import platform
import subprocess
import sys

import pytest

_TAKE_AND_FREE = """
import resource
import torch
from srgan_cli.engine.devices.amp import resolve_device

def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(16 * 2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

anew = pages()
resolve_device("cpu")
pages()
print(anew, pages())
"""


@pytest.mark.thorough
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc")
def test_what_runs_on_the_cpu_uses_freed_memory_again_without_new_pages():
    run = [sys.executable, "-c", _TAKE_AND_FREE]
    anew, kept = map(int, subprocess.check_output(run, text=True).split())
    assert anew > 20 * 100  # So that there is something to save; huge pages make it few.
    assert kept < anew / 10
