"""Exercises of tutorial 03: numerical differentiation, and what it tells."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..layers.layer import Layer


def numerical_gradient(f: Callable[[np.ndarray], float], x: np.ndarray, h: float = 1e-5) -> np.ndarray:
    """Task 3.1 (**, 15 minutes): the gradient of any function, without knowing what it does.

    TODO: f takes an array like x, of float64 and any shape, and returns one number. Return the array, of x's shape, of
        the central differences (f(x + h at this place) - f(x - h at this place)) / 2h. x must be as it was in the end.
    QUESTION: `x[place]` takes a tuple of indices, so one loop does for any number of axes.
    POINTER: 1. An array for the result. 2. For each place, found by np.ndindex(x.shape): keep the number, move it up
        by h and ask f, move it down and ask f. 3. Put the number back before you go on.
    """
    ### BEGIN SOLUTION
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        kept = x[place]
        x[place] = kept + h
        above = f(x)
        x[place] = kept - h
        below = f(x)
        x[place] = kept
        gradient[place] = (above - below) / (2 * h)
    return gradient
    ### END SOLUTION


def relative_error(analytic: np.ndarray, numerical: np.ndarray) -> float:
    """Task 3.2 (**, 15 minutes): one number that says how far two gradients are apart.

    TODO: both arrays have one shape. For each place take |analytic - numerical| and divide by the largest of
        |analytic|, |numerical| and the root mean square of all of `analytic`. Return the largest of these as a float;
        0.0 when both arrays are zero everywhere. A place that is not a number (nan) must not go unnoticed: return inf.
    QUESTION: comparisons with nan are always false, so a `max` written with `>` may lose it.
    POINTER: 1. Is anything not finite? 2. The differences. 3. The sizes, with np.maximum element by element. 4. Where
        the size is 0 the difference is 0 too, so divide by anything there.
    """
    ### BEGIN SOLUTION
    if not (np.isfinite(analytic).all() and np.isfinite(numerical).all()):
        return float("inf")
    rms = np.sqrt(np.mean(analytic**2))
    size = np.maximum(np.maximum(np.abs(analytic), np.abs(numerical)), rms)
    return float(np.max(np.abs(analytic - numerical) / np.where(size > 0, size, 1)))
    ### END SOLUTION


def best_step(value: float, third_derivative: float, eps: float) -> float:
    """Task 3.3 (**, 15 minutes): the bottom of the V.

    TODO: the error of a central difference is about h^2 |f'''| / 6 + eps |f| / h, where |f| is the size of `value`, and
        |f'''| that of `third_derivative`, neither of them zero. Return the h for which it is smallest.
    QUESTION: signs must not matter: both come in as they are, and may be negative.
    POINTER: 1. Differentiate the error with respect to h. 2. Set that to zero. 3. Solve for h.
    """
    ### BEGIN SOLUTION
    return float((3 * eps * abs(value) / abs(third_derivative)) ** (1 / 3))
    ### END SOLUTION


class UnitLength(Layer):
    """Task 3.4 (**, 15 minutes): a backward that you derive yourself, and that the check grades.

    Each row of x (N, C) is divided by its length, y = x / r with r = sqrt(sum of the squares of that row).

    TODO: `forward` is done. Write `backward(grad_y, cache)`, which returns grad_x (N, C) and leaves grad_y as it was.
    QUESTION: a longer x has the same y, so grad_x of each row is at right angles to x.
    POINTER: 1. One row at a time: y_i = x_i / r. 2. r depends on all of x: its derivative with respect to x_j is
        x_j / r = y_j. 3. So dy_i / dx_j = (1 if i == j else 0) / r - y_i y_j / r. 4. Multiply by grad_y_i and sum over
        i. 5. Do it for all rows at once: sums run along axis 1.
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
