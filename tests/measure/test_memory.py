import mmap
import os
import time

import psutil
import pytest

from resnet_scratch.errors import UserError
from resnet_scratch.measure.bench import Workload
from resnet_scratch.measure.memory import _peak_of, peak_memory


def test_a_bigger_batch_needs_more_memory():
    small, big = (peak_memory("resnet_scratch", Workload("resnet8", n, 32), 1, 1) for n in (16, 128))
    kept = 112 * 32 * 32 * 16 * 4 * 6  # the six arrays of the first stage, for the 112 images more
    assert big > small + kept


class Deadly(Workload):
    """The process that is given it is gone at once, as when the system kills it."""

    def __reduce__(self):
        return os._exit, (1,)


def test_a_process_that_is_killed_is_an_error_not_a_wait_for_ever():
    with pytest.raises(UserError, match="^resnet_scratch was killed while it trained resnet8 with batch_size 16: "):
        peak_memory("resnet_scratch", Deadly("resnet8", 16, 32), 1)


def test_memory_that_is_freed_before_the_end_is_in_the_peak():
    process, size = psutil.Process(), 2**27
    with _peak_of(process) as peak:
        before = process.memory_info().rss
        with mmap.mmap(-1, size) as memory:  # from the system, not from what an allocator has kept
            memory.write(bytes(1) * size)
            time.sleep(0.1)
    assert peak[0] > before + 0.9 * size
    with _peak_of(process) as peak:
        pass
    assert abs(peak[0] - process.memory_info().rss) < size / 2
