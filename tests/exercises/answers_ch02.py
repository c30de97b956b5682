"""Answers to the tasks of tutorial 02: right ones, and wrong ones with a word of what each must be told."""

from __future__ import annotations

import numpy as np
from wrong_layers import gradient_in_a_list, returns_all_gradients

from resnet_scratch.exercises import ch02_convolution_backward as tasks
from resnet_scratch.layers.layer import Layer, Parameter
from resnet_scratch.layers.windows import col2im, crop, im2col, pad, window_slices, windows


def graph(factor=2, slope=lambda u, y: 1 - y**2, through_w=True, direct=-1, grad_w=lambda g, x, w: g * x):
    def answer(x, w):
        u = w * x
        y = np.tanh(u)
        grad_e = factor * (y - x)
        grad_u = grad_e * slope(u, y)
        return (y - x) ** 2, through_w * grad_u * w + direct * grad_e, grad_w(grad_u, x, w)

    return answer


def by_formula(x, w):
    t = np.tanh(w * x)
    return [(t - x) ** 2, 2 * (t - x) * (w / np.cosh(w * x) ** 2 - 1), 2 * (t - x) * x / np.cosh(w * x) ** 2]


def one_use_at_a_time(x, w):
    y = np.tanh(w * x)
    grad = {"e": 2 * (y - x), "x": 0.0}
    grad["x"] += -grad["e"]
    grad["u"] = grad["e"] * (1 - y * y)
    grad["x"] += w * grad["u"]
    return np.array([(y - x) ** 2, grad["x"], x * grad["u"]])


def forward_mode(x, w):
    """The Jacobian of each step, multiplied."""
    y = np.tanh(w * x)
    grad_u = np.array([w, x])
    grad_e = (1 - y**2) * grad_u - np.array([1, 0])
    return ((y - x) ** 2, *(2 * (y - x) * grad_e))


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


def weight_gradient_by_slices(x, grad_y, kernel_size, stride, padding):
    slices = window_slices(pad(x, (padding, padding)), kernel_size, (stride, stride))
    gradients = [np.tensordot(pixels, grad_y, axes=([0, 1, 2], [0, 1, 2])) for pixels in slices]
    return np.reshape(gradients, (*kernel_size, x.shape[3], grad_y.shape[3]))


def weight_gradient_by_einsum(x, grad_y, kernel_size, stride, padding):
    view = windows(pad(x, (padding, padding)), kernel_size, (stride, stride))
    return np.einsum("nijklc,nijo->klco", view, grad_y)


def weight_gradient_by_loops(dtype):
    def answer(x, grad_y, kernel_size, stride, padding):
        (KH, KW), C, (N, OH, OW, O) = kernel_size, x.shape[3], grad_y.shape
        padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
        grad_w = np.zeros((KH, KW, C, O), dtype)
        for n, i, j in np.ndindex(N, OH, OW):
            window = padded[n, i * stride : i * stride + KH, j * stride : j * stride + KW]
            grad_w += window[..., None] * grad_y[n, i, j]
        return grad_w

    return answer


def add_back_by_windows(columns, shape, kernel_size, stride, padding):
    (N, H, W, C), (KH, KW) = shape, kernel_size
    OH, OW = (H + 2 * padding - KH) // stride + 1, (W + 2 * padding - KW) // stride + 1
    numbers = columns.reshape(N, OH, OW, KH, KW, C)
    images = np.zeros((N, H + 2 * padding, W + 2 * padding, C), columns.dtype)
    for i in range(OH):
        for j in range(OW):
            images[:, i * stride : i * stride + KH, j * stride : j * stride + KW, :] += numbers[:, i, j]
    return images[:, padding : H + padding, padding : W + padding, :]


def add_back_by_windows_and_channels(columns, shape, kernel_size, stride, padding):
    (N, H, W, C), (KH, KW) = shape, kernel_size
    OH, OW = (H + 2 * padding - KH) // stride + 1, (W + 2 * padding - KW) // stride + 1
    numbers = columns.reshape(N, OH, OW, KH, KW, C)
    images = np.zeros((N, H + 2 * padding, W + 2 * padding, C), columns.dtype)
    for n, i, j, c in np.ndindex(N, OH, OW, C):
        h, w = i * stride, j * stride
        images[n, h : h + KH, w : w + KW, c] += numbers[n, i, j, :, :, c]
    return images[:, padding : H + padding, padding : W + padding]


