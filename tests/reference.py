"""The textbook versions: slow loops that say what is meant. The layers are compared with these."""

import numpy as np

from resnet_scratch.compute.backend import to_numpy


def convolution(x, weight, bias, stride, padding):
    """Seven loops. x (N, H, W, C), weight (KH, KW, C, O), bias (O,); stride and padding (height, width)."""
    (N, H, W, C), (KH, KW, _, O), (SH, SW), (PH, PW) = x.shape, weight.shape, stride, padding
    OH, OW = (H + 2 * PH - KH) // SH + 1, (W + 2 * PW - KW) // SW + 1
    y = np.zeros((N, OH, OW, O))
    for n in range(N):
        for oh in range(OH):
            for ow in range(OW):
                for o in range(O):
                    y[n, oh, ow, o] = bias[o]
                    for kh in range(KH):
                        for kw in range(KW):
                            for c in range(C):
                                h, w = oh * SH + kh - PH, ow * SW + kw - PW
                                if 0 <= h < H and 0 <= w < W:
                                    y[n, oh, ow, o] += x[n, h, w, c] * weight[kh, kw, c, o]
    return y


def pool(x, reduce, kernel_size, stride, padding, border):
    """Each window handed to `reduce`, its part beyond the border filled with `border`."""
    (N, H, W, C), (KH, KW), (SH, SW), (PH, PW) = x.shape, kernel_size, stride, padding
    OH, OW = (H + 2 * PH - KH) // SH + 1, (W + 2 * PW - KW) // SW + 1
    padded = np.full((N, H + 2 * PH, W + 2 * PW, C), border, float)
    padded[:, PH : PH + H, PW : PW + W] = x
    y = np.zeros((N, OH, OW, C))
    for oh in range(OH):
        for ow in range(OW):
            y[:, oh, ow] = reduce(padded[:, oh * SH : oh * SH + KH, ow * SW : ow * SW + KW], axis=(1, 2))
    return y


def batch_norm(x, weight, bias, eps):
    """Two passes over each channel: its mean, then its variance about that mean."""
    y = np.empty(x.shape)
    for c in range(x.shape[3]):
        mean = x[..., c].mean()
        variance = ((x[..., c] - mean) ** 2).mean()
        y[..., c] = weight[c] * (x[..., c] - mean) / np.sqrt(variance + eps) + bias[c]
    return y


def assert_same(ours, expected, tolerance=1e-12):
    """Equal up to rounding, relative to the largest value, and of one shape."""
    ours, expected = to_numpy(ours), to_numpy(expected)
    assert ours.shape == expected.shape
    np.testing.assert_allclose(ours, expected, rtol=0, atol=tolerance * max(1.0, np.abs(expected).max(initial=0)))
