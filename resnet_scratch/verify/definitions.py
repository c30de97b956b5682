"""Definitions of the layers, written as loops: slow, but easily seen to be right.

Tests, tutorials and the checks of the exercises compare faster code with them. They use NumPy only and share no code
with the layers, so a mistake in the layers is not repeated here.

Wherever they occur, `kernel_size`, `stride` and `padding` are an int, or a pair (height, width).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

Pair = int | tuple[int, int]


def convolution(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None, stride: Pair = 1, padding: Pair = 0
) -> np.ndarray:
    """The seven loops. x: (N, H, W, C), weight: (KH, KW, C, O), bias: (O,) or None -> y: (N, OH, OW, O), x's dtype.

    A number of y is the bias plus the sum of window times kernel. Pixels beyond the border count as zero.
    """
    (N, H, W, C), (KH, KW, _, O) = x.shape, weight.shape
    (SH, SW), (PH, PW) = pair(stride), pair(padding)
    OH, OW = (H + 2 * PH - KH) // SH + 1, (W + 2 * PW - KW) // SW + 1
    y = np.zeros((N, OH, OW, O), x.dtype)
    for n in range(N):
        for oh in range(OH):
            for ow in range(OW):
                for o in range(O):
                    total = 0 if bias is None else bias[o]
                    for kh in range(KH):
                        for kw in range(KW):
                            h, w = oh * SH + kh - PH, ow * SW + kw - PW
                            if 0 <= h < H and 0 <= w < W:
                                for c in range(C):
                                    total += x[n, h, w, c] * weight[kh, kw, c, o]
                    y[n, oh, ow, o] = total
    return y


def contributions(
    size: tuple[int, int], kernel_size: Pair, stride: Pair = 1, padding: Pair = 0
) -> Iterator[tuple[int, int, int, int, int, int]]:
    """All (oh, ow, kh, kw, h, w) of a convolution of images of `size` (H, W).

    Each says that pixel (h, w) times weight (kh, kw) is a term of the sum at output position (oh, ow).
    """
    (H, W), (KH, KW) = size, pair(kernel_size)
    tops, lefts = _window_starts(size, kernel_size, stride, padding)
    for oh, top in enumerate(tops):
        for ow, left in enumerate(lefts):
            for kh, kw in np.ndindex(KH, KW):
                h, w = top + kh, left + kw
                if 0 <= h < H and 0 <= w < W:
                    yield oh, ow, kh, kw, h, w


def output_size(size: tuple[int, int], kernel_size: Pair, stride: Pair = 1, padding: Pair = 0) -> tuple[int, int]:
    """(OH, OW): how many windows fit into images of `size` (H, W), counted one by one."""
    tops, lefts = _window_starts(size, kernel_size, stride, padding)
    return len(tops), len(lefts)


def convolution_grad_x(
    grad_y: np.ndarray, weight: np.ndarray, size: tuple[int, int], stride: Pair = 1, padding: Pair = 0
) -> np.ndarray:
    """grad_y: (N, OH, OW, O), weight: (KH, KW, C, O) -> grad_x: (N, H, W, C), with `size` (H, W).

    A term x * weight of the forward pass sends grad_y * weight back to x.
    """
    grad_x = np.zeros((len(grad_y), *size, weight.shape[2]))
    for oh, ow, kh, kw, h, w in contributions(size, weight.shape[:2], stride, padding):
        grad_x[:, h, w] += grad_y[:, oh, ow] @ weight[kh, kw].T
    return grad_x


def convolution_grad_weight(
    grad_y: np.ndarray, x: np.ndarray, kernel_size: Pair, stride: Pair = 1, padding: Pair = 0
) -> np.ndarray:
    """grad_y: (N, OH, OW, O), x: (N, H, W, C) -> grad_weight: (KH, KW, C, O).

    A term x * weight of the forward pass sends grad_y * x back to the weight.
    """
    grad_weight = np.zeros((*pair(kernel_size), x.shape[3], grad_y.shape[3]))
    for oh, ow, kh, kw, h, w in contributions(x.shape[1:3], kernel_size, stride, padding):
        grad_weight[kh, kw] += x[:, h, w].T @ grad_y[:, oh, ow]
    return grad_weight


def im2col(x: np.ndarray, kernel_size: Pair, stride: Pair = 1, padding: Pair = 0) -> np.ndarray:
    """Each window as a row. x: (N, H, W, C) -> columns: (N*OH*OW, KH*KW*C), x's dtype."""
    (KH, KW), size = pair(kernel_size), (x.shape[1], x.shape[2])
    OH, OW = output_size(size, kernel_size, stride, padding)
    columns = np.zeros((len(x), OH, OW, KH, KW, x.shape[3]), x.dtype)
    for oh, ow, kh, kw, h, w in contributions(size, kernel_size, stride, padding):
        columns[:, oh, ow, kh, kw] = x[:, h, w]
    return columns.reshape(len(x) * OH * OW, -1)


