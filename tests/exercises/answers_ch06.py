"""Right answers in several styles to the tasks of tutorial 06, and wrong ones that people give."""

from __future__ import annotations

import math

import numpy as np
from wrong_layers import gradient_in_a_list, returns_all_gradients

from resnet_scratch.exercises import ch06_residual_connection as tasks
from resnet_scratch.layers import Add, AvgPool2d
from resnet_scratch.layers.residual import add_gradients

# 6.1, y = x + relu(x W)


class TinyByWhere(tasks.TinyResidual):
    """Caches x and h, makes the mask in backward."""

    def forward(self, x, training=False):
        h = np.dot(x, self.weight.value)
        return np.where(h > 0, x + h, x), {"x": x, "h": h}

    def backward(self, grad_y, cache):
        grad_h = np.where(cache["h"] > 0, grad_y, 0)
        self.weight.grad = np.einsum("ni,nj->ij", cache["x"], grad_h)
        return np.einsum("nj,ij->ni", grad_h, self.weight.value) + grad_y


class TinyFromX(tasks.TinyResidual):
    """Caches x only, as a list of two things, and computes h again."""

    def forward(self, x, training=False):
        y = (x @ self.weight.value).clip(0)
        y += x
        return [y, x]

    def backward(self, grad_y, x):
        grad_x, h = grad_y.copy(), x @ self.weight.value
        grad_h = grad_y * np.heaviside(h, 0)
        grad_x += grad_h @ self.weight.value.T
        self.weight.grad = (grad_h.T @ x).T
        return grad_x


class TinyRowByRow(tasks.TinyResidual):
    def forward(self, x, training=False):
        return np.stack([row + np.maximum(row @ self.weight.value, 0) for row in x]), (x,)

    def backward(self, grad_y, cache):
        (x,) = cache
        W, grad_x, grad_w = self.weight.value, np.empty_like(x), np.zeros_like(self.weight.value)
        for n, (row, g) in enumerate(zip(x, grad_y)):
            open_ = np.diag((row @ W > 0).astype(float))
            grad_x[n] = (np.eye(len(row)) + W @ open_) @ g
            grad_w += np.outer(row, open_ @ g)
        self.weight.grad = grad_w
        return grad_x


def tiny(output=None, grad_x=None, grad_w=None):
    """TinyResidual with one thing wrong: what forward returns, or what backward returns or stores."""

    class Wrong(tasks.TinyResidual):
        def forward(self, x, training=False):
            y, cache = super().forward(x)
            return (output(x, self.weight.value) if output else y), cache

        def backward(self, grad_y, cache):
            right = super().backward(grad_y, cache)
            if grad_w:
                self.weight.grad = grad_w(cache[0], grad_y, cache[1])
            return grad_x(grad_y, cache[1], self.weight.value) if grad_x else right

    return Wrong


def in_place(grad_y, positive, weight):
    shortcut = grad_y.copy()
    grad_y *= positive
    return shortcut + grad_y @ weight.T


class CacheForgotten(tasks.TinyResidual):
    def forward(self, x, training=False):
        return super().forward(x)[0]


class CacheIsNone(tasks.TinyResidual):
    def forward(self, x, training=False):
        y, self.kept = super().forward(x)
        return y, None

    def backward(self, grad_y, cache):
        return super().backward(grad_y, self.kept)


class CacheOnSelf(tasks.TinyResidual):
    def forward(self, x, training=False):
        y, self.kept = super().forward(x)
        return y, self.kept

    def backward(self, grad_y, cache):
        return super().backward(grad_y, self.kept)


class XOnSelf(tasks.TinyResidual):
    """Only the gradient of the weights uses what forward kept on self."""

    def forward(self, x, training=False):
        self.x = x
        return super().forward(x)

    def backward(self, grad_y, cache):
        return super().backward(grad_y, (self.x, cache[1]))


class AddsInPlace(tasks.TinyResidual):
    def forward(self, x, training=False):
        h = x @ self.weight.value
        cache = x.copy(), h > 0
        x += np.maximum(h, 0)
        return x, cache


class WeightForgotten(tasks.TinyResidual):
    def backward(self, grad_y, cache):
        return grad_y + (grad_y * cache[1]) @ self.weight.value.T


class MaskOfY(tasks.TinyResidual):
    def forward(self, x, training=False):
        y, _ = super().forward(x)
        return y, (x, y > 0)


