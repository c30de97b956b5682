"""One verb for everything that is done to a batch: `over_batch` runs a function of a few images over all of them.

What a layer computes is either per image or a sum over the batch. So a layer writes its mathematics as a plain
function, a kernel, of as many images as it is given:

    y = over_batch(lambda x: np.maximum(x, 0), x)                              # per image
    grad_weight = over_batch(lambda x, grad_y: Sum(x.T @ grad_y), x, grad_y)   # a sum over the batch

Everything else is decided here. A batch is cut into chunks: small enough that what is computed from one stays in the
processor's cache, large enough that Python's overhead does not matter. NumPy releases Python's global lock inside large
operations, so threads that work on different chunks run at the same time. BLAS, which would start threads of its own
inside each of them, is limited to one. On a GPU the whole batch is one chunk.

Neither the chunks nor the order of a sum depend on the number of threads, so results have the same bits for any number.
Several processes may share a batch, and a `Sum` is over all of it: see `processes.py`. The chunks of a process are then
chunks of the whole batch, so results have the same bits for 1, 2, 4 and 8 processes too, if all have the same number of
images, at least 8.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import numpy as np

from .allocator import keep_freed_memory
from .backend import Array, array_module
from .processes import from_first_process, number_of_processes, sum_over_processes
from .threads import as_part, in_parallel, inside_parallel

CHUNK_BYTES = 5 << 19  # of a kernel's working set; measured: see tutorial 13
FEWEST_CHUNKS, FEWEST_IMAGES = 8, 8  # of a batch, if each chunk can have that many images: see `_number_of_chunks`


class Sum:
    """What a kernel returns in place of an array to say: add this up over all images of the batch."""

    def __init__(self, value: Any) -> None:
        self.value = value


def over_batch(kernel: Callable[..., Any], *batches: Array, footprint: float = 2.0) -> Any:
    """`kernel(*batches)`, computed a few images at a time.

    `batches` are arrays (N, ...) of the same N images. The kernel is called with the same n images of each, and returns
    an array (n, ...) with a row per image, or a `Sum`, or a tuple of these, or None. The rows of all chunks become one
    array (N, ...). The values of a `Sum` are added over the whole batch in a fixed binary tree of chunks,
    ((s0 + s1) + (s2 + s3)) + ..., so that the result does not depend on who computed which part.

    `footprint` is the size of the kernel's working set, as a multiple of the largest batch's, such as KH * KW for the
    columns of a convolution. It decides how many images make a chunk.

    A kernel must not change its arguments, unless it returns None: then that is its purpose. Raises ValueError when
    there is no image, when the batches differ in their number of images, or when an array that the kernel returns has
    no row per image.
    """
    images = len(batches[0])
    if images == 0 or any(len(batch) != images for batch in batches):
        raise ValueError(f"batches must have the same number of images, at least 1, got {[b.shape for b in batches]}")
    if array_module(batches[0]) is not np:
        return _finished(as_part(lambda: _computed(kernel, batches)))
    keep_freed_memory()
    chunks = _number_of_chunks(images, footprint * max(batch.nbytes for batch in batches))
    results = _Results(images, chunks)
    following = count()  # shared: each thread takes the next chunk that no other has taken

    def work() -> None:
        while (k := next(following)) < chunks:
            start, stop = images * k // chunks, images * (k + 1) // chunks
            results.add(k, start, stop, _computed(kernel, [batch[start:stop] for batch in batches]))

    in_parallel(work, chunks)
    return _finished(results.whole())


def of_first_image(function: Callable[[Array], Array], x: Array) -> Array:
    """`function(x[0])` for the first image of the whole batch, no matter which part of the batch `x` is."""
    return from_first_process(function(x[0]))


def _number_of_chunks(images: int, size: float) -> int:
    """A power of two, so that the tree of sums is complete and each half of the batch is a half of the tree.

    The chunks of the whole batch are counted, and each process gets an equal share of them. A batch has at least 8
    chunks, if each can have 8 images, so that up to 8 processes can have the same chunks as one.
    """
    processes = 1 if inside_parallel() else number_of_processes()  # a kernel's own call is about its chunk only
    images, size, chunks = images * processes, size * processes, 1
    while size > chunks * CHUNK_BYTES and 2 * chunks <= images:
        chunks *= 2
    while chunks < FEWEST_CHUNKS and 2 * chunks * FEWEST_IMAGES <= images:
        chunks *= 2
    return max(1, chunks >> (processes - 1).bit_length())


def _computed(kernel: Callable[..., Any], batches: Sequence[Array]) -> Any:
    """What the kernel returns for these images, checked: NumPy would repeat a single row silently."""
    result, images = kernel(*batches), len(batches[0])
    for part in result if isinstance(result, tuple) else () if result is None else (result,):
        if not isinstance(part, Sum) and (shape := getattr(part, "shape", ()))[:1] != (images,):
            raise ValueError(f"a kernel must return a Sum, or a row for each of its {images} images, got {shape}")
    return result


def _finished(result: Any) -> Any:
    """The result of a kernel for all images of this process, with each `Sum` replaced by that of the whole batch."""
    parts = result if isinstance(result, tuple) else (result,)
    sums = [part.value for part in parts if isinstance(part, Sum)]
    following = iter(sums if inside_parallel() else sum_over_processes(sums))
    values = tuple(next(following) if isinstance(part, Sum) else part for part in parts)
    return values if isinstance(result, tuple) else values[0]


class _Results:
    """Puts together what the kernel returns for each chunk, in whatever order the chunks arrive."""

    def __init__(self, images: int, chunks: int) -> None:
        self._images, self._chunks = images, chunks
        self._whole: Any = None  # the kernel's result, when there is only one chunk
        self._collectors: list[_Rows | _SumTree] = []  # one for each part of what the kernel returns
        self._lock = threading.Lock()

    def add(self, k: int, start: int, stop: int, result: Any) -> None:
        """Take the result for chunk `k`, the images from `start` to `stop`."""
        if self._chunks == 1 or result is None:
            self._whole = result
            return
        parts = result if isinstance(result, tuple) else (result,)
        with self._lock:
            if not self._collectors:
                self._whole = result
                self._collectors = [self._collector(part) for part in parts]
        for collector, part in zip(self._collectors, parts, strict=True):
            collector.add(k, start, stop, part)

    def _collector(self, part: Any) -> _Rows | _SumTree:
        return _SumTree(self._chunks) if isinstance(part, Sum) else _Rows(self._images, part)

    def whole(self) -> Any:
        """What the kernel would have returned for all images at once."""
        if not self._collectors:
            return self._whole
        parts = tuple(collector.whole for collector in self._collectors)
        return parts if isinstance(self._whole, tuple) else parts[0]


class _Rows:
    """An array with a row per image, filled chunk by chunk."""

    def __init__(self, images: int, first: Array) -> None:
        self.whole = np.empty((images, *first.shape[1:]), first.dtype)

    def add(self, k: int, start: int, stop: int, rows: Array) -> None:
        self.whole[start:stop] = rows


class _SumTree:
    """A sum over chunks 0, 1, ... (a power of two of them): first each pair of neighbours is added, then each pair of
    pairs, and so on. Each sum is taken as soon as both of its parts are there, so few parts are kept at a time."""

    def __init__(self, chunks: int) -> None:
        self.whole: Sum | None = None
        self._chunks = chunks
        self._waiting: dict[tuple[int, int], Any] = {}  # (how many nodes its level has, which one) -> the sum there
        self._lock = threading.Lock()

    def add(self, k: int, start: int, stop: int, part: Sum) -> None:
        nodes, node, value = self._chunks, k, part.value
        while nodes > 1:
            with self._lock:
                if (nodes, node ^ 1) not in self._waiting:
                    self._waiting[nodes, node] = value
                    return
                neighbour = self._waiting.pop((nodes, node ^ 1))
            value = value + neighbour  # a new array: a part may be a view of the input; a + b == b + a bit for bit
            nodes, node = nodes // 2, node // 2
        self.whole = Sum(value)