def col2im(
    columns: np.ndarray, shape: tuple[int, ...], kernel_size: Pair, stride: Pair = 1, padding: Pair = 0
) -> np.ndarray:
    """The transpose of im2col: every number is added to its pixel. columns: (N*OH*OW, KH*KW*C) -> (N, H, W, C)."""
    N, H, W, C = shape
    windows = columns.reshape(N, *output_size((H, W), kernel_size, stride, padding), *pair(kernel_size), C)
    images = np.zeros(shape)
    for oh, ow, kh, kw, h, w in contributions((H, W), kernel_size, stride, padding):
        images[:, h, w] += windows[:, oh, ow, kh, kw]
    return images


def pool(
    x: np.ndarray, reduce: Callable, kernel_size: Pair, stride: Pair, padding: Pair = 0, border: float = 0
) -> np.ndarray:
    """`reduce`, such as np.max, of every window; beyond the border lies `border`. x: (N, H, W, C) -> (N, OH, OW, C)."""
    (N, H, W, C), (KH, KW), (SH, SW), (PH, PW) = x.shape, pair(kernel_size), pair(stride), pair(padding)
    OH, OW = output_size((H, W), kernel_size, stride, padding)
    padded = np.full((N, H + 2 * PH, W + 2 * PW, C), border, float)
    padded[:, PH : PH + H, PW : PW + W] = x
    y = np.zeros((N, OH, OW, C))
    for oh in range(OH):
        for ow in range(OW):
            y[:, oh, ow] = reduce(padded[:, oh * SH : oh * SH + KH, ow * SW : ow * SW + KW], axis=(1, 2))
    return y


def batch_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float) -> np.ndarray:
    """Batch norm in training, channel by channel. x: (N, H, W, C), weight, bias: (C,) -> y: (N, H, W, C)."""
    y = np.empty(x.shape)
    for c in range(x.shape[3]):
        mean = x[..., c].mean()
        variance = ((x[..., c] - mean) ** 2).mean()
        y[..., c] = weight[c] * (x[..., c] - mean) / np.sqrt(variance + eps) + bias[c]
    return y


def numerical_gradient(function: Callable[[np.ndarray], float], x: np.ndarray, h: float = 1e-5) -> np.ndarray:
    """The gradient of `function` with respect to x, float64 of any shape, by central differences -> x's shape.

    Each number of x in turn is changed in place by +h and -h, and restored.
    """
    gradient = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        value = x[index]
        x[index] = value + h
        above = function(x)
        x[index] = value - h
        below = function(x)
        x[index] = value
        gradient[index] = (above - below) / (2 * h)
    return gradient


def pair(value: Pair) -> tuple[int, int]:
    """(value, value) for an int; a pair as it is."""
    return (value, value) if isinstance(value, (int, np.integer)) else value


def _window_starts(size: tuple[int, int], kernel_size: Pair, stride: Pair, padding: Pair) -> tuple[range, range]:
    """The first row and the first column of every window that fits; negative ones lie in the padding."""
    axes = zip(size, pair(kernel_size), pair(stride), pair(padding))
    rows, columns = (range(-P, S + P - K + 1, step) for S, K, step, P in axes)
    return rows, columns