def add_back_in_float64(columns, shape, kernel_size, stride, padding):
    return tasks.add_back(columns.astype(np.float64), shape, kernel_size, stride, padding).astype(columns.dtype)


def add_back_by_view_of_slices(columns, shape, kernel_size, stride, padding):
    N, H, W, C = shape
    padded = np.zeros((N, H + 2 * padding, W + 2 * padding, C), columns.dtype)
    slices = list(window_slices(padded, kernel_size, (stride, stride)))
    for k, pixels in enumerate(slices):
        np.add(pixels, columns[:, k * C : (k + 1) * C].reshape(pixels.shape), out=pixels)
    return crop(padded, (padding, padding)).copy()


def add_back_by_bincount(columns, shape, kernel_size, stride, padding):
    pixels = np.arange(np.prod(shape), dtype=np.float64).reshape(shape) + 1  # 0 is the padding
    index = im2col(pixels, kernel_size, stride, padding).astype(int).ravel()
    sums = np.bincount(index, columns.ravel(), minlength=pixels.size + 1)[1:]
    return sums.reshape(shape).astype(columns.dtype)


def add_back_by_add_at(columns, shape, kernel_size, stride, padding):
    (N, H, W, C), (KH, KW) = shape, kernel_size
    padded = np.zeros((N, H + 2 * padding, W + 2 * padding, C), columns.dtype)
    OH, OW = windows(padded, kernel_size, (stride, stride)).shape[1:3]
    i, j, kh, kw = np.ogrid[:OH, :OW, :KH, :KW]
    numbers = columns.reshape(N, OH, OW, KH, KW, C)
    np.add.at(padded, (slice(None), i * stride + kh, j * stride + kw), numbers)
    return crop(padded, (padding, padding))


def add_back_number_by_number(columns, shape, kernel_size, stride, padding):
    (N, H, W, C), (KH, KW) = shape, kernel_size
    padded = np.zeros((N, H + 2 * padding, W + 2 * padding, C), columns.dtype)
    OH, OW = windows(padded, kernel_size, (stride, stride)).shape[1:3]
    numbers = columns.reshape(N, OH, OW, KH, KW, C)
    for n in range(N):
        for oh in range(OH):
            for ow in range(OW):
                for kh in range(KH):
                    for kw in range(KW):
                        for c in range(C):
                            padded[n, oh * stride + kh, ow * stride + kw, c] += numbers[n, oh, ow, kh, kw, c]
    return crop(padded, (padding, padding))


def into_the_view(columns, shape, kernel_size, stride, padding):
    N, H, W, C = shape
    padded = np.zeros((N, H + 2 * padding, W + 2 * padding, C), columns.dtype)
    view = windows(padded, kernel_size, (stride, stride))
    view += columns.reshape(view.shape)
    return crop(padded, (padding, padding))


def in_float64(columns, shape, kernel_size, stride, padding):
    return tasks.add_back(columns.astype(np.float64), shape, kernel_size, stride, padding)


def input_gradient(turn=lambda w: w[::-1, ::-1], exchange=lambda w: w.swapaxes(2, 3), border=None):
    def answer(grad_y, weight, padding):
        KH, KW, C, O = weight.shape
        padded = pad(grad_y, border or (KH - 1 - padding, KW - 1 - padding))
        N, H, W = len(grad_y), padded.shape[1] - KH + 1, padded.shape[2] - KW + 1
        return (im2col(padded, (KH, KW)) @ exchange(turn(weight)).reshape(-1, C)).reshape(N, H, W, C)

    return answer


def input_gradient_by_windows(grad_y, weight, padding):
    (N, OH, OW, _), (KH, KW, C, _) = grad_y.shape, weight.shape
    grad_x = np.zeros((N, OH + KH - 1, OW + KW - 1, C))
    for i, j in np.ndindex(OH, OW):
        grad_x[:, i : i + KH, j : j + KW] += np.einsum("no,klco->nklc", grad_y[:, i, j], weight)
    return crop(grad_x, (padding, padding))


def input_gradient_by_einsum(grad_y, weight, padding):
    KH, KW, _, _ = weight.shape
    rows, cols = KH - 1 - padding, KW - 1 - padding
    padded = np.pad(grad_y, ((0, 0), (rows, rows), (cols, cols), (0, 0)))
    view = np.lib.stride_tricks.sliding_window_view(padded, (KH, KW), axis=(1, 2))
    return np.einsum("nhwokl,klco->nhwc", view, np.rot90(weight, 2))


