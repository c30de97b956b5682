"""Exercises of tutorial 00: a forward, its backward, and how good a network is."""

from __future__ import annotations

import numpy as np


def relu_forward(x: np.ndarray) -> np.ndarray:
    """Task 0.1 (**, 15 minutes): the rectified linear unit.

    TODO: return an array of x's shape and dtype that has x's numbers where they are above zero, and zero elsewhere. x
        itself stays as it is.
    QUESTION: `np.maximum`, not `np.max`.
    POINTER: 1. Two numbers are to be compared at each place: x and 0. 2. NumPy has a function for that.
    """
    ### BEGIN SOLUTION
    return np.maximum(x, 0)
    ### END SOLUTION


def relu_backward(grad_y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Task 0.2 (**, 15 minutes): the way back through it.

    TODO: grad_y, of x's shape, says how the loss changes with each number that `relu_forward(x)` put out. Return how it
        changes with each number of x; where x is exactly zero, return zero. Neither argument is changed.
    QUESTION: a comparison gives True and False, which multiply like 1 and 0.
    POINTER: 1. Where x > 0 the output moves just as x moves. 2. Where x < 0 the output does not move at all.
    """
    ### BEGIN SOLUTION
    return grad_y * (x > 0)
    ### END SOLUTION


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Task 0.3 (**, 15 minutes): how many are right.

    TODO: logits (N, classes) holds a network's outputs for N pictures, labels (N,) the true classes as whole numbers.
        The network's answer is the class with the largest output. Return the share of right answers, from 0 to 1.
    QUESTION: `argmax` needs to know along which axis.
    POINTER: 1. Find the place of the largest number of each row. 2. Compare with the labels. 3. Take the mean.
    """
    ### BEGIN SOLUTION
    return float((logits.argmax(axis=1) == labels).mean())
    ### END SOLUTION
