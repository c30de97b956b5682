import numpy as np
import pytest
from reference import assert_same

from resnet_scratch.compute.backend import to_numpy
from resnet_scratch.compute.channels import channel_sum, per_channel

SHAPES = [(1, 1, 1, 1), (1, 7, 1, 3), (3, 1, 5, 1), (2, 3, 5, 7), (13, 9, 11, 5), (1, 33, 17, 64), (64, 32, 32, 16)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_sum_per_channel(rng, put, shape):
    x = rng.standard_normal(shape)
    assert_same(channel_sum(put(x)), x.sum((0, 1, 2)))
    single = channel_sum(put(x, np.float32))
    assert single.dtype == np.float32
    x = x.astype(np.float32).astype(np.float64)
    error = np.abs(to_numpy(single) - x.sum((0, 1, 2))) / np.abs(x).sum((0, 1, 2))
    assert error.max() < 1e-6


def test_a_sum_of_images_that_lie_transposed(rng, put):
    x = rng.standard_normal((4, 3, 5, 6))
    assert_same(channel_sum(put(x).transpose(0, 2, 3, 1)), x.sum((0, 2, 3)))


@pytest.mark.parametrize("shape", [*SHAPES, (2, 128, 128, 1), (2, 128, 129, 1)])
def test_values_broadcast_as_they_did_before(rng, put, xp, shape):
    x, values = rng.standard_normal(shape), rng.standard_normal(shape[-1])
    spread = per_channel(put(values, np.float32), shape)
    assert_same(put(x) + spread, x + values.astype(np.float32))
    assert spread.dtype == np.float32
    N, H, W, C = shape
    assert spread.shape == ((C,) if xp is not np else (H, W, C) if H * W * C <= 128 * 128 else (W, C))
