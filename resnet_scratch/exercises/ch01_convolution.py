"""Tasks of tutorial 01: kernels, windows, columns, and a convolution as one matrix product."""

from __future__ import annotations

import numpy as np

from ..layers.windows import im2col


def design_kernels() -> np.ndarray:
    """Task 1.1 (**, 15 minutes): three kernels by hand

    TODO: Return the weight, of shape (3, 3, 1, 3), of a convolution with one channel in, three channels out, and a
        border of zeros one pixel wide. Channel 0 of the result is the image moved by one pixel to the RIGHT. Channel 1
        is, at each pixel, the mean of the nine pixels of its window. Channel 2 is the pixel below minus the pixel
        itself.
    QUESTION: In an image that has moved to the right, what is at column w now was at column w - 1 before. So at which
        pixel of its window must the kernel look?
    POINTER: Start with zeros of that shape. For each channel ask which pixels of the window the result is made of, and
        with which weights. `weight[0, 0, 0, o]` meets the pixel above and to the left, `weight[1, 1, 0, o]` the pixel
        itself, and `weight[2, 1, 0, o]` the pixel below.
    """
    ### BEGIN SOLUTION
    weight = np.zeros((3, 3, 1, 3))
    weight[1, 0, 0, 0] = 1
    weight[:, :, 0, 1] = 1 / 9
    weight[2, 1, 0, 2] = 1
    weight[1, 1, 0, 2] = -1
    return weight
    ### END SOLUTION


def count_windows(size: int, kernel: int, stride: int, padding: int) -> int:
    """Task 1.2 (*, 10 minutes): how many windows fit

    TODO: An image has `size` pixels along one axis, and `padding` zeros are added on either side. The first window of
        `kernel` pixels starts at the first pixel of the padded row, and every next one starts `stride` pixels further
        on. Return how many windows fit completely, as an int. `kernel` is at most `size + 2 * padding`.
    QUESTION: Where does the last possible window start, if the stride is 1?
    POINTER: With padding there are `size + 2 * padding` pixels, so no window can start after pixel
        `size + 2 * padding - kernel`. How many whole steps of `stride` fit into that? `//` rounds down. The first
        window needs no step.
    """
    ### BEGIN SOLUTION
    return (size + 2 * padding - kernel) // stride + 1
    ### END SOLUTION


def columns_of(image: np.ndarray, kernel_size: tuple[int, int], stride: int, padding: int) -> np.ndarray:
    """Task 1.3 (**, 20 minutes): a window in each row, with loops

    TODO: `image` is (H, W, C) and `kernel_size` is (KH, KW). Return a matrix (OH * OW, KH * KW * C) with a window in
        each row. The windows come in reading order. Within a row the numbers come as they lie in the window: kernel
        row, kernel column, channel. Beyond the border of the image there are zeros. Keep the image's dtype, and do not
        change the image. Loops are fine here. Write it yourself: do not call the library's function for it.
    QUESTION: At which row and column of the padded image does window (oh, ow) start?
    POINTER: Make an array of zeros for the padded image, and copy the image into its middle. Two loops go over the
        windows. Window (oh, ow) starts at row oh * stride and column ow * stride; cut it out, and `.ravel()` makes a
        row of it. `np.stack` makes a matrix of the rows.
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
    """Task 1.4 (**, 20 minutes): a batch convolved with one matrix product

    TODO: x is (N, H, W, C), weight (KH, KW, C, O) and bias (O,). Return y (N, OH, OW, O), in the dtype of x, without a
        Python loop (a comprehension is a loop too). `im2col(x, (KH, KW), stride, padding)` returns the columns,
        (N * OH * OW, KH * KW * C).
    QUESTION: One kernel is one column of a matrix, in the same order as a window: kernel row, kernel column, channel.
        In which order does `weight` hold its numbers already? And in which order are the rows of the product?
    POINTER: `weight.reshape(-1, O)` is that matrix, and moves no number. A transposition would be a mistake. Multiply,
        and add the bias. For the last reshape you need OH and OW; write the formula of task 1.2 into this function.
    """
    ### BEGIN SOLUTION
    (N, H, W, _), (KH, KW, _, O) = x.shape, weight.shape
    OH, OW = (H + 2 * padding - KH) // stride + 1, (W + 2 * padding - KW) // stride + 1
    return (im2col(x, (KH, KW), stride, padding) @ weight.reshape(-1, O) + bias).reshape(N, OH, OW, O)
    ### END SOLUTION


def cost(
    shape: tuple[int, int, int, int], kernel: int, out_channels: int, stride: int, padding: int
) -> tuple[int, int, int]:
    """Task 1.5 (**, 15 minutes): what a convolution costs, before it has run

    TODO: Images of `shape` (N, H, W, C) in float32 are convolved with `out_channels` kernels of `kernel` x `kernel`.
        Return three ints, (parameters, multiply_adds, columns_bytes): the number of weights and biases; how many
        products are added up for the whole batch; and how many bytes the whole batch's columns take. Adding the bias
        does not count as a multiply-add. Products with the zeros of the padding do count.
    QUESTION: How many numbers does one window have? How many windows are there in the batch? How many kernels meet each
        window?
    POINTER: Compute OH and OW first. One kernel has kernel * kernel * C weights, and a bias. Each of the N * OH * OW *
        out_channels numbers of y takes one multiply-add for each of its kernel's weights. The columns have a row for
        each window, whatever out_channels is, and a float32 takes 4 bytes.
    """
    ### BEGIN SOLUTION
    N, H, W, C = shape
    OH, OW = ((size + 2 * padding - kernel) // stride + 1 for size in (H, W))
    numbers = kernel * kernel * C
    windows = N * OH * OW
    return (numbers + 1) * out_channels, windows * numbers * out_channels, 4 * windows * numbers
    ### END SOLUTION
