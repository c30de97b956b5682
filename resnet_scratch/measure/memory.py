"""How much memory training takes at its peak, in this library and in PyTorch: measured in processes of their own."""

from __future__ import annotations

from dataclasses import replace

from ..compute.threads import set_num_threads
from .bench import RIVALS, Task


def peak_memory(rival: str, task: Task, threads: int, steps: int = 3) -> float:
    """Bytes that `steps` training steps add to a fresh process, at their peak, above what it needs to get ready."""
    from multiprocessing import get_context

    with get_context("spawn").Pool(1) as pool:  # a process of its own: a peak can only rise
        return pool.apply(_peak_memory, (rival, task, threads, steps))


def _peak_memory(rival: str, task: Task, threads: int, steps: int) -> float:
    set_num_threads(threads)
    jobs_of = RIVALS[rival]
    jobs_of(replace(task, batch_size=2))["training step"]()  # so that libraries are loaded and have set themselves up
    before = _resident_peak()
    step = jobs_of(task)["training step"]
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
