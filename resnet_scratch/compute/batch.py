"""One verb for everything that is done to a batch: `over_batch` runs a function of a few images over all of them.

What a layer computes is either *per image* or a *sum over the batch*. So a layer writes its mathematics as a plain
function, a kernel, of as many images as it is given:

    y = over_batch(lambda x: np.maximum(x, 0), x)                        # per image
    grad_weight = over_batch(lambda x, grad_y: Sum(x.T @ grad_y), x, grad_y)   # a sum over the batch

Everything else is decided here. A batch is cut into chunks: small enough that what is computed from one stays in the
processor's cache, large enough that Python's own time does not show. NumPy releases Python's global lock inside large
operations, so threads that work on different chunks run side by side; BLAS, which would start threads of its own inside
each of them, is limited to one. On a GPU the whole batch is one chunk.

Neither the chunks nor the order of a sum depend on the number of threads: results are the same, to the bit, for any
number of them.
"""

from __future__ import annotations

import threading
from itertools import count
from typing import Any, Callable

import numpy as np

from .allocator import keep_freed_memory
from .backend import Array, array_module
from .threads import in_parallel

CHUNK_BYTES = 5 << 19  # of a kernel's working set; measured: see docs/performance.md


class Sum:
    """What a kernel returns in place of an array to say: add this up over all images of the batch."""

    def __init__(self, value: Any) -> None:
        self.value = value


def over_batch(kernel: Callable[..., Any], *batches: Array, footprint: float = 2.0) -> Any:
    """`kernel(*batches)`, computed for a few images at a time.

    `batches` are arrays (N, ...) of the same N images. The kernel is called with the same number of images of each,
    n at a time, and returns an array (n, ...) with a row per image, or a `Sum`, or a tuple of these, or None. The
    arrays' rows are put together to (N, ...), in order. The values of a `Sum` are added over the whole batch, in a
    fixed binary tree: ((s0 + s1) + (s2 + s3)) + ..., so that the result does not depend on who computed which part.

    `footprint` says how many times larger than the batches' images the kernel's working set is, such as KH * KW for
    the columns of a convolution; it decides how many images make a chunk.

    A kernel must not change what it is given, unless it returns None: then that is its purpose. Raises ValueError when
    there is no image, or when the batches differ in their number of images.
    """
    images = len(batches[0])
    if images == 0 or any(len(batch) != images for batch in batches):
        raise ValueError(f"batches must have one number of images, at least 1, got {[b.shape for b in batches]}")
    if array_module(batches[0]) is not np:
        return _whole(kernel(*batches))
    keep_freed_memory()
    chunks = _number_of_chunks(images, footprint * max(batch.nbytes for batch in batches))
    if chunks == 1:
        results: list[Any] = []
        in_parallel(lambda: results.append(kernel(*batches)), 1)
        return _whole(results[0])
    result = _Result(images, chunks)
    following = count()  # shared: each thread takes the next chunk that nobody has taken

    def work() -> None:
        while (k := next(following)) < chunks:
            start, stop = images * k // chunks, images * (k + 1) // chunks
            result.add(k, start, stop, kernel(*(batch[start:stop] for batch in batches)))

    in_parallel(work, chunks)
    return result.value()


def _number_of_chunks(images: int, size: float) -> int:
    """A power of two, so that the tree of sums is complete and halves of the batch are halves of the tree."""
    chunks = 1
    while size > chunks * CHUNK_BYTES and 2 * chunks <= images:
        chunks *= 2
    return chunks


def _whole(result: Any) -> Any:
    """The result of a kernel that was given the whole batch."""
    if isinstance(result, tuple):
        return tuple(map(_whole, result))
    return result.value if isinstance(result, Sum) else result


class _Result:
    """The parts of a result, put together as they arrive, in whatever order, from several threads."""

    def __init__(self, images: int, chunks: int) -> None:
        self._images, self._chunks = images, chunks
        self._parts: list[Any] | None = None  # an array or a tree of sums for each thing that the kernel returns
        self._is_tuple = False
        self._lock = threading.Lock()

    def add(self, k: int, start: int, stop: int, result: Any) -> None:
        """Take what the kernel returned for chunk `k`, the images from `start` to `stop`."""
        if result is None:
            return
        parts = result if isinstance(result, tuple) else (result,)
        with self._lock:
            if self._parts is None:
                self._is_tuple = isinstance(result, tuple)
                self._parts = [self._place_for(part) for part in parts]
        for place, part in zip(self._parts, parts, strict=True):
            if isinstance(part, Sum):
                place.add(k, part.value)
            else:
                place[start:stop] = part

    def _place_for(self, part: Any) -> Any:
        if isinstance(part, Sum):
            return _SumTree(self._chunks)
        return np.empty((self._images, *part.shape[1:]), part.dtype)

    def value(self) -> Any:
        if self._parts is None:
            return None
        values = tuple(part.total if isinstance(part, _SumTree) else part for part in self._parts)
        return values if self._is_tuple else values[0]


class _SumTree:
    """A sum over chunks 0, 1, ... (a power of two of them) in which each pair of neighbours is added first, then each
    pair of pairs, and so on. Parts are added as soon as both are there, so few are kept at a time."""

    def __init__(self, chunks: int) -> None:
        self.total: Any = None
        self._chunks = chunks
        self._waiting: dict[tuple[int, int], Any] = {}  # (number of nodes on its level, node) -> sum below it
        self._lock = threading.Lock()

    def add(self, node: int, value: Any) -> None:
        nodes = self._chunks
        while nodes > 1:
            with self._lock:
                if (nodes, node ^ 1) not in self._waiting:
                    self._waiting[nodes, node] = value
                    return
                neighbour = self._waiting.pop((nodes, node ^ 1))
            value = value + neighbour  # a + b and b + a have the same bits
            nodes, node = nodes // 2, node // 2
        self.total = value
