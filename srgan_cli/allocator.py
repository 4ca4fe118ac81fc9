"""Tell glibc's ``malloc`` to keep freed memory, which speeds up networks on a CPU. No torch."""

import ctypes
import platform

# Of glibc's malloc.h: up to how much of freed memory goes back, and how many blocks of their own
# may come from the system, which go back as soon as they are freed.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def keep_freed_memory() -> None:
    """Let this process use memory again that it has freed, instead of asking the system anew.

    A network takes and frees the same tensors over and over, and preparing does so with images.
    glibc would give each large one back to the system, which then has to find and zero its pages
    for the next: up to half of the time of upscaling on a CPU (docs/speed.md). Other C libraries
    are left as they are.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
