"""Layers that are made of a student's answers.

`OwnConv2d` is a Conv2d whose forward and backward call the answers, and so on. To run a network on a student's code,
the classes of its layers are exchanged; its weights stay. An answer may return a list where an array is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ..layers import BatchNorm2d, Conv2d, ReLU
from ..layers.layer import Layer
from ..models.blocks import BasicBlock
from ..optim import SGD

Answers = Mapping[str, Any]  # a student's functions and classes, by the number of the task


def use_answers(network: Layer, answers: Answers, parts: Iterable[str]) -> None:
    """Exchange the classes of a network's layers for ones that run on the answers, for the `parts` named."""
    own: dict[type, type] = {}
    if "convolution" in parts:
        own[Conv2d] = own_conv2d(answers["1.4"], answers["2.2"], answers["2.3"])
    if "batch norm" in parts:
        own[BatchNorm2d] = own_batch_norm(answers["4.1"], answers["4.2"], answers["4.3"])
    if "ReLU" in parts:
        own[ReLU] = own_relu(answers["0.1"], answers["0.2"])
    if "block" in parts:
        own[BasicBlock] = answers["6.5"]
    for _, layer in list(network.named_layers()):
        layer.__class__ = own.get(type(layer), type(layer))


def own_conv2d(convolution: Callable, weight_gradient: Callable, add_back: Callable) -> type[Conv2d]:
    """A Conv2d that is made of the answers to tasks 1.4, 2.2 and 2.3."""

    class OwnConv2d(Conv2d):
        def forward(self, x, training=False):
            bias = np.zeros(self.out_channels, x.dtype) if self.bias is None else self.bias.value
            return np.asarray(convolution(x, self.weight.value, bias, self.stride[0], self.padding[0])), x

        def backward(self, grad_y, x):
            geometry = self.kernel_size, self.stride[0], self.padding[0]
            self.weight.grad = np.asarray(weight_gradient(x, grad_y, *geometry))
            if self.bias is not None:
                self.bias.grad = grad_y.sum((0, 1, 2))
            weight = self.weight.value.reshape(-1, self.out_channels)
            return np.asarray(add_back(grad_y.reshape(-1, self.out_channels) @ weight.T, x.shape, *geometry))

    return OwnConv2d


def own_batch_norm(batch_norm: Callable, batch_norm_backward: Callable, update_running: Callable) -> type[BatchNorm2d]:
    """A BatchNorm2d that is made of the answers to tasks 4.1, 4.2 and 4.3. In evaluation it is the library's."""

    class OwnBatchNorm2d(BatchNorm2d):
        def forward(self, x, training=False):
            if not training:
                return super().forward(x)
            mean, var = self.running_mean, self.running_var
            mean.value, var.value = map(np.asarray, update_running(mean.value, var.value, x, self.momentum))
            return np.asarray(batch_norm(x, self.weight.value, self.bias.value, self.eps)), x

        def backward(self, grad_y, x):
            one, zero = (np.ones_like(self.weight.value), np.zeros_like(self.weight.value))
            xhat = np.asarray(batch_norm(x, one, zero, self.eps))
            inverse_std = 1 / np.sqrt(x.var((0, 1, 2)) + self.eps)
            gradients = batch_norm_backward(grad_y, xhat, inverse_std, self.weight.value)
            grad_x, self.weight.grad, self.bias.grad = map(np.asarray, gradients)
            return grad_x

    return OwnBatchNorm2d


def own_relu(relu_forward: Callable, relu_backward: Callable) -> type[ReLU]:
    """A ReLU that is made of the answers to tasks 0.1 and 0.2."""

    class OwnReLU(ReLU):
        def forward(self, x, training=False):
            return np.asarray(relu_forward(x)), x

        def backward(self, grad_y, x):
            return np.asarray(relu_backward(grad_y, x))

    return OwnReLU


def own_loss(softmax: Callable, cross_entropy_gradient: Callable) -> Callable:
    """A `softmax_cross_entropy` that is made of the answers to tasks 5.3 and 5.4."""

    def loss(logits, labels):
        probabilities = np.asarray(softmax(logits))
        label_probabilities = probabilities[np.arange(len(labels)), labels]
        return -np.log(label_probabilities).mean(), np.asarray(cross_entropy_gradient(probabilities, labels))

    return loss


def own_sgd(sgd_step: Callable) -> type[SGD]:
    """An SGD that is made of the answer to task 8.1."""

    class OwnSGD(SGD):
        def step(self, learning_rate):
            for p, state in zip(self.parameters, self.states, strict=True):
                old = p.value, p.grad, state["velocity"]
                new = sgd_step(*old, learning_rate, self.momentum, self.weight_decay)
                p.value, state["velocity"] = map(np.asarray, new)

    return OwnSGD
