from resnet_scratch.measure.bench import Workload
from resnet_scratch.measure.memory import peak_memory


def test_a_bigger_batch_needs_more_memory():
    small, big = (peak_memory("resnet_scratch", Workload("resnet8", n, 32), 1, 1) for n in (16, 128))
    kept = 112 * 32 * 32 * 16 * 4 * 6  # the six arrays of the first stage, for the 112 images more
    assert big > small + kept
