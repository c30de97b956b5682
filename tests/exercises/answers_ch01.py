"""Wrong answers that people give to the tasks of tutorial 01, and a word of what each must be told."""

from __future__ import annotations

import math

import numpy as np

from resnet_scratch.exercises import ch01_convolution as tasks
from resnet_scratch.layers.windows import im2col


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
        places = [(oh, ow) for oh in range(OH) for ow in range(OW)]
        places = sorted(places, key=lambda place: place[::-1]) if by_columns else places
        step = stride if stride_used else 1
        rows = [padded[i * step : i * step + KH, j * step : j * step + KW].transpose(order).ravel() for i, j in places]
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


RIGHT: list = []

WRONG = [
    ("1.1", lambda s, k, d, p: (s + 2 * p - k) // d, "the first window"),
    ("1.1", lambda s, k, d, p: (s + p - k) // d + 1, "both sides"),
    ("1.1", lambda s, k, d, p: math.ceil((s + 2 * p - k) / d) + 1, "round down"),
    ("1.1", lambda s, k, d, p: (s + 2 * p - k) / d + 1, "whole number"),
    ("1.1", lambda s, k, d, p: s, "windows fit, got"),
    ("1.2", kernels(right=(1, 2)), "to the left"),
    ("1.2", kernels(right=(0, 1)), "up or down"),
    ("1.2", kernels(mean=1), "sum of the nine"),
    ("1.2", kernels(mean=1 / 8), "must be 1/9"),
    ("1.2", kernels(sign=-1), "other sign"),
    ("1.2", kernels(plus=(0, 1)), "above instead of below"),
    ("1.2", kernels(minus=(0, 1)), "below minus above"),
    ("1.2", lambda: np.zeros((3, 3, 3)), r"must be \(KH, KW, C, O\)"),
    ("1.3", columns(stride_used=False), "place \\* stride"),
    ("1.3", columns(border=1), "border zero"),
    ("1.3", columns(order=(2, 0, 1)), "channel comes first"),
    ("1.3", columns(order=(1, 0, 2)), "columns come before"),
    ("1.3", columns(by_columns=True), "reading order"),
    ("1.3", columns(transposed=True), "each window is a row"),
    ("1.3", columns(dtype=np.float64), "dtype must stay"),
    ("1.3", in_place, "was changed"),
    ("1.4", convolution(use_bias=False), "bias is missing"),
    ("1.4", convolution(weight_of=lambda w: w[::-1, ::-1].reshape(-1, w.shape[3])), "kernel is flipped"),
    ("1.4", convolution(weight_of=lambda w: w.transpose(3, 0, 1, 2).reshape(-1, w.shape[3])), "transposed the weight"),
    ("1.4", convolution(mixed=True), "mixed up"),
    ("1.4", convolution(border=False), r"y\[0, 0, 0, 0\] must be"),
    ("1.4", convolution(dtype=np.float32), "dtype of x"),
    ("1.5", cost(lambda c, shape, O: (c[0] - O, c[1], c[2])), "has a bias too"),
    ("1.5", cost(lambda c, shape, O: (c[0], c[1] // shape[0], c[2])), "those of one picture"),
    ("1.5", cost(lambda c, shape, O: (c[0], c[1], c[2] * O)), "do not depend on the number of kernels"),
    ("1.5", cost(lambda c, shape, O: (c[0], c[1], c[2] // 4)), "4 bytes"),
    ("1.5", cost(lambda c, shape, O: (c[0], 2 * c[1], c[2])), "multiply_adds must be"),
    ("1.5", cost_with_bias, "counted the bias"),
]
