import mmap
import time

import psutil

from resnet_scratch.measure.bench import Workload
from resnet_scratch.measure.memory import _peak_of, peak_memory


def test_a_bigger_batch_needs_more_memory():
    small, big = (peak_memory("resnet_scratch", Workload("resnet8", n, 32), 1, 1) for n in (16, 128))
    kept = 112 * 32 * 32 * 16 * 4 * 6  # the six arrays of the first stage, for the 112 images more
    assert big > small + kept


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
