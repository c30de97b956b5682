import subprocess
import sys

import pytest

CODE = """
import resource
import numpy as np
from resnet_scratch.compute import allocator, batch, threads
threads.set_num_threads(1)

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.ones(4 << 20)  # 32 MB: 8192 pages, touched, and freed at once
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

before = faults()
batch.over_batch(lambda x: x, np.zeros(1))
faults()
print(before, faults(), allocator.keep_freed_memory.cache_info().misses)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is Linux's")
def test_freed_memory_is_used_again_from_the_first_batch_on():
    """The system counts pages that are touched for the first time: before a batch was seen, 20 times all of them."""
    result = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    before, after, calls = map(int, result.stdout.split())
    if before < 1000:
        pytest.skip("this system's pages are huge, or its allocator keeps memory anyway")
    assert after < before / 10 and calls == 1
