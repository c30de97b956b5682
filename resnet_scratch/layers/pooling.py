"""Pooling: one number for each window."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..compute.backend import Array, array_module
from ..compute.batch import over_batch
from .layer import Layer, check_gradient, check_images
from .windows import Pair, as_pair, crop, output_size, pad, window_slices


class _Pool2d(Layer):
    """The geometry that both poolings share. `stride` is `kernel_size` unless given."""

    def __init__(self, kernel_size: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0) -> None:
        self.kernel_size = as_pair("kernel_size", kernel_size, 1)
        self.stride = self.kernel_size if stride is None else as_pair("stride", stride, 1)
        self.padding = as_pair("padding", padding, 0)
        if any(2 * p > k for p, k in zip(self.padding, self.kernel_size)):
            raise ValueError(f"padding must be at most half of kernel_size {self.kernel_size}, got {self.padding}")

    def _slices(self, padded: Array) -> Iterator[Array]:
        return window_slices(padded, self.kernel_size, self.stride)

    def _output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        N, H, W, C = shape
        return (N, *output_size((H, W), self.kernel_size, self.stride, self.padding), C)


class MaxPool2d(_Pool2d):
    """The largest value of each window, per channel.

    `kernel_size`, `stride` (None: `kernel_size`) and `padding` are numbers or pairs (height, width). Raises ValueError
    if the padding is more than half of the kernel.

    Padding counts as minus infinity, but never wins, not even where all of the image's values are minus infinity. On a
    tie the first in reading order wins, as in PyTorch.
    """

    def forward(self, x: Array, training: bool = False) -> tuple[Array, tuple]:
        """x (N, H, W, C) -> y (N, OH, OW, C). The cache is (the position of the largest value in each window
        (N, OH, OW, C), the shape of x)."""
        check_images(x)
        xp = array_module(x)
        integer = xp.uint8 if math.prod(self.kernel_size) <= 256 else xp.int32
        first = self._first_inside(x).astype(integer)

        def largest(x: Array) -> tuple[Array, Array]:
            slices = list(self._slices(pad(x, self.padding, -xp.inf)))
            y, winner = slices[0], xp.zeros(slices[0].shape, integer)
            for k, values in enumerate(slices[1:], start=1):
                # positions come in rising order, so the largest one that wins strictly is the first of equals
                winner = xp.maximum(winner, (values > y) * integer(k))
                y = xp.maximum(y, values)
            return y, xp.maximum(winner, first)  # where all are -inf, the first in the image wins

        y, winner = over_batch(largest, x)
        return y, (winner, x.shape)

    def _first_inside(self, x: Array) -> Array:
        """(OH, OW, 1): the position of each window's first value that is in the image, and not padding."""
        xp, (PH, PW), (SH, SW) = array_module(x), self.padding, self.stride
        _, OH, OW, _ = self._output_shape(x.shape)
        rows, columns = PH - SH * xp.arange(OH), PW - SW * xp.arange(OW)  # of padding, in each window
        rows, columns = rows * (rows > 0), columns * (columns > 0)
        return (rows[:, None] * self.kernel_size[1] + columns)[..., None]

    def backward(self, grad_y: Array, cache: tuple) -> Array:
        """grad_y (N, OH, OW, C) -> grad_x (N, H, W, C): each window's gradient goes to the value that won."""
        winner, shape = cache
        check_gradient(grad_y, winner.shape)
        xp = array_module(grad_y)

        def gradient(grad_y: Array, winner: Array) -> Array:
            padded = pad(xp.zeros((len(grad_y), *shape[1:]), grad_y.dtype), self.padding)
            for k, pixels in enumerate(self._slices(padded)):
                pixels += grad_y * (winner == k)
            return crop(padded, self.padding)

        return over_batch(gradient, grad_y, winner, footprint=4 * math.prod(self.stride))


class AvgPool2d(_Pool2d):
    """The mean of each window, per channel. Padding counts as zeros.

    `kernel_size`, `stride` (None: `kernel_size`) and `padding` are numbers or pairs (height, width). Raises ValueError
    if the padding is more than half of the kernel.
    """

    def forward(self, x: Array, training: bool = False) -> tuple[Array, tuple]:
        """x (N, H, W, C) -> y (N, OH, OW, C). The cache is the shape of x."""
        check_images(x)
        self._output_shape(x.shape)  # raises where no window fits
        y = over_batch(lambda x: sum(self._slices(pad(x, self.padding))) / math.prod(self.kernel_size), x)
        return y, x.shape

    def backward(self, grad_y: Array, shape: tuple) -> Array:
        """grad_y (N, OH, OW, C) -> grad_x (N, H, W, C): each window's gradient is shared out evenly."""
        check_gradient(grad_y, self._output_shape(shape))
        xp = array_module(grad_y)

        def gradient(grad_y: Array) -> Array:
            padded = pad(xp.zeros((len(grad_y), *shape[1:]), grad_y.dtype), self.padding)
            share = grad_y / math.prod(self.kernel_size)
            for pixels in self._slices(padded):
                pixels += share
            return crop(padded, self.padding)

        return over_batch(gradient, grad_y, footprint=4 * math.prod(self.stride))


class GlobalAvgPool2d(Layer):
    """The mean of each channel over the whole image.

    Source: Lin, Chen and Yan 2013, "Network in Network", section 3.2.
    """

    def forward(self, x: Array, training: bool = False) -> tuple[Array, tuple]:
        """x (N, H, W, C) -> y (N, C). The cache is the shape of x."""
        check_images(x)
        return over_batch(lambda x: x.mean((1, 2)), x), x.shape

    def backward(self, grad_y: Array, shape: tuple) -> Array:
        """grad_y (N, C) -> grad_x (N, H, W, C): every pixel gets its channel's gradient, divided by H * W."""
        N, H, W, C = shape
        check_gradient(grad_y, (N, C))
        xp = array_module(grad_y)
        share = (grad_y / (H * W))[:, None, None, :]  # (N, 1, 1, C)
        return over_batch(lambda share: share + xp.zeros((len(share), H, W, C), share.dtype), share, footprint=H * W)
