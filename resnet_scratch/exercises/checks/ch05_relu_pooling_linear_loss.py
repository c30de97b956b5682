"""Checks of the exercises of tutorial 05."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ...gradcheck import gradcheck
from ...layers.protocol import checked_forward
from ...verify.definitions import numerical_gradient
from .compare import compare
from .contract import check_backward, one_gradient


def task_5_1(kind: Any) -> None:
    """`Sigmoid`: values known by hand, and the gradient checker."""
    layer = kind()
    x = np.array([[0.0, math.log(3), -math.log(3)]])
    y, cache = checked_forward(layer, x)
    assert np.shape(y) == x.shape, f"y must have x's shape {x.shape}, got {np.shape(y)}"
    mistakes = {
        "this is tanh; it is 2 * sigmoid(2 * x) - 1": np.tanh(x),
        "the sign of x is wrong in exp": [[0.5, 0.25, 0.75]],
    }
    compare(y, [[0.5, 0.75, 0.25]], mistakes, "the sigmoid of 0, log 3, -log 3")
    grad_x = one_gradient(layer.backward(np.array([[2.0, 4, 8]]), cache), x)
    slope = np.array([[0.25, 0.1875, 0.1875]])  # y (1 - y)
    mistakes = {
        "backward must multiply the derivative by grad_y": slope,
        "this is y * grad_y; what is the derivative of the sigmoid?": y * [[2, 4, 8]],
        "the derivative is written with y, but you computed it with x": [[2.0, 4, 8]] * x * (1 - x),
        "you took the sigmoid of y once more: the cache is y already": [[2.0, 4, 8]] / (2 + np.exp(y) + np.exp(-y)),
    }
    told = "for x = 0, log 3, -log 3 and grad_y = 2, 4, 8, grad_x"
    compare(grad_x, [[0.5, 0.75, 1.5]], mistakes, told)
    for dtype in (np.float64, np.float32):
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            try:
                y, cache = layer.forward(np.array([-1000, 1000], dtype))
                ends = layer.backward(np.ones(2, dtype), cache)
            except RuntimeWarning as error:
                told = f"for x = -1000 and 1000 of {np.dtype(dtype)}: {error}; never take exp of a large number"
                raise AssertionError(told) from error
        compare(y, [0, 1], {}, "the sigmoid of -1000 and 1000")
        compare(ends, [0, 0], {}, "the sigmoid is flat at -1000 and 1000: grad_x")
    x = 2 * np.random.default_rng(0).standard_normal((3, 2, 4))
    report = gradcheck(layer, x)
    assert report, f"the gradient is wrong:\n{report}"
    check_backward(layer, x)


def task_5_2(answer: Callable) -> None:
    """`max_pool_backward`: ties by hand, then window by window in loops."""
    x = np.array([[1.0, 5, 2, 2, 0, 7, 3, 1], [3, 4, 2, 1, 7, 0, 1, 3]]).reshape(1, 2, 8, 1)
    grad_y = np.array([10.0, 20, 30, 40]).reshape(1, 1, 4, 1)
    grad_x = np.asarray(answer(grad_y, x))
    assert grad_x.shape == x.shape, f"grad_x must have x's shape {x.shape}, got {grad_x.shape}"
    wanted = np.array([[0, 10, 20, 0, 0, 30, 40, 0], [0, 0, 0, 0, 0, 0, 0, 0]])
    mistakes = {
        "equal pixels of a window each got its whole gradient; only the first gets it": (
            [[0, 10, 20, 20, 0, 30, 40, 0], [0, 0, 20, 0, 30, 0, 0, 40]]
        ),
        "equal pixels of a window shared its gradient; the first gets it all": (
            [[0, 10, 20 / 3, 20 / 3, 0, 15, 20, 0], [0, 0, 20 / 3, 0, 15, 0, 0, 20]]
        ),
        "of equal pixels the first in reading order gets it, row by row; yours is the first down the columns": (
            [[0, 10, 20, 0, 0, 0, 40, 0], [0, 0, 0, 0, 30, 0, 0, 0]]
        ),
        "of equal pixels the first in reading order gets the gradient, not the last": (
            [[0, 10, 0, 0, 0, 0, 0, 0], [0, 0, 20, 0, 30, 0, 0, 40]]
        ),
        "every pixel of a window got its gradient; only the largest gets it": grad_y[0, 0, :, 0].repeat(2),
        "the upper left pixel got the gradient of its window; the largest gets it": (
            [[10, 0, 20, 0, 30, 0, 40, 0], [0] * 8]
        ),
        "pass on the gradient of the window, not the pixel itself": (wanted > 0) * x[0, :, :, 0],
        "multiply by grad_y; these are only the positions of the largest pixels": wanted > 0,
        "every window got the sum of all gradients; each gets only its own": (wanted > 0) * 100,
    }
    compare(grad_x[0, :, :, 0], wanted, mistakes, f"for the pixels\n{x[0, :, :, 0]}\nand grad_y 10, 20, 30, 40, grad_x")
    rng = np.random.default_rng(0)
    x, grad_y = rng.standard_normal((2, 4, 6, 3)), rng.standard_normal((2, 2, 3, 3))
    grad_x = np.asarray(answer(grad_y.copy(), x.copy()))
    for n, i, j, c in np.ndindex(grad_y.shape):
        window = x[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c]
        wanted = np.where(window == window.max(), grad_y[n, i, j, c], 0)
        told = f"the window\n{window}\nof image {n}, channel {c} has the gradient {grad_y[n, i, j, c]:.3f}; its grad_x"
        compare(grad_x[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c], wanted, {}, told)


def task_5_3(answer: Callable) -> None:
    """`softmax`, on numbers computed by hand."""
    logits = np.log(np.array([[1.0, 2, 5], [4, 4, 2]]))
    got = np.asarray(answer(logits))
    assert got.shape == (2, 3), f"the probabilities must have the shape of the logits, (2, 3), got {got.shape}"
    rows, columns = np.array([[8.0], [10]]), np.array([5.0, 6, 7])
    odds = np.exp(logits)
    mistakes = {
        "all rows together sum to 1, but each row must sum to 1": odds / 18,
        "the columns sum to 1; the rows must: sum over the classes, axis 1": odds / columns,
        "exp is not divided by its sum": odds,
        "exp is missing": logits / logits.sum(1, keepdims=True),
        "these are the logarithms of the probabilities": np.log(odds / rows),
    }
    compare(got, odds / rows, mistakes, "the softmax of log [[1, 2, 5], [4, 4, 2]]")
    apart = np.array([1 / (1 + math.exp(-1)), 1 / (1 + math.exp(1)), 0])  # logits that differ by 1, and a far lower one
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        for rows, wanted in (
            ([[1000.0, 999, -1000]], [apart]),
            ([[-1000.0, -1001, -3000]], [apart]),
            ([[1000.0, 999, -1000], [-1000, -1001, -3000], [2000, -2000, -2000]], [apart, apart, [1, 0, 0]]),
        ):
            try:
                got = answer(np.array(rows))
            except RuntimeWarning as error:
                message = f"for the logits {rows}: {error}; subtract the largest logit of each row before exp"
                raise AssertionError(message) from error
            compare(got, wanted, {}, f"the softmax of {rows}")


def task_5_4(answer: Callable) -> None:
    """`cross_entropy_gradient`, against central differences of the loss."""
    logits, labels = np.random.default_rng(0).standard_normal((4, 3)), np.array([2, 0, 1, 1])

    def probabilities(z: np.ndarray) -> np.ndarray:
        return np.exp(z) / np.exp(z).sum(1, keepdims=True)

    def loss(z: np.ndarray) -> float:
        return -float(np.mean([math.log(probabilities(z)[n, label]) for n, label in enumerate(labels)]))

    wanted = numerical_gradient(loss, logits)
    p = probabilities(logits)
    got = np.asarray(answer(p, labels))
    assert got.shape == wanted.shape, f"the gradient must have shape {wanted.shape}, got {got.shape}"
    one_hot = np.eye(3)[labels]
    mistakes = {
        "right for a sum of losses, but the loss is their mean: divide by N": p - one_hot,
        "you divided by the number of classes; the mean is over the N rows": (p - one_hot) / 3,
        "you divided by N and by the number of classes; the mean is over the N rows": (p - one_hot) / 12,
        "the sign is wrong: the gradient points to where the loss grows": (one_hot - p) / 4,
        "nothing is subtracted at the labels": p / 4,
        "1 was subtracted from the labels' columns in all rows": (p - one_hot.any(0)) / 4,
        "this is the gradient with respect to the probabilities; go on through softmax": -one_hot / p / 4,
        "this is the gradient with respect to the probabilities; go on through softmax and the mean": -one_hot / p,
        "the gradient of other classes is not 0: softmax's sum contains their logits": np.where(one_hot, p - 1, 0) / 4,
    }
    compare(got, wanted, mistakes, f"for the labels {labels} and the probabilities\n{p}\nthe gradient")
