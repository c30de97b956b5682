"""The nonlinearity."""

from __future__ import annotations

from ..compute.backend import Array, array_module
from ..compute.batch import for_each_chunk, image_bytes
from .layer import Layer


class ReLU(Layer):
    """y = max(x, 0), for x of any shape. Its derivative at 0 is taken as 0, as in PyTorch.

    Source: Nair and Hinton 2010, "Rectified Linear Units Improve Restricted Boltzmann Machines".
    """

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Array]:
        """max(x, 0); the cache is the output, which the next layer keeps in any case: y > 0 just where x > 0."""
        xp = array_module(x)
        y = xp.empty(x.shape, x.dtype)

        def body(chunk: slice) -> None:
            xp.maximum(x[chunk], 0, out=y[chunk])

        for_each_chunk(x, body, 2 * image_bytes(x))
        return y, y

    def backward(self, grad_y: Array, y: Array) -> Array:
        """grad_y where x was positive, 0 elsewhere."""
        xp = array_module(grad_y)
        grad_x = xp.empty(grad_y.shape, grad_y.dtype)

        def body(chunk: slice) -> None:
            xp.multiply(grad_y[chunk], y[chunk] > 0, out=grad_x[chunk])

        for_each_chunk(grad_y, body, 3 * image_bytes(grad_y))
        return grad_x
