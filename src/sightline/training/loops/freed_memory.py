"""What a step on a processor frees is kept for the next step.

glibc hands large blocks back to the system when they are freed, and the system has to clear their
pages anew for the next step's: about a sixth of the time of a small network's step. Other C
libraries are left as they are, and so is a GPU, whose memory torch keeps by itself.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

# Of malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_KEPT = {_MMAP_THRESHOLD: 2**30, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 2**28}
# glibc adapts the first two until somebody sets them; it comes to these by itself at most.
_USUAL = {_MMAP_THRESHOLD: 2**25, _TRIM_THRESHOLD: 2**26, _TOP_PAD: 2**17}


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Keep what is freed inside; give it back to the system afterwards."""
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    library = ctypes.CDLL(None)
    _set(library, _KEPT)
    try:
        yield
    finally:
        _set(library, _USUAL)
        library.malloc_trim(ctypes.c_size_t(0))


def _set(library: ctypes.CDLL, values: Mapping[int, int]) -> None:
    for name, value in values.items():
        library.mallopt(ctypes.c_int(name), ctypes.c_int(value))
