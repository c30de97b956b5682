import numpy as np
import pytest

import reference
from reference import assert_same
from resnet_scratch.layers import AvgPool2d, GlobalAvgPool2d, MaxPool2d

GEOMETRIES = [
    ((6, 5), 3, 2, 1), ((4, 6), 2, None, 0), ((5, 4), (2, 3), 1, (1, 0)), ((7, 7), 2, 3, 0), ((5, 5), 1, 2, 0),
    ((3, 4), (3, 2), (1, 2), (1, 1)),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["max", "mean"])
@pytest.mark.parametrize("size, kernel_size, stride, padding", GEOMETRIES)
def test_pooling_is_that_of_plain_loops(put, rng, small_chunks, kind, size, kernel_size, stride, padding):
    layer = (MaxPool2d if kind == "max" else AvgPool2d)(kernel_size, stride, padding)
    x = rng.integers(-3, 0, (3, *size, 2))  # many ties; all negative, so that padding by zero would show
    grads = []

    def grad_y_of(shape):
        grads.append(rng.standard_normal(shape))
        return grads[0]

    stride = kernel_size if stride is None else stride
    expected_y, expected_grad = reference.pool(kind, x.astype(float), grad_y_of, kernel_size, stride, padding)
    y, cache = layer.forward(put(x))
    assert_same(y, expected_y)
    assert_same(layer.backward(put(grads[0]), cache), expected_grad)


def test_max_pool_sends_the_gradient_to_the_first_of_equals(put):
    y, cache = MaxPool2d(2).forward(put(np.full((1, 2, 2, 1), 5.0)))
    assert_same(y, [[[[5]]]])
    assert_same(MaxPool2d(2).backward(put([[[[3]]]]), cache)[0, :, :, 0], [[3, 0], [0, 0]])


def test_max_pool_over_a_window_of_more_than_256_places(put):
    """The winner's place then needs more than a byte."""
    x = np.zeros((1, 17, 17, 1))
    x[0, 16, 15] = 1  # place 287
    y, cache = MaxPool2d(17).forward(put(x))
    assert_same(y, [[[[1]]]])
    assert_same(MaxPool2d(17).backward(put([[[[4]]]]), cache), 4 * x)


def test_global_average_by_hand(put):
    x = np.arange(12.0).reshape(1, 2, 3, 2)  # channel 0 has 0, 2, 4, 6, 8, 10
    y, cache = GlobalAvgPool2d().forward(put(x))
    assert_same(y, [[5, 6]])
    assert_same(GlobalAvgPool2d().backward(put([[6, 12]]), cache), np.broadcast_to([1.0, 2.0], (1, 2, 3, 2)))


@pytest.mark.parametrize("kind", [MaxPool2d, AvgPool2d])
def test_impossible_geometry_is_refused(kind):
    with pytest.raises(ValueError, match=r"padding must be at most half of kernel_size \(3, 3\), got \(2, 0\)"):
        kind(3, padding=(2, 0))
    with pytest.raises(ValueError, match="kernel_size must be .* at least 1, got 0"):
        kind(0)
    with pytest.raises(ValueError, match="stride must be .* at least 1, got 0"):
        kind(2, 0)
    with pytest.raises(ValueError, match=r"kernel_size \(4, 4\) does not fit into an image of \(3, 9\)"):
        kind(4)(np.zeros((1, 3, 9, 1)))


@pytest.mark.parametrize("layer", [MaxPool2d(2), AvgPool2d(2), GlobalAvgPool2d()], ids=lambda layer: type(layer).__name__)
def test_anything_but_images_is_refused(layer):
    with pytest.raises(ValueError, match=r"x must be \(N, H, W, C\), got \(4, 4\)"):
        layer(np.zeros((4, 4)))
