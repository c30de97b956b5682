import numpy as np
import pytest
from reference import assert_same

from resnet_scratch.layers import Flatten, Linear


def test_by_hand(rng, put):
    layer = Linear(2, 3, rng=rng)
    layer.weight.value[:], layer.bias.value[:] = [[1, 2, 3], [4, 5, 6]], [10, 20, 30]
    layer = put(layer)
    y, cache = layer.forward(put([[1, 1], [0, 2]]))
    assert y.tolist() == [[15, 27, 39], [18, 30, 42]]
    grad_x = layer.backward(put([[1, 0, 0], [0, 0, 1]]), cache)
    assert grad_x.tolist() == [[1, 4], [3, 6]]
    assert layer.weight.grad.tolist() == [[1, 0, 0], [1, 0, 2]] and layer.bias.grad.tolist() == [1, 0, 1]


def test_weights_begin_within_one_over_the_root_of_the_inputs(rng):
    weights = Linear(400, 300, rng=rng).weight.value
    assert 0.0499 < weights.max() <= 0.05 and -0.05 <= weights.min() < -0.0499


def test_flatten_there_and_back(rng, put):
    x = put(rng.standard_normal((2, 3, 4, 5)))
    y, cache = Flatten().forward(x)
    assert y.shape == (2, 60) and y[1, 7] == x[1, 0, 1, 2]
    assert_same(Flatten().backward(y, cache), x, 0)


def test_errors_name_the_argument(rng):
    with pytest.raises(ValueError, match=r"x must be \(N, 3\), got \(2, 4\)"):
        Linear(3, 2, rng=rng).forward(np.zeros((2, 4), np.float32))
    with pytest.raises(ValueError, match="x must be float32 or float64, got int64"):
        Linear(3, 2, rng=rng).forward(np.zeros((2, 3), np.int64))
