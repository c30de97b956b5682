"""The one process-wide setting: freed memory is kept for the next step."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=1)
def keep_freed_memory() -> None:
    """Tell glibc's allocator, once, to keep freed memory instead of returning it to the system.

    The first touch of fresh memory costs many times what an operation on memory already mapped does, and a training
    step frees and allocates the same sizes over and over. On other systems this does nothing. `over_batch` calls it
    when it first cuts a batch into chunks.
    """
    try:
        import ctypes

        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (ImportError, OSError, AttributeError):
        return
    M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8  # from glibc's malloc.h
    mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_ARENA_MAX, 1)  # what one thread has freed, another can use
