"""Numbers at the edge: infinite and huge logits, windows of minus infinity, channels that hardly vary or never."""

import numpy as np
import pytest
from reference import assert_same

from resnet_scratch.compute.backend import to_numpy
from resnet_scratch.gradcheck import gradcheck
from resnet_scratch.layers import BatchNorm2d, MaxPool2d
from resnet_scratch.losses import log_softmax, softmax, softmax_cross_entropy

INF = np.inf
HUGE = 3e38  # float32 ends at 3.4e38


def cross_entropy(put, logits, label, smoothing=0.0):
    """(loss, gradient) of one row of logits, in float32."""
    loss, gradient = softmax_cross_entropy(put([logits], np.float32), put([label], np.int64), smoothing)
    return float(loss), to_numpy(gradient)[0].tolist()


@pytest.mark.parametrize(
    "logits, label, loss, gradient",
    [
        ([HUGE, -HUGE, 0], 0, 0, [0, 0, 0]),  # p = (1, 0, 0)
        ([HUGE, HUGE, -HUGE], 0, np.log(2), [-0.5, 0.5, 0]),
        ([-HUGE, -HUGE], 1, np.log(2), [0.5, -0.5]),
        ([HUGE, 0], 1, HUGE, [1, -1]),
        ([HUGE, -HUGE], 1, INF, [1, -1]),  # 6e38 is more than float32 can hold
        ([0, -INF, 0], 0, np.log(2), [-0.5, 0, 0.5]),  # a wrong class of probability 0
        ([0, -INF, -INF], 0, 0, [0, 0, 0]),
        ([HUGE, -INF], 0, 0, [0, 0]),
        ([0, -INF], 1, INF, [1, -1]),  # the true class is impossible
    ],
)
def test_cross_entropy_of_huge_and_infinite_logits_by_hand(put, logits, label, loss, gradient):
    ours, our_gradient = cross_entropy(put, logits, label)
    assert ours == pytest.approx(loss) and our_gradient == pytest.approx(gradient)


@pytest.mark.parametrize("smoothing", [0.3, 1.0])
def test_smoothing_asks_for_some_of_every_class(put, smoothing):
    """So a class of probability 0 costs infinitely much; the gradient is p - q all the same."""
    q = np.array([1 - smoothing + smoothing / 2, smoothing / 2])
    loss, gradient = cross_entropy(put, [0, -INF], 0, smoothing)
    assert loss == INF and gradient == pytest.approx([1 - q[0], -q[1]])
    loss, gradient = cross_entropy(put, [-INF, 0], 0, smoothing)  # with 1.0 the label itself counts for half
    assert loss == INF and gradient == pytest.approx([-q[0], 1 - q[1]])


@pytest.mark.parametrize("logits", [[-INF, -INF], [INF, 0], [INF, INF], [np.nan, 0]])
def test_where_no_softmax_is_defined_loss_and_gradient_are_nan(put, logits):
    loss, gradient = cross_entropy(put, logits, 0)
    assert np.isnan(loss) and np.isnan(gradient).all()
    defined = put([[0, 0], logits], np.float64)
    assert to_numpy(softmax(defined))[0].tolist() == [0.5, 0.5]  # other rows do not suffer
    assert np.isnan(to_numpy(log_softmax(defined))[1]).all()


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("kernel_size, stride", [(2, 2), (3, 2), (3, 1), ((3, 2), (1, 2))])
def test_a_window_of_minus_infinity_keeps_its_gradient_inside_the_image(put, kernel_size, stride, padding):
    """Each window's gradient goes to its first value that is in the image, as in PyTorch, so none is lost."""
    layer, x = MaxPool2d(kernel_size, stride, padding), put(np.full((2, 5, 6, 3), -INF))
    y, cache = layer.forward(x)
    assert (to_numpy(y) == -INF).all()
    grad_y = np.random.default_rng(0).standard_normal(y.shape)
    expected = np.zeros(x.shape)
    for oh, ow in np.ndindex(y.shape[1:3]):
        top, left = oh * layer.stride[0] - padding, ow * layer.stride[1] - padding
        expected[:, max(top, 0), max(left, 0)] += grad_y[:, oh, ow]
    assert_same(layer.backward(put(grad_y), cache), expected)


