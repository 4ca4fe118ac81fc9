"""Keep freed memory, which speeds up networks on a CPU; tell errors of lacking memory. No torch."""

import ctypes
import platform
import re

# Of glibc's malloc.h: up to how much of freed memory goes back, how many blocks of their own may
# come from the system, which go back as soon as they are freed, and how many arenas threads share:
# all but the first give back what is freed in pieces of 64 MB, whatever the threshold.
_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8
_LACKS_MEMORY = re.compile(
    r"allocat|\balloc\b|bad_alloc|out.of.memory|not enough memory", re.IGNORECASE
)


def keep_freed_memory() -> None:
    """Let this process use memory again that it has freed, instead of asking the system anew.

    A network takes and frees the same tensors over and over, and preparing does so with images.
    glibc would give each large one back to the system, which then has to find and zero its pages
    for the next: up to half of the time of upscaling on a CPU (docs/speed.md). Other C libraries
    are left as they are. Threads that run already keep the arenas that they have.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
        libc.mallopt(_M_ARENA_MAX, 1)


def lacks_memory(error: Exception) -> bool:
    """Say whether an error of ONNX Runtime is a lack of memory, for which it has no class."""
    return isinstance(error, MemoryError) or bool(_LACKS_MEMORY.search(str(error)))
