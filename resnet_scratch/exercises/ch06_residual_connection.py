"""Exercises of tutorial 06: blocks with a shortcut, forward and backward."""

from __future__ import annotations

import math

import numpy as np

from ..layers import Add, BatchNorm2d, Conv2d, ReLU
from ..layers.layer import Cache, Layer, Parameter
from ..models.blocks import conv3x3, make_shortcut


class TinyResidual(Layer):
    """Task 6.1 (**, 15 minutes): the smallest residual block, y = x + relu(x W).

    TODO: x and y are (N, C), the weights `self.weight.value` (C, C). Write `forward(x, training)`, which returns
        (y, cache), and `backward(grad_y, cache)`, which returns grad_x and sets `self.weight.grad`. Neither may change
        the arrays it is handed. `__init__` is done.
    QUESTION: the cache needs x, and where h was positive.
    POINTER: 1. Forward: h = x W, then y = x + relu(h). 2. Backward, branch: the gradient at h is grad_y where h > 0,
        and zero elsewhere. 3. From the gradient at h come that of W, x^T grad_h, and that of x, grad_h W^T.
        4. x went two ways.
    """

    def __init__(self, channels: int, rng: np.random.Generator) -> None:
        self.weight = Parameter(rng.standard_normal((channels, channels)) / math.sqrt(channels))

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, Cache]:
        """y = x + relu(x W), and what backward will need."""
        ### BEGIN SOLUTION
        h = x @ self.weight.value
        return x + np.maximum(h, 0), (x, h > 0)
        ### END SOLUTION

    def backward(self, grad_y: np.ndarray, cache: Cache) -> np.ndarray:
        """grad_x; sets the gradient of the weights."""
        ### BEGIN SOLUTION
        x, positive = cache
        grad_h = grad_y * positive
        self.weight.grad = x.T @ grad_h
        return grad_y + grad_h @ self.weight.value.T
        ### END SOLUTION


