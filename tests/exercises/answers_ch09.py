"""Wrong answers that people give to the tasks of tutorial 09, and a word of what each must be told."""

from __future__ import annotations

import math

import numpy as np

from resnet_scratch.layers.layer import Layer, Parameter


def kernel(at, matrix):
    def answer(channels, size=3):
        weight = np.zeros((size, size, channels, channels))
        weight[at(size)] = matrix(channels)
        return weight

    return answer


class Begun(Layer):
    """What the student gets, with a right forward."""

    def __init__(self):
        self.alpha = Parameter(np.zeros(1, np.float32))

    def forward(self, branch, shortcut, training=False):
        return self.alpha.value * branch + shortcut, branch


class BranchNotScaled(Begun):
    def backward(self, grad_y, branch):
        self.alpha.grad = np.reshape((grad_y * branch).sum(), (1,))
        return grad_y, grad_y


class AlphaNotSummed(Begun):
    def backward(self, grad_y, branch):
        self.alpha.grad = grad_y * branch
        return self.alpha.value * grad_y, grad_y


class AlphaByMean(Begun):
    def backward(self, grad_y, branch):
        self.alpha.grad = np.reshape((grad_y * branch).mean(), (1,))
        return self.alpha.value * grad_y, grad_y


class ShortcutScaledToo(Begun):
    def backward(self, grad_y, branch):
        self.alpha.grad = np.reshape((grad_y * branch).sum(), (1,))
        return self.alpha.value * grad_y, self.alpha.value * grad_y


class OneGradient(Begun):
    def backward(self, grad_y, branch):
        self.alpha.grad = np.reshape((grad_y * branch).sum(), (1,))
        return self.alpha.value * grad_y


class ScalesTheShortcut(Begun):
    def forward(self, branch, shortcut, training=False):
        return branch + self.alpha.value * shortcut, branch


def in_place(direction, weight):
    direction *= np.sqrt((weight**2).sum((0, 1, 2)) / (direction**2).sum((0, 1, 2)))
    return direction


RIGHT: list = []

WRONG = [
    ("9.1", kernel(lambda size: (size // 2, size // 2), lambda c: np.ones((c, c))), "sum of all input channels"),
    ("9.1", kernel(lambda size: (0, 0), np.eye), "shifted"),
    ("9.1", kernel(lambda size: ..., lambda c: np.eye(c) / 9), "centre"),
    ("9.1", lambda channels, size=3: np.eye(channels), "shape"),
    ("9.2", lambda layers, fan_in, std: (fan_in * std**2 / 2) ** layers, "mean square"),
    ("9.2", lambda layers, fan_in, std: math.sqrt(fan_in * std**2) ** layers, "half"),
    ("9.2", lambda layers, fan_in, std: math.sqrt(fan_in * std**2 / 2), "multiply"),
    ("9.2", lambda layers, fan_in, std: 1.0, "factor is"),
    ("9.3", lambda norms: (norms[-1] / norms[0]) ** (1 / (len(norms) - 1)), "forward"),
    ("9.3", lambda norms: (norms[0] / norms[-1]) ** (1 / len(norms)), "not 4"),
    ("9.3", lambda norms: float(np.mean(np.divide(norms[:-1], norms[1:]))), "geometric"),
    ("9.3", lambda norms: norms[0] / norms[-1], "over all layers"),
    ("9.4", lambda d, w: d * np.linalg.norm(w.ravel()) / np.linalg.norm(d.ravel()), "not the layer"),
    ("9.4", lambda d, w: d / np.sqrt((d**2).sum((0, 1, 2))), "has norm 1"),
    ("9.4", in_place, "in place"),
    ("9.4", lambda d, w: w.copy(), "keep its direction"),
    ("9.5", BranchNotScaled, "product with alpha"),
    ("9.5", AlphaNotSummed, "sum over all"),
    ("9.5", AlphaByMean, "alpha .*FAILED"),
    ("9.5", ShortcutScaledToo, "input 1 .*FAILED"),
    ("9.5", OneGradient, "two gradients"),
    ("9.5", ScalesTheShortcut, "must be the shortcut"),
]
