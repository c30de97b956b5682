"""The nonlinearity."""

from __future__ import annotations

from ..checks import check_floats
from ..compute.backend import Array, array_module
from ..compute.batch import over_batch
from .layer import Layer, check_gradient


class ReLU(Layer):
    """y = max(x, 0), for x (N, ...) of any shape. Its derivative at 0 is taken as 0, as in PyTorch.

    Source: Nair and Hinton 2010, "Rectified Linear Units Improve Restricted Boltzmann Machines".
    """

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Array]:
        """x (N, ...) -> y (N, ...). The cache is y, which the next layer keeps anyway; y > 0 exactly where x > 0."""
        check_floats("x", x)
        xp = array_module(x)
        zero = xp.zeros(x.shape[1:], x.dtype)  # NumPy is faster with an array of zeros than with a plain 0
        y = over_batch(lambda x: xp.maximum(x, zero), x)
        return y, y

    def backward(self, grad_y: Array, y: Array) -> Array:
        """grad_y (N, ...) -> grad_x (N, ...): grad_y where x was positive, 0 elsewhere."""
        check_gradient(grad_y, y.shape)
        return over_batch(lambda grad_y, y: grad_y * (y > 0), grad_y, y)
