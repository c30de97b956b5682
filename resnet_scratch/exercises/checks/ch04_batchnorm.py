"""Checks of the exercises of tutorial 04."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...gradcheck import gradcheck
from ...verify.definitions import batch_norm, numerical_gradient

AXES = (0, 1, 2)


def _images(seed: int = 0) -> np.ndarray:
    """(3, 4, 5, 2), two channels with means and sizes of their own."""
    return np.random.default_rng(seed).standard_normal((3, 4, 5, 2)) * [1, 5] + [2, -10]


def task_4_1(answer: Callable) -> None:
    """`batch_norm`, on eight numbers worked out by hand, and channel by channel in a loop."""
    x = np.arange(1.0, 9.0).reshape(2, 2, 2, 1)  # mean 4.5, variance 5.25
    y = answer(x.copy(), np.ones(1), np.zeros(1), 0.0)
    assert np.shape(y) == x.shape, f"y must have x's shape {x.shape}, got {np.shape(y)}"
    each = np.stack([(image - image.mean()) / image.std() for image in x])
    assert not np.allclose(y, each), "every image was normalised by itself: the batch shares one mean and one variance"
    assert not np.allclose(y, (x - 4.5) / 6**0.5), "the variance was divided by M - 1: in training it is the biased one"
    assert not np.allclose(y, (x - 4.5) / 5.25), "divided by the variance: take its square root"
    assert np.allclose(y, (x - 4.5) / 5.25**0.5), f"of 1, ..., 8 mean and variance are 4.5 and 5.25; got\n{y.ravel()}"
    y = answer(np.array([-0.1, 0.1]).reshape(2, 1, 1, 1), np.ones(1), np.zeros(1), 0.03)
    assert np.allclose(np.abs(y), 0.5), (
        f"variance 0.01 and eps 0.03 make a root of 0.2, so 0.1 becomes 0.5; got {np.ravel(y)[1]:.3f}; is eps under it?"
    )
    x, weight, bias = _images(), np.array([2.0, -0.5]), np.array([7.0, 1.0])
    y = answer(x.copy(), weight, bias, 1e-5)
    whole = weight * (x - x.mean()) / np.sqrt(x.var() + 1e-5) + bias
    assert not np.allclose(y, whole), "the channels were mixed: each has a mean and a variance of its own"
    assert np.allclose(y, batch_norm(x, weight, bias, 1e-5)), "with two channels, a weight and a bias, y is not right"
    y = answer(np.full((2, 2, 2, 1), 7.0), np.ones(1), np.zeros(1), 1e-5)
    assert np.allclose(y, 0), f"a constant channel becomes 0, with eps under the root; got {np.ravel(y)[0]}"


def task_4_2(answer: Callable) -> None:
    """`batch_norm_backward`, against central differences of the definition."""
    x, weight, bias, eps = _images(), np.array([2.0, -0.5]), np.zeros(2), 1e-3
    grad_y = np.random.default_rng(1).standard_normal(x.shape)
    inverse_std = 1 / np.sqrt(x.var(AXES) + eps)
    xhat = (x - x.mean(AXES)) * inverse_std
    grad_x, grad_weight, grad_bias = answer(grad_y.copy(), xhat.copy(), inverse_std, weight)
    for name, got, shape in (("x", grad_x, x.shape), ("weight", grad_weight, (2,)), ("bias", grad_bias, (2,))):
        assert np.shape(got) == shape, f"the gradient at {name} must have the shape {shape}, got {np.shape(got)}"

    def loss(_: np.ndarray) -> float:  # of x, weight and bias, each of which is changed in place
        return (batch_norm(x, weight, bias, eps) * grad_y).sum()

    for name, got, parameter in (("weight", grad_weight, weight), ("bias", grad_bias, bias)):
        expected = numerical_gradient(loss, parameter)
        average = np.allclose(np.asarray(got) * (x.size // 2), expected)
        assert not average, f"the gradient at {name} is a sum over the channel, not a mean"
        assert np.allclose(got, expected, atol=1e-6), f"the gradient at {name} should be {expected}, got {got}"
    expected = numerical_gradient(loss, x)
    scale = weight * inverse_std
    typical = {
        "this is right only if mean and variance were constants: both depend on x": grad_y,
        "the term of the variance is missing": grad_y - grad_y.mean(AXES),
        "the term of the mean is missing": grad_y - xhat * (grad_y * xhat).mean(AXES),
        "sums in place of means": grad_y - grad_y.sum(AXES) - xhat * (grad_y * xhat).sum(AXES),
    }
    for what, wrong in typical.items():
        assert not np.allclose(grad_x, scale * wrong), f"grad_x: {what}"
    assert not np.allclose(np.asarray(grad_x) * weight, expected), "grad_x: where is the weight?"
    off = np.abs(grad_x - expected).max()
    assert off < 1e-6, f"grad_x is off by up to {off:.2g} from what the forward does"


def task_4_3(answer: Callable) -> None:
    """`update_running`, on four numbers worked out by hand."""
    x = np.array([1.0, 2, 3, 6]).reshape(4, 1, 1, 1)  # mean 3, squared distances 4 + 1 + 0 + 9 = 14
    before = np.array([5.0]), np.array([2.0])
    mean, var = answer(before[0], before[1], x.copy(), 0.25)
    assert before[0] == 5 and before[1] == 2, "the running averages were changed in place: return new arrays"
    assert not np.allclose(mean, 0.25 * 5 + 0.75 * 3), "momentum is the share of the new batch, not of the old average"
    assert np.allclose(mean, 0.75 * 5 + 0.25 * 3), f"0.75 * 5 + 0.25 * 3 = 4.5 is the new mean, got {mean}"
    assert not np.allclose(var, 0.75 * 2 + 0.25 * 14 / 4), "that is the biased variance: divide by M - 1"
    assert np.allclose(var, 0.75 * 2 + 0.25 * 14 / 3), f"the new variance is 0.75 * 2 + 0.25 * 14 / 3, got {var}"
    x = _images()
    mean, var = answer(np.zeros(2), np.ones(2), x, 1.0)
    assert np.shape(mean) == np.shape(var) == (2,), f"one number for each of two channels, got {np.shape(mean)}"
    for c in range(2):
        numbers = x[..., c].ravel()
        right = abs(mean[c] - numbers.mean()) < 1e-9 and abs(var[c] - np.var(numbers, ddof=1)) < 1e-9
        assert right, f"with momentum 1 the batch's own numbers remain; channel {c} has others"


def task_4_4(kind: Any) -> None:
    """`LayerNorm`: rows by hand, and the gradient checker."""
    layer = kind(4)
    x = np.array([[1.0, 2, 3, 6], [10.0, 10, 20, 20]])  # means 3 and 15, variances 3.5 and 25
    y, _ = layer.forward(x.copy())
    expected = np.array([(x[0] - 3) / 3.5**0.5, (x[1] - 15) / 5])
    assert not np.allclose(y.mean(0), 0, atol=1e-3), "the columns were normalised, over the batch: take each row"
    assert np.allclose(y, expected, atol=1e-4), f"the rows 1, 2, 3, 6 and 10, 10, 20, 20 become\n{expected}\ngot\n{y}"
    alone, _ = layer.forward(x[:1].copy())
    assert np.allclose(alone, y[:1]), "a row must come out the same whoever else is in the batch"
    rng = np.random.default_rng(0)
    layer.weight.value, layer.bias.value = rng.uniform(0.5, 2, 4), rng.standard_normal(4)
    y, _ = layer.forward(x.copy())
    scaled = layer.weight.value * expected + layer.bias.value
    assert np.allclose(y, scaled, atol=1e-3), "each column has a weight and a bias of its own"
    report = gradcheck(layer, rng.standard_normal((3, 4)))
    assert report, f"a gradient is wrong (at `input`: is the weight inside the two means?):\n{report}"
