import numpy as np
import pytest

import reference
from reference import assert_same
from resnet_scratch.layers import BatchNorm2d


def make(put, rng, eps=1e-5, momentum=0.1):
    layer = put(BatchNorm2d(3, eps, momentum))
    weight, bias = rng.standard_normal(3), rng.standard_normal(3)
    layer.weight.value, layer.bias.value = put(weight), put(bias)
    return layer, weight, bias


@pytest.mark.parametrize("shape", [(4, 3, 5, 3), (2, 1, 1, 3), (1, 4, 3, 3)])
@pytest.mark.parametrize("eps", [1e-5, 0.5])
def test_training_is_the_two_pass_textbook_version(put, rng, small_chunks, shape, eps):
    layer, weight, bias = make(put, rng, eps)
    x = 3 + 2 * rng.standard_normal(shape)
    y, cache = layer.forward(put(x), training=True)
    assert_same(y, reference.batch_norm(x, weight, bias, eps)[0], 1e-11)

    grad_y = rng.standard_normal(shape)
    expected = reference.batch_norm_backward(grad_y, x, weight, eps)
    for ours, textbook in zip((layer.backward(put(grad_y), cache), layer.weight.grad, layer.bias.grad), expected):
        assert_same(ours, textbook, 1e-10)


def test_running_statistics_after_two_batches(put, rng):
    """By hand: mean and unbiased variance (N - 1 in the denominator) enter with momentum 0.25, from 0 and 1."""
    layer = put(BatchNorm2d(1, momentum=0.25))
    for values in ([1, 2, 3, 6], [0, 0, 0, 8]):  # means 3 and 2, unbiased variances 14/3 and 16
        layer.forward(put(np.reshape(values, (2, 2, 1, 1))), training=True)
    assert_same(layer.running_mean.value, [0.75 * (0.25 * 3) + 0.25 * 2])
    assert_same(layer.running_var.value, [0.75 * (0.75 + 0.25 * 14 / 3) + 0.25 * 16])


def test_evaluation_uses_the_running_statistics_and_leaves_them(put, rng):
    layer, weight, bias = make(put, rng)
    mean, var, x = rng.standard_normal(3), rng.uniform(0.5, 2, 3), rng.standard_normal((2, 3, 4, 3))
    layer.running_mean.value, layer.running_var.value = put(mean), put(var)
    y, cache = layer.forward(put(x), training=False)
    assert_same(y, weight * (x - mean) / np.sqrt(var + 1e-5) + bias)
    assert_same(layer.running_mean.value, mean, 0)
    assert_same(layer.running_var.value, var, 0)

    grad_y = rng.standard_normal(x.shape)
    assert_same(layer.backward(put(grad_y), cache), grad_y * weight / np.sqrt(var + 1e-5))
    assert_same(layer.weight.grad, (grad_y * (x - mean) / np.sqrt(var + 1e-5)).sum((0, 1, 2)))
    assert_same(layer.bias.grad, grad_y.sum((0, 1, 2)))


@pytest.mark.parametrize("mean", [0, 100, -1000])
def test_float32_survives_a_mean_far_from_zero(put, rng, mean):
    """Sum of squares minus square of sum would lose mean**2 / var, a million times the rounding here."""
    x = (mean + rng.standard_normal((32, 8, 8, 3))).astype(np.float32)
    layer = put(BatchNorm2d(3), np.float32)
    expected, _, var = reference.batch_norm(x.astype(np.float64), 1, 0, 1e-5)
    assert_same(layer.forward(put(x, np.float32), training=True)[0], expected, 1e-6 + 2e-7 * abs(mean))
    M = 32 * 8 * 8
    assert_same(layer.running_var.value, 0.9 + 0.1 * var * M / (M - 1), 1e-5)


def test_constant_channels_come_out_as_the_bias(put, rng):
    layer, _, bias = make(put, rng)
    y, cache = layer.forward(put(np.full((2, 3, 3, 3), 7.0)), training=True)
    assert_same(y, np.broadcast_to(bias, (2, 3, 3, 3)))
    assert np.isfinite(layer.backward(y, cache)).all()


def test_it_begins_as_pure_normalisation():
    layer = BatchNorm2d(2)
    assert {name: buffer.value.tolist() for name, buffer in layer.named_buffers()} == {
        "weight": [1, 1], "bias": [0, 0], "running_mean": [0, 0], "running_var": [1, 1],
    }  # fmt: skip


def test_one_value_per_channel_is_refused_in_training_only():
    layer, x = BatchNorm2d(2), np.ones((1, 1, 1, 2), np.float32)
    with pytest.raises(ValueError, match=r"more than one value per channel, got x \(1, 1, 1, 2\)"):
        layer.forward(x, training=True)
    assert layer(x).shape == x.shape


@pytest.mark.parametrize("shape", [(2, 3, 3, 4), (2, 2)])
def test_another_number_of_channels_is_refused(shape):
    with pytest.raises(ValueError, match=r"x must be \(N, H, W, 2\), got"):
        BatchNorm2d(2).forward(np.zeros(shape, np.float32), training=True)
