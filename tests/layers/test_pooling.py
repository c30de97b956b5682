import numpy as np
import pytest

import reference
from resnet_scratch.layers import AvgPool2d, GlobalAvgPool2d, MaxPool2d

rng = np.random.default_rng(0)
GEOMETRIES = [((2, 2), (2, 2), (0, 0)), ((3, 3), (2, 2), (1, 1)), ((3, 2), (1, 2), (1, 0)), ((3, 3), (1, 1), (1, 1))]


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_they_are_the_loops(geometry):
    x = rng.standard_normal((2, 6, 7, 3)) - 5  # all negative: a border of zeros would win a maximum
    np.testing.assert_allclose(MaxPool2d(*geometry)(x), reference.pool(x, np.max, *geometry, -np.inf))
    np.testing.assert_allclose(AvgPool2d(*geometry)(x), reference.pool(x, np.mean, *geometry, 0))


def test_max_pool_sends_the_gradient_to_the_first_largest():
    layer = MaxPool2d(2)
    x = np.array([[1.0, 3, 5, 5], [3, 2, 5, 5]]).reshape(1, 2, 4, 1)
    y, cache = layer.forward(x)
    assert y.ravel().tolist() == [3, 5]
    grad = layer.backward(np.array([10.0, 20]).reshape(1, 1, 2, 1), cache)
    assert grad[0, :, :, 0].tolist() == [[0, 10, 20, 0], [0, 0, 0, 0]]


def test_overlapping_windows_add_their_gradients():
    layer = MaxPool2d((1, 2), 1)
    y, cache = layer.forward(np.array([1.0, 9, 2]).reshape(1, 1, 3, 1))
    assert layer.backward(np.array([10.0, 20]).reshape(1, 1, 2, 1), cache).ravel().tolist() == [0, 30, 0]


def test_average_pools_by_hand():
    x = np.array([[1.0, 2], [3, 6]]).reshape(1, 2, 2, 1)
    for layer in (AvgPool2d(2), GlobalAvgPool2d()):
        y, cache = layer.forward(x)
        assert y.ravel().tolist() == [3]
        assert layer.backward(np.full(y.shape, 8.0), cache).ravel().tolist() == [2, 2, 2, 2]


def test_a_kernel_of_more_than_256_places_still_finds_its_winner():
    x = np.zeros((1, 20, 20, 1))
    x[0, 19, 18] = 1
    layer = MaxPool2d(20)
    y, cache = layer.forward(x)
    np.testing.assert_array_equal(layer.backward(np.ones_like(y), cache), x)


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match=r"padding must be at most half of kernel_size \(2, 2\), got \(2, 2\)"):
        MaxPool2d(2, padding=2)
    for layer in (AvgPool2d(2), GlobalAvgPool2d()):
        with pytest.raises(ValueError, match=r"x must be \(N, H, W, C\), got \(3, 4\)"):
            layer.forward(np.zeros((3, 4)))
