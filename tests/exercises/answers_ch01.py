"""Answers to the tasks of tutorial 01: right ones, and wrong ones with a word of what each must be told."""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view

from resnet_scratch.exercises import ch01_convolution as tasks
from resnet_scratch.layers.windows import im2col, pad, window_slices, windows


def kernels_written_out():
    right = [[0, 0, 0], [1, 0, 0], [0, 0, 0]]
    mean = [[1 / 9] * 3] * 3
    fall = [[0, 0, 0], [0, -1, 0], [0, 1, 0]]
    return np.stack([right, mean, fall], axis=-1).reshape(3, 3, 1, 3)


def kernels_from_moves():
    """Each pixel of a window by itself, added up; in float32, and as a transposed view."""
    one = np.eye(9, dtype=np.float32).reshape(9, 3, 3)
    weight = np.array([one[3], one.mean(0), one[7] - one[4]])
    return weight.transpose(1, 2, 0)[:, :, None, :]


def kernels_as_lists():
    return [[[[0, 1 / 9, 0]]] * 3, [[[1, 1 / 9, 0]], [[0, 1 / 9, -1]], [[0, 1 / 9, 0]]],
            [[[0, 1 / 9, 0]], [[0, 1 / 9, 1]], [[0, 1 / 9, 0]]]]  # fmt: skip


def count_steps(size, kernel, stride, padding):
    count, begin = 0, -padding
    while begin + kernel <= size + padding:
        count, begin = count + 1, begin + stride
    return count


def columns_by_index(image, kernel_size, stride, padding):
    """One number at a time, by its index."""
    (H, W, C), (KH, KW) = image.shape, kernel_size
    OH, OW = tasks.count_windows(H, KH, stride, padding), tasks.count_windows(W, KW, stride, padding)
    matrix = np.zeros((OH * OW, KH * KW * C), dtype=image.dtype)
    for oh, ow, kh, kw, c in np.ndindex(OH, OW, KH, KW, C):
        h, w = oh * stride + kh - padding, ow * stride + kw - padding
        if 0 <= h < H and 0 <= w < W:
            matrix[oh * OW + ow, (kh * KW + kw) * C + c] = image[h, w, c]
    return matrix


def columns_by_kernel_position(image, kernel_size, stride, padding):
    padded = np.pad(image, [(padding, padding), (padding, padding), (0, 0)])
    slices = list(window_slices(padded[None], kernel_size, (stride, stride)))
    return np.stack(slices, axis=3).reshape(-1, kernel_size[0] * kernel_size[1] * image.shape[2])


def columns_by_view(image, kernel_size, stride, padding):
    padded = np.pad(image, [(padding, padding), (padding, padding), (0, 0)])
    view = sliding_window_view(padded, kernel_size, axis=(0, 1))[::stride, ::stride]  # (OH, OW, C, KH, KW)
    return view.transpose(0, 1, 3, 4, 2).reshape(view.shape[0] * view.shape[1], -1)


def convolution_in_steps(x, weight, bias, stride, padding):
    KH, KW, C, O = weight.shape
    columns = im2col(x, (KH, KW), stride, padding)
    OH = (x.shape[1] + 2 * padding - KH) // stride + 1
    y = columns.dot(weight.reshape(KH * KW * C, O))
    y += bias
    return y.reshape(x.shape[0], OH, -1, O)


def convolution_by_tensordot(x, weight, bias, stride, padding):
    view = windows(pad(x, (padding, padding)), weight.shape[:2], (stride, stride))
    return np.tensordot(view, weight, axes=3) + bias


