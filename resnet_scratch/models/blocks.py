"""The blocks that residual networks are made of. Each `backward` reads as its `forward` from bottom to top.

A block family is one class, whose attributes say what the builder has to know about it. The names of its layers are
torchvision's (conv1, bn1, ..., downsample), so that weights can be exchanged both ways.
"""

from __future__ import annotations

import numpy as np

from ..checks import brief
from ..compute.backend import Array
from ..errors import UserError
from ..layers import Add, BatchNorm2d, Conv2d, ReLU, Sequential, SubsamplePad
from ..layers.layer import Layer
from ..layers.residual import add_gradients
from .configs import SHORTCUTS


def conv3x3(in_channels: int, out_channels: int, stride: int, rng: np.random.Generator) -> Conv2d:
    """Without a bias: the batch norm after it subtracts every constant, and has a bias of its own."""
    return Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False, rng=rng)


def conv1x1(in_channels: int, out_channels: int, stride: int, rng: np.random.Generator) -> Conv2d:
    """Without a bias, as `conv3x3`."""
    return Conv2d(in_channels, out_channels, 1, stride, bias=False, rng=rng)


def make_shortcut(option: str, in_channels: int, out_channels: int, stride: int, rng: np.random.Generator) -> Layer:
    """The shortcut of a block: the identity where shapes fit, else option A or B of the ResNet paper (section 3.3).

    Raises UserError for an `option` that is neither.
    """
    if option not in SHORTCUTS:
        raise UserError(f"shortcut must be 'A' or 'B', got {brief(option)}")
    if stride == 1 and in_channels == out_channels:
        return Sequential()
    if option == "A":
        return SubsamplePad(in_channels, out_channels, stride)
    return Sequential(conv1x1(in_channels, out_channels, stride, rng), BatchNorm2d(out_channels))


class Block(Layer):
    """What all families share. x (N, H, W, in_channels) -> y (N, OH, OW, width * expansion), with OH = ceil(H / stride)
    and OW alike. `shortcut` is the option, "A" or "B", where shapes change."""

    expansion = 1  # out_channels / width
    norm_first = False  # the branch begins with norm and ReLU, so the network needs them after its last block
    last_norm: str | None = None  #: the batch norm whose scale of 0 makes the block the identity (up to a ReLU)
    has_shortcut = True

    def __init__(self, in_channels: int, width: int, stride: int, shortcut: str, rng: np.random.Generator) -> None:
        raise NotImplementedError


class BasicBlock(Block):
    """Two 3x3 convolutions and a shortcut: y = relu(F(x) + shortcut(x)), F = bn2 . conv2 . relu . bn1 . conv1.

    Source: He et al. 2015, "Deep Residual Learning for Image Recognition", equation 1 and figure 2; figure 5 left.
    """

    last_norm = "bn2"

    def __init__(self, in_channels: int, width: int, stride: int, shortcut: str, rng: np.random.Generator) -> None:
        self.conv1 = conv3x3(in_channels, width, stride, rng)
        self.bn1 = BatchNorm2d(width)
        self.relu1 = ReLU()
        self.conv2 = conv3x3(width, width, 1, rng)
        self.bn2 = BatchNorm2d(width)
        self.downsample = make_shortcut(shortcut, in_channels, width, stride, rng)
        self.add = Add()
        self.relu2 = ReLU()

    def __call__(self, x: Array) -> Array:
        """Inference: the block as a formula, which keeps no cache."""
        branch = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return self.relu2(self.add(branch, self.downsample(x)))

    def forward(self, x: Array, training: bool = False) -> tuple[Array, tuple]:
        """x (N, H, W, in_channels) -> y (N, OH, OW, width)."""
        h, conv1 = self.conv1.forward(x, training)
        h, bn1 = self.bn1.forward(h, training)
        h, relu1 = self.relu1.forward(h, training)
        h, conv2 = self.conv2.forward(h, training)
        h, bn2 = self.bn2.forward(h, training)
        s, downsample = self.downsample.forward(x, training)
        h, add = self.add.forward(h, s, training)
        y, relu2 = self.relu2.forward(h, training)
        return y, (conv1, bn1, relu1, conv2, bn2, downsample, add, relu2)

    def backward(self, grad_y: Array, cache: tuple) -> Array:
        """grad_y -> grad_x, the sum of what comes back through the branch and through the shortcut."""
        conv1, bn1, relu1, conv2, bn2, downsample, add, relu2 = cache
        g = self.relu2.backward(grad_y, relu2)
        g, grad_s = self.add.backward(g, add)
        grad_shortcut = self.downsample.backward(grad_s, downsample)
        g = self.bn2.backward(g, bn2)
        g = self.conv2.backward(g, conv2)
        g = self.relu1.backward(g, relu1)
        g = self.bn1.backward(g, bn1)
        g = self.conv1.backward(g, conv1)
        return add_gradients(g, grad_shortcut)


