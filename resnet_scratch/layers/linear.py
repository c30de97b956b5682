"""The fully connected layer, and what brings images into its form."""

from __future__ import annotations

import math

import numpy as np

from ..compute.backend import Array, array_module
from ..compute.batch import for_each_chunk, image_bytes
from .initializers import kaiming_uniform
from .layer import Layer, Parameter


class Linear(Layer):
    """y = x @ weight + bias: x (N, in_features) -> y (N, out_features), weight (in_features, out_features).

    The weights are drawn from `rng`, uniformly within +-1 / sqrt(in_features) as in PyTorch; the bias starts at zero.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, rng: np.random.Generator) -> None:
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(kaiming_uniform((in_features, out_features), rng, gain=math.sqrt(1 / 3)))
        self.bias = Parameter(np.zeros(out_features, np.float32)) if bias else None

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Array]:
        """y; the cache is x. Raises ValueError when x is not (N, in_features)."""
        if x.ndim != 2 or x.shape[1] != self.in_features:
            raise ValueError(f"x must be (N, {self.in_features}), got {x.shape}")
        if x.dtype.kind != "f":
            raise ValueError(f"x must be floating-point numbers, got {x.dtype}")
        y = array_module(x).empty((len(x), self.out_features), x.dtype)

        def body(chunk: slice) -> None:
            y[chunk] = x[chunk] @ self.weight.value
            if self.bias is not None:
                y[chunk] += self.bias.value

        for_each_chunk(x, body, image_bytes(x) + image_bytes(y))
        return y, x

    def backward(self, grad_y: Array, x: Array) -> Array:
        """grad_x = grad_y @ weight.T; sets grad_weight = x.T @ grad_y and grad_bias = sum(grad_y)."""
        grad_x = array_module(x).empty(x.shape, x.dtype)

        def body(chunk: slice) -> Array:
            grad_x[chunk] = grad_y[chunk] @ self.weight.value.T
            return x[chunk].T @ grad_y[chunk]

        self.weight.grad = for_each_chunk(x, body, image_bytes(x) + image_bytes(grad_y))
        if self.bias is not None:
            self.bias.grad = grad_y.sum(0)
        return grad_x

    def multiply_adds(self, output_shape: tuple[int, ...]) -> int:
        """in_features for each number of the output (out_features,)."""
        return math.prod(output_shape) * self.in_features


class Flatten(Layer):
    """x (N, ...) -> y (N, the product of the rest)."""

    def forward(self, x: Array, training: bool = False) -> tuple[Array, tuple]:
        """y, a view; the cache is the shape of x."""
        return x.reshape(len(x), -1), x.shape

    def backward(self, grad_y: Array, shape: tuple) -> Array:
        """grad_y in the shape of x."""
        return grad_y.reshape(shape)
