"""Right answers in several styles to the tasks of tutorial 05, and wrong ones that people give."""

import numpy as np

from resnet_scratch.exercises import ch05_relu_pooling_linear_loss as solved
from resnet_scratch.layers.layer import Layer

PIXELS = [(0, 0), (0, 1), (1, 0), (1, 1)]


class ByTanh(Layer):
    def forward(self, x, training=False):
        y = (1 + np.tanh(x / 2)) / 2
        return y, (y,)

    def backward(self, grad_y, cache):
        (y,) = cache
        return grad_y * (y - y**2)


class FromX(Layer):
    """Caches x, and computes in two regions."""

    def forward(self, x, training=False):
        y = np.empty_like(x)
        positive = x >= 0
        y[positive] = 1 / (1 + np.exp(-x[positive]))
        y[~positive] = np.exp(x[~positive]) / (1 + np.exp(x[~positive]))
        return y, x

    def backward(self, grad_y, x):
        small = np.exp(-abs(x))
        return grad_y * small / (1 + small) ** 2


class Silenced(Layer):
    def forward(self, x, training=False):
        with np.errstate(over="ignore"):
            y = 1 / (1 + np.exp(-x))
        return y, y.copy()

    def backward(self, grad_y, y):
        return y * (1 - y) * grad_y


class ByLogarithms(Layer):
    def forward(self, x, training=False):
        y = np.exp(-np.logaddexp(0, -x))
        return y, {"y": y, "1 - y": np.exp(-np.logaddexp(0, x))}

    def backward(self, grad_y, cache):
        return grad_y * cache["y"] * cache["1 - y"]


class ReturnsAList(solved.Sigmoid):
    def forward(self, x, training=False):
        return list(super().forward(x))


class KeptInTheLayer(solved.Sigmoid):
    def forward(self, x, training=False):
        y, self.kept = super().forward(x)
        return y, None

    def backward(self, grad_y, cache):
        return super().backward(grad_y, self.kept)


class Overflows(solved.Sigmoid):
    def forward(self, x, training=False):
        y = 1 / (1 + np.exp(-x))
        return y, y


class WithoutMinus(solved.Sigmoid):
    def forward(self, x, training=False):
        y = 1 / (1 + np.exp(x))
        return y, y


class ForgetsGradY(solved.Sigmoid):
    def backward(self, grad_y, cache):
        return cache * (1 - cache)


class CachesX(solved.Sigmoid):
    def forward(self, x, training=False):
        return super().forward(x)[0], x


class TwiceTheSigmoid(solved.Sigmoid):
    def backward(self, grad_y, cache):
        y = super().forward(cache)[0]
        return grad_y * y * (1 - y)


class NoCache(solved.Sigmoid):
    def forward(self, x, training=False):
        return super().forward(x)[0]


class Tanh(solved.Sigmoid):
    def forward(self, x, training=False):
        y = np.tanh(x)
        return y, y


def pool_in_loops(grad_y, x):
    grad_x = np.zeros(x.shape)
    for n, i, j, c in np.ndindex(grad_y.shape):
        window = x[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c]
        row, column = divmod(int(window.argmax()), 2)
        grad_x[n, 2 * i + row, 2 * j + column, c] = grad_y[n, i, j, c]
    return grad_x


