"""Exercises of tutorial 05: an activation, a pooling layer, and the loss, forward and backward."""

from __future__ import annotations

import numpy as np

from ..layers.layer import Layer


class Sigmoid(Layer):
    """Task 5.1 (**, 20 minutes): the sigmoid, the activation that ReLU replaced

    TODO: y = 1 / (1 + exp(-x)), for x of any shape. Write `forward(x, training)`, which returns (y, cache), and
        `backward(grad_y, cache)`, which returns grad_x. Neither may change the arrays that it is given. Neither may
        warn of an overflow, not even for x = -1000 in float32.
    QUESTION: What is the derivative of the sigmoid, in terms of y alone? So what should the cache be?
    POINTER: The derivative of 1 / u is -u' / u**2; split the result into two factors. For the overflow: exp(-x)
        overflows for very negative x, exp(x) for very positive x. Multiply numerator and denominator by exp(x), and use
        one form for x >= 0 and the other for x < 0. exp(-abs(x)) is safe in both.
    """

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """y, and what backward will need."""
        ### BEGIN SOLUTION
        small = np.exp(-abs(x))  # between 0 and 1
        y = np.where(x >= 0, 1, small) / (1 + small)
        return y, y
        ### END SOLUTION

    def backward(self, grad_y: np.ndarray, cache: np.ndarray) -> np.ndarray:
        """grad_x."""
        ### BEGIN SOLUTION
        return grad_y * cache * (1 - cache)
        ### END SOLUTION


def max_pool_backward(grad_y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Task 5.2 (**, 20 minutes): the backward pass of max pooling

    TODO: x (N, H, W, C) with even H and W went through max pooling with 2x2 windows and stride 2; grad_y is
        (N, H/2, W/2, C). Return grad_x, of x's shape. The gradient of each window goes to its largest pixel. If several
        pixels are equally large, it goes to the first in reading order: row by row, from left to right. Do not change
        the arguments.
    QUESTION: Which of the four pixels of a window won? How can you ask that for all windows at once?
    POINTER: `x[:, 0::2, 0::2]` is the upper left pixel of every window, and the other three have similar slices. Stack
        the four in reading order. `argmax` returns the first of several equal ones. Then write into slices of an array
        of zeros.
    """
    ### BEGIN SOLUTION
    positions = [(0, 0), (0, 1), (1, 0), (1, 1)]
    winner = np.stack([x[:, i::2, j::2] for i, j in positions]).argmax(0)
    grad_x = np.zeros_like(x)
    for k, (i, j) in enumerate(positions):
        grad_x[:, i::2, j::2] = grad_y * (winner == k)
    return grad_x
    ### END SOLUTION


def softmax(logits: np.ndarray) -> np.ndarray:
    """Task 5.3 (**, 15 minutes): softmax, for logits of any size

    TODO: `logits` is (N, classes). Return the probabilities, of the same shape: exp(logits), divided by its sum over
        the classes of each row. It must work for logits of 1000, where exp overflows, and for logits of -1000, where
        the sum would be 0. Do not change `logits`.
    QUESTION: What happens to the probabilities of a row if you add the same number to all its logits?
    POINTER: They stay the same. So choose the number such that the largest exponent of each row is 0: then no exp
        overflows, and the sum is at least 1. `keepdims=True` keeps the axis that a reduction would remove.
    """
    ### BEGIN SOLUTION
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exp / exp.sum(axis=1, keepdims=True)
    ### END SOLUTION


def cross_entropy_gradient(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Task 5.4 (***, 25 minutes): the gradient of the cross-entropy, the most important formula of classification

    TODO: `probabilities` (N, classes) are the softmax of some logits, and `labels` (N,) the true classes. The loss is
        the mean over the N rows of -log(probability of the true class). Return its gradient with respect to the logits,
        (N, classes). Do not change the arguments.
    QUESTION: Write the loss of one row with its logits z instead of the probabilities. What does the logarithm do to a
        quotient, and to exp?
    POINTER: The loss of a row with the true class t is -z_t + log(sum of exp(z_k)). Differentiate it with respect to
        z_t, and with respect to another z_k; the derivative of log(sum of exp(z_k)) with respect to z_k is one of the
        probabilities. The mean over the rows brings one more factor.
    """
    ### BEGIN SOLUTION
    gradient = probabilities.copy()
    gradient[np.arange(len(labels)), labels] -= 1
    return gradient / len(labels)
    ### END SOLUTION
