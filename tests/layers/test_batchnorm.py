import numpy as np
import pytest

import reference
from resnet_scratch.layers import BatchNorm2d

rng = np.random.default_rng(0)


def test_training_is_the_two_passes():
    layer = BatchNorm2d(3).astype(np.float64)
    layer.weight.value, layer.bias.value = rng.standard_normal(3), rng.standard_normal(3)
    x = 5 + 2 * rng.standard_normal((4, 5, 6, 3))
    y, _ = layer.forward(x, training=True)
    np.testing.assert_allclose(y, reference.batch_norm(x, layer.weight.value, layer.bias.value, 1e-5), atol=1e-12)


def test_running_statistics_by_hand():
    """Values 0, 1, 2, 3: mean 1.5, biased variance 1.25, unbiased 5/3. With momentum 0.1 from 0 and 1."""
    layer = BatchNorm2d(1)
    layer.forward(np.arange(4, dtype=np.float32).reshape(1, 2, 2, 1), training=True)
    assert layer.running_mean.value[0] == pytest.approx(0.15)
    assert layer.running_var.value[0] == pytest.approx(0.9 + 0.1 * 5 / 3)


def test_evaluation_uses_the_running_statistics_and_leaves_them():
    layer = BatchNorm2d(1, eps=0)
    layer.running_mean.value[:], layer.running_var.value[:], layer.weight.value[:], layer.bias.value[:] = 2, 4, 3, 1
    y, _ = layer.forward(np.array([2.0, 4, 0, 10], np.float32).reshape(4, 1, 1, 1), training=False)
    assert y.ravel().tolist() == [1, 4, -2, 13]
    assert layer.running_mean.value[0] == 2 and layer.running_var.value[0] == 4


@pytest.mark.parametrize("mean", [0, 100, -3000])
def test_a_mean_far_from_zero_costs_no_digits(mean):
    """float32, standard deviation 1: the squares must not cancel."""
    x = (mean + rng.standard_normal((64, 8, 8, 2))).astype(np.float32)
    layer = BatchNorm2d(2, momentum=1.0)
    layer.forward(x, training=True)
    exact = x.astype(np.float64).reshape(-1, 2)
    np.testing.assert_allclose(layer.running_var.value, exact.var(0, ddof=1), rtol=1e-5)
    np.testing.assert_allclose(layer.running_mean.value, exact.mean(0), rtol=1e-6, atol=1e-6)


def test_a_channel_that_never_varies_stays_finite():
    layer = BatchNorm2d(1)
    y, cache = layer.forward(np.full((2, 3, 3, 1), 7, np.float32), training=True)
    grad = layer.backward(np.ones_like(y), cache)
    assert not y.any() and np.isfinite(grad).all()


def test_the_gradient_at_the_input_has_no_mean_and_no_share_of_x():
    """Adding a constant to x, or scaling it about its mean, changes nothing; so grad_x is orthogonal to both."""
    layer = BatchNorm2d(2, eps=0).astype(np.float64)
    x = rng.standard_normal((3, 4, 4, 2))
    y, cache = layer.forward(x, training=True)
    grad = layer.backward(rng.standard_normal(y.shape), cache)
    np.testing.assert_allclose(grad.sum((0, 1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose((grad * x).sum((0, 1, 2)), 0, atol=1e-12)


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match=r"x must be \(N, H, W, 3\), got \(2, 4, 4, 2\)"):
        BatchNorm2d(3).forward(np.zeros((2, 4, 4, 2)))
    with pytest.raises(ValueError, match="channels must be at least 1, got 0"):
        BatchNorm2d(0)
    with pytest.raises(ValueError, match="more than one value per channel"):
        BatchNorm2d(3).forward(np.zeros((1, 1, 1, 3)), training=True)