class AveragePad(Layer):
    """Task 6.2 (**, 15 minutes): a shortcut that looks at every pixel.

    Option A takes one pixel of four. This one takes the mean of each 2x2 pixels, as He et al. 2018, "Bag of Tricks",
    section 4.2, propose in front of the 1x1 convolution of option B.

    TODO: x is (N, H, W, in_channels) with even H and W. Return y (N, H / 2, W / 2, out_channels): channel c of y is the
        mean of each 2x2 pixels of channel c of x; the channels from in_channels on are zero. Write `forward(x,
        training)`, which returns (y, cache), and `backward(grad_y, cache)`, which returns grad_x. `__init__` is done.
    QUESTION: `np.repeat` along axis 1, then along axis 2, undoes the halving.
    POINTER: 1. x[:, 0::2, 0::2] is the upper left pixel of each 2x2; the three others are found likewise. 2. Each of
        the four enters y with the factor 1/4, so each gets a quarter of y's gradient. 3. What becomes of the gradients
        at the channels of zeros?
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        self.in_channels, self.out_channels = in_channels, out_channels

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, Cache]:
        """The means of 2x2 pixels, with channels of zeros behind."""
        ### BEGIN SOLUTION
        N, H, W, C = x.shape
        y = np.zeros((N, H // 2, W // 2, self.out_channels), x.dtype)
        y[..., :C] = x.reshape(N, H // 2, 2, W // 2, 2, C).mean((2, 4))
        return y, None
        ### END SOLUTION

    def backward(self, grad_y: np.ndarray, cache: Cache) -> np.ndarray:
        """A quarter of each gradient to each of the four pixels."""
        ### BEGIN SOLUTION
        return np.repeat(np.repeat(grad_y[..., : self.in_channels] / 4, 2, axis=1), 2, axis=2)
        ### END SOLUTION


class NormAfterAddBlock(Layer):
    """Task 6.3 (**, 15 minutes): the backward of relu(bn2(conv2(relu1(bn1(conv1(x)))) + x))

    Here the second batch norm stands behind the addition: He et al. 2016, "Identity Mappings", figure 4(b).

    TODO: `__init__` and `forward` are done. Write `backward(grad_y, cache)`, which returns grad_x; the layers set
        the gradients of their parameters themselves.
    QUESTION: what goes through the shortcut has been through `relu2` and `bn2` as well.
    POINTER: 1. Write the steps of `forward` down from bottom to top. 2. Each becomes `g = layer.backward(g, its
        cache)`. 3. At the addition the gradient goes two ways; keep one for the end. 4. The two meet at x.
    """

    def __init__(self, channels: int, rng: np.random.Generator) -> None:
        self.conv1 = Conv2d(channels, channels, 3, padding=1, bias=False, rng=rng)
        self.bn1 = BatchNorm2d(channels)
        self.relu1 = ReLU()
        self.conv2 = Conv2d(channels, channels, 3, padding=1, bias=False, rng=rng)
        self.add = Add()
        self.bn2 = BatchNorm2d(channels)
        self.relu2 = ReLU()

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, tuple]:
        """x and y are (N, H, W, channels)."""
        h, conv1 = self.conv1.forward(x, training)
        h, bn1 = self.bn1.forward(h, training)
        h, relu1 = self.relu1.forward(h, training)
        h, conv2 = self.conv2.forward(h, training)
        h, add = self.add.forward(h, x, training)
        h, bn2 = self.bn2.forward(h, training)
        y, relu2 = self.relu2.forward(h, training)
        return y, (conv1, bn1, relu1, conv2, add, bn2, relu2)

    def backward(self, grad_y: np.ndarray, cache: tuple) -> np.ndarray:
        """grad_x, the sum of what comes back through the branch and through the shortcut."""
        ### BEGIN SOLUTION
        conv1, bn1, relu1, conv2, add, bn2, relu2 = cache
        g = self.relu2.backward(grad_y, relu2)
        g = self.bn2.backward(g, bn2)
        g, grad_shortcut = self.add.backward(g, add)
        g = self.conv2.backward(g, conv2)
        g = self.relu1.backward(g, relu1)
        g = self.bn1.backward(g, bn1)
        g = self.conv1.backward(g, conv1)
        return g + grad_shortcut
        ### END SOLUTION


def mean_after(blocks: int, start: float, scale: float) -> float:
    """Task 6.4 (**, 15 minutes): where the mean of a signal ends up when the ReLU stands before the addition.

    TODO: a signal of mean `start` goes through `blocks` blocks y = x + relu(z). In each, z comes from a batch norm
        whose weight (the scale, at least 0) is `scale` and whose bias is 0; take it to be normally distributed.
        Return the mean of the signal behind the last block.
    QUESTION: with a scale of 0 every block is the identity, and the mean stays where it was.
    POINTER: 1. What is the standard deviation of z? 2. For a standard normal variable, E[relu] = 1 / sqrt(2 pi); what
        is it for one that is `scale` times as large? 3. Means add, whatever the signals have to do with each other.
    """
    ### BEGIN SOLUTION
    return start + blocks * scale / math.sqrt(2 * math.pi)
    ### END SOLUTION


class ResidualBlock(Layer):
    """Task 6.5 (***, 30 minutes): the basic block, relu(bn2(conv2(relu1(bn1(conv1(x))))) + shortcut(x))

    TODO: `__init__` makes the layers: conv1, bn1, relu1, conv2, bn2, relu2, and `downsample`, which is the shortcut (an
        empty `Sequential` where it is the identity). Write `forward(x, training)`, which returns (y, cache), and
        `backward(grad_y, cache)`, which returns grad_x. Add the branch and the shortcut with `+`.
    QUESTION: x is used twice. What does that mean for its gradient?
    POINTER: Every layer's `forward` returns its output and a cache; keep all caches in a tuple. `backward` then calls
        the layers in the opposite order, each with its own cache. The gradient at the sum goes into the branch and into
        the shortcut unchanged, and the two gradients that arrive at x are added.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int,
        shortcut: str,
        rng: np.random.Generator,
    ) -> None:
        self.conv1 = conv3x3(in_channels, width, stride, rng)
        self.bn1 = BatchNorm2d(width)
        self.relu1 = ReLU()
        self.conv2 = conv3x3(width, width, 1, rng)
        self.bn2 = BatchNorm2d(width)
        self.downsample = make_shortcut(shortcut, in_channels, width, stride, rng)
        self.relu2 = ReLU()

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, Cache]:
        """x (N, H, W, in_channels) -> y (N, H / stride, W / stride, width), and what backward will need."""
        ### BEGIN SOLUTION
        h, conv1 = self.conv1.forward(x, training)
        h, bn1 = self.bn1.forward(h, training)
        h, relu1 = self.relu1.forward(h, training)
        h, conv2 = self.conv2.forward(h, training)
        h, bn2 = self.bn2.forward(h, training)
        shortcut, downsample = self.downsample.forward(x, training)
        y, relu2 = self.relu2.forward(h + shortcut, training)
        return y, (conv1, bn1, relu1, conv2, bn2, downsample, relu2)
        ### END SOLUTION

    def backward(self, grad_y: np.ndarray, cache: Cache) -> np.ndarray:
        """grad_x (N, H, W, in_channels); the layers set the gradients of their parameters."""
        ### BEGIN SOLUTION
        conv1, bn1, relu1, conv2, bn2, downsample, relu2 = cache
        grad_sum = self.relu2.backward(grad_y, relu2)
        g = self.bn2.backward(grad_sum, bn2)
        g = self.conv2.backward(g, conv2)
        g = self.relu1.backward(g, relu1)
        g = self.bn1.backward(g, bn1)
        g = self.conv1.backward(g, conv1)
        return g + self.downsample.backward(grad_sum, downsample)
        ### END SOLUTION
