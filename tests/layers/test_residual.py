import numpy as np
import pytest

from reference import assert_same
from resnet_scratch.layers import Add, SubsamplePad


def test_addition_adds_and_hands_the_gradient_to_both(put, rng, small_chunks):
    a, b, grad_y = rng.standard_normal((3, 3, 2, 2, 2))
    y, cache = Add().forward(put(a), put(b))
    assert_same(y, a + b)
    for gradient in Add().backward(put(grad_y), cache):
        assert_same(gradient, grad_y, 0)


def test_addition_refuses_shapes_that_would_broadcast():
    with pytest.raises(ValueError, match=r"one shape, got \(2, 3, 3, 4\) and \(2, 1, 1, 4\)"):
        Add().forward(np.zeros((2, 3, 3, 4)), np.zeros((2, 1, 1, 4)))


def test_option_a_by_hand(put):
    """Every second pixel of a 3x3 image, its two channels in the middle of four."""
    x = np.arange(18.0).reshape(1, 3, 3, 2)
    layer = SubsamplePad(2, 4, 2)
    y, cache = layer.forward(put(x))
    assert_same(y, [[[[0, 0, 1, 0], [0, 4, 5, 0]], [[0, 12, 13, 0], [0, 16, 17, 0]]]], 0)
    grad_x = layer.backward(put(np.arange(16.0).reshape(1, 2, 2, 4)), cache)
    expected = np.zeros((1, 3, 3, 2))
    expected[0, ::2, ::2] = [[[1, 2], [5, 6]], [[9, 10], [13, 14]]]
    assert_same(grad_x, expected, 0)


@pytest.mark.parametrize("size", [(8, 8), (7, 5), (1, 2)])
def test_option_a_fits_what_a_strided_3x3_convolution_gives(put, size):
    """(H + 2 - 3) // 2 + 1, for sizes even and odd."""
    y = SubsamplePad(3, 8, 2)(put(np.ones((1, *size, 3))))
    assert y.shape == (1, (size[0] - 1) // 2 + 1, (size[1] - 1) // 2 + 1, 8)


def test_option_a_has_no_parameters_and_cannot_drop_channels():
    assert SubsamplePad(2, 4, 2).parameters() == []
    with pytest.raises(ValueError, match="out_channels must be at least in_channels 4, got 2"):
        SubsamplePad(4, 2, 2)
