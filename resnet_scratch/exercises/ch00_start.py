"""Tasks of tutorial 00: a layer forward and backward, and the accuracy of a network."""

from __future__ import annotations

import numpy as np


def relu_forward(x: np.ndarray) -> np.ndarray:
    """Task 0.1 (*, 5 minutes): the rectified linear unit

    TODO: Return an array with x's shape and dtype. It has x's value wherever that is positive, and zero elsewhere. x
        has any number of axes. Do not change x itself: in a network, other layers still need it.
    QUESTION: Each element of the output is the larger of two numbers. Which two?
    POINTER: NumPy has two functions with similar names. `np.max` finds the largest element of one array;
        `np.maximum` compares two arrays element by element.
    """
    ### BEGIN SOLUTION
    return np.maximum(x, 0)
    ### END SOLUTION


def relu_backward(grad_y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Task 0.2 (*, 10 minutes): the backward pass of ReLU

    TODO: `grad_y`, of x's shape, is the gradient of the loss with respect to the output of `relu_forward(x)`. Return
        the gradient with respect to x, which has any number of axes. Where x is exactly zero, return zero. Do not
        change either argument.
    QUESTION: If an element of x grows by a tiny amount, by how much does the same element of y grow? Then by how much
        does the loss grow?
    POINTER: The gradient passes unchanged where x is positive and is zero elsewhere. The comparison `x > 0` gives an
        array of True and False, which multiply like 1 and 0.
    """
    ### BEGIN SOLUTION
    return grad_y * (x > 0)
    ### END SOLUTION


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Task 0.3 (*, 5 minutes): the accuracy of a network

    TODO: `logits` (N, classes) holds a network's outputs for N images, `labels` (N,) the true classes as integers. The
        network's answer is the class with the largest output. Return the fraction of right answers, from 0 to 1.
    QUESTION: Each row of `logits` belongs to one image. Where in the row is the largest number?
    POINTER: `argmax` takes an axis. Compare its result with the labels; the mean of True and False is a fraction.
    """
    ### BEGIN SOLUTION
    return float((logits.argmax(axis=1) == labels).mean())
    ### END SOLUTION
