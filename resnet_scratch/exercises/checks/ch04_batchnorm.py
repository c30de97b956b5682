"""Checks of the tasks of tutorial 04."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...verify.definitions import batch_norm, numerical_gradient
from .contract import check_backward, upstream

AXES = (0, 1, 2)


def _images(seed: int = 0) -> np.ndarray:
    """(3, 4, 5, 2), two channels that differ in mean and variance."""
    return np.random.default_rng(seed).standard_normal((3, 4, 5, 2)) * [1, 5] + [2, -10]


def task_4_1(answer: Callable) -> None:
    """`batch_norm`, on eight numbers computed by hand, and against a loop over the channels."""
    x = np.arange(1.0, 9.0).reshape(2, 2, 2, 1)  # mean 4.5, variance 5.25
    y = np.asarray(answer(x, np.ones(1), np.zeros(1), 0.0))
    assert y.shape == x.shape, f"y must have x's shape {x.shape}, got {y.shape}"
    each = np.stack([(image - image.mean()) / image.std() for image in x])
    assert not np.allclose(y, each), "you normalised each image by itself; the whole batch shares a mean and a variance"
    assert not np.allclose(y, (x - 4.5) / 6**0.5), "you divided the variance by M - 1; in training, divide it by M"
    assert not np.allclose(y, (x - 4.5) / 5.25), "you divided by the variance; take its square root"
    assert not np.allclose(y, x / 5.25**0.5), "you did not subtract the mean"
    assert np.allclose(y, (x - 4.5) / 5.25**0.5), (
        f"1, ..., 8 have mean 4.5 and variance 5.25, so they become (x - 4.5) / sqrt(5.25); got\n{y.ravel()}"
    )
    y = np.ravel(answer(np.array([-0.1, 0.1]).reshape(2, 1, 1, 1), np.ones(1), np.zeros(1), 0.03))
    assert np.allclose(np.abs(y), 0.5), (
        f"with variance 0.01 and eps 0.03, sqrt(var + eps) is 0.2 and 0.1 becomes 0.5; got {y[1]:.3f}. "
        "Did you add eps to the variance, before the square root?"
    )
    x, weight, bias = _images(), np.array([2.0, -0.5]), np.array([7.0, 1.0])
    y = np.asarray(answer(x.copy(), weight, bias, 1e-5))
    assert y.shape == x.shape, f"y must have x's shape {x.shape}, got {y.shape}"
    right = batch_norm(x, weight, bias, 1e-5)
    whole = weight * (x - x.mean()) / np.sqrt(x.var() + 1e-5) + bias
    assert not np.allclose(y, whole), "you mixed the channels; each channel has its own mean and variance"
    assert not np.allclose(y, right - bias), "the bias is missing"
    assert not np.allclose(y, (right - bias) / weight + bias), "the weight is missing"
    off = np.abs(y - right).max()
    assert off < 1e-6, f"with two channels, a weight and a bias, y is off by up to {off:.2g}"
    y = np.ravel(answer(np.full((2, 2, 2, 1), 7.0), np.ones(1), np.zeros(1), 1e-5))
    assert np.allclose(y, 0, atol=1e-6), f"a constant channel becomes 0, because eps keeps the root above 0; got {y[0]}"


def task_4_2(answer: Callable) -> None:
    """`batch_norm_backward`, against central differences of the definition."""
    x, weight, bias, eps = _images(), np.array([2.0, -0.5]), np.zeros(2), 1e-3
    grad_y = np.random.default_rng(1).standard_normal(x.shape)
    inverse_std = 1 / np.sqrt(x.var(AXES) + eps)
    xhat = (x - x.mean(AXES)) * inverse_std
    got = answer(grad_y, xhat, inverse_std, weight)
    assert isinstance(got, (tuple, list)) and len(got) == 3, "return three arrays: grad_x, grad_weight, grad_bias"
    grad_x, grad_weight, grad_bias = map(np.asarray, got)
    for name, array, shape in (("x", grad_x, x.shape), ("weight", grad_weight, (2,)), ("bias", grad_bias, (2,))):
        assert array.shape == shape, f"grad_{name} must have the shape {shape}, got {array.shape}"

    def loss(_: np.ndarray) -> float:  # of x, weight and bias, each of which is changed in place
        return float((batch_norm(x, weight, bias, eps) * grad_y).sum())

    right = {name: numerical_gradient(loss, array) for name, array in (("x", x), ("weight", weight), ("bias", bias))}
    swapped = np.allclose(grad_weight, right["bias"]) and np.allclose(grad_bias, right["weight"])
    assert not swapped, "grad_weight and grad_bias are swapped: the order is grad_x, grad_weight, grad_bias"
    for name, array in (("weight", grad_weight), ("bias", grad_bias)):
        assert not np.allclose(array * (x.size // 2), right[name]), f"grad_{name} is a sum over the channel, not a mean"
        assert np.allclose(array, right[name], atol=1e-6), f"grad_{name} should be {right[name]}, got {array}"
    scale = weight * inverse_std
    mean, slope = grad_y.mean(AXES), (grad_y * xhat).mean(AXES)
    typical = {
        "this would be right if mean and variance were constants, but both depend on x": grad_y,
        "the contribution of the variance is missing": grad_y - mean,
        "the contribution of the mean is missing": grad_y - xhat * slope,
        "the contribution of the variance has the wrong sign": grad_y - mean + xhat * slope,
        "divide the two sums by M, the number of values in a channel": grad_y - x.size / 2 * (mean + xhat * slope),
        "M is N * H * W, not N": grad_y - x.size / 2 / len(x) * (mean + xhat * slope),
    }
    for what, wrong in typical.items():
        assert not np.allclose(grad_x, scale * wrong), f"grad_x: {what}"
    for what, factor in (("the weight", weight), ("inverse_std", inverse_std)):
        assert not np.allclose(grad_x * factor, right["x"], atol=1e-6), f"grad_x: {what} is missing as a factor"
    off = np.abs(grad_x - right["x"]).max()
    assert off < 1e-6, f"grad_x differs by up to {off:.2g} from central differences of the forward pass"


def task_4_3(answer: Callable) -> None:
    """`update_running`, on four numbers computed by hand, and on two channels."""
    x = np.array([1.0, 2, 3, 6]).reshape(4, 1, 1, 1)  # mean 3, squared distances 4 + 1 + 0 + 9 = 14
    got = answer(np.array([5.0]), np.array([2.0]), x, 0.25)
    assert isinstance(got, (tuple, list)) and len(got) == 2, "return two arrays: the new mean and the new variance"
    mean, var = got
    assert not np.allclose(mean, 0.25 * 5 + 0.75 * 3), "momentum is the weight of the new batch, not of the old average"
    assert np.allclose(mean, 4.5), f"the new mean is 0.75 * 5 + 0.25 * 3 = 4.5, got {mean}"
    assert not np.allclose(var, 0.75 * 2 + 0.25 * 14 / 4), "that is the biased variance; divide by M - 1"
    assert not np.allclose(var, 1.5 + 0.25 * (14 / 3) ** 0.5), "you averaged the standard deviation, not the variance"
    assert np.allclose(var, 0.75 * 2 + 0.25 * 14 / 3), f"the new variance is 0.75 * 2 + 0.25 * 14 / 3, got {var}"
    x = _images()
    mean, var = map(np.asarray, answer(np.zeros(2), np.ones(2), x.copy(), 1.0))
    assert mean.shape == var.shape == (2,), f"return one number for each of two channels, got {mean.shape}, {var.shape}"
    means, squares = x.sum(AXES) / 60, ((x - x.sum(AXES) / 60) ** 2).sum(AXES)
    assert np.allclose(mean, means), f"with momentum 1 the mean is the batch's own: {means}, got {mean}"
    assert not np.allclose(var, squares / 60 * 3 / 2), "M is N * H * W, not N, also in M - 1"
    assert np.allclose(var, squares / 59), f"with momentum 1 var is the unbiased variance: {squares / 59}, got {var}"


def task_4_4(kind: Any) -> None:
    """`LayerNorm`: rows computed by hand, then central differences."""
    layer = kind(4)
    x = np.array([[1.0, 2, 3, 6], [10.0, 10, 20, 20]])  # means 3 and 15, variances 3.5 and 25
    y, cache = _forward(layer, x)
    expected = np.array([(x[0] - 3) / 3.5**0.5, (x[1] - 15) / 5])
    assert y.shape == x.shape, f"y must have x's shape {x.shape}, got {y.shape}"
    columns = (x - x.mean(0)) / x.std(0)
    assert not np.allclose(y, columns, atol=1e-3), "you normalised the columns, over the batch; normalise each row"
    unbiased = np.array([(x[0] - 3) / (14 / 3) ** 0.5, (x[1] - 15) / (100 / 3) ** 0.5])
    assert not np.allclose(y, unbiased, atol=1e-4), "you divided the variance by C - 1; divide it by C"
    assert np.allclose(y, expected, atol=1e-4), f"the rows 1, 2, 3, 6 and 10, 10, 20, 20 become\n{expected}\ngot\n{y}"
    y, _ = _forward(kind(2, 0.03), np.array([[-0.1, 0.1]]))
    assert np.allclose(np.abs(y), 0.5), (
        "with variance 0.01 and eps 0.03, sqrt(var + eps) is 0.2 and 0.1 becomes 0.5; add self.eps to the variance, "
        "before the root"
    )
    rng = np.random.default_rng(0)
    layer.weight.value, layer.bias.value = rng.uniform(0.5, 2, 4), rng.standard_normal(4)
    y, cache = _forward(layer, x)
    scaled = layer.weight.value * expected + layer.bias.value
    assert np.allclose(y, scaled, atol=1e-3), "multiply each column by its own weight and add its own bias"
    x = rng.standard_normal((3, 4))
    y, cache = _forward(layer, x)
    grad_y = upstream(y)
    _check_cache(layer, grad_y, cache)
    grad_x = check_backward(layer, x)

    def loss(_: np.ndarray) -> float:  # of x, weight and bias, each of which is changed in place
        return float((_rows(x, layer.weight.value, layer.bias.value, layer.eps) * grad_y).sum())

    for name, parameter in (("weight", layer.weight), ("bias", layer.bias)):
        right = numerical_gradient(loss, parameter.value)
        assert parameter.grad is not None, f"backward must set self.{name}.grad"
        assert np.shape(parameter.grad) == (4,), (
            f"self.{name}.grad must have shape (4,), got {np.shape(parameter.grad)}"
        )
        assert np.allclose(parameter.grad, right, atol=1e-6), (
            f"self.{name}.grad should be {right}, a sum over the rows; got {parameter.grad}"
        )
    inverse_std = 1 / np.sqrt(x.var(1, keepdims=True) + layer.eps)
    xhat = (x - x.mean(1, keepdims=True)) * inverse_std
    weighted = grad_y * layer.weight.value
    typical = {
        "the weight differs within a row, so it must be inside the two means": layer.weight.value * _left(grad_y, xhat),
        "the weight is missing": _left(grad_y, xhat),
        "this would be right if mean and variance were constants, but both depend on x": weighted,
        "the contribution of the variance is missing": weighted - weighted.mean(1, keepdims=True),
        "the two means run along a row, axis 1, not over the batch": _left(weighted, xhat, axis=0),
    }
    for what, wrong in typical.items():
        assert not np.allclose(grad_x, inverse_std * wrong), f"grad_x: {what}"
    off = np.abs(grad_x - numerical_gradient(loss, x)).max()
    assert off < 1e-6, f"grad_x differs by up to {off:.2g} from central differences of the forward pass"


def _left(grad: np.ndarray, xhat: np.ndarray, axis: int = 1) -> np.ndarray:
    """What is left of `grad` without its mean and its part along xhat."""
    return grad - grad.mean(axis, keepdims=True) - xhat * (grad * xhat).mean(axis, keepdims=True)


def _rows(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float) -> np.ndarray:
    """Layer norm by definition: a row is a batch of one channel, so it is batch norm of the transpose."""
    columns = batch_norm(x.T[:, None, None, :], np.ones(len(x)), np.zeros(len(x)), eps)
    return columns[:, 0, 0, :].T * weight + bias


def _forward(layer: Any, x: np.ndarray) -> tuple[np.ndarray, Any]:
    """(y, cache) of a copy of x."""
    given = x.copy()
    got = layer.forward(given, True)
    assert np.array_equal(given, x), "x was changed in place: other layers still need it, so make a new array"
    assert isinstance(got, (tuple, list)) and len(got) == 2, (
        f"forward must return (y, cache): what backward needs is returned together with y; got {type(got).__name__}"
    )
    return np.asarray(got[0]), got[1]


def _check_cache(layer: Any, grad_y: np.ndarray, cache: Any) -> None:
    """Raise AssertionError if the cache does not hold what backward takes out of it."""
    try:
        layer.backward(grad_y.copy(), cache)
    except (TypeError, ValueError, IndexError) as error:
        kind = "None" if cache is None else type(cache).__name__
        raise AssertionError(
            f"backward fails with the cache of forward ({kind}): {error}. Does forward put into the cache "
            "what backward reads from it? A mean along a row needs keepdims=True. A parameter's grad is None at first, "
            "so set it and do not add to it"
        ) from error
