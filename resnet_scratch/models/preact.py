"""The block of the second ResNet paper, which keeps the shortcut's way clear."""

from __future__ import annotations

import numpy as np

from ..compute.backend import Array
from ..layers import Add, BatchNorm2d, ReLU
from ..layers.residual import add_gradients
from ..layers.layer import Layer
from .blocks import conv3x3, make_shortcut


class PreActBlock(Layer):
    """Norm and ReLU before each convolution: y = F(x) + shortcut(x), F = conv2 . relu . bn2 . conv1 . relu . bn1.

    Nothing stands on the shortcut's way any more: a signal, and a gradient, gets from any block to any other unchanged.

    Source: He et al. 2016, "Identity Mappings in Deep Residual Networks", equation 5 and figure 4(e).
    """

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int, shortcut: str, rng: np.random.Generator) -> None:
        self.bn1 = BatchNorm2d(in_channels)
        self.relu1 = ReLU()
        self.conv1 = conv3x3(in_channels, width, stride, rng)
        self.bn2 = BatchNorm2d(width)
        self.relu2 = ReLU()
        self.conv2 = conv3x3(width, width, 1, rng)
        self.downsample = make_shortcut(shortcut, in_channels, width, stride, rng)
        self.add = Add()

    def forward(self, x: Array, training: bool = False) -> tuple[Array, tuple]:
        """x (N, H, W, in_channels) -> y (N, H / stride, W / stride, width)."""
        h, bn1 = self.bn1.forward(x, training)
        h, relu1 = self.relu1.forward(h, training)
        h, conv1 = self.conv1.forward(h, training)
        h, bn2 = self.bn2.forward(h, training)
        h, relu2 = self.relu2.forward(h, training)
        h, conv2 = self.conv2.forward(h, training)
        s, downsample = self.downsample.forward(x, training)
        y, add = self.add.forward(h, s, training)
        return y, (bn1, relu1, conv1, bn2, relu2, conv2, downsample, add)

    def backward(self, grad_y: Array, cache: tuple) -> Array:
        """grad_x, the sum of what comes back through the branch and through the shortcut."""
        bn1, relu1, conv1, bn2, relu2, conv2, downsample, add = cache
        g, grad_s = self.add.backward(grad_y, add)
        grad_shortcut = self.downsample.backward(grad_s, downsample)
        g = self.conv2.backward(g, conv2)
        g = self.relu2.backward(g, relu2)
        g = self.bn2.backward(g, bn2)
        g = self.conv1.backward(g, conv1)
        g = self.relu1.backward(g, relu1)
        g = self.bn1.backward(g, bn1)
        return add_gradients(g, grad_shortcut)
