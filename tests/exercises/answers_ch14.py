"""Wrong answers that people give to the tasks of tutorial 14, and a word of what each must be told."""

import numpy as np

from resnet_scratch.exercises import ch14_pytorch as solved


class Wrong(solved.Value):
    """Sums and products stay in the wrong class."""

    def __add__(self, other):
        return type(self)(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other):
        return type(self)(self.data * other.data, (self, other), (other.data, self.data))

    def relu(self):
        return type(self)(max(self.data, 0.0), (self,), (float(self.data > 0),))


class SetsInsteadOfAdding(Wrong):
    def backward(self, grad=1.0):
        self.grad = grad
        for parent, local in zip(self.parents, self.local_grads):
            SetsInsteadOfAdding.backward(parent, grad * local)


class KeepsOldGradients(Wrong):
    def backward(self):
        order = in_order(self)
        self.grad = 1.0
        for value in reversed(order):
            for parent, local in zip(value.parents, value.local_grads):
                parent.grad += value.grad * local


def in_order(value, seen=None):
    seen = {} if seen is None else seen
    if id(value) not in seen:
        for parent in value.parents:
            in_order(parent, seen)
        seen[id(value)] = value
    return list(seen.values())


class LeakyRelu(Wrong):
    def relu(self):
        return LeakyRelu(max(self.data, 0.0), (self,), (1.0,))


def reshaped(name, array):
    return array.reshape(solved.to_torch_layout(name, array).shape)


def as_view(name, array):
    return array.transpose((0, 3, 1, 2) if name == "images" else {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[array.ndim])


def linear_forgotten(name, array):
    return array if array.ndim == 2 else solved.to_torch_layout(name, array)


def unscaled_mean(weight, scale, shift, mean, var, eps):
    return weight * scale / np.sqrt(var + eps), shift - mean


def without_eps(weight, scale, shift, mean, var, eps):
    return solved.fold_batchnorm(weight, scale, shift, mean, var, 0.0)


def var_as_std(weight, scale, shift, mean, var, eps):
    return weight * scale / (var + eps), shift - mean * scale / (var + eps)


def absolute(ours, theirs):
    distance = {name: abs(ours[name] - theirs[name]).max() for name in ours}
    worst = max(distance, key=distance.get)
    return worst, distance[worst]


def stretched(ours, theirs):
    if ours.keys() != theirs.keys():
        raise ValueError("names: conv1.weight bn1.bias")
    distance = {name: abs(ours[name] - theirs[name]).max() / abs(theirs[name]).max() for name in ours}
    worst = max(distance, key=distance.get)
    return worst, distance[worst]


RIGHT: list = []

WRONG = [
    ("14.1", reshaped, "transpose moves them"),
    ("14.1", as_view, "contiguous"),
    ("14.1", linear_forgotten, "fc.weight of"),
    ("14.2", unscaled_mean, "scaled too"),
    ("14.2", without_eps, "the eps given"),
    ("14.2", var_as_std, "not yet a standard deviation"),
    ("14.3", SetsInsteadOfAdding, "used twice"),
    ("14.3", KeepsOldGradients, "start from 0"),
    ("14.3", LeakyRelu, "derivative of relu"),
    ("14.4", absolute, "in absolute terms"),
    ("14.4", stretched, "a shape that is not the same"),
]
