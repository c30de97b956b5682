"""Exercises of tutorial 04: batch normalisation forward, backward and in evaluation; and one without a batch."""

from __future__ import annotations

import numpy as np

from ..layers.layer import Layer, Parameter


def batch_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float = 1e-5) -> np.ndarray:
    """Task 4.1 (**, 15 minutes): forward, in training.

    TODO: x (N, H, W, C), weight and bias (C,). Return y, of x's shape: each channel brought to mean 0 and variance 1
        with the (biased) statistics of this batch, then times its weight, plus its bias. eps is added to the variance.
    QUESTION: means over the axes (0, 1, 2) have the shape (C,), which NumPy spreads over the last axis by itself.
    POINTER: 1. The mean of each channel: over which axes? 2. The mean of the squared distances from it. 3. Normalise.
        4. Scale and shift.
    """
    ### BEGIN SOLUTION
    mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
    return weight * (x - mean) / np.sqrt(var + eps) + bias
    ### END SOLUTION


def batch_norm_backward(
    grad_y: np.ndarray, xhat: np.ndarray, inverse_std: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Task 4.2 (**, 15 minutes): the way back.

    TODO: grad_y and xhat, which is x normalised, (N, H, W, C); inverse_std = 1 / sqrt(var + eps) and weight (C,).
        Return (grad_x, grad_weight, grad_bias), of the shapes of x, weight and bias.
    QUESTION: the two sums, divided by how many numbers a channel has, are the two means.
    POINTER: 1. grad_bias and grad_weight are sums over the channel. 2. Write the boxed formula of the tutorial; its
        two means run over the same axes.
    """
    ### BEGIN SOLUTION
    axes = (0, 1, 2)
    grad_bias, grad_weight = grad_y.sum(axes), (grad_y * xhat).sum(axes)
    values = xhat.size // len(weight)
    grad_x = weight * inverse_std * (grad_y - grad_bias / values - xhat * grad_weight / values)
    return grad_x, grad_weight, grad_bias
    ### END SOLUTION


def update_running(
    running_mean: np.ndarray, running_var: np.ndarray, x: np.ndarray, momentum: float = 0.1
) -> tuple[np.ndarray, np.ndarray]:
    """Task 4.3 (**, 15 minutes): what is kept for evaluation.

    TODO: running_mean and running_var (C,) as they are before the batch x (N, H, W, C). Return both as they are after
        it, as new arrays: the batch has the share `momentum`, and its variance is the unbiased one.
    QUESTION: `var` has an argument `ddof`: it divides by M - ddof.
    POINTER: 1. The batch's mean and unbiased variance of each channel. 2. The weighted average of old and new.
    """
    ### BEGIN SOLUTION
    axes = (0, 1, 2)
    mean, var = x.mean(axes), x.var(axes, ddof=1)
    return (1 - momentum) * running_mean + momentum * mean, (1 - momentum) * running_var + momentum * var
    ### END SOLUTION


class LayerNorm(Layer):
    """Task 4.4 (**, 15 minutes): a normalisation that does not look at the batch.

    TODO: for x (N, C), each row by itself is brought to mean 0 and (biased) variance 1, then multiplied by
        `self.weight` and shifted by `self.bias`, both of C numbers. Write `forward(x, training)`, which returns
        (y, cache), and `backward(grad_y, cache)`, which returns grad_x and sets the two parameters' `grad`.
    QUESTION: `keepdims=True`. And sums for grad_weight run over the rows, means for grad_x along a row.
    POINTER: 1. Batch norm's derivation holds for any group of numbers that share a mean and a variance: here a row.
        2. But weight and bias belong to columns: so what comes back at xhat is grad_y * weight, inside the means too.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        self.eps = eps
        self.weight, self.bias = Parameter(np.ones(channels)), Parameter(np.zeros(channels))

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, tuple]:
        """y (N, C), and what backward will need."""
        ### BEGIN SOLUTION
        inverse_std = 1 / np.sqrt(x.var(1, keepdims=True) + self.eps)
        xhat = (x - x.mean(1, keepdims=True)) * inverse_std
        return self.weight.value * xhat + self.bias.value, (xhat, inverse_std)
        ### END SOLUTION

    def backward(self, grad_y: np.ndarray, cache: tuple) -> np.ndarray:
        """grad_x (N, C)."""
        ### BEGIN SOLUTION
        xhat, inverse_std = cache
        self.weight.grad, self.bias.grad = (grad_y * xhat).sum(0), grad_y.sum(0)
        g = grad_y * self.weight.value
        return inverse_std * (g - g.mean(1, keepdims=True) - xhat * (g * xhat).mean(1, keepdims=True))
        ### END SOLUTION
