"""Convolution: every window of the image as a row, times the weights as a matrix."""

from __future__ import annotations

import math

import numpy as np

from ..compute.backend import Array, array_module
from ..compute.batch import for_each_chunk
from ..compute.products import multiply, multiply_transposed
from .initializers import kaiming_normal
from .layer import Layer, Parameter, check_images
from .windows import Pair, as_pair, col2im, im2col, output_size


class Conv2d(Layer):
    """y[n, oh, ow, o] = bias[o] + sum of x[n, oh*SH+kh-PH, ow*SW+kw-PW, c] * weight[kh, kw, c, o] over kh, kw, c

    x (N, H, W, in_channels) -> y (N, OH, OW, out_channels), with OH = (H + 2*PH - KH) // SH + 1 and OW alike; pixels
    beyond the border count as zero. As everywhere in this field the kernel is not flipped (a cross-correlation).
    Its weight (KH, KW, C, O) is the matrix (KH*KW*C, O) as it lies in memory.

    `kernel_size`, `stride` and `padding` are each an int or a pair (height, width). The weights are drawn from `rng`,
    Kaiming normal with fan_out as in torchvision's ResNets; the bias starts at zero.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        bias: bool = True,
        *,
        rng: np.random.Generator,
    ) -> None:
        self.kernel_size = as_pair("kernel_size", kernel_size, 1)
        self.stride = as_pair("stride", stride, 1)
        self.padding = as_pair("padding", padding, 0)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.weight = Parameter(kaiming_normal((*self.kernel_size, in_channels, out_channels), rng, "fan_out"))
        self.bias = Parameter(np.zeros(out_channels, np.float32)) if bias else None

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Array]:
        """The convolution of x (N, H, W, C); the cache is x itself. Raises ValueError when C is not in_channels."""
        check_images(x, self.in_channels)
        xp = array_module(x)
        OH, OW = output_size(x.shape[1:3], self.kernel_size, self.stride, self.padding)
        y = xp.empty((len(x), OH, OW, self.out_channels), x.dtype)
        weight = self.weight.value.reshape(-1, self.out_channels)  # (KH*KW*C, O)

        def body(chunk: slice) -> None:
            columns = im2col(x[chunk], self.kernel_size, self.stride, self.padding, reuse=True)  # (n*OH*OW, KH*KW*C)
            rows = y[chunk].reshape(-1, self.out_channels)  # (n*OH*OW, O)
            multiply(columns, weight, out=rows)
            if self.bias is not None:
                rows += self.bias.value

        for_each_chunk(x, body, self._bytes_per_image(OH * OW, self.in_channels, x))
        return y, x

    def backward(self, grad_y: Array, x: Array) -> Array:
        """grad_x from grad_y (N, OH, OW, O); sets the gradients of weight and bias."""
        if self.bias is not None:
            self.bias.grad = grad_y.sum((0, 1, 2))
        KH, KW = self.kernel_size
        if self.stride == (1, 1) and self.padding[0] < KH and self.padding[1] < KW:
            return self._backward_as_convolution(grad_y, x)
        return self._backward_by_scattering(grad_y, x)

    def multiply_adds(self, output_shape: tuple[int, ...]) -> int:
        """KH * KW * C for each number of the output (OH, OW, O)."""
        return math.prod(output_shape) * math.prod(self.kernel_size) * self.in_channels

    def _backward_by_scattering(self, grad_y: Array, x: Array) -> Array:
        """The definition: the transpose of each step of forward. Works for every stride and padding.

        y = columns @ weight gives grad_weight = columns.T @ grad_y and grad_columns = grad_y @ weight.T, and the
        transpose of im2col is col2im.
        """
        grad_x = array_module(x).empty(x.shape, x.dtype)
        weight = self.weight.value.reshape(-1, self.out_channels)  # (KH*KW*C, O)

        def body(chunk: slice) -> Array:
            columns = im2col(x[chunk], self.kernel_size, self.stride, self.padding, reuse=True)  # (n*OH*OW, KH*KW*C)
            rows = grad_y[chunk].reshape(-1, self.out_channels)  # (n*OH*OW, O)
            shape = (chunk.stop - chunk.start, *x.shape[1:])
            grad_x[chunk] = col2im(rows @ weight.T, shape, self.kernel_size, self.stride, self.padding)
            return multiply_transposed(columns, rows)  # (KH*KW*C, O)

        grad_weight = for_each_chunk(x, body, self._bytes_per_image(math.prod(grad_y.shape[1:3]), self.in_channels, x))
        self.weight.grad = grad_weight.reshape(self.weight.value.shape)
        return grad_x

    def _backward_as_convolution(self, grad_y: Array, x: Array) -> Array:
        """With stride 1 the gradient of a convolution is one again, of grad_y with the kernel turned by 180 degrees.

        Pixel x[h] reaches y[h + PH - kh] through weight[kh], so grad_x[h] sums grad_y[h + PH - kh] * weight[kh] over
        kh; with j = KH-1-kh the index is h + j - (KH-1-PH): a convolution again, padded by KH-1-PH. Its columns serve
        twice: times the turned weights they give grad_x, and their transpose times x gives the turned grad_weight.
        """
        xp = array_module(x)
        padding = (self.kernel_size[0] - 1 - self.padding[0], self.kernel_size[1] - 1 - self.padding[1])
        turned = xp.ascontiguousarray(self.weight.value[::-1, ::-1].swapaxes(2, 3))  # (KH, KW, O, C)
        grad_x = xp.empty(x.shape, x.dtype)

        def body(chunk: slice) -> Array:
            columns = im2col(grad_y[chunk], self.kernel_size, (1, 1), padding, reuse=True)  # (n*H*W, KH*KW*O)
            multiply(columns, turned.reshape(-1, self.in_channels), out=grad_x[chunk].reshape(-1, self.in_channels))
            return multiply_transposed(columns, x[chunk].reshape(-1, self.in_channels))  # (KH*KW*O, C)

        grad_turned = for_each_chunk(x, body, self._bytes_per_image(math.prod(x.shape[1:3]), self.out_channels, x))
        grad_turned = grad_turned.reshape(turned.shape)
        self.weight.grad = xp.ascontiguousarray(grad_turned.swapaxes(2, 3)[::-1, ::-1])
        return grad_x

    def _bytes_per_image(self, positions: int, channels: int, x: Array) -> int:
        """The size of one image's columns."""
        return positions * math.prod(self.kernel_size) * channels * x.dtype.itemsize