def convolution_by_einsum(x, weight, bias, stride, padding):
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    view = sliding_window_view(padded, weight.shape[:2], axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("nhwckl,klco->nhwo", view, weight, optimize=True) + bias


def convolution_by_as_strided(x, weight, bias, stride, padding):
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    (N, H, W, C), (KH, KW, _, O) = padded.shape, weight.shape
    n, h, w, c = padded.strides
    shape = N, 1 + (H - KH) // stride, 1 + (W - KW) // stride, KH, KW, C
    view = as_strided(padded, shape, (n, h * stride, w * stride, h, w, c))
    with_ones = np.hstack([view.reshape(-1, KH * KW * C), np.ones((math.prod(shape[:3]), 1), x.dtype)])
    return (with_ones @ np.vstack([weight.reshape(-1, O), bias])).reshape(*shape[:3], O)


def by_windows(x, weight, bias, stride, padding):
    view = windows(pad(x, (padding, padding)), weight.shape[:2], (stride, stride))
    N, OH, OW = view.shape[:3]
    y = np.empty((N, OH, OW, weight.shape[3]), x.dtype)
    for i, j in np.ndindex(OH, OW):
        y[:, i, j] = view[:, i, j].reshape(N, -1) @ weight.reshape(-1, weight.shape[3]) + bias
    return y


def by_images(x, weight, bias, stride, padding):
    return np.concatenate([tasks.convolution(image[None], weight, bias, stride, padding) for image in x])


def by_kernels(x, weight, bias, stride, padding):
    columns = im2col(x, weight.shape[:2], stride, padding)
    channels = list(map(lambda o: columns @ weight[..., o].ravel() + bias[o], range(len(bias))))
    return np.stack(channels, -1).reshape(tasks.convolution(x, weight, bias, stride, padding).shape)


def by_kernel_positions(x, weight, bias, stride, padding):
    KH, KW, C, O = weight.shape
    slices = window_slices(pad(x, (padding, padding)), (KH, KW), (stride, stride))
    return sum(pixels @ w for pixels, w in zip(slices, weight.reshape(-1, C, O))) + bias


def by_rows(x, weight, bias, stride, padding):
    """A product for each row of the columns, hidden in NumPy."""
    columns, matrix = im2col(x, weight.shape[:2], stride, padding), weight.reshape(-1, weight.shape[3])
    rows = np.apply_along_axis(lambda row: row @ matrix, 1, columns) + bias
    return rows.reshape(tasks.convolution(x, weight, bias, stride, padding).shape)


def cost_in_steps(shape, kernel, out_channels, stride, padding):
    OH = tasks.count_windows(shape[1], kernel, stride, padding)
    OW = tasks.count_windows(shape[2], kernel, stride, padding)
    weights = kernel**2 * shape[3] * out_channels
    return [weights + out_channels, shape[0] * OH * OW * weights, shape[0] * OH * OW * kernel**2 * shape[3] * 4]


def cost_by_arrays(shape, kernel, out_channels, stride, padding):
    columns = im2col(np.zeros(shape, np.float32), kernel, stride, padding)
    weight = np.zeros((columns.shape[1], out_channels))
    return np.array([weight.size + out_channels, columns.shape[0] * weight.size, columns.nbytes])


def cost_by_layer(shape, kernel, out_channels, stride, padding):
    N, H, W, C = shape
    windows_per_image = math.prod(len(range(0, size + 2 * padding - kernel + 1, stride)) for size in (H, W))
    row = kernel * kernel * C
    return (
        row * out_channels + out_channels,
        N * windows_per_image * out_channels * row,
        N * windows_per_image * row * 4,
    )


def kernels(right=(1, 0), mean=1 / 9, plus=(2, 1), minus=(1, 1), sign=1):
    def answer():
        weight = np.zeros((3, 3, 1, 3))
        weight[(*right, 0, 0)] = 1
        weight[:, :, 0, 1] = mean
        weight[(*plus, 0, 2)] += sign
        weight[(*minus, 0, 2)] -= sign
        return weight

    return answer


def columns(stride_used=True, border=0.0, order=(0, 1, 2), by_columns=False, transposed=False, dtype=None):
    def answer(image, kernel_size, stride, padding):
        (H, W, _), (KH, KW) = image.shape, kernel_size
        padded = np.pad(image, ((padding, padding), (padding, padding), (0, 0)), constant_values=border)
        OH, OW = (H + 2 * padding - KH) // stride + 1, (W + 2 * padding - KW) // stride + 1
        found = [(oh, ow) for oh in range(OH) for ow in range(OW)]
        found = sorted(found, key=lambda window: window[::-1]) if by_columns else found
        step = stride if stride_used else 1
        rows = [padded[i * step : i * step + KH, j * step : j * step + KW].transpose(order).ravel() for i, j in found]
        matrix = np.stack(rows).astype(dtype or image.dtype)
        return matrix.T if transposed else matrix

    return answer


def in_place(image, kernel_size, stride, padding):
    result = tasks.columns_of(image, kernel_size, stride, padding)
    image[0] = 0
    return result


def convolution(use_bias=True, weight_of=lambda w: w.reshape(-1, w.shape[3]), mixed=False, border=True, dtype=None):
    def answer(x, weight, bias, stride, padding):
        (N, H, W, _), (KH, KW, _, O) = x.shape, weight.shape
        OH, OW = (H + 2 * padding - KH) // stride + 1, (W + 2 * padding - KW) // stride + 1
        y = im2col(x, (KH, KW), stride, padding) @ weight_of(weight) + (bias if use_bias else 0)
        y = y.astype(dtype or x.dtype)
        if not border:
            y = y.reshape(N, OH, OW, O)
            y[:, 0] = 0
        return y.reshape(N, -1, O).swapaxes(1, 2).reshape(N, OH, OW, O) if mixed else y.reshape(N, OH, OW, O)

    return answer


def cost(change):
    return lambda shape, kernel, O, stride, padding: change(tasks.cost(shape, kernel, O, stride, padding), shape, O)


def cost_with_bias(shape, kernel, O, stride, padding):
    parameters, work, size = tasks.cost(shape, kernel, O, stride, padding)
    return parameters, work + work // (kernel * kernel * shape[3]), size


def cost_of_all_pixels(shape, kernel, O, stride, padding):
    parameters, _, size = tasks.cost(shape, kernel, O, stride, padding)
    return parameters, math.prod(shape) * kernel**2 * O, size


RIGHT = [
    ("1.1", kernels_written_out),
    ("1.1", kernels_from_moves),
    ("1.1", kernels_as_lists),
    ("1.2", count_steps),
    ("1.2", lambda s, k, d, p: len(range(-p, s + p - k + 1, d))),
    ("1.2", lambda s, k, d, p: math.floor((s + 2 * p - k) / d + 1)),
    ("1.2", lambda size, kernel, stride, padding: (size - kernel + stride + 2 * padding) // stride),
    ("1.3", columns_by_index),
    ("1.3", columns_by_kernel_position),
    ("1.3", columns_by_view),
    ("1.4", convolution_in_steps),
    ("1.4", convolution_by_tensordot),
    ("1.4", convolution_by_einsum),
    ("1.4", convolution_by_as_strided),
    ("1.5", cost_in_steps),
    ("1.5", cost_by_arrays),
    ("1.5", cost_by_layer),
]

WRONG = [
    ("1.1", kernels(right=(1, 2)), "to the left"),
    ("1.1", kernels(right=(0, 1)), "up or down"),
    ("1.1", kernels(right=(1, 1)), "does not move the image one pixel"),
    ("1.1", kernels(mean=1), "sum of the nine"),
    ("1.1", kernels(mean=1 / 8), "must be 1/9"),
    ("1.1", kernels(sign=-1), "wrong sign"),
    ("1.1", kernels(plus=(0, 1)), "above instead of below"),
    ("1.1", kernels(minus=(0, 1)), "below minus above"),
    ("1.1", kernels(plus=(1, 2)), "not the pixel below minus"),
    ("1.1", lambda: np.zeros((3, 3, 3)), r"must be \(KH, KW, C, O\)"),
    ("1.2", lambda s, k, d, p: (s + 2 * p - k) // d, "needs no step"),
    ("1.2", lambda s, k, d, p: (s + p - k) // d + 1, "both sides"),
    ("1.2", lambda s, k, d, p: math.ceil((s + 2 * p - k) / d) + 1, "round down"),
    ("1.2", lambda s, k, d, p: (s + 2 * p - k) / d + 1, "whole number"),
    ("1.2", lambda s, k, d, p: s, "windows fit, got"),
    ("1.3", columns(stride_used=False), r"start at oh \* stride"),
    ("1.3", columns(border=1), "border zero"),
    ("1.3", columns(order=(2, 0, 1)), "channel comes first"),
    ("1.3", columns(order=(1, 0, 2)), "columns come before"),
    ("1.3", columns(by_columns=True), "reading order"),
    ("1.3", columns(transposed=True), "each window is a row"),
    ("1.3", columns(dtype=np.float64), "dtype must stay"),
    ("1.3", in_place, "was changed"),
    ("1.3", lambda image, *geometry: im2col(image[None], *geometry), "write your own"),
    ("1.4", convolution(use_bias=False), "bias is missing"),
    ("1.4", convolution(weight_of=lambda w: w[::-1, ::-1].reshape(-1, w.shape[3])), "kernel is flipped"),
    ("1.4", convolution(weight_of=lambda w: w.transpose(3, 0, 1, 2).reshape(-1, w.shape[3])), "transposed the weight"),
    ("1.4", convolution(mixed=True), "mixed up"),
    ("1.4", convolution(border=False), r"y\[0, 0, 0, 0\] must be"),
    ("1.4", convolution(dtype=np.float32), "dtype of x"),
    ("1.4", by_windows, "loop over the windows"),
    ("1.4", by_images, "loop over the images"),
    ("1.4", by_kernels, "loop over the kernels"),
    ("1.4", by_kernel_positions, "loop over the rows of the kernel"),
    ("1.4", by_rows, "loop over the"),
    ("1.5", cost(lambda c, shape, O: (c[0] - O, c[1], c[2])), "has a bias too"),
    ("1.5", cost(lambda c, shape, O: (c[0], c[1] // shape[0], c[2])), "those of one image"),
    ("1.5", cost(lambda c, shape, O: (c[0], c[1], c[2] * O)), "do not depend on the number of kernels"),
    ("1.5", cost(lambda c, shape, O: (c[0], c[1], c[2] // 4)), "4 bytes"),
    ("1.5", cost(lambda c, shape, O: (c[0], 2 * c[1], c[2])), "multiply_adds must be"),
    ("1.5", cost(lambda c, shape, O: (c[0], c[1] / 1, c[2])), "must be an int"),
    ("1.5", cost(lambda c, shape, O: c[:2]), "return three numbers"),
    ("1.5", cost_with_bias, "counted the bias"),
    ("1.5", cost_of_all_pixels, "a window for each pixel"),
]
