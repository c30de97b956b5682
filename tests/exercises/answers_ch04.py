"""Wrong answers that people give to the tasks of tutorial 04, and a word of what each must be told."""

import numpy as np

from resnet_scratch.exercises import ch04_batchnorm as solved

AXES = (0, 1, 2)


def forward(axes=AXES, ddof=0, root=np.sqrt):
    def answer(x, weight, bias, eps=1e-5):
        mean, var = x.mean(axes, keepdims=True), x.var(axes, ddof=ddof, keepdims=True)
        return weight * (x - mean) / root(var + eps) + bias

    return answer


def eps_outside(x, weight, bias, eps=1e-5):
    return weight * (x - x.mean(AXES)) / (x.std(AXES) + eps) + bias


def backward(mean=True, variance=True, reduce=np.mean):
    def answer(grad_y, xhat, inverse_std, weight):
        grad_x = grad_y - mean * reduce(grad_y, AXES) - variance * xhat * reduce(grad_y * xhat, AXES)
        return weight * inverse_std * grad_x, (grad_y * xhat).sum(AXES), grad_y.sum(AXES)

    return answer


def without_weight(grad_y, xhat, inverse_std, weight):
    grad_x, grad_weight, grad_bias = solved.batch_norm_backward(grad_y, xhat, inverse_std, weight)
    return grad_x / weight, grad_weight, grad_bias


def mean_gradients(grad_y, xhat, inverse_std, weight):
    grad_x, grad_weight, grad_bias = solved.batch_norm_backward(grad_y, xhat, inverse_std, weight)
    return grad_x, (grad_y * xhat).mean(AXES), grad_bias


def running(ddof=1, old=False):
    def answer(mean, var, x, momentum=0.1):
        m = 1 - momentum if old else momentum
        return (1 - m) * mean + m * x.mean(AXES), (1 - m) * var + m * x.var(AXES, ddof=ddof)

    return answer


def running_in_place(mean, var, x, momentum=0.1):
    mean += momentum * (x.mean(AXES) - mean)
    var += momentum * (x.var(AXES, ddof=1) - var)
    return mean, var


class OverTheBatch(solved.LayerNorm):
    def forward(self, x, training=False):
        xhat = (x - x.mean(0)) / np.sqrt(x.var(0) + self.eps)
        return self.weight.value * xhat + self.bias.value, xhat


class WeightOutside(solved.LayerNorm):
    def backward(self, grad_y, cache):
        xhat, inverse_std = cache
        self.weight.grad, self.bias.grad = (grad_y * xhat).sum(0), grad_y.sum(0)
        means = grad_y.mean(1, keepdims=True) + xhat * (grad_y * xhat).mean(1, keepdims=True)
        return self.weight.value * inverse_std * (grad_y - means)


class NoScale(solved.LayerNorm):
    def forward(self, x, training=False):
        _, cache = super().forward(x)
        return cache[0], cache


RIGHT: list = []

WRONG = [
    ("4.1", forward(axes=(1, 2)), "by itself"),
    ("4.1", forward(ddof=1), "M - 1"),
    ("4.1", forward(root=lambda v: v), "square root"),
    ("4.1", forward(axes=(0, 1, 2, 3)), "mixed"),
    ("4.1", eps_outside, "a root of 0.2"),
    ("4.2", backward(mean=False, variance=False), "constants"),
    ("4.2", backward(variance=False), "variance is missing"),
    ("4.2", backward(mean=False), "mean is missing"),
    ("4.2", backward(reduce=np.sum), "sums in place of means"),
    ("4.2", without_weight, "where is the weight"),
    ("4.2", mean_gradients, "weight is a sum"),
    ("4.3", running(old=True), "share of the new batch"),
    ("4.3", running(ddof=0), "biased"),
    ("4.3", running_in_place, "in place"),
    ("4.4", OverTheBatch, "over the batch"),
    ("4.4", WeightOutside, "inside the two means"),
    ("4.4", NoScale, "of its own"),
]
