"""Tasks of tutorial 02: a small graph backward, and the gradients of a convolution."""

from __future__ import annotations

import math

import numpy as np

from ..layers.layer import Layer, Parameter
from ..layers.windows import crop, im2col, pad, window_slices


def small_graph(x: float, w: float) -> tuple[float, float, float]:
    """Task 2.1 (*, 15 minutes): forward and backward through a graph with a fork

    TODO: The graph is `u = w * x`, `y = np.tanh(u)`, `e = y - x`, `L = e ** 2`. Compute L, then go backward through the
        four steps, and return `(L, grad_x, grad_w)`. The derivative of tanh(u) is `1 - np.tanh(u) ** 2`.
    QUESTION: Along which paths can a change of x reach L?
    POINTER: Name the gradient of each value as you go: `grad_e`, then `grad_y`, then `grad_u`. x is used in two steps,
        so it gets two gradients, and one of them comes through the minus sign.
    """
    ### BEGIN SOLUTION
    u = w * x
    y = np.tanh(u)
    e = y - x
    grad_e = 2 * e
    grad_y = grad_e
    grad_u = grad_y * (1 - y**2)
    return e**2, grad_u * w - grad_e, grad_u * x
    ### END SOLUTION


def weight_gradient(
    x: np.ndarray, grad_y: np.ndarray, kernel_size: tuple[int, int], stride: int, padding: int
) -> np.ndarray:
    """Task 2.2 (**, 15 minutes): the gradient with respect to the weights

    TODO: A convolution of x (N, H, W, C) with a weight (KH, KW, C, O) made y, and `grad_y` (N, OH, OW, O) is the
        gradient of the loss with respect to y. `kernel_size` is (KH, KW). Return the gradient with respect to the
        weight, of the weight's shape. You may use `im2col`.
    QUESTION: With `X = im2col(x, kernel_size, stride, padding)` and the weight as a matrix, the forward pass is `X @
        w`. Which numbers does the weight in row k of that matrix get multiplied by?
    POINTER: The weight in row k meets column k of X, and its gradient is the sum of pixel times `grad_y` over all rows.
        Reshape `grad_y` to have a row for each window too. One matrix product gives all the sums, and one of the two
        matrices has to be transposed.
    """
    ### BEGIN SOLUTION
    O = grad_y.shape[-1]
    columns = im2col(x, kernel_size, stride, padding)
    return (columns.T @ grad_y.reshape(-1, O)).reshape(*kernel_size, x.shape[3], O)
    ### END SOLUTION


def add_back(
    columns: np.ndarray, shape: tuple[int, int, int, int], kernel_size: tuple[int, int], stride: int, padding: int
) -> np.ndarray:
    """Task 2.3 (**, 25 minutes): your own col2im

    TODO: `columns` (N*OH*OW, KH*KW*C) has a window in each row, in the order of `im2col`. Return images of `shape`
        (N, H, W, C) in which every number has been added to the pixel that its window reads at that position. Keep the
        dtype of `columns`. Do not use `np.add.at`, nor the library's `col2im`. Loops over windows or over kernel
        positions are fine; do not loop over single numbers, because the milestone of this chapter runs your function
        often.
    QUESTION: In one window, no pixel occurs twice, so `+=` on a slice is safe. In which other set of numbers does no
        pixel occur twice?
    POINTER: Give the columns six axes, (N, OH, OW, KH, KW, C), and take zeros for the padded images. For one kernel
        position (kh, kw), the pixels in all windows are the rows kh, kh + stride, kh + 2 stride, ... (OH of them), and
        likewise the columns. Add to that slice. In the end, cut off the padding.
    """
    ### BEGIN SOLUTION
    (N, H, W, C), (KH, KW) = shape, kernel_size
    OH, OW = (H + 2 * padding - KH) // stride + 1, (W + 2 * padding - KW) // stride + 1
    columns = columns.reshape(N, OH, OW, KH, KW, C)
    padded = np.zeros((N, H + 2 * padding, W + 2 * padding, C), columns.dtype)
    for kh, kw in np.ndindex(KH, KW):
        rows = slice(kh, kh + stride * (OH - 1) + 1, stride)
        padded[:, rows, kw : kw + stride * (OW - 1) + 1 : stride] += columns[:, :, :, kh, kw]
    return padded[:, padding : padding + H, padding : padding + W]
    ### END SOLUTION


