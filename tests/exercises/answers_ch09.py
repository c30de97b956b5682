"""Right answers in several styles to the tasks of tutorial 09, and wrong ones that people give."""

from __future__ import annotations

import math

import numpy as np

from resnet_scratch.exercises import ch09_why_depth_was_hard as solved
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


class RememberAlphaToo(Begun):
    def forward(self, branch, shortcut, training=False):
        return shortcut + branch * self.alpha.value[0], (branch, self.alpha.value.copy())

    def backward(self, grad_y, cache):
        branch, alpha = cache
        self.alpha.grad = np.array([np.vdot(grad_y, branch)])
        return grad_y * alpha, grad_y.copy()


class ByEinsum(Begun):
    def backward(self, grad_y, branch):
        self.alpha.grad = np.einsum("nhwc,nhwc->", grad_y, branch)[None]
        return np.multiply(grad_y, self.alpha.value), grad_y


class GradientInPlace(Begun):
    def backward(self, grad_y, branch):
        self.alpha.grad = np.zeros_like(self.alpha.value)
        for g, b in zip(grad_y, branch):
            self.alpha.grad += (g * b).sum()
        return [self.alpha.value * grad_y, grad_y][0], grad_y


class ReturnsLists(GradientInPlace):
    def forward(self, branch, shortcut, training=False):
        return list(super().forward(branch, shortcut))

    def backward(self, grad_y, branch):
        return list(super().backward(grad_y, branch))


class KeptInTheLayer(ByEinsum):
    def forward(self, branch, shortcut, training=False):
        y, self.kept = super().forward(branch, shortcut)
        return y, None

    def backward(self, grad_y, cache):
        return super().backward(grad_y, self.kept)


class NoCache(solved.ScaledAdd):
    def forward(self, branch, shortcut, training=False):
        return self.alpha.value * branch + shortcut


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


class AlphaAddedUp(Begun):
    """As in PyTorch."""

    def backward(self, grad_y, branch):
        new = np.reshape((grad_y * branch).sum(), (1,))
        self.alpha.grad = new if self.alpha.grad is None else self.alpha.grad + new
        return self.alpha.value * grad_y, grad_y


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


