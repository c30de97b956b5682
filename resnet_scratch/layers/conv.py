"""Convolution: every window of the image as a row, times the weights as a matrix."""

from __future__ import annotations

import math

import numpy as np

from ..checks import check_flag, check_whole
from ..compute.backend import Array, array_module
from ..compute.batch import Sum, over_batch
from ..compute.channels import channel_sum
from ..compute.products import matmul, matmul_transposed
from .initializers import kaiming_normal
from .layer import Layer, Parameter, check_gradient, check_images
from .windows import Pair, as_pair, col2im, im2col, output_size


class Conv2d(Layer):
    """y[n, oh, ow, o] = bias[o] + sum of x[n, oh*SH+kh-PH, ow*SW+kw-PW, c] * weight[kh, kw, c, o] over kh, kw, c

    x (N, H, W, in_channels) -> y (N, OH, OW, out_channels), with OH = (H + 2*PH - KH) // SH + 1 and OW alike; pixels
    beyond the border count as zero. As everywhere in this field the kernel is not flipped (a cross-correlation).
    Its weight (KH, KW, C, O) is the matrix (KH*KW*C, O) as it lies in memory.

    `kernel_size`, `stride` and `padding` are each an int or a pair (height, width). The weights are drawn from `rng`,
    Kaiming normal with fan_out as in torchvision's ResNets; the bias starts at zero. Raises ValueError for a
    size that is not allowed.
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
        check_whole("in_channels", in_channels)
        check_whole("out_channels", out_channels)
        check_flag("bias", bias)
        self.kernel_size = as_pair("kernel_size", kernel_size, 1)
        self.stride = as_pair("stride", stride, 1)
        self.padding = as_pair("padding", padding, 0)
        self.in_channels, self.out_channels = int(in_channels), int(out_channels)
        self.weight = Parameter(kaiming_normal((*self.kernel_size, in_channels, out_channels), rng, "fan_out"))
        self.bias = Parameter(np.zeros(out_channels, np.float32)) if bias else None

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Array]:
        """x (N, H, W, C) -> y (N, OH, OW, O). The cache is x. Raises ValueError when C is not in_channels."""
        check_images(x, self.in_channels)
        OH, OW = self._output_size(x)
        weight = self._weight_matrix()

        def convolve(x: Array) -> Array:
            columns = im2col(x, self.kernel_size, self.stride, self.padding)  # (n*OH*OW, KH*KW*C)
            rows = matmul(columns, weight)  # (n*OH*OW, O)
            if self.bias is not None:
                rows = rows + self.bias.value
            return rows.reshape(-1, OH, OW, self.out_channels)

        return over_batch(convolve, x, footprint=math.prod(self.kernel_size)), x

    def backward(self, grad_y: Array, x: Array) -> Array:
        """grad_y (N, OH, OW, O) -> grad_x (N, H, W, C); sets the gradients of weight and bias."""
        self._check_and_sum(grad_y, x)
        KH, KW = self.kernel_size
        if self.stride == (1, 1) and self.padding[0] < KH and self.padding[1] < KW:
            return self._backward_as_convolution(grad_y, x)
        return self._backward_by_definition(grad_y, x)

    def _backward_by_definition(self, grad_y: Array, x: Array) -> Array:
        """The transpose of each step of forward. Works for every stride and padding.

        y = columns @ weight gives grad_weight = columns.T @ grad_y and grad_columns = grad_y @ weight.T, and the
        transpose of im2col is col2im.
        """
        weight = self._weight_matrix()

        def gradients(grad_y: Array, x: Array) -> tuple[Array, Sum]:
            columns = im2col(x, self.kernel_size, self.stride, self.padding)  # (n*OH*OW, KH*KW*C)
            rows = grad_y.reshape(-1, self.out_channels)  # (n*OH*OW, O)
            grad_x = col2im(rows @ weight.T, x.shape, self.kernel_size, self.stride, self.padding)
            return grad_x, Sum(matmul_transposed(columns, rows))

        grad_x, grad_weight = over_batch(gradients, grad_y, x, footprint=math.prod(self.kernel_size))
        self.weight.grad = grad_weight.reshape(self.weight.value.shape)
        return grad_x

    def _backward_as_convolution(self, grad_y: Array, x: Array) -> Array:
        """With stride 1 the gradient of a convolution is itself a convolution, of grad_y with the flipped kernel.

        Pixel x[h] reaches y[h + PH - kh] through weight[kh], so grad_x[h] sums grad_y[h + PH - kh] * weight[kh] over
        kh; with j = KH-1-kh the index is h + j - (KH-1-PH): a convolution padded by KH-1-PH. Its columns are used
        twice: times the flipped weights they give grad_x, and their transpose times x gives the flipped grad_weight.
        """
        padding = (self.kernel_size[0] - 1 - self.padding[0], self.kernel_size[1] - 1 - self.padding[1])
        flipped = self._flip(self.weight.value)  # (KH, KW, O, C)

        def gradients(grad_y: Array, x: Array) -> tuple[Array, Sum]:
            columns = im2col(grad_y, self.kernel_size, 1, padding)  # (n*H*W, KH*KW*O)
            grad_x = matmul(columns, flipped.reshape(-1, self.in_channels)).reshape(x.shape)
            return grad_x, Sum(matmul_transposed(columns, x.reshape(-1, self.in_channels)))  # (KH*KW*O, C)

        grad_x, grad_flipped = over_batch(gradients, grad_y, x, footprint=math.prod(self.kernel_size))
        self.weight.grad = self._flip(grad_flipped.reshape(flipped.shape))
        return grad_x

    def backward_to_parameters(self, grad_y: Array, x: Array) -> None:
        """Sets the gradients of weight and bias, as `backward` does, and leaves grad_x out."""
        self._check_and_sum(grad_y, x)

        def gradient(grad_y: Array, x: Array) -> Sum:
            columns = im2col(x, self.kernel_size, self.stride, self.padding)  # (n*OH*OW, KH*KW*C)
            return Sum(matmul_transposed(columns, grad_y.reshape(-1, self.out_channels)))

        grad_weight = over_batch(gradient, grad_y, x, footprint=math.prod(self.kernel_size))
        self.weight.grad = grad_weight.reshape(self.weight.value.shape)

    def multiply_adds(self, output_shape: tuple[int, ...]) -> int:
        """KH * KW * C for each number of the output (OH, OW, O)."""
        return math.prod(output_shape) * math.prod(self.kernel_size) * self.in_channels

    def _check_and_sum(self, grad_y: Array, x: Array) -> None:
        """What every backward begins with: check the shape of grad_y; its sum is the gradient of the bias."""
        check_gradient(grad_y, (len(x), *self._output_size(x), self.out_channels))
        if self.bias is not None:
            self.bias.grad = over_batch(lambda grad_y: Sum(channel_sum(grad_y)), grad_y)

    def _output_size(self, x: Array) -> Pair:
        return output_size(x.shape[1:3], self.kernel_size, self.stride, self.padding)

    def _weight_matrix(self) -> Array:
        """(KH*KW*C, O)"""
        return self.weight.value.reshape(-1, self.out_channels)

    def _flip(self, weight: Array) -> Array:
        """The kernel rotated by 180 degrees, with its two channel axes swapped."""
        return array_module(weight).ascontiguousarray(weight[::-1, ::-1].swapaxes(2, 3))