def input_gradient(grad_y: np.ndarray, weight: np.ndarray, padding: int) -> np.ndarray:
    """Task 2.4 (***, 25 minutes): the gradient with respect to the images, as a convolution (stride 1)

    TODO: A convolution with `weight` (KH, KW, C, O), stride 1 and `padding` (smaller than KH and KW) made y. Its
        gradient `grad_y` (N, OH, OW, O) is given. Return the gradient with respect to the images, (N, H, W, C), by
        convolving `grad_y`. Kernels need not be square. You may use `pad(x, (rows, columns))` and
        `im2col(x, (KH, KW))`.
    QUESTION: The tutorial's formula is for one channel and one dimension. What is the padding along each axis? And
        which of the channel axes C and O does the new convolution sum over?
    POINTER: Flip the kernel along both of its axes (a slice may have a step of -1), and swap its channel axes (with
        `swapaxes`), so that it is (KH, KW, O, C). The padding is the formula's K - 1 - P along each axis. Then convolve
        as in task 1.4: `im2col`, one matrix product, reshape.
    """
    ### BEGIN SOLUTION
    KH, KW, C, O = weight.shape
    padded = pad(grad_y, (KH - 1 - padding, KW - 1 - padding))
    flipped = weight[::-1, ::-1].swapaxes(2, 3).reshape(-1, C)
    N, H, W = len(grad_y), padded.shape[1] - KH + 1, padded.shape[2] - KW + 1
    return (im2col(padded, (KH, KW)) @ flipped).reshape(N, H, W, C)
    ### END SOLUTION


class DepthwiseConv2d(Layer):
    """Task 2.5 (***, 40 minutes): a layer of your own, the depthwise convolution

    Here each channel has a kernel of its own, and the channels are not mixed (Howard et al. 2017, "MobileNets",
    arXiv:1704.04861, section 3.1, equation 3). With padded x and stride S, y[n, oh, ow, c] is the sum of
    x[n, oh * S + kh, ow * S + kw, c] * weight[kh, kw, c] over kh and kw.

    TODO: Write `forward(x, training)`, which returns `(y, cache)`, and `backward(grad_y, cache)`, which returns
        `grad_x` and sets `self.weight.grad`, both for any stride and padding. Neither may change the arrays that it is
        given. `self.weight.value` is (KH, KW, C). `__init__` and `multiply_adds` are done.
    QUESTION: Fix one kernel position (kh, kw). Which slice of the padded x, with the shape of y, does
        weight[kh, kw] multiply?
    POINTER: Write forward as a loop over kernel positions: y += slice * weight[kh, kw]. For backward, read that line in
        reverse: add grad_y * weight[kh, kw] to the same slice of grad_x, and sum slice * grad_y over everything but the
        channel. `window_slices(padded, (KH, KW), (S, S))` yields these slices in reading order, as views that you may
        add to; `pad` and `crop` are each other's transpose.
    """

    def __init__(self, weight: np.ndarray, stride: int = 1, padding: int = 0) -> None:
        self.weight = Parameter(weight)  # (KH, KW, C)
        self.stride, self.padding = stride, padding

    def multiply_adds(self, output_shape: tuple[int, ...]) -> int:
        """Of one image, whose output has the shape (OH, OW, C): each number is a sum of KH * KW products."""
        KH, KW, _ = self.weight.value.shape
        return math.prod(output_shape) * KH * KW

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, object]:
        """x (N, H, W, C) -> y (N, OH, OW, C), and the cache: whatever backward will need."""
        ### BEGIN SOLUTION
        KH, KW, C = self.weight.value.shape
        padded = pad(x, (self.padding, self.padding))
        slices = window_slices(padded, (KH, KW), (self.stride, self.stride))
        return sum(pixels * w for pixels, w in zip(slices, self.weight.value.reshape(-1, C))), padded
        ### END SOLUTION

    def backward(self, grad_y: np.ndarray, cache: object) -> np.ndarray:
        """grad_y (N, OH, OW, C) -> grad_x (N, H, W, C); sets the gradient of the weight."""
        ### BEGIN SOLUTION
        padded, weight = cache, self.weight.value
        grad_padded, grad_weight = np.zeros_like(padded), np.empty_like(weight)
        geometry = weight.shape[:2], (self.stride, self.stride)
        both = zip(window_slices(padded, *geometry), window_slices(grad_padded, *geometry))
        for position, (pixels, grad_pixels) in zip(np.ndindex(weight.shape[:2]), both):
            grad_pixels += grad_y * weight[position]
            grad_weight[position] = (grad_y * pixels).sum((0, 1, 2))
        self.weight.grad = grad_weight
        return crop(grad_padded, (self.padding, self.padding))
        ### END SOLUTION
