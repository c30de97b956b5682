"""Tasks of tutorial 03: numerical gradients, a gradient checker, and a layer to check with it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..layers.layer import Layer
from ..verify.definitions import numerical_gradient


def central_differences(f: Callable[[np.ndarray], float], x: np.ndarray, h: float = 1e-5) -> np.ndarray:
    """Task 3.1 (**, 15 minutes): the gradient of any function

    TODO: `f` takes an array like x (float64, of any shape) and returns one number. Return the gradient of f at x, with
        x's shape: at every index the central difference, which changes that number alone by +h and by -h. You may
        change x while you work, but at the end every number must be exactly what it was.
    QUESTION: If you add h to a number and subtract h again, do you always get the same number back?
    POINTER: Not always, because of rounding: store the number, and put it back. `np.ndindex(x.shape)` yields every
        index of x as a tuple, for any number of axes, and `x[index]` reads or writes that number.
    """
    ### BEGIN SOLUTION
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        value = x[index]
        x[index] = value + h
        above = f(x)
        x[index] = value - h
        below = f(x)
        x[index] = value
        gradient[index] = (above - below) / (2 * h)
    return gradient
    ### END SOLUTION


def best_step(value: float, third_derivative: float, eps: float) -> float:
    """Task 3.2 (**, 15 minutes): the bottom of the V

    TODO: The error of a central difference is about `h**2 * abs(third_derivative) / 6 + eps * abs(value) / h`. Return
        the h > 0 at which this sum is smallest, to within 1 %. `value` and `third_derivative` are not zero, but may be
        negative.
    QUESTION: What is true of the derivative of a smooth function at its minimum?
    POINTER: Differentiate the sum with respect to h and set the derivative to zero. Multiply the equation by h**2, and
        solve it for h.
    """
    ### BEGIN SOLUTION
    return float((3 * eps * abs(value) / abs(third_derivative)) ** (1 / 3))
    ### END SOLUTION


def compare_gradients(layer: Layer, x: np.ndarray, g: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Task 3.3 (**, 25 minutes): your own gradient checker

    TODO: `layer` and its input x are float64, and g has the shape of the layer's output y. The loss is the sum of y *
        g. Return a dictionary. Its key "input" has the pair (gradient from `backward`, numerical gradient) with respect
        to x. For each parameter, its name in `layer.named_parameters()` has such a pair too. Always call `forward` with
        training=True. Use `numerical_gradient(function, array)`, which is task 3.1. Give `backward` a copy of g,
        because a wrong backward might change it. At the end, x and the parameters must be as they were.
    QUESTION: `numerical_gradient` changes `array` in place, one number at a time, and calls `function(array)`. How does
        a change of a weight reach the layer's output?
    POINTER: Write one function `loss(array)` that ignores its argument: it calls `forward` with x, and x and the
        parameters are the very arrays that are being changed. So pass `x` and `parameter.value` themselves, not copies.
        After `backward`, the gradient of a parameter is `parameter.grad`.
    """
    ### BEGIN SOLUTION

    def loss(_: np.ndarray) -> float:  # of x or of a parameter: each of them is changed in place
        return float((layer.forward(x, training=True)[0] * g).sum())

    _, cache = layer.forward(x, training=True)
    pairs = {"input": (layer.backward(g.copy(), cache), numerical_gradient(loss, x))}
    for name, parameter in layer.named_parameters():
        pairs[name] = (parameter.grad, numerical_gradient(loss, parameter.value))
    return pairs
    ### END SOLUTION


def relative_error(analytic: np.ndarray, numerical: np.ndarray) -> float:
    """Task 3.4 (**, 15 minutes): how far apart are two gradients?

    TODO: `analytic` comes from `backward`, and `numerical` has the same shape. At every index, divide the absolute
        difference of the two by the largest of |analytic|, |numerical| and the root mean square of the whole array
        `analytic`. Return the largest of these quotients, as a float. A quotient 0 / 0 counts as 0, so two arrays of
        zeros give 0.0. If any number in either array is nan or infinite, return infinity.
    QUESTION: Every comparison with nan is false. What does that do to a check such as `error > tolerance`?
    POINTER: The root mean square is one number, `np.sqrt(np.mean(analytic**2))`. `np.maximum` compares two arrays
        element by element. Where the divisor is 0, the difference is 0 too, so you may divide by 1 there.
    """
    ### BEGIN SOLUTION
    if not (np.isfinite(analytic).all() and np.isfinite(numerical).all()):
        return float("inf")
    rms = np.sqrt(np.mean(analytic**2))
    size = np.maximum(np.maximum(np.abs(analytic), np.abs(numerical)), rms)
    return float(np.max(np.abs(analytic - numerical) / np.where(size > 0, size, 1)))
    ### END SOLUTION


class UnitLength(Layer):
    """Task 3.5 (**, 20 minutes): derive a backward pass, and let the checker grade it

    Each row of x (N, C) is divided by its length: y = x / r, where r is the square root of the sum of the row's
    squares.

    TODO: `forward` is given. Write `backward(grad_y, cache)`, which returns grad_x (N, C) and leaves grad_y as it was.
    QUESTION: If you double a row of x, its y stays the same. What does that say about grad_x along x?
    POINTER: Take one row, y_i = x_i / r. The length depends on all of x: its derivative with respect to x_j is x_j / r,
        which is y_j. The quotient rule gives dy_i / dx_j = ([i = j] - y_i y_j) / r. Multiply by grad_y_i and sum over
        i. For all rows at once, the sums run along axis 1.
    """

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, tuple]:
        """y (N, C), each row of length 1; the cache is (y, r), with r (N, 1)."""
        r = np.sqrt((x**2).sum(1, keepdims=True))
        return x / r, (x / r, r)

    def backward(self, grad_y: np.ndarray, cache: tuple) -> np.ndarray:
        """grad_x (N, C)."""
        ### BEGIN SOLUTION
        y, r = cache
        return (grad_y - y * (grad_y * y).sum(1, keepdims=True)) / r
        ### END SOLUTION
