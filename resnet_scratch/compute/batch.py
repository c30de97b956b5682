"""How the work on a batch is cut into chunks, and the chunks shared out to threads.

Every layer does its work through one call, `for_each_chunk`. A chunk is a few images: small enough that what is
computed from it stays in the processor's cache, large enough that Python's own time does not show. NumPy lets go of
Python's global lock inside large operations, so threads that work on different chunks run side by side; BLAS, which
would start threads of its own inside each of them, is held to one. On a GPU the chunk is the whole batch.

The chunks do not depend on the number of threads, and sums over chunks are added in the order of the chunks, so that
results are the same, to the bit, for any number of threads.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext
from functools import lru_cache
from numbers import Integral
from typing import Any, Callable, Hashable

import numpy as np

from .backend import Array, array_module

CHUNK_BYTES = 2 << 20
MOST_KEPT = 100  # pieces of scratch memory per thread; a network needs one for each of its convolutions' geometries
THREADS_VARIABLE = "RESNET_SCRATCH_THREADS"


def for_each_chunk(batch: Array, body: Callable[[slice], Any], bytes_per_image: int) -> Any:
    """Call `body(chunk)` for slices that together cover the images of `batch` (N, ...), on all threads.

    `bytes_per_image` is how much memory the body needs for one image; it decides how many images make a chunk.
    What the bodies return (nothing, an array or a tuple of arrays) is summed in the order of the chunks.
    """
    images = len(batch)
    if array_module(batch) is not np:
        return body(slice(0, images))
    count = -(-images // max(1, CHUNK_BYTES // max(1, bytes_per_image)))
    if count > 1:
        count = min(count + count % 2, images)  # an even number, so that two threads finish together
    edges = [images * k // count for k in range(count + 1)]
    chunks = [slice(a, b) for a, b in zip(edges, edges[1:])]
    total = _OrderedSum()
    following = iter(enumerate(chunks))  # shared: each thread takes the next chunk that nobody has taken

    def work() -> None:
        for k, chunk in following:
            total.add(k, body(chunk))

    if vars(_memory).get("working"):  # a body that calls this again goes on alone: all threads may be in bodies like it
        work()
        return total.value
    with limit_blas_threads(1):
        helpers = [_pool().submit(_alone, work) for _ in range(min(num_threads(), count) - 1)]
        try:
            _alone(work)
        finally:
            wait(helpers)  # all of them, before anything is raised: the arrays they write to are the caller's
        for helper in helpers:
            helper.result()
    return total.value


def image_bytes(batch: Array) -> int:
    """The size of one image of a batch (N, ...), in bytes. Raises ValueError when there is none."""
    if len(batch) == 0:
        raise ValueError(f"a batch must have at least one image, got {batch.shape}")
    return batch.nbytes // len(batch)


_memory = threading.local()


def _alone(work: Callable[[], None]) -> None:
    """Run `work` in this thread, which knows meanwhile that it is one of those that share a batch."""
    _memory.working = True
    try:
        work()
    finally:
        _memory.working = False


def scratch(key: Hashable, make: Callable[[], Any]) -> Any:
    """What `make()` returned when this thread first asked for `key`: memory to be used again and again."""
    kept = vars(_memory).setdefault("kept", {})
    found = kept.get(key)
    if found is None:
        if len(kept) >= MOST_KEPT:
            kept.clear()
        found = kept[key] = make()
    return found


class _OrderedSum:
    """Adds up what arrives in any order, in one order: part k waits until part k - 1 has been added."""

    def __init__(self) -> None:
        self.value: Any = None
        self._waiting: dict[int, Any] = {}
        self._next = 0
        self._lock = threading.Lock()

    def add(self, k: int, part: Any) -> None:
        with self._lock:
            self._waiting[k] = part
            while self._next in self._waiting:
                part = self._waiting.pop(self._next)
                if self._next == 0:
                    self.value = part
                elif isinstance(part, tuple):
                    for sum_so_far, more in zip(self.value, part):
                        sum_so_far += more
                elif part is not None:
                    self.value += part
                self._next += 1


_threads: int | None = None


def num_threads() -> int:
    """How many threads work on a batch: as set, else from RESNET_SCRATCH_THREADS, else all processors we may use."""
    if _threads is None:
        value = os.environ.get(THREADS_VARIABLE)
        if value is None:
            available = getattr(os, "sched_getaffinity", None)
            set_num_threads(len(available(0)) if available else os.cpu_count() or 1)
        elif value.isdecimal() and int(value) > 0:
            set_num_threads(int(value))
        else:
            raise ValueError(f"{THREADS_VARIABLE} must be a whole number of at least 1, got {value!r}")
    return _threads


def set_num_threads(threads: int) -> None:
    """Choose how many threads work on a batch. With one, none is started. Results do not depend on it."""
    global _threads
    if not isinstance(threads, Integral) or threads < 1:
        raise ValueError(f"threads must be a whole number of at least 1, got {threads!r}")
    _threads = threads
    _pool.cache_clear()


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=max(1, num_threads() - 1), thread_name_prefix="resnet_scratch")


@lru_cache(maxsize=1)
def _blas_controller():
    """What can hold NumPy's BLAS to one thread; None where BLAS cannot be asked (in a browser, say)."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    keep_freed_memory()
    return ThreadpoolController().select(user_api="blas")


def limit_blas_threads(threads: int):
    """A context in which NumPy's own BLAS uses so many threads. Without threadpoolctl it does nothing."""
    controller = _blas_controller()
    return nullcontext() if controller is None else controller.limit(limits=threads)


def keep_freed_memory() -> None:
    """Tell glibc's allocator to keep what is freed instead of handing it back to the system.

    The first touch of fresh memory costs many times what an operation on memory already mapped does, and a training
    step frees and allocates the same sizes over and over. Elsewhere than on glibc this does nothing.
    """
    try:
        import ctypes

        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (ImportError, OSError, AttributeError):
        return
    M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # from glibc's malloc.h
    mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(M_MMAP_MAX, 0)
