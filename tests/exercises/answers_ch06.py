"""Wrong answers that people give to the tasks of tutorial 06, and a word of what each must be told."""

from __future__ import annotations

import math

import numpy as np

from resnet_scratch.exercises import ch06_residual_connection as tasks


def tiny(output=None, grad_x=None):
    """TinyResidual with one thing wrong: what forward or what backward returns."""

    class Wrong(tasks.TinyResidual):
        def forward(self, x, training=False):
            y, cache = super().forward(x)
            return (output(x, self.weight.value) if output else y), cache

        def backward(self, grad_y, cache):
            right = super().backward(grad_y, cache)
            return grad_x(grad_y, cache[1], self.weight.value) if grad_x else right

    return Wrong


def in_place(grad_y, positive, weight):
    shortcut = grad_y.copy()
    grad_y *= positive
    return shortcut + grad_y @ weight.T


class NoWeightGradient(tasks.TinyResidual):
    def backward(self, grad_y, cache):
        grad_x = super().backward(grad_y, cache)
        self.weight.grad = cache[0].T @ grad_y
        return grad_x


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


def block(backward):
    """NormAfterAddBlock with this backward."""
    return type("Wrong", (tasks.NormAfterAddBlock,), {"backward": backward})


def through(self, cache, g):
    conv1, bn1, relu1, conv2 = cache[:4]
    g = self.relu1.backward(self.conv2.backward(g, conv2), relu1)
    return self.conv1.backward(self.bn1.backward(g, bn1), conv1)


def at_addition(self, grad_y, cache):
    return self.bn2.backward(self.relu2.backward(grad_y, cache[6]), cache[5])


def relu_left_out(self, grad_y, cache):
    g = self.bn2.backward(grad_y, cache[5])
    return through(self, cache, g) + g


RIGHT: list = []

WRONG = [
    ("6.1", tiny(output=lambda x, w: np.maximum(x + x @ w, 0)), "behind the addition"),
    ("6.1", tiny(output=lambda x, w: np.maximum(x @ w, 0)), "branch only"),
    ("6.1", tiny(grad_x=lambda g, positive, w: (g * positive) @ w.T), "shortcut, whose gradient"),
    ("6.1", tiny(grad_x=lambda g, positive, w: g), "the shortcut's only"),
    ("6.1", tiny(grad_x=lambda g, positive, w: g + g @ w.T), "ReLU is missing"),
    ("6.1", tiny(grad_x=lambda g, positive, w: g * positive + (g * positive) @ w.T), "without the mask"),
    ("6.1", tiny(grad_x=lambda g, positive, w: g + (g * positive) @ w), "do not fit"),
    ("6.1", tiny(grad_x=in_place), "in place"),
    ("6.1", NoWeightGradient, "weight"),
    ("6.2", pad(factor=4), "sums"),
    ("6.2", pad(take=lambda x: x[:, ::2, ::2]), "one pixel of four"),
    ("6.2", pad(first=False), "must be zero"),
    ("6.2", pad(grad=lambda g: 4 * g), "1/4 of the gradient"),
    ("6.2", pad(grad=upper_left), "only the upper left"),
    ("6.2", pad(grad=lambda g: g[:, ::2, ::2]), "shape of x"),
    ("6.2", Float64, "float32"),
    ("6.3", block(lambda self, g, cache: through(self, cache, at_addition(self, g, cache))), "lacks"),
    ("6.3", block(lambda self, g, cache: through(self, cache, at_addition(self, g, cache)) + g), "as it was handed in"),
    (
        "6.3",
        block(
            lambda self, g, cache: through(self, cache, at_addition(self, g, cache)) + self.relu2.backward(g, cache[6])
        ),
        "not been through bn2",
    ),
    ("6.3", block(relu_left_out), "wrong gradient at input"),
    ("6.4", lambda blocks, start, scale: start + blocks * scale / 2, "half"),
    ("6.4", lambda blocks, start, scale: start + blocks / math.sqrt(2 * math.pi), "not used"),
    ("6.4", lambda blocks, start, scale: start + math.sqrt(blocks) * scale / math.sqrt(2 * math.pi), "means add"),
    ("6.4", lambda blocks, start, scale: blocks * scale / math.sqrt(2 * math.pi), "to begin with"),
    ("6.4", lambda blocks, start, scale: start + blocks * scale, "the mean is"),
]
