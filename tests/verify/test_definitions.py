"""The definitions against numbers computed by hand: the layers' tests rely on them."""

import numpy as np
import pytest

from resnet_scratch.verify import definitions

IMAGE = np.arange(1.0, 7.0).reshape(1, 2, 3, 1)  # [1 2 3; 4 5 6]
KERNEL = np.array([[1.0, 2], [3, 4]]).reshape(2, 2, 1, 1)


def test_convolution():
    y = definitions.convolution(IMAGE, KERNEL, np.array([100.0]))
    assert y[0, 0, :, 0].tolist() == [100 + 1 + 4 + 12 + 20, 100 + 2 + 6 + 15 + 24]


def test_convolution_with_stride_and_padding():
    """Padded by 1 row and 2 columns, strides 2 and 3: windows begin in rows -1, 1 and columns -2, 1."""
    y = definitions.convolution(IMAGE, KERNEL, stride=(2, 3), padding=(1, 2))
    assert y[0, :, :, 0].tolist() == [[0, 3 * 2 + 4 * 3], [0, 1 * 5 + 2 * 6]]


def test_convolution_sums_over_channels_and_has_an_output_for_each_kernel():
    x = np.array([[1.0, 10], [2, 20]]).reshape(2, 1, 1, 2)  # two images of one pixel, two channels
    weight = np.array([[1.0, 2, 3], [4, 5, 6]]).reshape(1, 1, 2, 3)
    assert definitions.convolution(x, weight)[:, 0, 0].tolist() == [[41, 52, 63], [82, 104, 126]]


def test_gradients_of_a_convolution():
    """grad_y is 1 at the first window, and 10 at the second."""
    grad_y = np.array([1.0, 10]).reshape(1, 1, 2, 1)
    grad_x = definitions.convolution_grad_x(grad_y, KERNEL, (2, 3))
    assert grad_x[0, :, :, 0].tolist() == [[1, 2 + 10, 20], [3, 4 + 30, 40]]
    grad_weight = definitions.convolution_grad_weight(grad_y, IMAGE, 2)
    assert grad_weight[..., 0, 0].tolist() == [[1 + 20, 2 + 30], [4 + 50, 5 + 60]]


@pytest.mark.parametrize("stride, padding", [((1, 1), (0, 0)), ((2, 1), (1, 2)), ((3, 2), (0, 1))])
def test_gradients_are_those_of_the_seven_loops(stride, padding):
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((2, 5, 4, 2)), rng.standard_normal((3, 2, 2, 3))
    y = definitions.convolution(x, weight, None, stride, padding)
    grad_y = rng.standard_normal(y.shape)

    def loss(_):
        return (definitions.convolution(x, weight, None, stride, padding) * grad_y).sum()

    grad_x = definitions.convolution_grad_x(grad_y, weight, (5, 4), stride, padding)
    grad_weight = definitions.convolution_grad_weight(grad_y, x, (3, 2), stride, padding)
    np.testing.assert_allclose(grad_x, definitions.numerical_gradient(loss, x), atol=1e-8)
    np.testing.assert_allclose(grad_weight, definitions.numerical_gradient(loss, weight), atol=1e-8)


def test_im2col_and_col2im():
    """One column of padding on the left and on the right, strides 1 and 2. No pixel is zero, so the padding shows."""
    x = IMAGE - 7  # [-6 -5 -4; -3 -2 -1]
    columns = definitions.im2col(x, 2, (1, 2), (0, 1))
    assert columns.tolist() == [[0, -6, 0, -3], [-5, -4, -2, -1]]
    back = definitions.col2im(np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]]), x.shape, 2, (1, 2), (0, 1))
    assert back[0, :, :, 0].tolist() == [[2, 5, 6], [4, 7, 8]]
    overlapping = definitions.col2im(np.ones((2, 4)), x.shape, 2)
    assert overlapping[0, :, :, 0].tolist() == [[1, 2, 1], [1, 2, 1]]


def test_pool():
    y = definitions.pool(-IMAGE, np.max, (2, 2), (1, 2), (0, 1), -np.inf)
    assert y[0, :, :, 0].tolist() == [[-1, -2]]
    assert definitions.pool(IMAGE, np.mean, 2, 1)[0, 0, :, 0].tolist() == [3, 4]


def test_batch_norm():
    """Channel 0 is 1, 3 (mean 2, variance 1), channel 1 is 0, 8 (mean 4, variance 16); eps 9 in the second call."""
    x = np.array([[1.0, 0], [3, 8]]).reshape(2, 1, 1, 2)
    y = definitions.batch_norm(x, np.array([1.0, 2]), np.array([0.0, 5]), 0)
    assert y[:, 0, 0].tolist() == [[-1, 3], [1, 7]]
    y = definitions.batch_norm(x, np.array([5.0, 5]), np.zeros(2), 9)
    assert y[:, 0, 0, 1].tolist() == [-4, 4]


def test_numerical_gradient_of_cubes():
    """The central difference of x^3 is 3 x^2 + h^2."""
    x = np.array([[1.0, -2], [0.5, 3]])
    before = x.copy()
    gradient = definitions.numerical_gradient(lambda a: float((a**3).sum()), x, 0.1)
    np.testing.assert_allclose(gradient, 3 * before**2 + 0.01)
    assert np.array_equal(x, before)
