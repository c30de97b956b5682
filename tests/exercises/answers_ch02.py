"""Wrong answers that people give to the tasks of tutorial 02, and a word of what each must be told."""

from __future__ import annotations

import numpy as np

from resnet_scratch.exercises import ch02_convolution_backward as tasks
from resnet_scratch.layers.windows import crop, im2col, pad, window_slices, windows


def counts(add=True, whole=True, cut=None, stride_used=True):
    def answer(size, kernel, stride, padding):
        H, W = size
        result = np.zeros((H + 2 * padding, W + 2 * padding), int)
        reach = kernel - 1 if whole else 0
        step = stride if stride_used else kernel
        for top in range(0, H + 2 * padding - reach, step):
            for left in range(0, W + 2 * padding - reach, step):
                window = result[top : top + kernel, left : left + kernel]
                window[...] = window + 1 if add else 1
        inside = padding if cut is None else cut
        return result[inside : inside + H, inside : inside + W]

    return answer


def weight_gradient(change):
    def answer(x, grad_y, kernel_size, stride, padding):
        return change(tasks.weight_gradient, x, grad_y, kernel_size, stride, padding)

    return answer


def add_back(add=True, mean=False, cut=True, stride_used=True):
    def answer(columns, shape, kernel_size, stride, padding):
        N, H, W, C = shape
        padded = np.zeros((N, H + 2 * padding, W + 2 * padding, C), columns.dtype)
        seen = np.zeros_like(padded)
        OH, OW = windows(padded, kernel_size, (stride, stride)).shape[1:3]
        numbers = columns.reshape(N, OH, OW, *kernel_size, C)
        step = stride if stride_used else 1
        for kh, kw in np.ndindex(kernel_size):
            here = np.s_[:, kh : kh + step * (OH - 1) + 1 : step, kw : kw + step * (OW - 1) + 1 : step]
            padded[here] = padded[here] + numbers[:, :, :, kh, kw] if add else numbers[:, :, :, kh, kw]
            seen[here] += 1
        padded = padded / np.maximum(seen, 1) if mean else padded
        return crop(padded, (padding, padding)) if cut else padded

    return answer


def into_the_view(columns, shape, kernel_size, stride, padding):
    N, H, W, C = shape
    padded = np.zeros((N, H + 2 * padding, W + 2 * padding, C), columns.dtype)
    view = windows(padded, kernel_size, (stride, stride))
    view += columns.reshape(view.shape)
    return crop(padded, (padding, padding))


def in_float64(columns, shape, kernel_size, stride, padding):
    return tasks.add_back(columns.astype(np.float64), shape, kernel_size, stride, padding)


def picture_gradient(turn=lambda w: w[::-1, ::-1], exchange=lambda w: w.swapaxes(2, 3), border=None):
    def answer(grad_y, weight, padding):
        KH, KW, C, O = weight.shape
        padded = pad(grad_y, border or (KH - 1 - padding, KW - 1 - padding))
        N, H, W = len(grad_y), padded.shape[1] - KH + 1, padded.shape[2] - KW + 1
        return (im2col(padded, (KH, KW)) @ exchange(turn(weight)).reshape(-1, C)).reshape(N, H, W, C)

    return answer


class Forward(tasks.DepthwiseConv2d):
    def forward(self, x, training=False):
        y, cache = super().forward(x, training)
        return 2 * y, cache


class NotCut(tasks.DepthwiseConv2d):
    def backward(self, grad_y, cache):
        grad_x = super().backward(grad_y, cache)
        return pad(grad_x, (self.padding, self.padding))


class NoWeightGradient(tasks.DepthwiseConv2d):
    def backward(self, grad_y, cache):
        grad_x = super().backward(grad_y, cache)
        self.weight.grad = None
        return grad_x


class SummedOverChannels(tasks.DepthwiseConv2d):
    def backward(self, grad_y, cache):
        grad_x = super().backward(grad_y, cache)
        self.weight.grad = self.weight.grad.sum(2)
        return grad_x


class TurnedBackward(tasks.DepthwiseConv2d):
    def backward(self, grad_y, cache):
        super().backward(grad_y, cache)
        grad_padded = np.zeros_like(cache)
        places = window_slices(grad_padded, self.weight.value.shape[:2], (self.stride, self.stride))
        for pixels, w in zip(places, self.weight.value[::-1, ::-1].reshape(-1, cache.shape[3])):
            pixels += grad_y * w
        return crop(grad_padded, (self.padding, self.padding))


class MeanOverBatch(tasks.DepthwiseConv2d):
    def backward(self, grad_y, cache):
        grad_x = super().backward(grad_y, cache)
        self.weight.grad = self.weight.grad / len(grad_y) / grad_y.shape[1]
        return grad_x


RIGHT: list = []

WRONG = [
    ("2.1", counts(add=False), "each adds 1"),
    ("2.1", counts(whole=False), "fit whole"),
    ("2.1", counts(cut=1), "cut off the padding"),
    ("2.1", counts(stride_used=False), "windows are missing"),
    ("2.2", weight_gradient(lambda f, x, g, *rest: f(x, g, *rest) / len(x)), "mean over the batch"),
    ("2.2", weight_gradient(lambda f, x, g, *rest: f(x[:1], g[:1], *rest)), "first picture"),
    ("2.2", weight_gradient(lambda f, x, g, *rest: f(x, g, *rest)[::-1, ::-1]), "gradient is flipped"),
    ("2.2", weight_gradient(lambda f, x, g, *rest: f(x, g, *rest).reshape(-1, g.shape[3])), "weight's shape"),
    ("2.2", weight_gradient(lambda f, x, g, *rest: -f(x, g, *rest)), "at the weight"),
    ("2.3", add_back(add=False), "one number only"),
    ("2.3", into_the_view, "one number only"),
    ("2.3", add_back(mean=True), "took the mean"),
    ("2.3", add_back(cut=False), "padding cut off"),
    ("2.3", add_back(stride_used=False), "at the pixel"),
    ("2.3", in_float64, "dtype must be"),
    ("2.4", picture_gradient(turn=lambda w: w), "not flipped"),
    ("2.4", picture_gradient(turn=lambda w: w[::-1]), "one axis only"),
    ("2.4", picture_gradient(exchange=lambda w: w), "not exchanged"),
    ("2.4", picture_gradient(exchange=lambda w: w.reshape(*w.shape[:2], w.shape[3], w.shape[2])), "not exchanged"),
    ("2.4", picture_gradient(border=(1, 1)), "KH - 1 - padding"),
    ("2.4", lambda g, w, p: -tasks.picture_gradient(g, w, p), "at the pixel"),
    ("2.5", Forward, "forward"),
    ("2.5", NotCut, "padding cut off"),
    ("2.5", NoWeightGradient, "must set"),
    ("2.5", SummedOverChannels, "channels are not"),
    ("2.5", TurnedBackward, "input .* FAILED"),
    ("2.5", MeanOverBatch, "weight .* FAILED"),
]
