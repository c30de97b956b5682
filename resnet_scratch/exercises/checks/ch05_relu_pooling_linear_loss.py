"""Checks of the exercises of tutorial 05."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ...gradcheck import gradcheck
from ...verify.definitions import numerical_gradient


def task_5_1(kind: Any) -> None:
    """`Sigmoid`: values by hand, and the gradient checker."""
    layer = kind()
    x = np.array([[0.0, math.log(3), -math.log(3)]])
    y, _ = layer.forward(x)
    assert np.allclose(y, [[0.5, 0.75, 0.25]]), f"the sigmoid of 0, ln 3, -ln 3 is 0.5, 0.75, 0.25; got {y}"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            y, cache = layer.forward(np.array([-1000.0, 1000.0]))
            ends = layer.backward(np.ones(2), cache)
        except RuntimeWarning as error:
            raise AssertionError(f"for x = -1000 and 1000: {error}; never take exp of a large number") from error
    assert np.array_equal(y, [0, 1]), f"the sigmoid of -1000 and 1000 is 0 and 1, got {y}"
    assert np.array_equal(ends, [0, 0]), f"it is flat there: the gradient is 0, got {ends}"
    report = gradcheck(layer, 2 * np.random.default_rng(0).standard_normal((3, 4)))
    assert report, f"the gradient is wrong (y' = y (1 - y), times grad_y):\n{report}"


def task_5_2(answer: Callable) -> None:
    """`max_pool_backward`, window by window in loops."""
    x = np.array([[1.0, 5, 2, 2], [3, 4, 2, 1]]).reshape(1, 2, 4, 1)
    grad_y = np.array([10.0, 20]).reshape(1, 1, 2, 1)
    grad_x = answer(grad_y.copy(), x.copy())
    assert np.shape(grad_x) == x.shape, f"grad_x must have x's shape {x.shape}, got {np.shape(grad_x)}"
    tie = grad_x[0, :, 2:, 0]
    assert not np.array_equal(tie, [[20, 20], [20, 0]]), (
        "three pixels of one window are equally large and each got the gradient, thrice what came in: only the first"
    )
    assert tie.sum() == 20 and tie[0, 0] == 20, f"the first of the equal pixels gets it all; the window got\n{tie}"
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 4, 6, 3))
    grad_y = rng.standard_normal((2, 2, 3, 3))
    grad_x = answer(grad_y.copy(), x.copy())
    for n, i, j, c in np.ndindex(grad_y.shape):
        window = x[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c]
        got = grad_x[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c]
        expected = np.where(window == window.max(), grad_y[n, i, j, c], 0)
        assert np.allclose(got, expected), (
            f"the window\n{window}\nof image {n}, channel {c} has the gradient {grad_y[n, i, j, c]:.3f} and should "
            f"give\n{expected}\nbut gives\n{got}"
        )


def task_5_3(answer: Callable) -> None:
    """`softmax`, on numbers worked out by hand."""
    logits = np.log(np.array([[1.0, 2, 5], [4, 4, 2]]))
    got = answer(logits.copy())
    expected = np.array([[1, 2, 5], [4, 4, 2]]) / np.array([[8], [10]])
    assert not np.allclose(np.sum(got), 1), "all rows together sum to 1: each row must"
    assert np.allclose(got, expected), f"the softmax of log\n[[1, 2, 5], [4, 4, 2]]\nis\n{expected}\ngot\n{got}"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            large, small = answer(np.array([[1000.0, 1000, -1000]])), answer(np.array([[-1000.0, -1000, -2000]]))
            both = answer(np.array([[1000.0, 1000, -1000], [-1000, -1000, -2000]]))
        except RuntimeWarning as error:
            raise AssertionError(
                f"with logits of 1000 or -1000: {error}; subtract the largest logit of each row before exp"
            ) from error
    for rows in (large, small, both):
        assert np.allclose(rows, [0.5, 0.5, 0]), f"equal logits share the probability, got {rows}"


def task_5_4(answer: Callable) -> None:
    """`cross_entropy_gradient`, against central differences of the loss."""
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((4, 3)), np.array([2, 0, 1, 1])

    def probabilities(z: np.ndarray) -> np.ndarray:
        return np.exp(z) / np.exp(z).sum(1, keepdims=True)

    def loss(z: np.ndarray) -> float:
        return -float(np.mean([math.log(probabilities(z)[n, label]) for n, label in enumerate(labels)]))

    expected = numerical_gradient(loss, logits)
    given = probabilities(logits)
    before = given.copy()
    got = np.asarray(answer(given, labels))
    assert np.array_equal(given, before), "the probabilities were changed in place: copy them first"
    assert got.shape == expected.shape, f"wanted shape {expected.shape}, got {got.shape}"
    assert not np.allclose(got, 4 * expected), "right but for the mean: the loss is divided by N, so is its gradient"
    assert not np.allclose(got, -expected), "the sign is turned: a gradient points to where the loss grows"
    assert not np.allclose(got, given / 4), "nothing is taken off at the label: probability minus one there"
    assert np.allclose(got, expected, atol=1e-8), f"central differences of the loss say\n{expected}\ngot\n{got}"
