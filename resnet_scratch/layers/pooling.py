"""Pooling: one number for each window."""

from __future__ import annotations

import math

from ..compute.backend import Array, array_module
from ..compute.batch import for_each_chunk, image_bytes
from .layer import Layer, check_images
from .windows import Pair, as_pair, crop, output_size, pad, window_slices


class _Pool2d(Layer):
    """What both poolings share: the geometry. `stride` is `kernel_size` unless given."""

    def __init__(self, kernel_size: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0) -> None:
        self.kernel_size = as_pair("kernel_size", kernel_size, 1)
        self.stride = self.kernel_size if stride is None else as_pair("stride", stride, 1)
        self.padding = as_pair("padding", padding, 0)
        if any(2 * p > k for p, k in zip(self.padding, self.kernel_size)):
            raise ValueError(f"padding must be at most half of kernel_size {self.kernel_size}, got {self.padding}")

    def _output_shape(self, x: Array) -> tuple[int, int, int, int]:
        check_images(x)
        return (len(x), *output_size(x.shape[1:3], self.kernel_size, self.stride, self.padding), x.shape[3])


class MaxPool2d(_Pool2d):
    """The largest value of each window, per channel: x (N, H, W, C) -> y (N, OH, OW, C).

    Padding counts as minus infinity, so it never wins. On a tie the first in reading order wins, as in PyTorch.
    """

    def forward(self, x: Array, training: bool = False) -> tuple[Array, tuple]:
        """y; the cache is (which place of its window won (N, OH, OW, C), the shape of x)."""
        xp = array_module(x)
        y = xp.empty(self._output_shape(x), x.dtype)
        places = math.prod(self.kernel_size)
        winner = xp.zeros(y.shape, xp.uint8 if places <= 256 else xp.int32)

        def body(chunk: slice) -> None:
            best, place = y[chunk], winner[chunk]
            best[...] = -xp.inf
            for k, values in enumerate(
                window_slices(pad(x[chunk], self.padding, -xp.inf), self.kernel_size, self.stride)
            ):
                # places come in rising order, so the largest that wins strictly is the first of the equals
                xp.maximum(place, (values > best) * winner.dtype.type(k), out=place)
                xp.maximum(best, values, out=best)

        for_each_chunk(x, body, 3 * image_bytes(x))
        return y, (winner, x.shape)

    def backward(self, grad_y: Array, cache: tuple) -> Array:
        """Each window's gradient goes to the value that won."""
        winner, shape = cache
        xp = array_module(grad_y)
        grad_x = xp.empty(shape, grad_y.dtype)

        def body(chunk: slice) -> None:
            padded = pad(xp.zeros(grad_x[chunk].shape, grad_y.dtype), self.padding)
            for k, pixels in enumerate(window_slices(padded, self.kernel_size, self.stride)):
                pixels += grad_y[chunk] * (winner[chunk] == k)
            grad_x[chunk] = crop(padded, self.padding)

        for_each_chunk(grad_x, body, 3 * image_bytes(grad_x))
        return grad_x


class AvgPool2d(_Pool2d):
    """The mean of each window, per channel: x (N, H, W, C) -> y (N, OH, OW, C). Padding counts as zeros."""

    def forward(self, x: Array, training: bool = False) -> tuple[Array, tuple]:
        """y; the cache is the shape of x."""
        y = array_module(x).zeros(self._output_shape(x), x.dtype)

        def body(chunk: slice) -> None:
            total = y[chunk]
            for values in window_slices(pad(x[chunk], self.padding), self.kernel_size, self.stride):
                total += values
            total /= math.prod(self.kernel_size)

        for_each_chunk(x, body, 2 * image_bytes(x))
        return y, x.shape

    def backward(self, grad_y: Array, shape: tuple) -> Array:
        """Each window's gradient is shared out evenly."""
        xp = array_module(grad_y)
        grad_x = xp.empty(shape, grad_y.dtype)

        def body(chunk: slice) -> None:
            padded = pad(xp.zeros(grad_x[chunk].shape, grad_y.dtype), self.padding)
            share = grad_y[chunk] / math.prod(self.kernel_size)
            for pixels in window_slices(padded, self.kernel_size, self.stride):
                pixels += share
            grad_x[chunk] = crop(padded, self.padding)

        for_each_chunk(grad_x, body, 3 * image_bytes(grad_x))
        return grad_x


class GlobalAvgPool2d(Layer):
    """The mean of each channel over the whole image: x (N, H, W, C) -> y (N, C).

    Source: Lin, Chen and Yan 2013, "Network in Network", section 3.2.
    """

    def forward(self, x: Array, training: bool = False) -> tuple[Array, tuple]:
        """y; the cache is the shape of x."""
        check_images(x)
        return x.mean((1, 2)), x.shape

    def backward(self, grad_y: Array, shape: tuple) -> Array:
        """Every pixel gets its channel's gradient, divided by the number of pixels."""
        _, H, W, _ = shape
        xp = array_module(grad_y)
        return xp.ascontiguousarray(xp.broadcast_to((grad_y / (H * W))[:, None, None, :], shape))
