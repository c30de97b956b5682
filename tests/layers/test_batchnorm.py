import numpy as np
import pytest
from reference import assert_same

from resnet_scratch.compute.backend import to_numpy
from resnet_scratch.layers import BatchNorm2d
from resnet_scratch.verify import definitions


def test_training_is_the_definition(rng, put):
    layer = BatchNorm2d(3).astype(np.float64)
    layer.weight.value, layer.bias.value = rng.standard_normal(3), rng.standard_normal(3)
    x = 5 + 2 * rng.standard_normal((4, 5, 6, 3))
    expected = definitions.batch_norm(x, layer.weight.value, layer.bias.value, 1e-5)
    assert_same(put(layer).forward(put(x), training=True)[0], expected)


def test_running_statistics_by_hand(put):
    """Values 0, 1, 2, 3: mean 1.5, biased variance 1.25, unbiased 5/3. With momentum 0.1 from 0 and 1."""
    layer = put(BatchNorm2d(1), np.float32)
    layer.forward(put([0, 1, 2, 3], np.float32).reshape(1, 2, 2, 1), training=True)
    assert layer.running_mean.value.tolist() == pytest.approx([0.15])
    assert layer.running_var.value.tolist() == pytest.approx([0.9 + 0.1 * 5 / 3])


def test_evaluation_uses_the_running_statistics_and_leaves_them(put):
    layer = BatchNorm2d(1, eps=0)
    layer.running_mean.value[:], layer.running_var.value[:], layer.weight.value[:], layer.bias.value[:] = 2, 4, 3, 1
    y, _ = put(layer).forward(put([2, 4, 0, 10]).reshape(4, 1, 1, 1), training=False)
    assert y[:, 0, 0, 0].tolist() == [1, 4, -2, 13]
    assert layer.running_mean.value.tolist() == [2] and layer.running_var.value.tolist() == [4]


@pytest.mark.parametrize("mean", [0, 100, -3000])
def test_a_mean_far_from_zero_costs_no_digits(rng, put, mean):
    """float32, standard deviation 1: the squares must not cancel."""
    x = (mean + rng.standard_normal((64, 8, 8, 2))).astype(np.float32)
    layer = put(BatchNorm2d(2, momentum=1.0), np.float32)
    layer.forward(put(x, np.float32), training=True)
    exact = x.astype(np.float64).reshape(-1, 2)
    np.testing.assert_allclose(to_numpy(layer.running_var.value), exact.var(0, ddof=1), rtol=1e-5)
    np.testing.assert_allclose(to_numpy(layer.running_mean.value), exact.mean(0), rtol=1e-6, atol=1e-6)


def test_a_channel_that_never_varies_stays_finite(put):
    layer = put(BatchNorm2d(1), np.float32)
    y, cache = layer.forward(put(np.full((2, 3, 3, 1), 7), np.float32), training=True)
    grad = layer.backward(y + 1, cache)
    assert not y.any() and np.isfinite(to_numpy(grad)).all()


def test_the_gradient_at_the_input_has_no_mean_and_no_share_of_x(rng, put):
    """Adding a constant to x, or scaling it about its mean, changes nothing; so grad_x is orthogonal to both."""
    layer = put(BatchNorm2d(2, eps=0))
    x = put(rng.standard_normal((3, 4, 4, 2)))
    y, cache = layer.forward(x, training=True)
    grad = layer.backward(put(rng.standard_normal(y.shape)), cache)
    assert_same(grad.sum((0, 1, 2)), np.zeros(2))
    assert_same((grad * x).sum((0, 1, 2)), np.zeros(2))


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match=r"x must be \(N, H, W, 3\), got \(2, 4, 4, 2\)"):
        BatchNorm2d(3).forward(np.zeros((2, 4, 4, 2)))
    with pytest.raises(ValueError, match="channels must be at least 1, got 0"):
        BatchNorm2d(0)
    with pytest.raises(ValueError, match="more than one value per channel"):
        BatchNorm2d(3).forward(np.zeros((1, 1, 1, 3)), training=True)