def input_gradient_by_slices(grad_y, weight, padding):
    KH, KW, C, O = weight.shape
    padded = pad(grad_y, (KH - 1 - padding, KW - 1 - padding))
    slices = window_slices(padded, (KH, KW), (1, 1))
    flipped = reversed(weight.reshape(-1, C, O))
    return sum(pixels @ w.T for pixels, w in zip(slices, flipped))


class DepthwiseByWindows(Layer):
    """The cache is x; loops over windows."""

    def __init__(self, weight, stride=1, padding=0):
        self.weight, self.stride, self.padding = Parameter(weight), stride, padding

    def _windows(self, padded):
        KH, KW, _ = self.weight.value.shape
        for i, h in enumerate(range(0, padded.shape[1] - KH + 1, self.stride)):
            for j, w in enumerate(range(0, padded.shape[2] - KW + 1, self.stride)):
                yield i, j, padded[:, h : h + KH, w : w + KW]

    def forward(self, x, training=False):
        found = [(i, j, (w * self.weight.value).sum((1, 2))) for i, j, w in self._windows(pad(x, (self.padding,) * 2))]
        y = np.zeros((len(x), found[-1][0] + 1, found[-1][1] + 1, x.shape[3]))
        for i, j, numbers in found:
            y[:, i, j] = numbers
        return y, x

    def backward(self, grad_y, x):
        padded = pad(x, (self.padding,) * 2)
        grad_padded, grad_w = np.zeros_like(padded), np.zeros_like(self.weight.value)
        for (i, j, window), (_, _, grad_window) in zip(self._windows(padded), self._windows(grad_padded)):
            g = grad_y[:, i, j][:, None, None]
            grad_window += g * self.weight.value
            grad_w += (g * window).sum(0)
        self.weight.grad = grad_w
        return crop(grad_padded, (self.padding,) * 2)


class DepthwiseByEinsum(tasks.DepthwiseConv2d):
    """The view of all windows forward; nine slices backward."""

    def forward(self, x, training=False):
        padded = pad(x, (self.padding,) * 2)
        view = windows(padded, self.weight.value.shape[:2], (self.stride,) * 2)
        return np.einsum("nijklc,klc->nijc", view, self.weight.value), (x.shape, view)

    def backward(self, grad_y, cache):
        shape, view = cache
        self.weight.grad = np.einsum("nijklc,nijc->klc", view, grad_y)
        columns = np.einsum("nijc,klc->nijklc", grad_y, self.weight.value).reshape(-1, self.weight.value.size)
        return col2im(columns, shape, self.weight.value.shape[:2], self.stride, self.padding)


class DepthwiseByDenseKernel(tasks.DepthwiseConv2d):
    """A full convolution whose kernel is zero between different channels; the gradient in place."""

    def forward(self, x, training=False):
        KH, KW, C = self.weight.value.shape
        dense = self.weight.value[..., None] * np.eye(C)
        columns = im2col(x, (KH, KW), self.stride, self.padding)
        size = windows(pad(x, (self.padding,) * 2), (KH, KW), (self.stride,) * 2).shape[:3]
        return (columns @ dense.reshape(-1, C)).reshape(*size, C), {"columns": columns, "dense": dense, "x": x.shape}

    def backward(self, grad_y, cache):
        KH, KW, C = self.weight.value.shape
        rows = grad_y.reshape(-1, C)
        self.weight.grad = np.einsum("klcc->klc", (cache["columns"].T @ rows).reshape(KH, KW, C, C)).copy()
        columns = rows @ cache["dense"].reshape(-1, C).T
        return col2im(columns, cache["x"], (KH, KW), self.stride, self.padding)


class ReturnsLists(tasks.DepthwiseConv2d):
    def forward(self, x, training=False):
        return list(super().forward(x, training))


class KeptInTheLayer(tasks.DepthwiseConv2d):
    def forward(self, x, training=False):
        y, self.kept = super().forward(x, training)
        return y, None

    def backward(self, grad_y, cache):
        return super().backward(grad_y, self.kept)


class Forward(tasks.DepthwiseConv2d):
    def forward(self, x, training=False):
        y, cache = super().forward(x, training)
        return 2 * y, cache


class Float32(tasks.DepthwiseConv2d):
    def forward(self, x, training=False):
        y, cache = super().forward(x, training)
        return y.astype(np.float32), cache


class GradientInRows(tasks.DepthwiseConv2d):
    def backward(self, grad_y, cache):
        return list(super().backward(grad_y, cache))


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


