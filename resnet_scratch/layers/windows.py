"""The one geometric idea: a window that slides over an image, and what follows from it.

A kernel of KH x KW with a stride and a padding looks at OH x OW windows of an image. `im2col` copies each window into
one row of a matrix, which turns a convolution into a matrix product; `col2im` adds such rows back to the pixels that
they came from. Each is the other's transpose (adjoint): sum(im2col(x) * m) == sum(x * col2im(m)) for all x and m.

A worked example: the 4x4 image

     0  1  2  3
     4  5  6  7          seen through a 3x3 kernel with stride 1 and no padding has
     8  9 10 11          2x2 windows, so `im2col` makes 4 rows of 9 numbers:
    12 13 14 15

    0  1  2   4  5  6   8  9 10      window (0, 0)
    1  2  3   5  6  7   9 10 11      window (0, 1)
    4  5  6   8  9 10  12 13 14      window (1, 0)
    5  6  7   9 10 11  13 14 15      window (1, 1)

and `col2im` of 4 rows of ones counts the windows that each pixel is in:

    1 2 2 1
    2 4 4 2
    2 4 4 2
    1 2 2 1

Sizes: N images of H x W pixels and C channels; kernel KH x KW; output OH x OW.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..checks import check_array
from ..compute.backend import Array, array_module
from ..errors import UserError

Pair = tuple[int, int]


def as_pair(name: str, value: int | Pair, minimum: int) -> Pair:
    """`value` for height and width: an int stands for both. Raises ValueError unless both are at least `minimum`."""
    pair = value if isinstance(value, (tuple, list)) else (value, value)
    whole = all(isinstance(v, (int, np.integer)) and not isinstance(v, bool) for v in pair)
    if len(pair) != 2 or not whole or min(pair) < minimum:
        raise ValueError(f"{name} must be an int or a pair of ints, each at least {minimum}, got {value!r}")
    return int(pair[0]), int(pair[1])


def output_size(size: Pair, kernel_size: Pair, stride: Pair, padding: Pair) -> Pair:
    """(OH, OW): how many windows fit. Raises UserError when the padded image is smaller than the kernel."""
    fits = [(s + 2 * p - k) // step + 1 for s, k, step, p in zip(size, kernel_size, stride, padding)]
    if min(fits) < 1:
        raise UserError(f"kernel_size {kernel_size} does not fit into an image of {size} padded by {padding}")
    return fits[0], fits[1]


def pad(x: Array, padding: Pair, value: float = 0.0) -> Array:
    """`x` (N, H, W, C) with `padding` rows and columns of `value` on every side; `x` itself when there are none."""
    if padding == (0, 0):
        return x
    N, H, W, C = x.shape
    PH, PW = padding
    xp, shape = array_module(x), (N, H + 2 * PH, W + 2 * PW, C)
    padded = xp.full(shape, value, x.dtype) if value else xp.zeros(shape, x.dtype)
    padded[:, PH : PH + H, PW : PW + W] = x
    return padded


def crop(padded: Array, padding: Pair) -> Array:
    """The transpose of `pad`: the inside (N, H, W, C), as a view."""
    PH, PW = padding
    return padded[:, PH : padded.shape[1] - PH, PW : padded.shape[2] - PW]


def windows(padded: Array, kernel_size: Pair, stride: Pair) -> Array:
    """All windows of images that are padded already: (N, OH, OW, KH, KW, C), a view that copies nothing."""
    (N, H, W, C), (KH, KW), (SH, SW) = padded.shape, kernel_size, stride
    OH, OW = output_size((H, W), kernel_size, stride, (0, 0))
    image, row, column, channel = padded.strides
    shape, strides = (N, OH, OW, KH, KW, C), (image, SH * row, SW * column, row, column, channel)
    if isinstance(padded, np.ndarray) and padded.flags.c_contiguous:
        return np.ndarray(shape, padded.dtype, padded, 0, strides)  # what as_strided does, without its overhead
    return array_module(padded).lib.stride_tricks.as_strided(padded, shape, strides)


def window_slices(padded: Array, kernel_size: Pair, stride: Pair) -> Iterator[Array]:
    """The same windows, by position in the kernel: for each of the KH * KW positions, in reading order, the view
    (N, OH, OW, C) of the pixels at that position in all windows."""
    (_, H, W, _), (KH, KW), (SH, SW) = padded.shape, kernel_size, stride
    OH, OW = output_size((H, W), kernel_size, stride, (0, 0))
    for kh in range(KH):
        for kw in range(KW):
            yield padded[:, kh : kh + SH * OH : SH, kw : kw + SW * OW : SW]


def im2col(x: Array, kernel_size: int | Pair, stride: int | Pair = 1, padding: int | Pair = 0) -> Array:
    """The windows of `x` (N, H, W, C) as the rows of a matrix (N*OH*OW, KH*KW*C); zeros beyond the border.

    Source: Chellapilla, Puri and Simard 2006, "High Performance Convolutional Neural Networks for Document
    Processing". In this layout a row of the kernel is one contiguous run of KW*C numbers, so the copy is fast.
    Raises TypeError when x is no array, and ValueError when it is not of this shape.
    """
    check_array("x", x, ("N", "H", "W", "C"))
    kernel_size, stride = as_pair("kernel_size", kernel_size, 1), as_pair("stride", stride, 1)
    padding = as_pair("padding", padding, 0)
    view = windows(pad(x, padding), kernel_size, stride)
    N, OH, OW, KH, KW, C = view.shape
    return view.reshape(N * OH * OW, KH * KW * C)  # this copies, unless the windows are 1x1 and the stride is 1


def col2im(
    columns: Array,
    shape: tuple[int, int, int, int],
    kernel_size: int | Pair,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
) -> Array:
    """The transpose of `im2col`: `columns` (N*OH*OW, KH*KW*C) added up into an image of `shape` (N, H, W, C).

    Raises TypeError when the columns are no array, and ValueError when they are not those of such an image.
    """
    check_array("columns", columns)
    if not isinstance(shape, (tuple, list)) or len(shape) != 4:
        raise ValueError(f"shape must be (N, H, W, C), got {shape}")
    kernel_size, stride = as_pair("kernel_size", kernel_size, 1), as_pair("stride", stride, 1)
    padding = as_pair("padding", padding, 0)
    (N, H, W, C), (KH, KW) = shape, kernel_size
    OH, OW = output_size((H, W), kernel_size, stride, padding)
    if columns.shape != (N * OH * OW, KH * KW * C):
        raise ValueError(f"columns must be {(N * OH * OW, KH * KW * C)} for an image of {shape}, got {columns.shape}")
    columns = columns.reshape(N, OH, OW, KH * KW, C)
    padded = array_module(columns).zeros((N, H + 2 * padding[0], W + 2 * padding[1], C), columns.dtype)
    for k, pixels in enumerate(window_slices(padded, kernel_size, stride)):
        pixels += columns[:, :, :, k]  # one slice at a time: many times faster than np.add.at
    return crop(padded, padding)
