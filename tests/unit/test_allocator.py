"""What a process does with memory that it has freed."""

import platform
import subprocess
import sys

import pytest

_TAKE_AND_FREE = """
import resource
from concurrent.futures import ThreadPoolExecutor
import torch
from srgan_cli.engine.devices.amp import resolve_device

def work():
    for _ in range(60):
        torch.ones(16 * 2**20)

def pages(in_thread):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    if in_thread:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(work).result()
    else:
        work()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

anew = pages(False)
resolve_device("cpu")
pages({in_thread})
print(anew, pages({in_thread}))
"""


@pytest.mark.thorough
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc")
# A thread may find no room for the first of the 60.
@pytest.mark.parametrize(("in_thread", "share"), [(False, 10), (True, 5)])
def test_what_runs_on_the_cpu_uses_freed_memory_again_without_new_pages(in_thread, share):
    run = [sys.executable, "-c", _TAKE_AND_FREE.format(in_thread=in_thread)]
    anew, kept = map(int, subprocess.check_output(run, text=True).split())
    assert anew > 60 * 100  # So that there is something to save; huge pages make it few.
    assert kept < anew / share
