"""Exercises of tutorial 09: what a signal and a gradient do on their way through many layers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..layers.layer import Layer, Parameter


def identity_kernel(channels: int, size: int = 3) -> np.ndarray:
    """Task 9.1 (**, 15 minutes): the weights of a convolution that changes nothing.

    TODO: return an array (size, size, channels, channels) so that a `Conv2d(channels, channels, size,
        padding=size // 2)` with these weights, and a bias of zero, hands every image on unchanged. `size` is odd.
    QUESTION: the weights are indexed (row, column, input channel, output channel); `np.eye` makes the matrix of step 2.
    POINTER: 1. Which of the size * size places in the window lies on the output's own pixel?
        2. At that place, output channel o is to take input channel o and none of the others: which matrix
        (channels, channels) does that? 3. Every other weight is zero.
    """
    ### BEGIN SOLUTION
    weight = np.zeros((size, size, channels, channels))
    weight[size // 2, size // 2] = np.eye(channels)
    return weight
    ### END SOLUTION


def signal_scale(layers: int, fan_in: int, weight_std: float) -> float:
    """Task 9.2 (**, 15 minutes): by how much a signal grows or shrinks in a plain network without batch norm.

    TODO: return the factor by which the root mean square of the signal changes, sqrt(E[h_L^2] / E[h_0^2]), over
        `layers` layers, each of which is a ReLU and then a weighted sum over fan_in inputs; h_0 enters the first layer
        and h_L leaves the last. The weights are independent, with mean 0 and standard deviation `weight_std`; there
        are no biases, and h_0 is as often positive as negative.
    QUESTION: at He's initialisation, weight_std = sqrt(2 / fan_in), the factor is 1 for any number of layers.
    POINTER: 1. h is as often positive as negative. What does ReLU leave of E[h^2]? 2. A sum of fan_in independent
        terms w * x with E[w] = 0 has the variance fan_in * E[w^2] * E[x^2]. 3. Put both together for one layer;
        repeat for all; take the root.
    """
    ### BEGIN SOLUTION
    return math.sqrt(fan_in * weight_std**2 / 2) ** layers
    ### END SOLUTION


def growth_per_layer(norms: Sequence[float]) -> float:
    """Task 9.3 (**, 15 minutes): the factor by which a gradient grows at each layer on its way back.

    TODO: `norms` are the norms of dL/dx at the inputs of the layers, in the order of the forward pass, so the gradient
        arrives at norms[-1] first and at norms[0] last. Return the one factor that, applied at every layer, leads from
        norms[-1] to norms[0].
    QUESTION: for norms 8, 4, 2, 1 the answer is 2.
    POINTER: 1. How many layers lie between the first norm and the last? 2. What is the whole growth, from last to
        first? 3. Which number, multiplied so many times with itself, makes that?
    """
    ### BEGIN SOLUTION
    return (norms[0] / norms[-1]) ** (1 / (len(norms) - 1))
    ### END SOLUTION


def filter_normalise(direction: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Task 9.4 (**, 15 minutes): a filter-normalised random direction (Li et al. 2018, section 4)

    TODO: `direction` and `weight` have one shape, (KH, KW, C, O). Return the direction with each of its O filters
        rescaled to the norm of the same filter of `weight`. Change neither of the two arrays.
    QUESTION: `np.sqrt((weight**2).sum((0, 1, 2)))` is the norm of each filter.
    POINTER: 1. Filter o is everything with last index o: (KH, KW, C) numbers. Take the norm of each filter of
        `direction`, and of each filter of `weight`: O numbers each. 2. Multiply each filter of the direction by the
        quotient of the two.
    """
    ### BEGIN SOLUTION
    wanted, found = (np.sqrt((array**2).sum((0, 1, 2))) for array in (weight, direction))
    return direction * (wanted / found)
    ### END SOLUTION


class ScaledAdd(Layer):
    """Task 9.5 (**, 15 minutes): a residual addition that begins closed, y = alpha * branch + shortcut

    With alpha = 0 at the start every block is the identity, and residual networks train without batch norm (De and
    Smith 2020, "Batch Normalization Biases Residual Blocks Towards the Identity Function in Deep Networks").

    TODO: write `forward(branch, shortcut, training)`, which returns (y, cache), and `backward(grad_y, cache)`, which
        returns (grad_branch, grad_shortcut) and sets `self.alpha.grad`, of the shape (1,) of `self.alpha.value`.
        `__init__` is done.
    QUESTION: compare with `resnet_scratch/layers/residual.py`; only the branch's side changes.
    POINTER: 1. y is linear in each of branch, shortcut and alpha: write down its derivative by each of them.
        2. Each gradient is that derivative times grad_y; alpha touches every number of y, so its gradient is a sum.
        3. What of the forward does backward need? That is the cache.
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
