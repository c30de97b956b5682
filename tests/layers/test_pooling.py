import numpy as np
import pytest
from reference import assert_same

from resnet_scratch.layers import AvgPool2d, GlobalAvgPool2d, MaxPool2d
from resnet_scratch.verify import definitions

GEOMETRIES = [((2, 2), (2, 2), (0, 0)), ((3, 3), (2, 2), (1, 1)), ((3, 2), (1, 2), (1, 0)), ((3, 3), (1, 1), (1, 1))]


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_forward_is_the_definition(rng, put, geometry):
    x = rng.standard_normal((2, 6, 7, 3)) - 5  # all negative: a border of zeros would win a maximum
    assert_same(MaxPool2d(*geometry)(put(x)), definitions.pool(x, np.max, *geometry, -np.inf), 0)
    assert_same(AvgPool2d(*geometry)(put(x)), definitions.pool(x, np.mean, *geometry, 0))


def test_max_pool_sends_the_gradient_to_the_first_largest(put):
    layer, x = MaxPool2d(2), put([[1, 3, 5, 5], [3, 2, 5, 5]]).reshape(1, 2, 4, 1)
    y, cache = layer.forward(x)
    assert y[0, 0, :, 0].tolist() == [3, 5]
    grad = layer.backward(put([10, 20]).reshape(1, 1, 2, 1), cache)
    assert grad[0, :, :, 0].tolist() == [[0, 10, 20, 0], [0, 0, 0, 0]]


def test_overlapping_windows_add_their_gradients(put):
    layer = MaxPool2d((1, 2), 1)
    y, cache = layer.forward(put([1, 9, 2]).reshape(1, 1, 3, 1))
    assert layer.backward(put([10, 20]).reshape(1, 1, 2, 1), cache)[0, 0, :, 0].tolist() == [0, 30, 0]


def test_average_pools_by_hand(put):
    x = put([[1, 2], [3, 6]]).reshape(1, 2, 2, 1)
    for layer in (AvgPool2d(2), GlobalAvgPool2d()):
        y, cache = layer.forward(x)
        assert y.reshape(-1).tolist() == [3]
        assert layer.backward(put(np.full(y.shape, 8)), cache).reshape(-1).tolist() == [2, 2, 2, 2]


def test_a_kernel_of_more_than_256_places_still_finds_its_winner(put):
    x = np.zeros((1, 20, 20, 1))
    x[0, 19, 18] = 1
    layer = MaxPool2d(20)
    y, cache = layer.forward(put(x))
    assert y.reshape(-1).tolist() == [1]
    assert_same(layer.backward(y, cache), x, 0)


@pytest.mark.parametrize("positions, bytes_each", [(256, 1), (257, 4)])
def test_a_position_takes_one_byte_where_that_is_enough(put, positions, bytes_each):
    """The last of 256 positions is 255, the largest number of one byte; that of 257 does not fit."""
    x = np.zeros((1, 1, positions, 1))
    x[..., -1, 0] = 1
    layer = MaxPool2d((1, positions))
    y, cache = layer.forward(put(x))
    assert cache[0].nbytes == bytes_each and cache[0].item() == positions - 1
    assert_same(layer.backward(y, cache), x, 0)


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match=r"padding must be at most half of kernel_size \(2, 2\), got \(2, 2\)"):
        MaxPool2d(2, padding=2)
    for padding in ((2, 0), (0, 3)):  # one axis is enough
        with pytest.raises(ValueError, match="^padding must be at most half of kernel_size"):
            AvgPool2d((3, 4), padding=padding)
    for kind in (MaxPool2d, AvgPool2d):
        with pytest.raises(ValueError, match=r"\(4, 4\) does not fit into an image of \(3, 1\) padded by \(1, 1\)"):
            kind(4, 1, 1).forward(np.zeros((1, 3, 1, 2)))
    for name, least in (("kernel_size", 1), ("stride", 1), ("padding", 0)):
        with pytest.raises(ValueError, match=f"^{name} must be .* at least {least}, got {least - 1}$"):
            AvgPool2d(**{"kernel_size": 2, name: least - 1})
    for layer in (AvgPool2d(2), GlobalAvgPool2d()):
        with pytest.raises(ValueError, match=r"x must be \(N, H, W, C\), got \(3, 4\)"):
            layer.forward(np.zeros((3, 4)))
