import numpy as np
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
        for _ in range(3):
            np.full(size, 1, np.uint8).sum()  # written and read: some 100 ms, and freed again
    assert peak[0] > before + 0.9 * size
    with _peak_of(process) as peak:
        pass
    assert abs(peak[0] - process.memory_info().rss) < size / 2
