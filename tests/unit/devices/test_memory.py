"""The allocator keeps what tensors free, where the C library is glibc."""

import platform
import resource
import subprocess
import sys

import pytest

from srgan_cli.engine.devices.memory import keep_freed_memory

PROBE = """
import resource, torch
from srgan_cli.engine.devices.amp import resolve_device
{first}
torch.ones(2**24).sum()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    torch.ones(2**24).sum()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(first: str) -> int:
    command = [sys.executable, "-c", PROBE.format(first=first)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_pages_of_a_freed_tensor_are_used_again():
    pages = 8 * 2**26 // resource.getpagesize()
    assert page_faults("resolve_device('cpu')") < pages / 4


def test_it_can_be_asked_for_again():
    assert keep_freed_memory() == keep_freed_memory()