class ReturnsNothing(tasks.TinyResidual):
    def backward(self, grad_y, cache):
        super().backward(grad_y, cache)


# 6.2, the average shortcut


class AverageBySlices(tasks.AveragePad):
    def forward(self, x, training=False):
        mean = (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4
        zeros = np.zeros((*mean.shape[:3], self.out_channels - self.in_channels), x.dtype)
        return np.concatenate([mean, zeros], axis=3), x.shape

    def backward(self, grad_y, shape):
        grad_x = np.empty(shape, grad_y.dtype)
        for i in (0, 1):
            for j in (0, 1):
                grad_x[:, i::2, j::2] = grad_y[..., : self.in_channels] / 4
        return grad_x


class AverageByPool(tasks.AveragePad):
    def forward(self, x, training=False):
        self.pool = AvgPool2d(2)
        mean, cache = self.pool.forward(x, training)
        return np.pad(mean, ((0, 0), (0, 0), (0, 0), (0, self.out_channels - self.in_channels))), cache

    def backward(self, grad_y, cache):
        return AvgPool2d(2).backward(np.ascontiguousarray(grad_y[..., : self.in_channels]), cache)


class AverageByKron(tasks.AveragePad):
    def forward(self, x, training=False):
        y = np.zeros((len(x), x.shape[1] // 2, x.shape[2] // 2, self.out_channels), x.dtype)
        for n, i, j in np.ndindex(y.shape[:3]):
            y[n, i, j, : self.in_channels] = x[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean((0, 1))
        return y, ()

    def backward(self, grad_y, cache):
        return np.kron(grad_y[..., : self.in_channels], np.full((1, 2, 2, 1), 0.25))


def pad(factor=1.0, take=None, first=True, grad=None):
    """AveragePad with one thing wrong."""

    class Wrong(tasks.AveragePad):
        def forward(self, x, training=False):
            y, cache = super().forward(x)
            if take is not None:
                y[..., : x.shape[3]] = take(x)
            return y[..., :: 1 if first else -1] * factor, cache

        def backward(self, grad_y, cache):
            right = super().backward(grad_y, cache)
            return right if grad is None else grad(right)

    return Wrong


def upper_left(grad):
    wrong = np.zeros_like(grad)
    wrong[:, ::2, ::2] = grad[:, ::2, ::2]
    return wrong


class Float64(tasks.AveragePad):
    def forward(self, x, training=False):
        y, cache = super().forward(x)
        return y.astype(np.float64), cache


class Float32(tasks.AveragePad):
    def forward(self, x, training=False):
        y, cache = super().forward(x)
        return y.astype(np.float32), cache


# 6.3, batch norm after the addition


def block(backward):
    """NormAfterAddBlock with this backward."""
    return type("Answer", (tasks.NormAfterAddBlock,), {"backward": backward})


def through(self, cache, g):
    conv1, bn1, relu1, conv2 = cache[:4]
    g = self.relu1.backward(self.conv2.backward(g, conv2), relu1)
    return self.conv1.backward(self.bn1.backward(g, bn1), conv1)


def at_addition(self, grad_y, cache):
    return self.bn2.backward(self.relu2.backward(grad_y, cache[6]), cache[5])


def by_loop(self, grad_y, cache):
    names = ["conv1", "bn1", "relu1", "conv2", "add", "bn2", "relu2"]
    g, grad_shortcut = grad_y, None
    for name, layer_cache in zip(names[::-1], cache[::-1]):
        g = getattr(self, name).backward(g, layer_cache)
        if name == "add":
            g, grad_shortcut = g
    return add_gradients(g, grad_shortcut)


def without_add(self, grad_y, cache):
    grad_sum = at_addition(self, grad_y, cache)
    return through(self, cache, grad_sum) + grad_sum


def with_copies(self, grad_y, cache):
    both = self.add.backward(at_addition(self, grad_y, cache), cache[4])
    total = both[1].copy()
    total += through(self, cache, both[0].copy())
    return total


def relu_left_out(self, grad_y, cache):
    g = self.bn2.backward(grad_y, cache[5])
    return through(self, cache, g) + g


# 6.5, the basic block


class BlockByLoop(tasks.ResidualBlock):
    NAMES = ("conv1", "bn1", "relu1", "conv2", "bn2")

    def forward(self, x, training=False):
        caches, h = [], x
        for name in self.NAMES:
            h, cache = getattr(self, name).forward(h, training)
            caches.append(cache)
        s, downsample = self.downsample.forward(x, training)
        y, last = self.relu2.forward(s + h, training)
        return y, (caches, downsample, last)

    def backward(self, grad_y, cache):
        caches, downsample, last = cache
        g = grad_sum = self.relu2.backward(grad_y, last)
        for name, inner in zip(self.NAMES[::-1], caches[::-1]):
            g = getattr(self, name).backward(g, inner)
        return self.downsample.backward(grad_sum, downsample) + g


class BlockWithAdd(tasks.ResidualBlock):
    """Uses the library's `Add`, and a dictionary as cache."""

    def forward(self, x, training=False):
        kept = {}
        s, kept["s"] = self.downsample.forward(x, training)
        h, kept["conv1"] = self.conv1.forward(x, training)
        h, kept["bn1"] = self.bn1.forward(h, training)
        h, kept["relu1"] = self.relu1.forward(h, training)
        h, kept["conv2"] = self.conv2.forward(h, training)
        h, kept["bn2"] = self.bn2.forward(h, training)
        h, kept["add"] = Add().forward(h, s, training)
        y, kept["relu2"] = self.relu2.forward(h, training)
        return y, kept

    def backward(self, grad_y, kept):
        g, grad_s = Add().backward(self.relu2.backward(grad_y, kept["relu2"]), kept["add"])
        for name in ("bn2", "conv2", "relu1", "bn1", "conv1"):
            g = getattr(self, name).backward(g, kept[name])
        return add_gradients(g, self.downsample.backward(grad_s, kept["s"]))


class BlockWithOwnMask(tasks.ResidualBlock):
    """The last ReLU written out."""

    def forward(self, x, training=False):
        a, c1 = self.conv1.forward(x, training)
        b, c2 = self.bn1.forward(a, training)
        c, c3 = self.relu1.forward(b, training)
        d, c4 = self.conv2.forward(c, training)
        e, c5 = self.bn2.forward(d, training)
        f, c6 = self.downsample.forward(x, training)
        total = e + f
        return total.clip(0), (c1, c2, c3, c4, c5, c6, total > 0)

    def backward(self, grad_y, cache):
        c1, c2, c3, c4, c5, c6, mask = cache
        g = np.where(mask, grad_y, 0).astype(grad_y.dtype)
        grad_x = self.downsample.backward(g, c6).copy()
        d = self.conv2.backward(self.bn2.backward(g, c5), c4)
        grad_x += self.conv1.backward(self.bn1.backward(self.relu1.backward(d, c3), c2), c1)
        return grad_x


def residual(forward=None, backward=None):
    """ResidualBlock with another forward or backward."""
    own = {name: method for name, method in (("forward", forward), ("backward", backward)) if method}
    return type("Answer", (tasks.ResidualBlock,), own)


def block_forward(
    last=lambda self, h, s, training: self.relu2.forward(h + s, training),
    training_of=lambda t: t,
    shortcut_training_of=lambda t: t,
):
    """A forward with one thing wrong: how it ends, or what the first batch norm or the shortcut is told of training."""

    def forward(self, x, training=False):
        h, conv1 = self.conv1.forward(x, training)
        h, bn1 = self.bn1.forward(h, training_of(training))
        h, relu1 = self.relu1.forward(h, training)
        h, conv2 = self.conv2.forward(h, training)
        h, bn2 = self.bn2.forward(h, training)
        s, downsample = self.downsample.forward(x, shortcut_training_of(training))
        y, relu2 = last(self, h, s, training)
        return y, (conv1, bn1, relu1, conv2, bn2, downsample, relu2)

    return forward


def relu_before_the_addition(self, h, s, training):
    y, cache = self.relu2.forward(h, training)
    return y + s, cache


def adds_into_the_shortcut(self, h, s, training):
    s += h  # the identity hands on x itself
    return self.relu2.forward(s, training)


def never_training(self, x, training=False):
    return tasks.ResidualBlock.forward(self, x)


def block_backward(combine, relu=True):
    """A backward that combines (through the branch, through the shortcut, grad_sum, grad_y) in its own way."""

    def backward(self, grad_y, cache):
        grad_sum = self.relu2.backward(grad_y, cache[6]) if relu else grad_y
        g = self.relu1.backward(self.conv2.backward(self.bn2.backward(grad_sum, cache[4]), cache[3]), cache[2])
        g = self.conv1.backward(self.bn1.backward(g, cache[1]), cache[0])
        return combine(self, g, grad_sum, grad_y, cache[5])

    return backward


def in_place_sum(self, grad_y, cache):
    grad_y *= cache[6] > 0
    return tasks.ResidualBlock.backward(self, grad_y, cache)


ROOT = math.sqrt(2 * math.pi)


def by_integration(blocks, start, scale):
    z = np.linspace(0, 12, 200_001)
    lift = np.sum(z * np.exp(-(z**2) / 2)) * (z[1] - z[0]) / math.sqrt(2 * math.pi)
    for _ in range(blocks):
        start += scale * lift
    return start


RIGHT: list = [
    ("6.1", TinyByWhere),
    ("6.1", TinyFromX),
    ("6.1", TinyRowByRow),
    ("6.2", AverageBySlices),
    ("6.2", AverageByPool),
    ("6.2", AverageByKron),
    ("6.3", block(by_loop)),
    ("6.3", block(without_add)),
    ("6.3", block(with_copies)),
    ("6.4", by_integration),
    ("6.4", lambda blocks, start, scale: np.float64(start) + 0.39894228 * (scale * blocks)),
    ("6.4", lambda blocks, start, scale: sum([scale / np.sqrt(np.pi * 2)] * blocks, start)),
    ("6.5", BlockByLoop),
    ("6.5", BlockWithAdd),
    ("6.5", BlockWithOwnMask),
]

WRONG = [
    ("6.1", tiny(output=lambda x, w: np.maximum(x + x @ w, 0)), "after the addition"),
    ("6.1", tiny(output=lambda x, w: np.maximum(x @ w, 0)), "branch only"),
    ("6.1", tiny(output=lambda x, w: x + x @ w), "ReLU is missing: y"),
    ("6.1", tiny(output=lambda x, w: x + np.maximum(x * w, 0) if len(x) == 2 else x), "matrix product"),
    ("6.1", tiny(output=lambda x, w: x + np.maximum(x @ w.T, 0)), "W is transposed"),
    ("6.1", tiny(output=lambda x, w: (x + np.maximum(x @ w, 0))[0]), "shape of x"),
    ("6.1", tiny(grad_x=lambda g, positive, w: (g * positive) @ w.T), "shortcut, whose gradient"),
    ("6.1", tiny(grad_x=lambda g, positive, w: g), "only what comes back through the shortcut"),
    ("6.1", tiny(grad_x=lambda g, positive, w: g + g @ w.T), "ReLU is missing in backward"),
    ("6.1", tiny(grad_x=lambda g, positive, w: g * positive + (g * positive) @ w.T), "without the mask"),
    ("6.1", tiny(grad_x=lambda g, positive, w: g + (g * positive) @ w), "needs W transposed"),
    ("6.1", tiny(grad_x=in_place), "grad_y in place"),
    ("6.1", tiny(grad_w=lambda x, g, positive: x.T @ g), "respect to weight"),
    ("6.1", tiny(grad_w=lambda x, g, positive: x.T @ (g * positive) / len(x)), "respect to weight"),
    ("6.1", CacheForgotten, "forget the cache"),
    ("6.1", CacheIsNone, "your cache is None"),
    ("6.1", CacheOnSelf, "kept on self"),
    ("6.1", XOnSelf, "kept on self"),
    ("6.1", AddsInPlace, "changed x in place"),
    ("6.1", WeightForgotten, "must set self.weight.grad"),
    ("6.1", MaskOfY, "not y > 0"),
    ("6.1", ReturnsNothing, "returns nothing"),
    ("6.2", pad(factor=4), "sums"),
    ("6.2", pad(take=lambda x: x[:, ::2, ::2]), "one pixel in four"),
    ("6.2", pad(take=lambda x: x.reshape(len(x), *x.shape[1:]).mean((1, 2), keepdims=True)), "channels of y must be"),
    ("6.2", pad(first=False), "must be zero"),
    ("6.2", pad(grad=lambda g: 4 * g), "1/4 of the gradient"),
    ("6.2", pad(grad=upper_left), "only the upper left"),
    ("6.2", pad(grad=lambda g: 4 * upper_left(g)), "the whole gradient"),
    ("6.2", pad(grad=lambda g: g[:, ::2, ::2]), "shape of x"),
    ("6.2", Float64, "float32"),
    ("6.2", Float32, "for float64 x, y must be float64, got float32"),
    (
        "6.3",
        block(lambda self, g, cache: through(self, cache, at_addition(self, g, cache))),
        "only what comes back through the branch",
    ),
    ("6.3", block(at_addition), "only what comes back through the shortcut"),
    (
        "6.3",
        block(lambda self, g, cache: through(self, cache, at_addition(self, g, cache)) + g),
        "as you were given it",
    ),
    (
        "6.3",
        block(
            lambda self, g, cache: through(self, cache, at_addition(self, g, cache)) + self.relu2.backward(g, cache[6])
        ),
        "not been through bn2",
    ),
    ("6.3", block(relu_left_out), "relu2 is missing"),
    ("6.3", block(lambda self, g, cache: 2 * without_add(self, g, cache)), "wrong gradient with respect to input"),
    ("6.4", lambda blocks, start, scale: start + blocks * scale / 2, "half"),
    ("6.4", lambda blocks, start, scale: start + blocks / ROOT, "not used"),
    ("6.4", lambda blocks, start, scale: start + blocks * scale**2 / ROOT, "enters squared"),
    ("6.4", lambda blocks, start, scale: start + math.sqrt(blocks) * scale / ROOT, "means add"),
    ("6.4", lambda blocks, start, scale: blocks * scale / ROOT, "before the first block"),
    ("6.4", lambda blocks, start, scale: start + scale / ROOT, "one block"),
    ("6.4", lambda blocks, start, scale: start, "does not stay"),
    ("6.4", lambda blocks, start, scale: start + blocks * scale * math.sqrt(2 / math.pi), "E.[|]z[|]."),
    ("6.4", lambda blocks, start, scale: start + blocks * scale, "the means must be"),
    ("6.5", residual(block_forward(lambda self, h, s, training: self.relu2.forward(h, training))), "is missing from y"),
    ("6.5", residual(block_forward(lambda self, h, s, training: (h + s, h))), "last ReLU is missing"),
    ("6.5", residual(block_forward(relu_before_the_addition)), "add first"),
    ("6.5", residual(block_forward(adds_into_the_shortcut)), "changed x in place"),
    ("6.5", residual(never_training), "in training: y"),
    ("6.5", residual(block_forward(training_of=lambda training: False)), "in training: y is not"),
    ("6.5", residual(block_forward(shortcut_training_of=lambda training: False)), "the shortcut too"),
    ("6.5", residual(lambda self, x, training=False: tasks.ResidualBlock.forward(self, x, True)), "pass `training` on"),
    ("6.5", residual(lambda self, x, training=False: tasks.ResidualBlock.forward(self, x, training)[0]), "forget the"),
    (
        "6.5",
        residual(backward=block_backward(lambda self, g, grad_sum, grad_y, cache: g)),
        "only what comes back through the branch",
    ),
    (
        "6.5",
        residual(
            backward=block_backward(
                lambda self, g, grad_sum, grad_y, cache: self.downsample.backward(grad_sum, cache),
            )
        ),
        "only what comes back through the shortcut",
    ),
    (
        "6.5",
        residual(
            backward=block_backward(
                lambda self, g, grad_sum, grad_y, cache: g + self.downsample.backward(grad_y, cache),
            )
        ),
        "not grad_y",
    ),
    (
        "6.5",
        residual(
            backward=block_backward(
                lambda self, g, grad_sum, grad_y, cache: g + self.downsample.backward(grad_sum, cache), relu=False
            )
        ),
        "relu2 is missing in backward",
    ),
    (
        "6.5",
        residual(
            backward=block_backward(
                lambda self, g, grad_sum, grad_y, cache: (g + self.downsample.backward(grad_sum, cache)) / 2
            )
        ),
        "wrong gradient with respect to input",
    ),
    ("6.5", residual(backward=in_place_sum), "grad_y in place"),
    ("6.1", returns_all_gradients(tasks.TinyResidual), "backward must return grad_x only, got a tuple of 2"),
    ("6.1", gradient_in_a_list(tasks.TinyResidual), "got list"),
]
