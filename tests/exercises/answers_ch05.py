"""Wrong answers that people give to the tasks of tutorial 05, and a word of what each must be told."""

import numpy as np

from resnet_scratch.exercises import ch05_relu_pooling_linear_loss as solved


class Overflows(solved.Sigmoid):
    def forward(self, x, training=False):
        y = 1 / (1 + np.exp(-x))
        return y, y


class ForgetsGradY(solved.Sigmoid):
    def backward(self, grad_y, cache):
        return cache * (1 - cache)


class Tanh(solved.Sigmoid):
    def forward(self, x, training=False):
        y = np.tanh(x)
        return y, y


def all_winners(grad_y, x):
    windows = grad_y.repeat(2, 1).repeat(2, 2)
    y = np.maximum.reduce([x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)])
    return windows * (x == y.repeat(2, 1).repeat(2, 2))


def shared_out(grad_y, x):
    equal = all_winners(np.ones_like(grad_y), x)
    count = sum(equal[:, i::2, j::2] for i in (0, 1) for j in (0, 1))
    return all_winners(grad_y / count, x)


def first_pixel(grad_y, x):
    grad_x = np.zeros_like(x)
    grad_x[:, ::2, ::2] = grad_y
    return grad_x


def in_place(probabilities, labels):
    probabilities[np.arange(len(labels)), labels] -= 1
    return probabilities / len(labels)


RIGHT: list = []

WRONG = [
    ("5.1", Overflows, "overflow"),
    ("5.1", ForgetsGradY, "the gradient is wrong"),
    ("5.1", Tanh, "0.5, 0.75, 0.25"),
    ("5.2", all_winners, "thrice"),
    ("5.2", shared_out, "gets it all"),
    ("5.2", first_pixel, "the window"),
    ("5.3", lambda z: np.exp(z) / np.exp(z).sum(1, keepdims=True), "subtract the largest"),
    ("5.3", lambda z: np.exp(z - z.max()) / np.exp(z - z.max()).sum(), "each row must"),
    ("5.3", lambda z: np.exp(z - z.max()) / np.exp(z - z.max()).sum(1, keepdims=True), "each row"),
    ("5.4", in_place, "in place"),
    ("5.4", lambda p, labels: solved.cross_entropy_gradient(p, labels) * len(p), "but for the mean"),
    ("5.4", lambda p, labels: -solved.cross_entropy_gradient(p, labels), "sign"),
    ("5.4", lambda p, labels: p / len(p), "at the label"),
]
