"""The layers of a basic block in another order. Each `backward` reads as its `forward` from bottom to top."""

from __future__ import annotations

import numpy as np

from ..compute.backend import Array
from ..layers import Add, BatchNorm2d, ReLU
from ..layers.residual import add_gradients
from .blocks import Block, conv3x3, make_shortcut


class ReluBeforeAddBlock(Block):
    """The block in the order of the seven steps conv, bn, relu, conv, bn, relu, add: y = relu(bn2(...)) + shortcut(x).

    The branch can only add, never subtract, so signals grow from block to block: He et al. 2016, "Identity Mappings
    in Deep Residual Networks", figure 4(c) and section 4.1, which found it worse than `BasicBlock`.
    """

    last_norm = "bn2"

    def __init__(self, in_channels: int, width: int, stride: int, shortcut: str, rng: np.random.Generator) -> None:
        self.conv1 = conv3x3(in_channels, width, stride, rng)
        self.bn1 = BatchNorm2d(width)
        self.relu1 = ReLU()
        self.conv2 = conv3x3(width, width, 1, rng)
        self.bn2 = BatchNorm2d(width)
        self.relu2 = ReLU()
        self.downsample = make_shortcut(shortcut, in_channels, width, stride, rng)
        self.add = Add()

    def __call__(self, x: Array) -> Array:
        """Inference: the block as a formula, which keeps no cache."""
        branch = self.relu2(self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x))))))
        return self.add(branch, self.downsample(x))

    def forward(self, x: Array, training: bool = False) -> tuple[Array, tuple]:
        """x (N, H, W, in_channels) -> y (N, OH, OW, width)."""
        h, conv1 = self.conv1.forward(x, training)
        h, bn1 = self.bn1.forward(h, training)
        h, relu1 = self.relu1.forward(h, training)
        h, conv2 = self.conv2.forward(h, training)
        h, bn2 = self.bn2.forward(h, training)
        h, relu2 = self.relu2.forward(h, training)
        s, downsample = self.downsample.forward(x, training)
        y, add = self.add.forward(h, s, training)
        return y, (conv1, bn1, relu1, conv2, bn2, relu2, downsample, add)

    def backward(self, grad_y: Array, cache: tuple) -> Array:
        """grad_y -> grad_x, the sum of what comes back through the branch and through the shortcut."""
        conv1, bn1, relu1, conv2, bn2, relu2, downsample, add = cache
        g, grad_s = self.add.backward(grad_y, add)
        grad_shortcut = self.downsample.backward(grad_s, downsample)
        g = self.relu2.backward(g, relu2)
        g = self.bn2.backward(g, bn2)
        g = self.conv2.backward(g, conv2)
        g = self.relu1.backward(g, relu1)
        g = self.bn1.backward(g, bn1)
        g = self.conv1.backward(g, conv1)
        return add_gradients(g, grad_shortcut)


class PreActBlock(Block):
    """Norm and ReLU before each convolution: y = F(x) + shortcut(x), F = conv2 . relu . bn2 . conv1 . relu . bn1.

    Where shapes do not change, the shortcut is the identity all the way, with no ReLU after the addition. So within a
    stage the input of a block is a term of the output of every later block, and the gradient there is a term of the
    gradient here.

    Source: He et al. 2016, "Identity Mappings in Deep Residual Networks", equation 5 and figure 4(e).
    """

    norm_first = True

    def __init__(self, in_channels: int, width: int, stride: int, shortcut: str, rng: np.random.Generator) -> None:
        self.bn1 = BatchNorm2d(in_channels)
        self.relu1 = ReLU()
        self.conv1 = conv3x3(in_channels, width, stride, rng)
        self.bn2 = BatchNorm2d(width)
        self.relu2 = ReLU()
        self.conv2 = conv3x3(width, width, 1, rng)
        self.downsample = make_shortcut(shortcut, in_channels, width, stride, rng)
        self.add = Add()

    def __call__(self, x: Array) -> Array:
        """Inference: the block as a formula, which keeps no cache."""
        branch = self.conv2(self.relu2(self.bn2(self.conv1(self.relu1(self.bn1(x))))))
        return self.add(branch, self.downsample(x))

    def forward(self, x: Array, training: bool = False) -> tuple[Array, tuple]:
        """x (N, H, W, in_channels) -> y (N, OH, OW, width)."""
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
        """grad_y -> grad_x, the sum of what comes back through the branch and through the shortcut."""
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
