"""Tasks of tutorial 04: batch norm forward, backward and its running averages; and a layer norm."""

from __future__ import annotations

import numpy as np

from ..layers.layer import Layer, Parameter


def batch_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float = 1e-5) -> np.ndarray:
    """Task 4.1 (*, 10 minutes): batch norm, forward

    TODO: x is (N, H, W, C); weight and bias are (C,). Return y, of x's shape, as in training: normalise each channel
        with its own mean and (biased) variance in this batch, multiply it by its weight and add its bias. Add `eps` to
        the variance before you take the square root. Leave x as it was.
    QUESTION: Each channel has one mean. Which axes of x does that mean run over, and what is its shape?
    POINTER: `x.mean((0, 1, 2))` has the shape (C,). NumPy broadcasts an array of that shape along the last axis, so you
        can subtract it from x as it is. The variance, the weight and the bias have the same shape.
    """
    ### BEGIN SOLUTION
    mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
    return weight * (x - mean) / np.sqrt(var + eps) + bias
    ### END SOLUTION


def batch_norm_backward(
    grad_y: np.ndarray, xhat: np.ndarray, inverse_std: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Task 4.2 (***, 30 minutes): batch norm, backward

    TODO: grad_y and xhat (the normalised x) are (N, H, W, C); inverse_std = 1 / sqrt(var + eps) and weight are (C,).
        Return (grad_x, grad_weight, grad_bias), with the shapes of x, weight and bias. Leave the arguments as they
        were. Go back through the graph step by step, or derive one formula; either is right.
    QUESTION: Follow the graph from y back to x. At which nodes do two gradients arrive, and where is a gradient a sum
        over the whole channel?
    POINTER: First compute grad_xhat = weight * grad_y. With d = xhat / inverse_std and M = N * H * W, the rest is one
        line for each arrow: grad_s, then grad_var, then grad_d with its two contributions, then grad_mean, then grad_x
        with its two contributions. The derivative of s = (var + eps) ** -0.5 with respect to var is -0.5 * s ** 3.
    """
    ### BEGIN SOLUTION
    axes = (0, 1, 2)
    grad_bias, grad_weight = grad_y.sum(axes), (grad_y * xhat).sum(axes)
    count = xhat.size // len(weight)
    grad_x = weight * inverse_std * (grad_y - grad_bias / count - xhat * grad_weight / count)
    return grad_x, grad_weight, grad_bias
    ### END SOLUTION


def update_running(
    running_mean: np.ndarray, running_var: np.ndarray, x: np.ndarray, momentum: float = 0.1
) -> tuple[np.ndarray, np.ndarray]:
    """Task 4.3 (*, 10 minutes): the running averages

    TODO: running_mean and running_var (C,) are the averages before the batch x (N, H, W, C). Return the averages after
        it, as a pair of new arrays. The batch has the weight `momentum`; use its unbiased variance.
    QUESTION: How many numbers does a channel contain, and by what do you divide the sum of their squared distances?
    POINTER: `var` has an argument `ddof`: NumPy divides by M - ddof. Then take the weighted average of the old value,
        with weight 1 - momentum, and of the batch's value.
    """
    ### BEGIN SOLUTION
    axes = (0, 1, 2)
    mean, var = x.mean(axes), x.var(axes, ddof=1)
    return (1 - momentum) * running_mean + momentum * mean, (1 - momentum) * running_var + momentum * var
    ### END SOLUTION


class LayerNorm(Layer):
    """Task 4.4 (**, 25 minutes): layer norm, which does not look at the batch

    TODO: For x (N, C), normalise each *row* by itself, to mean 0 and (biased) variance 1, with `self.eps` added to the
        variance. Then multiply each column by its weight and add its bias. Write `forward(x, training)`, which returns
        `(y, cache)`, and `backward(grad_y, cache)`, which returns grad_x and sets the `grad` of both parameters.
        Neither may change the arrays that it is given.
    QUESTION: Which numbers share a mean and a variance now, and which numbers share a weight and a bias?
    POINTER: The derivation of batch norm holds for any group of numbers that share a mean and a variance. Here a group
        is a row, so the two means run along axis 1 (use `keepdims=True`). Weight and bias belong to columns, so their
        gradients are sums over axis 0. And the weight differs within a row, so it must stay inside the two means.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        self.eps = eps
        self.weight, self.bias = Parameter(np.ones(channels)), Parameter(np.zeros(channels))

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, tuple]:
        """x (N, C) -> y (N, C), and the cache: what backward needs."""
        ### BEGIN SOLUTION
        inverse_std = 1 / np.sqrt(x.var(1, keepdims=True) + self.eps)
        xhat = (x - x.mean(1, keepdims=True)) * inverse_std
        return self.weight.value * xhat + self.bias.value, (xhat, inverse_std)
        ### END SOLUTION

    def backward(self, grad_y: np.ndarray, cache: tuple) -> np.ndarray:
        """grad_y (N, C) -> grad_x (N, C)."""
        ### BEGIN SOLUTION
        xhat, inverse_std = cache
        self.weight.grad, self.bias.grad = (grad_y * xhat).sum(0), grad_y.sum(0)
        grad_xhat = grad_y * self.weight.value
        along_xhat = (grad_xhat * xhat).mean(1, keepdims=True)
        return inverse_std * (grad_xhat - grad_xhat.mean(1, keepdims=True) - xhat * along_xhat)
        ### END SOLUTION