def test_one_finite_value_wins_over_minus_infinity_at_the_border(put):
    x = np.full((1, 3, 3, 1), -INF)
    x[0, 1, 1] = -1e30
    layer = MaxPool2d(3, 2, 1)
    y, cache = layer.forward(put(x))
    assert (to_numpy(y) == -1e30).all()
    grad = to_numpy(layer.backward(put(np.ones(y.shape)), cache))
    assert grad[0, 1, 1, 0] == 4 and grad.sum() == 4


@pytest.mark.parametrize("constant", [0, 0.1, -7.3, 1e6 / 3, 1e8, -3e12 / 7])
@pytest.mark.parametrize("shape", [(3, 7, 9), (1, 1, 2), (2, 50, 50)])
def test_a_constant_channel_becomes_its_bias(put, constant, shape):
    """Mean c and variance 0 exactly, whatever rounding makes of 2500 times 1e8 in float32."""
    layer = BatchNorm2d(2, momentum=1.0)
    layer.weight.value[:], layer.bias.value[:] = [2, 3], [0.25, -4]
    layer = put(layer, np.float32)
    x = np.full((*shape, 2), constant, np.float32)
    y, cache = layer.forward(put(x, np.float32), training=True)
    assert_same(y, np.broadcast_to([0.25, -4], x.shape), 0)
    assert to_numpy(layer.running_mean.value).tolist() == [np.float32(constant)] * 2
    assert to_numpy(layer.running_var.value).tolist() == [0, 0]
    grad_y = np.random.default_rng(0).standard_normal(x.shape).astype(np.float32)
    grad_x = layer.backward(put(grad_y, np.float32), cache)  # weight / sqrt(eps) * (grad_y - mean(grad_y))
    expected = np.array([2, 3]) / np.sqrt(1e-5) * (grad_y - grad_y.astype(np.float64).mean((0, 1, 2)))
    assert_same(grad_x, expected, 1e-5)
    assert to_numpy(layer.weight.grad).tolist() == [0, 0]


def test_the_gradient_of_a_constant_channel_is_the_numerical_derivative(rng):
    """With eps the function is smooth there: x = c + h gives a variance of order h^2."""
    x = rng.standard_normal((3, 4, 5, 2))
    x[..., 1] = 7.3
    assert gradcheck(BatchNorm2d(2, eps=1e-2).astype(np.float64), x)


@pytest.mark.parametrize("mean, std", [(1e4, 0.1), (-1e6, 10), (1e5, 0.05)])
def test_a_large_mean_and_a_small_spread(rng, put, mean, std):
    """float32: the mean is rounded to half a unit in its last place, which is a part of the small spread. Nothing else
    may cost digits."""
    x = (mean + std * rng.standard_normal((64, 6, 6, 2))).astype(np.float32)
    grad_y = rng.standard_normal(x.shape).astype(np.float32)
    exact = x.astype(np.float64)
    true_std = np.sqrt(exact.var((0, 1, 2)) + 1e-5)
    xhat = (exact - exact.mean((0, 1, 2))) / true_std
    layer = put(BatchNorm2d(2), np.float32)
    y, cache = layer.forward(put(x, np.float32), training=True)
    rounding = np.spacing(np.float32(abs(mean))) / 2 / true_std.min()
    assert np.abs(to_numpy(y) - xhat).max() <= rounding + 1e-4
    expected = (grad_y - grad_y.mean((0, 1, 2)) - xhat * (grad_y * xhat).mean((0, 1, 2))) / true_std
    error = np.abs(to_numpy(layer.backward(put(grad_y, np.float32), cache)) - expected).max()
    assert error <= (rounding + 1e-4) * np.abs(expected).max()


def test_half_precision_is_refused():
    """Its sums overflow: 70,000 is more than float16 can hold."""
    x = np.full((2, 8, 8, 1), 600, np.float16)
    with pytest.raises(ValueError, match="x must be float32 or float64, got float16"):
        BatchNorm2d(1).forward(x, training=True)
    dtypes = "float32, for training, or float64, for checking gradients"
    with pytest.raises(ValueError, match=f"dtype must be {dtypes}, got"):
        BatchNorm2d(1).astype(np.float16)
