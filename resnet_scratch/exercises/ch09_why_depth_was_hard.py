"""Exercises of tutorial 09: what happens to a signal, a gradient and a step in a deep network."""

from __future__ import annotations

import math

import numpy as np

from ..layers.layer import Layer, Parameter


def identity_kernel(channels: int, size: int = 3) -> np.ndarray:
    """Task 9.1 (**, 10 minutes): the weights of a convolution that changes nothing

    TODO: Return an array (size, size, channels, channels) such that a `Conv2d(channels, channels, size,
        padding=size // 2)` with these weights and no bias returns every image unchanged. `size` is odd.
    QUESTION: The axes are (row, column, input channel, output channel). Which of the size * size pixels of the window
        is the pixel that the output is computed for?
    POINTER: At that position, output channel o takes input channel o with weight 1 and no other channel. Which matrix
        (channels, channels) does that? All other weights are zero.
    """
    ### BEGIN SOLUTION
    weight = np.zeros((size, size, channels, channels))
    weight[size // 2, size // 2] = np.eye(channels)
    return weight
    ### END SOLUTION


def signal_scale(layers: int, fan_in: int, weight_std: float) -> float:
    """Task 9.2 (**, 15 minutes): how a signal grows or shrinks without batch norm

    TODO: A plain network has `layers` layers, each of which is a ReLU and then a weighted sum over `fan_in` inputs. The
        weights are independent, with standard deviation `weight_std`, and as likely to be w as -w, so their mean is 0;
        there are no biases. The distribution of h_0, which enters the first layer, is symmetric about 0; h_L leaves the
        last. Return the factor by which the root mean square changes, sqrt(E[h_L^2] / E[h_0^2]).
    QUESTION: What fraction of E[h^2] is left after the ReLU? And what is the variance of a sum of n independent terms
        w * x, if E[w] = 0?
    POINTER: The variance of the sum is fan_in * weight_std**2 * E[x^2]. Combine both for one layer, repeat for all
        layers, and take the root. With weight_std = sqrt(2 / fan_in) the factor must be 1.
    """
    ### BEGIN SOLUTION
    return math.sqrt(fan_in * weight_std**2 / 2) ** layers
    ### END SOLUTION


def relative_step(w: np.ndarray, velocity: np.ndarray, fraction: float) -> np.ndarray:
    """Task 9.3 (*, 10 minutes): a step whose length is a given fraction of the weights

    TODO: Return the new weights after a step against `velocity` that is `fraction` times as long as `w`. Lengths are
        the 2-norms of the whole arrays. If the velocity is zero everywhere, there is no direction: return `w` as it is.
        Change neither array.
    QUESTION: Which array has the direction of the velocity and the length 1? How long must the step be?
    POINTER: The step is the velocity, divided by its own norm and multiplied by fraction * norm of w. Handle a norm of
        0 before you divide.
    """
    ### BEGIN SOLUTION
    length = np.linalg.norm(velocity)
    if length == 0:
        return w.copy()
    return w - fraction * np.linalg.norm(w) / length * velocity
    ### END SOLUTION


def filter_normalise(direction: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Task 9.4 (**, 10 minutes): a filter-normalised random direction

    TODO: `direction` and `weight` have the same shape, (KH, KW, C, O). Return the direction with each of its O filters
        rescaled to the norm of the same filter of `weight` (Li et al. 2018, section 4). Change neither array.
    QUESTION: Filter o is everything with last index o: KH * KW * C numbers. Over which axes do you sum to get the O
        norms?
    POINTER: Compute the O norms of the filters of `direction`, and those of `weight`. Multiply each filter of the
        direction by the quotient of the two.
    """
    ### BEGIN SOLUTION
    wanted, found = (np.sqrt((array**2).sum((0, 1, 2))) for array in (weight, direction))
    return direction * (wanted / found)
    ### END SOLUTION


class ScaledAdd(Layer):
    """Task 9.5 (**, 20 minutes): a residual addition that starts as the identity, y = alpha * branch + shortcut

    TODO: Write `forward(branch, shortcut, training)`, which returns (y, cache), and `backward(grad_y, cache)`, which
        returns (grad_branch, grad_shortcut) and sets `self.alpha.grad`. That gradient has the shape (1,) of
        `self.alpha.value`. `__init__` is given.
    QUESTION: y is linear in the branch, in the shortcut and in alpha. What is its derivative with respect to each? And
        how many numbers of y does alpha change?
    POINTER: Each gradient is that derivative times grad_y. Alpha is one number that is used for every number of y, so
        its gradient is a sum. What does `backward` need from `forward`? That is the cache.
    """

    def __init__(self) -> None:
        self.alpha = Parameter(np.zeros(1, np.float32))

    def forward(  # type: ignore[override]  # two inputs, as Add has
        self, branch: np.ndarray, shortcut: np.ndarray, training: bool = False
    ) -> tuple[np.ndarray, object]:
        """y = alpha * branch + shortcut, and what backward will need."""
        ### BEGIN SOLUTION
        return self.alpha.value * branch + shortcut, branch
        ### END SOLUTION

    def backward(self, grad_y: np.ndarray, cache: object) -> tuple[np.ndarray, np.ndarray]:
        """(grad_branch, grad_shortcut); sets the gradient of alpha."""
        ### BEGIN SOLUTION
        branch = cache
        self.alpha.grad = np.reshape((grad_y * branch).sum(), (1,))
        return self.alpha.value * grad_y, grad_y
        ### END SOLUTION
