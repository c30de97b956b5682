"""What a layer computes from one chunk is about as large as a chunk may be, so that it stays in the cache."""

import tracemalloc

import numpy as np
import pytest

from resnet_scratch.compute import batch
from resnet_scratch.layers import (
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    GlobalAvgPool2d,
    MaxPool2d,
    ReLU,
    SubsamplePad,
    activation,
    batchnorm,
    conv,
    pooling,
    residual,
)  # fmt: skip

CHUNK_BYTES = 128 * 1024
LAYERS = {
    "Conv2d": lambda rng: Conv2d(4, 5, 5, 1, 2, rng=rng),
    "Conv2d, 1x1": lambda rng: Conv2d(4, 5, 1, rng=rng),
    "Conv2d, stride 2": lambda rng: Conv2d(4, 5, 5, 2, 2, rng=rng),
    "BatchNorm2d": lambda rng: BatchNorm2d(4),
    "ReLU": lambda rng: ReLU(),
    "MaxPool2d": lambda rng: MaxPool2d(3),
    "AvgPool2d": lambda rng: AvgPool2d(3),
    "GlobalAvgPool2d": lambda rng: GlobalAvgPool2d(),
    "SubsamplePad": lambda rng: SubsamplePad(4, 8, 2),
}


@pytest.fixture
def peaks(monkeypatch, set_threads):
    """A list to which every chunk of more than one image adds the most memory that was computed from it at a time."""
    peaks = []

    def over_batch(kernel, *batches, **footprint):
        def measured(*chunk):
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            result = kernel(*chunk)
            peaks.append((len(chunk[0]), tracemalloc.get_traced_memory()[1] - before))
            return result

        return batch.over_batch(measured, *batches, **footprint)

    for module in (activation, batchnorm, conv, pooling, residual):
        monkeypatch.setattr(module, "over_batch", over_batch)
    monkeypatch.setattr(batch, "CHUNK_BYTES", CHUNK_BYTES)
    set_threads(1)
    tracemalloc.start()
    yield peaks
    tracemalloc.stop()


@pytest.mark.parametrize("name", LAYERS)
def test_a_chunks_working_set(rng, peaks, name):
    """Measured: at most 2.7 times CHUNK_BYTES (a 1x1 convolution, which has its rows twice while it adds the bias). A
    convolution or pooling that did not tell what it needs would take 5 to 100 times as much."""
    layer, x = LAYERS[name](rng), rng.standard_normal((256, 9, 12, 4), np.float32)
    for way in ("backward", "backward_to_parameters"):
        y, cache = layer.forward(x, training=True)
        getattr(layer, way)(y, cache)
    images, sizes = zip(*peaks)
    assert min(images) > 1 and max(images) < 256
    assert max(sizes) < 3 * CHUNK_BYTES
