"""Exercises of tutorial 13: convolutions without columns, views, chunks and threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..layers.windows import crop, pad


def shifted_convolution(x: np.ndarray, weight: np.ndarray, stride: int, padding: int) -> np.ndarray:
    """Task 13.1 (**, 15 minutes): a convolution without columns, for any kernel and stride.

    TODO: x (N, H, W, C), weight (KH, KW, C, O). Return y (N, OH, OW, O), in the dtype of x, as the sum of KH * KW
        matrix products. At no time may there be an array as large as the columns.
    QUESTION: `@` works on the last axis of the left and the last but one of the right, so no reshape is needed.
    POINTER: 1. Pad. 2. OH and OW. 3. For each place (kh, kw) of the kernel: the slice of the padded pictures that this
        place meets in all windows, (N, OH, OW, C). 4. Times weight[kh, kw], which is (C, O), added to y.
    """
    ### BEGIN SOLUTION
    (N, H, W, _), (KH, KW, _, O) = x.shape, weight.shape
    OH, OW = (H + 2 * padding - KH) // stride + 1, (W + 2 * padding - KW) // stride + 1
    padded, y = pad(x, (padding, padding)), np.zeros((N, OH, OW, O), x.dtype)
    for kh, kw in np.ndindex(KH, KW):
        y += padded[:, kh : kh + stride * OH : stride, kw : kw + stride * OW : stride] @ weight[kh, kw]
    return y
    ### END SOLUTION


def shifted_gradients(
    grad_y: np.ndarray, x: np.ndarray, weight: np.ndarray, stride: int, padding: int
) -> tuple[np.ndarray, np.ndarray]:
    """Task 13.2 (**, 15 minutes): the way back of 13.1, again without columns.

    TODO: return (grad_x, grad_weight), of the shapes of x and weight, from grad_y (N, OH, OW, O). At no time may there
        be an array as large as the columns.
    QUESTION: `slice.reshape(-1, C).T @ grad_y.reshape(-1, O)` copies the slice, which is no larger than the pictures.
    POINTER: 1. Write down one step of forward: y += slice @ weight[kh, kw]. 2. It is linear in the slice: its gradient
        is grad_y times the transposed matrix, and is added to the same slice of a padded grad_x. 3. It is linear in the
        matrix: its gradient is the transposed slice times grad_y, with all pictures and places in one long axis.
        4. Cut the padding off.
    """
    ### BEGIN SOLUTION
    (KH, KW, C, O), (OH, OW) = weight.shape, grad_y.shape[1:3]
    padded = pad(x, (padding, padding))
    grad_padded, grad_weight = np.zeros_like(padded), np.empty_like(weight)
    for kh, kw in np.ndindex(KH, KW):
        here = np.s_[:, kh : kh + stride * OH : stride, kw : kw + stride * OW : stride]
        grad_padded[here] += grad_y @ weight[kh, kw].T
        grad_weight[kh, kw] = padded[here].reshape(-1, C).T @ grad_y.reshape(-1, O)
    return crop(grad_padded, (padding, padding)), grad_weight
    ### END SOLUTION


def view_of_windows(image: np.ndarray, kernel: int, stride: int) -> np.ndarray:
    """Task 13.3 (**, 15 minutes): all windows of a grey picture, and nothing copied.

    TODO: return a view (OH, OW, kernel, kernel) of `image` (H, W): element [oh, ow, kh, kw] is the pixel
        (oh * stride + kh, ow * stride + kw). The image may be a view itself, with any strides (every other row of a
        picture, a transposed one).
    QUESTION: as_strided(image, shape, strides), with one stride in bytes for each of the four axes.
    POINTER: 1. OH and OW. 2. How many bytes further is the next row, the next column? The image knows them, as
        `image.strides`. 3. And the next window to the right, the next one below? 4. `np.lib.stride_tricks.as_strided`.
    """
    ### BEGIN SOLUTION
    (H, W), (row, column) = image.shape, image.strides
    OH, OW = (H - kernel) // stride + 1, (W - kernel) // stride + 1
    shape, strides = (OH, OW, kernel, kernel), (stride * row, stride * column, row, column)
    return np.lib.stride_tricks.as_strided(image, shape, strides)
    ### END SOLUTION


def cut(images: int, bytes_per_image: int, budget: int) -> list[slice]:
    """Task 13.4 (**, 15 minutes): a batch in chunks.

    TODO: return slices that cover 0 to `images` in order, without gaps. No chunk may need more than `budget` bytes, but
        each has at least one image, even where one alone needs more. Make as few chunks as that allows, and make them
        even: the largest has at most one image more than the smallest.
    QUESTION: -(-a // b) is a / b rounded up. Why even? With 9 images in chunks of 8 one thread waits for the other.
    POINTER: 1. How many images fit into the budget, one at least? 2. How many chunks are that, rounded up? 3. Put the
        edges evenly: edge k of count chunks is at images * k // count. 4. Neighbouring edges make a slice.
    """
    ### BEGIN SOLUTION
    count = -(-images // max(1, budget // bytes_per_image))
    edges = [images * k // count for k in range(count + 1)]
    return [slice(begin, end) for begin, end in zip(edges, edges[1:])]
    ### END SOLUTION


def sum_in_threads(share: Callable[[slice], np.ndarray], chunks: list[slice], threads: int) -> np.ndarray:
    """Task 13.5 (**, 15 minutes): shares of a sum worked out side by side, and the same sum every time.

    TODO: call `share(chunk)` for each of the chunks, once, on so many threads at the same time, and return the sum of
        the arrays that it returns, added up in the order of the chunks, whichever is done first. An error in `share`
        must come out, and no share may be changed (`share` may hand out an array that it keeps).
    QUESTION: `pool.map(function, list)` works at the same time and yields results in the order of the list.
    POINTER: 1. A `ThreadPoolExecutor` with that many threads, in a `with` statement. 2. Hand it all the chunks.
        3. Take the results in the order of the chunks, and add each to the sum so far.
    """
    ### BEGIN SOLUTION
    with ThreadPoolExecutor(threads) as pool:
        total, *others = pool.map(share, chunks)
    for other in others:
        total = total + other  # and not +=, which would change the first share
    return total
    ### END SOLUTION
