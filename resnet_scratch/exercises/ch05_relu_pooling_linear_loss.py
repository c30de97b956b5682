"""Exercises of tutorial 05: an activation, a pooling, and the loss, forward and backward."""

from __future__ import annotations

import numpy as np

from ..layers.layer import Layer


class Sigmoid(Layer):
    """Task 5.1 (**, 15 minutes): the activation that ReLU replaced.

    TODO: y = 1 / (1 + exp(-x)), for x of any shape. Write `forward(x, training)`, which returns (y, cache), and
        `backward(grad_y, cache)`, which returns grad_x. No warning of overflow, also for x = -1000.
    QUESTION: y' = y (1 - y); and 1 / (1 + exp(-x)) = exp(x) / (1 + exp(x)).
    POINTER: 1. Differentiate y by x and write the result with y alone: no exp is left. 2. So what should the cache be?
        3. exp(-x) overflows for very negative x, exp(x) for very positive x: use exp(-|x|).
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
    """Task 5.2 (**, 15 minutes): the way back through a maximum.

    TODO: x (N, H, W, C) with even H and W went through max pooling with windows of 2x2 and stride 2; grad_y is
        (N, H/2, W/2, C). Return grad_x: each window's gradient goes to its largest pixel, and to the first of them, in
        reading order, where several are equally large. Everything else is zero.
    QUESTION: `argmax` takes the first of several equal ones.
    POINTER: 1. The four pixels of all windows are x[:, 0::2, 0::2], x[:, 0::2, 1::2], and so on. 2. Stack them and ask
        which is the largest. 3. Write the gradient to the same places of an array of zeros.
    """
    ### BEGIN SOLUTION
    places = [(0, 0), (0, 1), (1, 0), (1, 1)]
    winner = np.stack([x[:, i::2, j::2] for i, j in places]).argmax(0)
    grad_x = np.zeros_like(x)
    for k, (i, j) in enumerate(places):
        grad_x[:, i::2, j::2] = grad_y * (winner == k)
    return grad_x
    ### END SOLUTION


def softmax(logits: np.ndarray) -> np.ndarray:
    """Task 5.3 (**, 15 minutes): probabilities, for logits of any size.

    TODO: logits (N, classes). Return exp(logits) divided by its sum over the classes, for each row: without overflow
        for logits of 1000, without 0 / 0 for logits of -1000.
    QUESTION: each row has a largest logit of its own; `keepdims=True` keeps the axis for the subtraction.
    POINTER: 1. Show on paper that adding one number to all logits of a row changes nothing. 2. Choose the number so
        that the largest exponent is 0.
    """
    ### BEGIN SOLUTION
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exp / exp.sum(axis=1, keepdims=True)
    ### END SOLUTION


def cross_entropy_gradient(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Task 5.4 (**, 15 minutes): the most important formula of classification.

    TODO: probabilities (N, classes) is the softmax of some logits, labels (N,) the true classes. The loss is the mean
        over the N rows of -log(probability of the true class). Return its gradient at the logits, (N, classes). The
        arguments are not changed.
    QUESTION: probability minus one at the label, probability elsewhere; then think of N.
    POINTER: 1. Write the loss of one row with the logits z: -z_label + log(sum_k exp(z_k)). 2. Differentiate by z_j,
        for j = label and for j != label. 3. The mean brings a factor.
    """
    ### BEGIN SOLUTION
    gradient = probabilities.copy()
    gradient[np.arange(len(labels)), labels] -= 1
    return gradient / len(labels)
    ### END SOLUTION
