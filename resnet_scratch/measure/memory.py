"""The peak memory of training, in this library and in PyTorch, each measured in a process of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from ..compute.threads import set_num_threads
from ..errors import UserError
from .bench import LIBRARIES, Workload

SAMPLE_SECONDS = 0.001  # between two looks at the memory in use


def peak_memory(library: str, workload: Workload, threads: int, steps: int = 3) -> float:
    """Bytes that `steps` training steps add, at their peak, to a fresh process that has loaded the library.

    `library` is a name in `bench.LIBRARIES`. Raises UserError when that process is killed, as where memory runs out.
    """
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    # in a new process: memory used earlier is not given back
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(_peak_memory, library, workload, threads, steps).result()
        except BrokenProcessPool as error:
            raise UserError(
                f"{library} was killed while it trained {workload.model} with batch_size {workload.batch_size}: "
                "a smaller batch needs less memory"
            ) from error


def _peak_memory(library: str, workload: Workload, threads: int, steps: int) -> float:
    set_num_threads(threads)
    jobs_of = LIBRARIES[library]
    jobs_of(Workload("resnet8", 2, 32))["training step"]()  # a tiny one loads libraries, which prepare themselves
    before = psutil.Process().memory_info().rss
    with _peak_of(psutil.Process()) as peak:
        step = jobs_of(workload)["training step"]
        for _ in range(steps):
            step()
    return float(peak[0] - before)


@contextmanager
def _peak_of(process: psutil.Process) -> Iterator[list[int]]:
    """A list of one number: the most memory, in bytes, that the process has in use while the `with` block runs.

    Another thread looks every millisecond, because only some systems keep the peak themselves. Memory in use for less
    than that may be missed. Memory that is kept for reuse, as this library and PyTorch keep it, is seen.
    """
    peak, over = [process.memory_info().rss], threading.Event()

    def look() -> None:
        while not over.wait(SAMPLE_SECONDS):
            peak[0] = max(peak[0], process.memory_info().rss)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()
        peak[0] = max(peak[0], process.memory_info().rss)
