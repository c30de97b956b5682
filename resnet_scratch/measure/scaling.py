"""What several processes gain: the same batch shared out, or one of its size for each, against one process alone."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from ..compute import batch
from ..compute.processes import alone, is_first_process, number_of_processes, part_of_batch, wait_for_all
from ..compute.threads import num_threads, processors, set_num_threads
from .bench import Job, Workload, numpy_jobs


@dataclass
class Scaling:
    """One way to take training steps; medians."""

    processes: int
    threads: int  #: of each process
    images: int  #: of a whole batch
    seconds: float  #: that a step takes
    speedup: float  #: its images per second, divided by those of one process in the same round
    communication: float  #: the share of its time that goes to messages and to waiting for them, 0 to 1


def scaling(workload: Workload, repeats: int) -> list[Scaling]:
    """One process that has all processors of this machine; all processes, with the same batch for all of them together;
    and all with a batch of that size for each. They take their steps in turn. To be called in all processes."""
    number, threads, all_threads = number_of_processes(), num_threads(), len(processors())
    part = part_of_batch(workload.batch_size)
    with alone():
        step_alone = numpy_jobs(workload)["training step"]

    def first_alone() -> None:
        if is_first_process():
            set_num_threads(all_threads)
            with alone():
                step_alone()
            set_num_threads(threads)

    shared = numpy_jobs(replace(workload, batch_size=part.stop - part.start))["training step"]
    each = numpy_jobs(workload)["training step"]
    ways: list[tuple[Job, int, int, int]] = [  # what is done, by how many processes, with how many threads, images
        (first_alone, 1, all_threads, workload.batch_size),
        (shared, number, threads, workload.batch_size),
        (each, number, threads, workload.batch_size * number),
    ]
    seconds, shares = defaultdict(list), defaultdict(list)
    with _timed_messages() as in_messages:
        for turn in range(repeats + 2):  # the first two do not count
            for way, (step, *_) in enumerate(ways):
                wait_for_all()
                in_messages.clear()
                start = time.perf_counter()
                step()
                if turn >= 2:
                    seconds[way].append(time.perf_counter() - start)
                    shares[way].append(sum(in_messages) / seconds[way][-1])
    rows = []
    for way, (_, processes, threads_each, images) in enumerate(ways):
        gain = images / workload.batch_size
        speedup = median(gain * one / ours for one, ours in zip(seconds[0], seconds[way]))
        rows.append(Scaling(processes, threads_each, images, median(seconds[way]), speedup, median(shares[way])))
    return rows


@contextmanager
def _timed_messages() -> Iterator[list[float]]:
    """A list to which the seconds of every exchange of messages are added."""
    seconds: list[float] = []
    before = {name: vars(batch)[name] for name in ("sum_over_processes", "from_first_process")}

    def timed(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def call(value: Any) -> Any:
            start = time.perf_counter()
            result = function(value)
            if number_of_processes() > 1:  # alone, nothing is sent
                seconds.append(time.perf_counter() - start)
            return result

        return call

    vars(batch).update({name: timed(function) for name, function in before.items()})
    try:
        yield seconds
    finally:
        vars(batch).update(before)