def kernel_by_loops(channels, size=3):
    weight = np.zeros((size, size, channels, channels), np.float32)
    for c in range(channels):
        weight[(size - 1) // 2, (size - 1) // 2, c, c] = 1.0
    return weight


def kernel_by_outer(channels, size=3):
    centre = np.zeros((size, size))
    centre[size // 2, size // 2] = 1
    return np.einsum("ij,co->ijco", centre, np.eye(channels))


def kernel_by_pad(channels, size=3):
    return np.pad(np.eye(channels)[None, None], ((size // 2,) * 2, (size // 2,) * 2, (0, 0), (0, 0)))


def scale_by_loop(layers, fan_in, std):
    mean_square = 1.0
    for _ in range(layers):
        mean_square = fan_in * std**2 * mean_square / 2
    return mean_square**0.5


def filter_by_loop(direction, weight):
    out = np.empty_like(direction)
    for o in range(direction.shape[-1]):
        length = np.linalg.norm(direction[..., o].ravel())
        out[..., o] = direction[..., o] / length * np.linalg.norm(weight[..., o].ravel())
    return out


def filter_as_matrix(direction, weight):
    d, w = direction.reshape(-1, direction.shape[-1]), weight.reshape(-1, weight.shape[-1])
    return (d / np.linalg.norm(d, axis=0) * np.linalg.norm(w, axis=0)).reshape(direction.shape)


def filter_on_a_copy(direction, weight):
    direction = direction.copy()
    direction *= np.sqrt(np.einsum("ijco,ijco->o", weight, weight) / np.einsum("ijco,ijco->o", direction, direction))
    return direction


def step(rate=lambda w, v: np.sqrt((w**2).sum() / (v**2).sum()), sign=-1):
    """relative_step with one thing wrong: the factor of the velocity, or its sign."""

    def answer(w, velocity, fraction):
        return w + sign * fraction * rate(w, velocity) * velocity if velocity.any() else w

    return answer


def step_by_unit_vector(w, velocity, fraction):
    length = (velocity * velocity).sum() ** 0.5
    unit = velocity / length if length > 0 else velocity
    return w - unit * (fraction * (w * w).sum() ** 0.5)


def step_with_vdot(w, velocity, fraction):
    new = w.copy()
    if np.vdot(velocity, velocity):
        new -= fraction * math.sqrt(np.vdot(w, w) / np.vdot(velocity, velocity)) * velocity
    return new


def step_in_place(w, velocity, fraction):
    w -= fraction * np.linalg.norm(w) / np.linalg.norm(velocity) * velocity
    return w


def step_by_column(w, velocity, fraction):
    if not velocity.any():
        return w
    lengths = np.sqrt((velocity**2).sum((0, 1)) if velocity.ndim > 2 else (velocity**2).sum())
    return w - fraction * np.linalg.norm(w) / lengths * velocity


RIGHT: list = [
    ("9.1", kernel_by_loops),
    ("9.1", kernel_by_outer),
    ("9.1", kernel_by_pad),
    ("9.2", scale_by_loop),
    ("9.2", lambda layers, fan_in, std: (fan_in * std**2 / 2) ** (layers / 2)),
    ("9.2", lambda layers, fan_in, std: math.exp(layers * (math.log(fan_in / 2) / 2 + math.log(std)))),
    ("9.4", filter_by_loop),
    ("9.4", filter_as_matrix),
    ("9.4", filter_on_a_copy),
    ("9.5", RememberAlphaToo),
    ("9.5", ByEinsum),
    ("9.5", GradientInPlace),
    ("9.5", ReturnsLists),
    ("9.3", step()),
    ("9.3", step_by_unit_vector),
    ("9.3", step_with_vdot),
]

WRONG = [
    ("9.1", kernel(lambda size: (size // 2, size // 2), lambda c: np.ones((c, c))), "sum of all input channels"),
    ("9.1", kernel(lambda size: (0, 0), np.eye), "shifted"),
    ("9.1", kernel(lambda size: ..., lambda c: np.eye(c) / 9), "centre"),
    ("9.1", lambda channels, size=3: np.eye(channels), "shape"),
    ("9.2", lambda layers, fan_in, std: (fan_in * std**2 / 2) ** layers, "mean square"),
    ("9.2", lambda layers, fan_in, std: math.sqrt(fan_in * std**2) ** layers, "half"),
    ("9.2", lambda layers, fan_in, std: math.sqrt(fan_in * std**2 / 2), "multiply"),
    ("9.2", lambda layers, fan_in, std: 1.0, "factor is"),
    ("9.4", lambda d, w: d * np.linalg.norm(w.ravel()) / np.linalg.norm(d.ravel()), "not the layer"),
    ("9.4", lambda d, w: d / np.sqrt((d**2).sum((0, 1, 2))), "has norm 1"),
    ("9.4", in_place, "in place"),
    ("9.4", lambda d, w: w.copy(), "keep its direction"),
    ("9.5", BranchNotScaled, "product with alpha"),
    ("9.5", NoCache, "forward must return two things"),
    ("9.5", AlphaNotSummed, "sum over all"),
    ("9.5", AlphaByMean, "alpha .*FAILED"),
    ("9.5", ShortcutScaledToo, "input 1 .*FAILED"),
    ("9.5", OneGradient, "two gradients"),
    ("9.5", ScalesTheShortcut, "must be the shortcut"),
    ("9.5", KeptInTheLayer, "kept on self"),
    ("9.5", AlphaAddedUp, "must overwrite"),
    ("9.3", step(sign=1), "minus, not plus"),
    ("9.3", step(lambda w, v: 1), "plain SGD"),
    ("9.3", step(lambda w, v: 1 / np.linalg.norm(v)), "times as long as w"),
    ("9.3", step(lambda w, v: np.linalg.norm(w)), "divided by its norm"),
    ("9.3", step(lambda w, v: np.linalg.norm(v) / np.linalg.norm(w)), "upside down"),
    ("9.3", step(lambda w, v: np.linalg.norm(w) / (v**2).sum()), "not by its square"),
    ("9.3", lambda w, v, fraction: w - fraction * abs(w) * np.sign(v), "fraction of itself"),
    ("9.3", lambda w, v, fraction: fraction * step_by_unit_vector(w, v, 1) - fraction * w, "new weights"),
    ("9.3", lambda w, v, fraction: w - step_by_unit_vector(w, v, fraction), "return the step"),
    ("9.3", lambda w, v, fraction: w - fraction * np.linalg.norm(w) / np.linalg.norm(v) * v, "divide by zero"),
    ("9.3", step_by_column, "one norm of all numbers"),
    ("9.3", step_in_place, "in place"),
]
