import numpy as np
import pytest

from resnet_scratch.layers import Add, SubsamplePad


def test_an_addition_hands_the_gradient_to_both(put):
    a, b = put(np.arange(4)).reshape(1, 2, 2, 1), put(np.full((1, 2, 2, 1), 10))
    y, cache = Add().forward(a, b)
    assert y.reshape(-1).tolist() == [10, 11, 12, 13]
    grad_branch, grad_shortcut = Add().backward(y, cache)
    assert grad_branch is y and grad_shortcut is y


def test_option_a_by_hand(put):
    """Every other pixel of a 3x3 image with one channel, which comes to stand third of five."""
    layer = SubsamplePad(1, 5, 2)
    x = put(np.arange(9)).reshape(1, 3, 3, 1)
    y, cache = layer.forward(x)
    assert y.shape == (1, 2, 2, 5) and y[0, :, :, 2].tolist() == [[0, 2], [6, 8]]
    assert y.sum() == 16  # and zeros elsewhere
    grad = layer.backward(put(np.arange(20)).reshape(1, 2, 2, 5), cache)
    assert grad[0, :, :, 0].tolist() == [[2, 0, 7], [0, 0, 0], [12, 0, 17]]


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match="out_channels must be at least in_channels 8, got 4"):
        SubsamplePad(8, 4, 1)
    with pytest.raises(ValueError, match="stride must be a whole number of at least 1, got 0"):
        SubsamplePad(2, 4, 0)
    with pytest.raises(
        ValueError, match=r"x must be \(N, H, W, 2\), got \(1, 4, 4, 1\)"
    ):  # and not be spread over both
        SubsamplePad(2, 4, 2).forward(np.zeros((1, 4, 4, 1)))
    with pytest.raises(ValueError, match=r"same shape, got \(2, 3\) and \(2, 4\)"):
        Add().forward(np.zeros((2, 3)), np.zeros((2, 4)))
