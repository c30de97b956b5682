"""Exercises of tutorial 02: the gradients of a convolution."""

from __future__ import annotations

import numpy as np

from ..layers.layer import Layer, Parameter
from ..layers.windows import crop, im2col, pad, window_slices


def times_seen(size: tuple[int, int], kernel: int, stride: int, padding: int) -> np.ndarray:
    """Task 2.1 (**, 15 minutes): in how many windows is each pixel?

    TODO: a picture of `size` (H, W) with `padding` on every side is seen through windows of `kernel` x `kernel` that
        move by `stride`. Return an array (H, W) of whole numbers: how many windows contain that pixel.
    QUESTION: only windows that fit whole count; the padding is cut off with padding : padding + H, not with 1 : -1.
    POINTER: 1. An array of zeros for the padded picture. 2. Go through the windows and add 1 to every pixel of each.
        3. Cut the padding off.
    """
    ### BEGIN SOLUTION
    H, W = size
    counts = np.zeros((H + 2 * padding, W + 2 * padding), int)
    for top in range(0, H + 2 * padding - kernel + 1, stride):
        for left in range(0, W + 2 * padding - kernel + 1, stride):
            counts[top : top + kernel, left : left + kernel] += 1
    return counts[padding : padding + H, padding : padding + W]
    ### END SOLUTION


def weight_gradient(
    x: np.ndarray, grad_y: np.ndarray, kernel_size: tuple[int, int], stride: int, padding: int
) -> np.ndarray:
    """Task 2.2 (**, 15 minutes): the gradient at the weights.

    TODO: x (N, H, W, C) was convolved with some weight (KH, KW, C, O); grad_y (N, OH, OW, O) is the gradient at the
        result. Return the gradient at the weight, of the weight's shape.
    QUESTION: `im2col(x, kernel_size, stride, padding)` is (N*OH*OW, KH*KW*C), and grad_y is nearly (N*OH*OW, O).
    POINTER: 1. A weight at place (kh, kw) met, in window (oh, ow), the pixel (oh * stride + kh, ow * stride + kw) of
        the padded picture. 2. Its gradient sums pixel times grad_y over all windows and all pictures of the batch.
        3. With the windows as rows of a matrix that is one matrix product: which one has to be transposed?
    """
    ### BEGIN SOLUTION
    O = grad_y.shape[-1]
    columns = im2col(x, kernel_size, stride, padding)
    return (columns.T @ grad_y.reshape(-1, O)).reshape(*kernel_size, x.shape[3], O)
    ### END SOLUTION


def add_back(
    columns: np.ndarray, shape: tuple[int, int, int, int], kernel_size: tuple[int, int], stride: int, padding: int
) -> np.ndarray:
    """Task 2.3 (**, 15 minutes): col2im of your own, without `np.add.at` and without the library's.

    TODO: `columns` (N*OH*OW, KH*KW*C) has a window in each row, as from im2col of pictures of `shape` (N, H, W, C).
        Return the pictures (N, H, W, C) to which every number has been added where its window had read it.
    QUESTION: the slice of rows is kh : kh + stride * OH : stride. Nine slice additions for a 3x3 kernel, whatever the size.
    POINTER: 1. Give the columns six axes: (N, OH, OW, KH, KW, C). 2. Zeros for the padded pictures. 3. Loop over the
        places (kh, kw) of the kernel: the pixels that such a place meets are a slice of the padded pictures, from row
        kh on in steps of `stride`, OH rows; the same for the columns. Add to that slice. 4. Cut the padding off.
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


def picture_gradient(grad_y: np.ndarray, weight: np.ndarray, padding: int) -> np.ndarray:
    """Task 2.4 (**, 15 minutes): the gradient at the picture, as a convolution with the flipped kernel (stride 1).

    TODO: a convolution with weight (KH, KW, C, O), stride 1 and `padding` (smaller than KH and KW) made a result whose
        gradient is grad_y (N, OH, OW, O). Return the gradient at the pictures, (N, H, W, C). The kernel need not be
        square.
    QUESTION: `pad(grad_y, (rows, columns))` of the library pads pictures, and `im2col(padded, (KH, KW))` makes the columns;
        `weight[::-1, ::-1].swapaxes(2, 3)` is (KH, KW, O, C).
    POINTER: 1. Flip the kernel along both axes, and exchange its two channel axes. 2. Pad grad_y by
        KH - 1 - padding rows and KW - 1 - padding columns. 3. Convolve the one with the other, with stride 1: im2col
        and a matrix product. 4. The result has as many rows and columns as there are windows.
    """
    ### BEGIN SOLUTION
    KH, KW, C, O = weight.shape
    padded = pad(grad_y, (KH - 1 - padding, KW - 1 - padding))
    flipped = weight[::-1, ::-1].swapaxes(2, 3).reshape(-1, C)
    N, H, W = len(grad_y), padded.shape[1] - KH + 1, padded.shape[2] - KW + 1
    return (im2col(padded, (KH, KW)) @ flipped).reshape(N, H, W, C)
    ### END SOLUTION


class DepthwiseConv2d(Layer):
    """Task 2.5 (**, 15 minutes): a convolution in which each channel has a kernel of its own and meets no other channel.

    y[n, oh, ow, c] = sum of padded x[n, oh * stride + kh, ow * stride + kw, c] * weight[kh, kw, c] over kh and kw

    (Howard et al. 2017, "MobileNets", arXiv:1704.04861, section 3.1, equation 3.)

    TODO: write `forward(x, training)`, which returns (y, cache), and `backward(grad_y, cache)`, which returns grad_x
        and sets `self.weight.grad`, of the shape (KH, KW, C) of `self.weight.value`. `__init__` is done.
    QUESTION: `window_slices(padded, (KH, KW), (stride, stride))` in `layers/windows.py` yields these slices, in
        reading order, as views that you may add to.
    POINTER: 1. Write forward as a loop over the places (kh, kw) of the kernel: a slice of the padded picture, which
        has the shape of y, times weight[kh, kw]. 2. Read that line upwards: what it read from x, backward adds to
        grad_x; what it multiplied by the weight, backward multiplies by grad_y and sums over everything but the
        channel. 3. pad's transpose cuts off.
    """

    def __init__(self, weight: np.ndarray, stride: int = 1, padding: int = 0) -> None:
        self.weight = Parameter(weight)  # (KH, KW, C)
        self.stride, self.padding = stride, padding

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, object]:
        """y (N, OH, OW, C) from x (N, H, W, C), and what backward will need."""
        ### BEGIN SOLUTION
        KH, KW, C = self.weight.value.shape
        padded = pad(x, (self.padding, self.padding))
        places = window_slices(padded, (KH, KW), (self.stride, self.stride))
        return sum(pixels * w for pixels, w in zip(places, self.weight.value.reshape(-1, C))), padded
        ### END SOLUTION

    def backward(self, grad_y: np.ndarray, cache: object) -> np.ndarray:
        """grad_x, of the shape of x; sets the gradient of the weight."""
        ### BEGIN SOLUTION
        padded, weight = cache, self.weight.value
        grad_padded, grad_weight = np.zeros_like(padded), np.empty_like(weight)
        geometry = weight.shape[:2], (self.stride, self.stride)
        both = zip(window_slices(padded, *geometry), window_slices(grad_padded, *geometry))
        for place, (pixels, grad_pixels) in zip(np.ndindex(weight.shape[:2]), both):
            grad_pixels += grad_y * weight[place]
            grad_weight[place] = (grad_y * pixels).sum((0, 1, 2))
        self.weight.grad = grad_weight
        return crop(grad_padded, (self.padding, self.padding))
        ### END SOLUTION
