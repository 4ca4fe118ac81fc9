"""What a process does with memory that it has freed."""

import platform
import subprocess
import sys

import pytest

from srgan_cli import allocator

_TAKE_AND_FREE = """
import resource
import torch
from srgan_cli.allocator import keep_freed_memory

def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(16 * 2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

anew = pages()
keep_freed_memory()
pages()
print(anew, pages())
"""


@pytest.mark.thorough
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc")
def test_freed_memory_is_used_again_without_new_pages():
    run = [sys.executable, "-c", _TAKE_AND_FREE]
    anew, kept = map(int, subprocess.check_output(run, text=True).split())
    assert anew > 20 * 100  # So that there is something to save; huge pages make it few.
    assert kept < anew / 10


def test_a_library_with_a_limit_gets_the_most_that_it_takes(monkeypatch):
    taken = {}

    class Library:
        def mallopt(self, name, value):
            if name == allocator._M_MMAP_THRESHOLD and value > 2**25:
                return 0
            taken[name] = value
            return 1

    monkeypatch.setattr(allocator.platform, "libc_ver", lambda: ("glibc", "2.31"))
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda _: Library())
    allocator.keep_freed_memory()
    assert taken == {allocator._M_MMAP_THRESHOLD: 2**25, allocator._M_TRIM_THRESHOLD: 2**31 - 1}
