"""Each operation once more as a textbook has it, in plain loops and two passes: what the fast kernels are compared with."""

import itertools

import numpy as np

from resnet_scratch.backend import to_numpy


def assert_same(ours, expected, tolerance=1e-12):
    """Equal up to rounding, relative to the largest value, and of one shape."""
    ours, expected = to_numpy(ours), np.asarray(expected)
    assert ours.shape == expected.shape
    np.testing.assert_allclose(ours, expected, rtol=0, atol=tolerance * max(1.0, np.abs(expected).max(initial=0)))


def pair(value):
    return value if isinstance(value, tuple) else (value, value)


def pad(x, padding, value=0.0):
    PH, PW = pair(padding)
    return np.pad(x, [(0, 0), (PH, PH), (PW, PW), (0, 0)], constant_values=value)


def unpad(x, padding):
    PH, PW = pair(padding)
    return x[:, PH : x.shape[1] - PH, PW : x.shape[2] - PW]


def corners(shape, kernel_size, stride):
    """((oh, ow), (top, left)) of every window that lies inside an image (N, H, W, C), found by trying all places."""
    _, H, W, _ = shape
    (KH, KW), (SH, SW) = pair(kernel_size), pair(stride)
    tops = [top for top in range(0, H, SH) if top + KH <= H]
    lefts = [left for left in range(0, W, SW) if left + KW <= W]
    return [((oh, ow), (top, left)) for oh, top in enumerate(tops) for ow, left in enumerate(lefts)]


def output_shape(x, kernel_size, stride, channels):
    (oh, ow), _ = corners(x.shape, kernel_size, stride)[-1]
    return (len(x), oh + 1, ow + 1, channels)


def conv(x, weight, bias, stride, padding):
    """The seven loops."""
    x = pad(x, padding)
    KH, KW, C, O = weight.shape
    y = np.zeros(output_shape(x, (KH, KW), stride, O))
    for n, ((oh, ow), (top, left)), o in itertools.product(range(len(x)), corners(x.shape, (KH, KW), stride), range(O)):
        y[n, oh, ow, o] = bias[o]
        for kh, kw, c in itertools.product(range(KH), range(KW), range(C)):
            y[n, oh, ow, o] += x[n, top + kh, left + kw, c] * weight[kh, kw, c, o]
    return y


def conv_backward(grad_y, x, weight, stride, padding):
    """(grad_x, grad_weight, grad_bias): what each product of the seven loops hands back to its two factors."""
    x = pad(x, padding)
    KH, KW, C, O = weight.shape
    grad_x, grad_weight, grad_bias = np.zeros_like(x), np.zeros_like(weight), np.zeros(O)
    for n, ((oh, ow), (top, left)), o in itertools.product(range(len(x)), corners(x.shape, (KH, KW), stride), range(O)):
        g = grad_y[n, oh, ow, o]
        grad_bias[o] += g
        for kh, kw, c in itertools.product(range(KH), range(KW), range(C)):
            grad_x[n, top + kh, left + kw, c] += g * weight[kh, kw, c, o]
            grad_weight[kh, kw, c, o] += g * x[n, top + kh, left + kw, c]
    return unpad(grad_x, padding), grad_weight, grad_bias


def pool(kind, x, grad_y_of, kernel_size, stride, padding):
    """(y, grad_x) of "max" or "mean" pooling; `grad_y_of(y.shape)` is the gradient to send back."""
    x = pad(x, padding, -np.inf if kind == "max" else 0.0)
    KH, KW = pair(kernel_size)
    y, grad_x = np.zeros(output_shape(x, kernel_size, stride, x.shape[3])), np.zeros(x.shape)
    grad_y = grad_y_of(y.shape)
    for n, ((oh, ow), (top, left)), c in itertools.product(
        range(len(x)), corners(x.shape, kernel_size, stride), range(x.shape[3])
    ):
        window = [(x[n, top + kh, left + kw, c], top + kh, left + kw) for kh in range(KH) for kw in range(KW)]
        if kind == "mean":
            y[n, oh, ow, c] = sum(value for value, _, _ in window) / len(window)
            for _, h, w in window:
                grad_x[n, h, w, c] += grad_y[n, oh, ow, c] / len(window)
        else:
            value, h, w = max(window, key=lambda place: place[0])  # the first of several equals
            y[n, oh, ow, c] = value
            grad_x[n, h, w, c] += grad_y[n, oh, ow, c]
    return y, unpad(grad_x, padding)


def batch_norm(x, weight, bias, eps):
    """(y, mean, biased variance) by the two passes of Ioffe and Szegedy 2015, algorithm 1."""
    mean = x.mean((0, 1, 2))
    var = ((x - mean) ** 2).mean((0, 1, 2))
    return weight * (x - mean) / np.sqrt(var + eps) + bias, mean, var


def batch_norm_backward(grad_y, x, weight, eps):
    """(grad_x, grad_weight, grad_bias), in the six equations of section 3 of the same paper, one by one."""
    _, mean, var = batch_norm(x, weight, 0, eps)
    m = x.size / x.shape[3]
    grad_xhat = grad_y * weight
    grad_var = (grad_xhat * (x - mean)).sum((0, 1, 2)) * -0.5 * (var + eps) ** -1.5
    grad_mean = -(grad_xhat / np.sqrt(var + eps)).sum((0, 1, 2)) + grad_var * (-2 * (x - mean)).mean((0, 1, 2))
    grad_x = grad_xhat / np.sqrt(var + eps) + grad_var * 2 * (x - mean) / m + grad_mean / m
    return grad_x, (grad_y * (x - mean) / np.sqrt(var + eps)).sum((0, 1, 2)), grad_y.sum((0, 1, 2))