def pool_with_put_along_axis(grad_y, x):
    N, H, W, C = x.shape
    windows = x.reshape(N, H // 2, 2, W // 2, 2, C).transpose(0, 1, 3, 5, 2, 4).reshape(N, H // 2, W // 2, C, 4)
    grad = np.zeros_like(windows)
    np.put_along_axis(grad, windows.argmax(-1)[..., None], grad_y[..., None], -1)
    return grad.reshape(N, H // 2, W // 2, C, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(x.shape)


def pool_with_taken(grad_y, x):
    y = np.maximum.reduce([x[:, i::2, j::2] for i, j in PIXELS])
    grad_x, taken = np.zeros_like(x), np.zeros(y.shape, bool)
    for i, j in PIXELS:
        wins = (x[:, i::2, j::2] == y) & ~taken
        grad_x[:, i::2, j::2][wins] = grad_y[wins]
        taken |= wins
    return grad_x


def all_winners(grad_y, x):
    windows = grad_y.repeat(2, 1).repeat(2, 2)
    y = np.maximum.reduce([x[:, i::2, j::2] for i, j in PIXELS])
    return windows * (x == y.repeat(2, 1).repeat(2, 2))


def shared_out(grad_y, x):
    equal = all_winners(np.ones_like(grad_y), x)
    return all_winners(grad_y / sum(equal[:, i::2, j::2] for i, j in PIXELS), x)


def in_order(pixels):
    """The answer, with ties decided by another order of the pixels."""

    def answer(grad_y, x):
        winner = np.stack([x[:, i::2, j::2] for i, j in pixels]).argmax(0)
        grad_x = np.zeros_like(x)
        for k, (i, j) in enumerate(pixels):
            grad_x[:, i::2, j::2] = grad_y * (winner == k)
        return grad_x

    return answer


def first_pixel(grad_y, x):
    grad_x = np.zeros_like(x)
    grad_x[:, ::2, ::2] = grad_y
    return grad_x


def every_pixel(grad_y, x):
    return grad_y.repeat(2, 1).repeat(2, 2)


def into_x(grad_y, x):
    x[...] = solved.max_pool_backward(grad_y, x)
    return x


def softmax_by_logarithms(logits):
    return np.exp(logits - np.logaddexp.reduce(logits, axis=1)[:, None])


def softmax_row_by_row(logits):
    rows = []
    for row in logits:
        numbers = [float(np.exp(z - max(row))) for z in row]
        rows.append([number / sum(numbers) for number in numbers])
    return rows


def softmax_by_differences(logits):
    return 1 / np.exp(np.minimum(logits[:, None, :] - logits[:, :, None], 700)).sum(2)


def softmax_in_place(logits):
    logits -= logits.max(1, keepdims=True)
    exp = np.exp(logits)
    return exp / exp.sum(1, keepdims=True)


def clipped(logits):
    exp = np.exp(np.clip(logits, -700, 700))
    return exp / exp.sum(1, keepdims=True)


def less_the_mean(logits):
    exp = np.exp(logits - logits.mean(1, keepdims=True))
    return exp / exp.sum(1, keepdims=True)


def one_hot(p, labels):
    return np.eye(p.shape[1])[labels]


def gradient_row_by_row(p, labels):
    return [[(p[n, k] - (k == t)) / len(labels) for k in range(p.shape[1])] for n, t in enumerate(labels)]


def gradient_with_put(p, labels):
    gradient = p / len(p)
    np.put_along_axis(gradient, labels[:, None], np.take_along_axis(gradient, labels[:, None], 1) - 1 / len(p), 1)
    return gradient


def gradient_through_softmax(p, labels):
    """By the chain rule: the gradient with respect to the probabilities, times softmax's Jacobian."""
    grad_p = -one_hot(p, labels) / p / len(p)
    return p * (grad_p - (grad_p * p).sum(1, keepdims=True))


def in_place(probabilities, labels):
    probabilities[np.arange(len(labels)), labels] -= 1
    return probabilities / len(labels)


def in_all_rows(probabilities, labels):
    gradient = probabilities.copy()
    gradient[:, labels] -= 1
    return gradient / len(labels)


class ReturnsTwo(solved.Sigmoid):
    def backward(self, grad_y, cache):
        return super().backward(grad_y, cache), grad_y[:1]


class Clipped(solved.Sigmoid):
    """float64 holds exp(700), float32 does not."""

    def forward(self, x, training=False):
        y = 1 / (1 + np.exp(-np.clip(x, -700, 700)))
        return y, y


class ClippedEnough(solved.Sigmoid):
    def forward(self, x, training=False):
        y = 1 / (1 + np.exp(-np.clip(x, -80, 80)))
        return y, y


RIGHT: list = [
    ("5.1", ClippedEnough),
    ("5.1", ByTanh),
    ("5.1", FromX),
    ("5.1", Silenced),
    ("5.1", ByLogarithms),
    ("5.1", ReturnsAList),
    ("5.2", pool_in_loops),
    ("5.2", pool_with_put_along_axis),
    ("5.2", pool_with_taken),
    ("5.2", lambda grad_y, x: solved.max_pool_backward(grad_y, x).tolist()),
    ("5.3", softmax_by_logarithms),
    ("5.3", softmax_row_by_row),
    ("5.3", softmax_by_differences),
    ("5.4", lambda p, labels: (p - one_hot(p, labels)) / len(p)),
    ("5.4", gradient_row_by_row),
    ("5.4", gradient_with_put),
    ("5.4", gradient_through_softmax),
]

WRONG = [
    ("5.1", Overflows, "overflow"),
    ("5.1", WithoutMinus, "sign of x"),
    ("5.1", ForgetsGradY, "multiply the derivative by grad_y"),
    ("5.1", CachesX, "computed it with x"),
    ("5.1", TwiceTheSigmoid, "once more"),
    ("5.1", NoCache, "two things"),
    ("5.1", Tanh, "tanh"),
    ("5.1", KeptInTheLayer, "kept on self"),
    ("5.2", all_winners, "its whole gradient"),
    ("5.2", shared_out, "shared its gradient"),
    ("5.2", in_order([(0, 0), (1, 0), (0, 1), (1, 1)]), "down the columns"),
    ("5.2", in_order(PIXELS[::-1]), "not the last"),
    ("5.2", first_pixel, "upper left"),
    ("5.2", every_pixel, "only the largest"),
    ("5.2", lambda grad_y, x: solved.max_pool_backward(np.ones_like(grad_y), x), "multiply by grad_y"),
    ("5.2", lambda grad_y, x: solved.max_pool_backward(np.ones_like(grad_y), x) * x, "not the pixel"),
    ("5.2", into_x, "in place"),
    ("5.2", lambda grad_y, x: grad_y, "x's shape"),
    ("5.3", lambda z: np.exp(z) / np.exp(z).sum(1, keepdims=True), "subtract the largest"),
    ("5.3", lambda z: np.exp(z - z.max()) / np.exp(z - z.max()).sum(), "each row must"),
    ("5.3", lambda z: np.exp(z - z.max()) / np.exp(z - z.max()).sum(1, keepdims=True), "each row"),
    ("5.3", lambda z: np.exp(z - z.max(0)) / np.exp(z - z.max(0)).sum(0), "columns sum to 1"),
    ("5.3", lambda z: np.log(solved.softmax(z)), "logarithms"),
    ("5.3", less_the_mean, "subtract the largest"),
    ("5.3", clipped, "the softmax of"),
    ("5.3", softmax_in_place, "in place"),
    ("5.4", in_place, "in place"),
    ("5.4", lambda p, labels: solved.cross_entropy_gradient(p, labels) * len(p), "divide by N"),
    ("5.4", lambda p, labels: solved.cross_entropy_gradient(p, labels) * len(p) / p.shape[1], "number of classes"),
    ("5.4", lambda p, labels: solved.cross_entropy_gradient(p, labels) / p.shape[1], "and by the number of classes"),
    ("5.4", lambda p, labels: -solved.cross_entropy_gradient(p, labels), "sign"),
    ("5.4", lambda p, labels: p / len(p), "at the labels"),
    ("5.4", lambda p, labels: -one_hot(p, labels) / p / len(p), "through softmax"),
    ("5.4", lambda p, labels: solved.cross_entropy_gradient(p, labels) * one_hot(p, labels), "other classes"),
    ("5.4", in_all_rows, "in all rows"),
    ("5.1", ReturnsTwo, "backward must return grad_x only, got a tuple of 2"),
    ("5.1", Clipped, "for x = -1000 and 1000 of float32: overflow"),
]
