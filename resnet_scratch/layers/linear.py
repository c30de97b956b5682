"""The fully connected layer, and the layer that flattens images for it."""

from __future__ import annotations

import math

import numpy as np

from ..checks import check_flag, check_floats, check_whole
from ..compute.backend import Array
from ..compute.batch import Sum, over_batch
from .initializers import kaiming_uniform
from .layer import Layer, Parameter, check_gradient


class Linear(Layer):
    """y = x @ weight + bias, with weight (in_features, out_features) and bias (out_features,).

    The weights are drawn from `rng`, uniformly within +-1 / sqrt(in_features) as in PyTorch; the bias starts at zero.
    Raises ValueError for a size below 1.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, rng: np.random.Generator) -> None:
        check_whole("in_features", in_features)
        check_whole("out_features", out_features)
        check_flag("bias", bias)
        self.in_features, self.out_features = int(in_features), int(out_features)
        self.weight = Parameter(kaiming_uniform((in_features, out_features), rng, gain=math.sqrt(1 / 3)))
        self.bias = Parameter(np.zeros(out_features, np.float32)) if bias else None

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Array]:
        """x (N, in_features) -> y (N, out_features). The cache is x. Raises ValueError for an x of another shape."""
        check_floats("x", x, ("N", self.in_features))

        def affine(x: Array) -> Array:
            y = x @ self.weight.value
            return y if self.bias is None else y + self.bias.value

        return over_batch(affine, x), x

    def backward(self, grad_y: Array, x: Array) -> Array:
        """grad_y (N, out_features) -> grad_x (N, in_features); sets the gradients of weight and bias."""
        check_gradient(grad_y, (len(x), self.out_features))

        def gradients(grad_y: Array, x: Array) -> tuple[Array, Sum, Sum]:
            return grad_y @ self.weight.value.T, Sum(x.T @ grad_y), Sum(grad_y.sum(0))

        grad_x, self.weight.grad, grad_bias = over_batch(gradients, grad_y, x)
        if self.bias is not None:
            self.bias.grad = grad_bias
        return grad_x

    def multiply_adds(self, output_shape: tuple[int, ...]) -> int:
        """in_features for each number of the output (out_features,)."""
        return math.prod(output_shape) * self.in_features


class Flatten(Layer):
    """Each image's numbers in one row."""

    def forward(self, x: Array, training: bool = False) -> tuple[Array, tuple]:
        """x (N, ...) -> y (N, the product of the rest), a view. The cache is the shape of x."""
        check_floats("x", x)
        return x.reshape(len(x), -1), x.shape

    def backward(self, grad_y: Array, shape: tuple) -> Array:
        """grad_y (N, the product of the rest) -> grad_x (N, ...)."""
        check_gradient(grad_y, (shape[0], math.prod(shape[1:])))
        return grad_y.reshape(shape)