RIGHT = [
    ("2.1", by_formula),
    ("2.1", one_use_at_a_time),
    ("2.1", forward_mode),
    ("2.2", weight_gradient_by_slices),
    ("2.2", weight_gradient_by_einsum),
    ("2.2", weight_gradient_by_loops(np.float64)),
    ("2.2", weight_gradient_by_loops(np.float32)),
    ("2.3", add_back_by_windows),
    ("2.3", add_back_by_windows_and_channels),
    ("2.3", add_back_in_float64),
    ("2.3", add_back_by_view_of_slices),
    ("2.3", add_back_by_bincount),
    ("2.4", input_gradient_by_windows),
    ("2.4", input_gradient_by_einsum),
    ("2.4", input_gradient_by_slices),
    ("2.4", lambda g, w, p: tasks.input_gradient(g.astype(np.float32), w.astype(np.float32), p)),
    ("2.5", DepthwiseByWindows),
    ("2.5", DepthwiseByEinsum),
    ("2.5", DepthwiseByDenseKernel),
    ("2.5", ReturnsLists),
    ("2.1", lambda x, w: np.array(graph()(np.float32(x), np.float32(w)), np.float32)),
]

WRONG = [
    ("2.1", graph(direct=0), "also subtracted"),
    ("2.1", graph(through_w=False), "also used in w"),
    ("2.1", graph(direct=1), "minus sign"),
    ("2.1", graph(factor=1), "derivative of e"),
    ("2.1", graph(slope=lambda u, y: 1 - u**2), "with y the output"),
    ("2.1", graph(slope=lambda u, y: 1), "tanh is missing"),
    ("2.1", graph(grad_w=lambda g, x, w: g), "changes u by x"),
    ("2.1", lambda x, w: graph()(x, w)[1:], "three numbers"),
    ("2.2", weight_gradient(lambda f, x, g, *rest: f(x, g, *rest) / len(x)), "mean over the batch"),
    ("2.2", weight_gradient(lambda f, x, g, *rest: f(x[:1], g[:1], *rest)), "first image"),
    ("2.2", weight_gradient(lambda f, x, g, *rest: f(x, g, *rest)[::-1, ::-1]), "gradient is flipped"),
    ("2.2", weight_gradient(lambda f, x, g, *rest: f(x, g, *rest).reshape(-1, g.shape[3])), "weight's shape"),
    ("2.2", weight_gradient(lambda f, x, g, *rest: -f(x, g, *rest)), "at weight"),
    ("2.3", add_back(add=False), "one number only"),
    ("2.3", into_the_view, "one number only"),
    ("2.3", add_back(mean=True), "took the mean"),
    ("2.3", add_back(cut=False), "padding cut off"),
    ("2.3", add_back(stride_used=False), "at pixel"),
    ("2.3", in_float64, "dtype must be"),
    ("2.3", col2im, "the library's"),
    ("2.3", add_back_by_add_at, "np.add.at adds one number"),
    ("2.3", add_back_number_by_number, "loop over single numbers"),
    ("2.4", input_gradient(turn=lambda w: w), "not flipped"),
    ("2.4", input_gradient(turn=lambda w: w[::-1]), "one axis only"),
    ("2.4", input_gradient(exchange=lambda w: w), "not swapped"),
    ("2.4", input_gradient(exchange=lambda w: w.reshape(*w.shape[:2], w.shape[3], w.shape[2])), "not swapped"),
    ("2.4", input_gradient(border=(1, 1)), "KH - 1 - padding"),
    ("2.4", lambda g, w, p: -tasks.input_gradient(g, w, p), "at pixel"),
    ("2.5", Forward, "forward"),
    ("2.5", NotCut, "padding cut off"),
    ("2.5", NoWeightGradient, "must set"),
    ("2.5", SummedOverChannels, "not over channels"),
    ("2.5", TurnedBackward, "input .* FAILED"),
    ("2.5", MeanOverBatch, "weight .* FAILED"),
    ("2.5", KeptInTheLayer, "kept on self"),
    ("2.5", Float32, "float64 went in and float32 came out"),
    ("2.5", GradientInRows, r"got shape \(4, 5, 2\)"),
    ("2.1", lambda x, w: (1.0, None, None), r"returned \(1.0, None, None\), which the check cannot use: TypeError"),
    ("2.5", returns_all_gradients(tasks.DepthwiseConv2d), "backward must return grad_x only, got a tuple of 2"),
    ("2.5", gradient_in_a_list(tasks.DepthwiseConv2d), "got list"),
]
