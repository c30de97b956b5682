import numpy as np
import pytest

from resnet_scratch.layers import Flatten, Linear

rng = np.random.default_rng(0)


def test_by_hand():
    layer = Linear(2, 3, rng=rng).astype(np.float64)
    layer.weight.value[:], layer.bias.value[:] = [[1, 2, 3], [4, 5, 6]], [10, 20, 30]
    y, cache = layer.forward(np.array([[1.0, 1], [0, 2]]))
    assert y.tolist() == [[15, 27, 39], [18, 30, 42]]
    grad_x = layer.backward(np.array([[1.0, 0, 0], [0, 0, 1]]), cache)
    assert grad_x.tolist() == [[1, 4], [3, 6]]
    assert layer.weight.grad.tolist() == [[1, 0, 0], [1, 0, 2]] and layer.bias.grad.tolist() == [1, 0, 1]


def test_weights_begin_within_one_over_the_root_of_the_inputs():
    weights = Linear(400, 300, rng=rng).weight.value
    assert 0.0499 < weights.max() <= 0.05 and -0.05 <= weights.min() < -0.0499


def test_flatten_there_and_back():
    x = rng.standard_normal((2, 3, 4, 5))
    y, cache = Flatten().forward(x)
    assert y.shape == (2, 60) and y[1, 7] == x[1, 0, 1, 2]
    np.testing.assert_array_equal(Flatten().backward(y, cache), x)


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match=r"x must be \(N, 3\), got \(2, 4\)"):
        Linear(3, 2, rng=rng).forward(np.zeros((2, 4), np.float32))
    with pytest.raises(ValueError, match="x must be floating-point numbers, got int64"):
        Linear(3, 2, rng=rng).forward(np.zeros((2, 3), np.int64))
