"""The peak memory of training, in this library and in PyTorch, each measured in a process of its own."""

from __future__ import annotations

from dataclasses import replace

from ..compute.threads import set_num_threads
from .bench import LIBRARIES, Workload


def peak_memory(library: str, workload: Workload, threads: int, steps: int = 3) -> float:
    """Bytes that `steps` training steps add, at their peak, to a fresh process that has loaded the library.

    `library` is a name in `bench.LIBRARIES`.
    """
    from multiprocessing import get_context

    with get_context("spawn").Pool(1) as pool:  # a process of its own, because a peak can only rise
        return pool.apply(_peak_memory, (library, workload, threads, steps))


def _peak_memory(library: str, workload: Workload, threads: int, steps: int) -> float:
    set_num_threads(threads)
    jobs_of = LIBRARIES[library]
    jobs_of(replace(workload, batch_size=2))["training step"]()  # loads libraries, which prepare themselves
    before = _resident_peak()
    step = jobs_of(workload)["training step"]
    for _ in range(steps):
        step()
    return _resident_peak() - before


def _resident_peak() -> float:
    """The most memory, in bytes, that this process ever had in use."""
    try:
        with open("/proc/self/status") as status:  # getrusage would count the parent process's peak too
            return 1024.0 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except OSError:
        import resource  # elsewhere than on Linux; not on Windows

        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
