"""Tasks of tutorial 13: views, chunks, sums in a fixed order, and convolutions without columns."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..layers.windows import crop, pad


def view_of_windows(image: np.ndarray, kernel_size: tuple[int, int], stride: int) -> np.ndarray:
    """Task 13.1 (**, 15 minutes): all windows of an image, and nothing copied

    TODO: Return a view (OH, OW, KH, KW) of `image` (H, W), whose element [oh, ow, kh, kw] is the pixel
        (oh * stride + kh, ow * stride + kw). `kernel_size` is (KH, KW), and there is no padding. The image may itself
        be a view with strides of any kind, such as every other row of an image, or a transposed one.
    QUESTION: An array knows how many bytes it is from one pixel to the next along each axis: `image.strides`. How many
        bytes is it from a window to the next one on its right? And to the next one below?
    POINTER: `np.lib.stride_tricks.as_strided(image, shape, strides)` needs a step in bytes for each of the four axes. A
        step between windows is `stride` steps between pixels; a step inside a window is one. Take the steps between
        pixels from `image.strides`, never from the shape. (`np.lib.stride_tricks.sliding_window_view` is another way.)
    """
    ### BEGIN SOLUTION
    (H, W), (KH, KW), (row, column) = image.shape, kernel_size, image.strides
    OH, OW = (H - KH) // stride + 1, (W - KW) // stride + 1
    strides = stride * row, stride * column, row, column
    return np.lib.stride_tricks.as_strided(image, (OH, OW, KH, KW), strides)
    ### END SOLUTION


def cut(images: int, bytes_per_image: int, budget: int) -> list[slice]:
    """Task 13.2 (**, 15 minutes): a batch in chunks

    TODO: Return slices that cover the images 0, 1, ..., `images` - 1 in order. Their number is the smallest power of
        two for which a chunk needs at most `budget` bytes on average, when an image needs `bytes_per_image`. It is
        never larger than the number of images. The chunks are even: the largest has at most one image more than the
        smallest. (Rung 6 gives the reason for the power of two.)
    QUESTION: Start with one chunk. On which two conditions do you double their number?
    POINTER: Double it while all images together need more than that many budgets, and while there are enough images
        for twice as many chunks. Then spread the edges evenly: edge k of `count` chunks is `images * k // count`.
    """
    ### BEGIN SOLUTION
    count = 1
    while images * bytes_per_image > count * budget and 2 * count <= images:
        count *= 2
    edges = [images * k // count for k in range(count + 1)]
    return [slice(start, stop) for start, stop in zip(edges, edges[1:])]
    ### END SOLUTION


def tree_sum(arrivals: Iterable[tuple[int, np.ndarray]], chunks: int) -> np.ndarray:
    """Task 13.3 (**, 15 minutes): a sum with the same bits, whoever is first

    TODO: Threads compute a partial sum s[k] for each of the chunks 0, 1, ..., `chunks` - 1, a power of two of them.
        `arrivals` yields pairs (k, s[k]) in the order in which the threads finish, which is different in every run.
        Return the sum of all, added in the order of a binary tree: ((s[0] + s[1]) + (s[2] + s[3])) + ..., always
        neighbours first. The result must have the same bits for any order of arrival. Change none of the partial sums.
    QUESTION: Once all partial sums are in the order of the chunks, what does one level of the tree do with them?
    POINTER: `dict(arrivals)` finds each partial sum by its number. Put them into a list in the order of k. While there
        is more than one, replace the list by the sums of its neighbours: 0 and 1, 2 and 3, ... Write `a + b`, which
        makes a new array, and not `a += b`.
    """
    ### BEGIN SOLUTION
    found = dict(arrivals)
    sums = [found[k] for k in range(chunks)]
    while len(sums) > 1:
        sums = [a + b for a, b in zip(sums[::2], sums[1::2])]
    return sums[0]
    ### END SOLUTION


def shifted_convolution(x: np.ndarray, weight: np.ndarray, stride: int, padding: int) -> np.ndarray:
    """Task 13.4 (**, 20 minutes): a convolution without columns

    TODO: x is (N, H, W, C) and weight (KH, KW, C, O). Return y (N, OH, OW, O), in the dtype of x, as the sum of KH * KW
        matrix products. Never create an array as large as the columns, and do not change the arguments. You may use
        `pad(x, (rows, columns))`.
    QUESTION: Fix one kernel position (kh, kw). Which pixels of the padded images does weight[kh, kw] meet, over all
        windows?
    POINTER: They are rows kh, kh + stride, kh + 2 stride, ... (OH of them), and likewise columns: a slice of shape
        (N, OH, OW, C). `@` multiplies the last axis of its left side, so `slice @ weight[kh, kw]` is (N, OH, OW, O)
        without a reshape. Add the KH * KW products up, one at a time.
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
    """Task 13.5 (**, 20 minutes): the backward pass of 13.4, again without columns

    TODO: `grad_y` is (N, OH, OW, O). Return `(grad_x, grad_weight)`, of the shapes of x and weight. Never create an
        array as large as the columns, and do not change the arguments. You may use `pad` and `crop`, which removes the
        padding again: `crop(padded, (rows, columns))`.
    QUESTION: One step of the forward pass is `y += pixels @ weight[kh, kw]`, where `pixels` is a slice of the padded
        images. What are the gradients of a matrix product with respect to its two factors (tutorial 02, "transpose
        every step", and task 2.2)?
    POINTER: With respect to the pixels it is `grad_y` times the transposed matrix, which is added to the same slice of
        a padded grad_x: a pixel gets a gradient from every position that it was read at. With respect to the matrix it
        is the transposed pixels times `grad_y`, with all images and positions in one long axis. At the end, remove the
        padding.
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