class Bottleneck(Block):
    """1x1 convolution down to `width`, 3x3 (with the stride, as torchvision has it), 1x1 up to 4 * width; a shortcut.

    Source: He et al. 2015, "Deep Residual Learning for Image Recognition", figure 5 right. The paper has the stride in
    the first 1x1 convolution; in the 3x3, which sees every pixel, it is known as ResNet v1.5.
    """

    expansion = 4
    last_norm = "bn3"

    def __init__(self, in_channels: int, width: int, stride: int, shortcut: str, rng: np.random.Generator) -> None:
        out_channels = width * self.expansion
        self.conv1 = conv1x1(in_channels, width, 1, rng)
        self.bn1 = BatchNorm2d(width)
        self.relu1 = ReLU()
        self.conv2 = conv3x3(width, width, stride, rng)
        self.bn2 = BatchNorm2d(width)
        self.relu2 = ReLU()
        self.conv3 = conv1x1(width, out_channels, 1, rng)
        self.bn3 = BatchNorm2d(out_channels)
        self.downsample = make_shortcut(shortcut, in_channels, out_channels, stride, rng)
        self.add = Add()
        self.relu3 = ReLU()

    def __call__(self, x: Array) -> Array:
        """Inference: the block as a formula, which keeps no cache."""
        h = self.relu2(self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x))))))
        return self.relu3(self.add(self.bn3(self.conv3(h)), self.downsample(x)))

    def forward(self, x: Array, training: bool = False) -> tuple[Array, tuple]:
        """x (N, H, W, in_channels) -> y (N, OH, OW, 4 * width)."""
        h, conv1 = self.conv1.forward(x, training)
        h, bn1 = self.bn1.forward(h, training)
        h, relu1 = self.relu1.forward(h, training)
        h, conv2 = self.conv2.forward(h, training)
        h, bn2 = self.bn2.forward(h, training)
        h, relu2 = self.relu2.forward(h, training)
        h, conv3 = self.conv3.forward(h, training)
        h, bn3 = self.bn3.forward(h, training)
        s, downsample = self.downsample.forward(x, training)
        h, add = self.add.forward(h, s, training)
        y, relu3 = self.relu3.forward(h, training)
        return y, (conv1, bn1, relu1, conv2, bn2, relu2, conv3, bn3, downsample, add, relu3)

    def backward(self, grad_y: Array, cache: tuple) -> Array:
        """grad_y -> grad_x, the sum of what comes back through the branch and through the shortcut."""
        conv1, bn1, relu1, conv2, bn2, relu2, conv3, bn3, downsample, add, relu3 = cache
        g = self.relu3.backward(grad_y, relu3)
        g, grad_s = self.add.backward(g, add)
        grad_shortcut = self.downsample.backward(grad_s, downsample)
        g = self.bn3.backward(g, bn3)
        g = self.conv3.backward(g, conv3)
        g = self.relu2.backward(g, relu2)
        g = self.bn2.backward(g, bn2)
        g = self.conv2.backward(g, conv2)
        g = self.relu1.backward(g, relu1)
        g = self.bn1.backward(g, bn1)
        g = self.conv1.backward(g, conv1)
        return add_gradients(g, grad_shortcut)


class PlainBlock(Sequential, Block):
    """`BasicBlock` without its shortcut, for comparison: He et al. 2015, section 3.3, "Plain Network"."""

    has_shortcut = False

    def __init__(self, in_channels: int, width: int, stride: int, shortcut: str, rng: np.random.Generator) -> None:
        super().__init__(
            conv1=conv3x3(in_channels, width, stride, rng),
            bn1=BatchNorm2d(width),
            relu1=ReLU(),
            conv2=conv3x3(width, width, 1, rng),
            bn2=BatchNorm2d(width),
            relu2=ReLU(),
        )
