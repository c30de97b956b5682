"""Exercises of tutorial 01: windows, columns, and a convolution as one matrix product."""

from __future__ import annotations

import numpy as np

from ..layers.windows import im2col


def output_size(size: int, kernel: int, stride: int, padding: int) -> int:
    """Task 1.1 (**, 15 minutes): how many windows fit along one axis.

    TODO: a picture has `size` pixels along an axis, and `padding` more on either side. A window of `kernel` pixels
        begins at the first of them and moves by `stride`. Return how many windows fit whole.
    QUESTION: `//` rounds down.
    POINTER: 1. How many pixels are there with the padding? 2. Where does the last possible window begin? 3. How many
        steps of `stride` lead there, rounded down? 4. The first window is there without a step.
    """
    ### BEGIN SOLUTION
    return (size + 2 * padding - kernel) // stride + 1
    ### END SOLUTION


def design_kernels() -> np.ndarray:
    """Task 1.2 (**, 15 minutes): three kernels by hand.

    TODO: return the weight (3, 3, 1, 3) of a convolution with one channel in, three out, and padding 1. Channel 0 of
        the result is the picture moved by one pixel to the RIGHT. Channel 1 is, at each pixel, the mean of the nine
        pixels in its window (zeros beyond the border). Channel 2 is the pixel below minus the pixel itself.
    QUESTION: in a picture that moved to the right, what is now at column w was at column w - 1.
    POINTER: 1. Begin with zeros of that shape. 2. For each channel ask: to compute the result at row h, column w,
        which pixels are looked at, and with which weight? 3. Pixel (h + a, w + b) is met by weight[1 + a, 1 + b].
    """
    ### BEGIN SOLUTION
    weight = np.zeros((3, 3, 1, 3))
    weight[1, 0, 0, 0] = 1
    weight[:, :, 0, 1] = 1 / 9
    weight[2, 1, 0, 2] = 1
    weight[1, 1, 0, 2] = -1
    return weight
    ### END SOLUTION


def columns_of(image: np.ndarray, kernel_size: tuple[int, int], stride: int, padding: int) -> np.ndarray:
    """Task 1.3 (**, 15 minutes): im2col of one picture, with loops of your own.

    TODO: return every window of `image` (H, W, C) as a row: a matrix (OH*OW, KH*KW*C). Windows come in reading order,
        and within a row the numbers come in the order in which they lie in the window: kernel row, kernel column,
        channel. Beyond the border there are zeros. Keep the image's dtype, and leave the image as it is.
    QUESTION: window (oh, ow) begins at row oh * stride, column ow * stride of the padded image; `.ravel()` makes the
        row.
    POINTER: 1. A padded image: zeros, with the image in the middle. 2. Two loops, over the rows and the columns of the
        windows. 3. Cut the window out and make a row of it. 4. Stack the rows.
    """
    ### BEGIN SOLUTION
    (H, W, C), (KH, KW) = image.shape, kernel_size
    padded = np.zeros((H + 2 * padding, W + 2 * padding, C), image.dtype)
    padded[padding : padding + H, padding : padding + W] = image
    rows = [
        padded[h : h + KH, w : w + KW].ravel()
        for h in range(0, H + 2 * padding - KH + 1, stride)
        for w in range(0, W + 2 * padding - KW + 1, stride)
    ]
    return np.stack(rows)
    ### END SOLUTION


def convolution(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int, padding: int) -> np.ndarray:
    """Task 1.4 (**, 15 minutes): a batch convolved with one matrix product.

    TODO: x (N, H, W, C), weight (KH, KW, C, O), bias (O,). Return y (N, OH, OW, O), as in the tutorial's formula. Use
        `im2col(x, (KH, KW), stride, padding)` of the library, which returns (N*OH*OW, KH*KW*C), and no loop.
    QUESTION: both reshapes copy nothing, because the numbers lie in the right order; a transposition would be a
        mistake.
    POINTER: 1. The columns. 2. The weight as a matrix with one column for each kernel. 3. Their product, plus the
        bias. 4. OH and OW, and the shape of y.
    """
    ### BEGIN SOLUTION
    (N, H, W, _), (KH, KW, _, O) = x.shape, weight.shape
    OH, OW = (H + 2 * padding - KH) // stride + 1, (W + 2 * padding - KW) // stride + 1
    return (im2col(x, (KH, KW), stride, padding) @ weight.reshape(-1, O) + bias).reshape(N, OH, OW, O)
    ### END SOLUTION


def cost(
    shape: tuple[int, int, int, int], kernel: int, out_channels: int, stride: int, padding: int
) -> tuple[int, int, int]:
    """Task 1.5 (**, 15 minutes): what a convolution costs, before it has run.

    TODO: pictures of `shape` (N, H, W, C) in float32 meet `out_channels` kernels of `kernel` x `kernel`. Return
        (parameters, multiply_adds, columns_bytes): the number of weights and biases; how many products are added up for
        the whole batch (the bias does not count, pixels of the padding do); and the size in bytes of the whole batch's
        columns.
    QUESTION: a float32 has 4 bytes; the columns do not depend on out_channels.
    POINTER: 1. OH and OW. 2. How many numbers has one kernel? 3. How many kernels, each with a bias? 4. Every number
        of y takes one multiply-add for each number of a kernel. 5. The columns have a row per place of the window.
    """
    ### BEGIN SOLUTION
    N, H, W, C = shape
    OH, OW = ((size + 2 * padding - kernel) // stride + 1 for size in (H, W))
    numbers = kernel * kernel * C
    places = N * OH * OW
    return (numbers + 1) * out_channels, places * numbers * out_channels, 4 * places * numbers
    ### END SOLUTION
