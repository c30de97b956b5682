"""Exercises of tutorial 06: residual blocks, forward and backward."""

from __future__ import annotations

import math

import numpy as np

from ..layers import Add, BatchNorm2d, Conv2d, ReLU
from ..layers.layer import Cache, Layer, Parameter
from ..models.blocks import conv3x3, make_shortcut


class TinyResidual(Layer):
    """Task 6.1 (**, 20 minutes): the smallest residual block, y = x + relu(x W)

    TODO: x and y are (N, C), and `self.weight.value` is W, (C, C). Write `forward(x, training)`, which returns the pair
        (y, cache), and `backward(grad_y, cache)`, which returns grad_x and sets `self.weight.grad`. Neither may
        change the arrays that it is given. `__init__` is done.
    QUESTION: Which arrays of the forward pass does the backward pass need? And on which two paths does x reach y?
    POINTER: Let h = x W. On the branch, the gradient with respect to h is grad_y where h > 0, and zero elsewhere. It
        gives you the gradient of W, which is x^T grad_h, and the branch's part of grad_x, which is grad_h W^T. The
        shortcut has a part of its own, and the two add.
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
    """Task 6.2 (**, 20 minutes): a shortcut that uses every pixel

    TODO: Option A takes one pixel in four. Take the mean of each 2x2 block of pixels instead. (He et al. 2018, "Bag of
        Tricks", section 4.2, put such an average before the 1x1 convolution of option B.) x is (N, H, W, in_channels)
        with even H and W; y is (N, H / 2, W / 2, out_channels). Channel c of y is the mean of each 2x2 block of channel
        c of x, and the channels from `in_channels` on are zero; y has the dtype of x. Write `forward(x, training)`,
        which returns (y, cache), and `backward(grad_y, cache)`, which returns grad_x. `__init__` is done.
    QUESTION: By what factor is each of the four pixels multiplied in the mean? And what happens to the gradients of the
        channels of zeros?
    POINTER: `x[:, 0::2, 0::2]` is the upper left pixel of each block, and the other three have similar slices. In
        backward, each of the four pixels gets a quarter of the gradient: `np.repeat` along axis 1, then along axis 2,
        undoes the halving. The channels of zeros do not depend on x.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        self.in_channels, self.out_channels = in_channels, out_channels

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, Cache]:
        """The means of 2x2 blocks, followed by channels of zeros."""
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
    """Task 6.3 (**, 15 minutes): the backward pass of relu(bn2(x + conv2(relu1(bn1(conv1(x))))))

    TODO: This is block (b), in which the second batch norm comes after the addition (He et al. 2016, "Identity
        Mappings", figure 4). `__init__` and `forward` are done. Write `backward(grad_y, cache)`, which returns grad_x.
        The layers set the gradients of their parameters themselves.
    QUESTION: Which layers are after the addition? What does that mean for the gradient of the shortcut?
    POINTER: Read `forward` from its last line to its first. Each line becomes `g = layer.backward(g, its cache)`. At
        the addition, keep the gradient for the shortcut, and add it at the end.
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
    """Task 6.4 (**, 15 minutes): the mean of a signal after many blocks with the ReLU before the addition

    TODO: A signal with the mean `start` goes through `blocks` blocks y = x + relu(z), in which the ReLU comes before
        the addition (block (c) of He et al. 2016, figure 4). In each block, z is the output of a batch norm whose scale
        (its weight, at least 0) is `scale` and whose bias is 0. Assume that z is normally distributed. Return the mean
        of the signal after the last block.
    QUESTION: What are the mean and the standard deviation of z? Can relu(z) ever lower the mean?
    POINTER: The expectation of relu(z) for a standard normal z is the integral of z times the density
        exp(-z^2 / 2) / sqrt(2 pi), from 0 to infinity. The function -exp(-z^2 / 2) has the derivative that you need.
        Then consider a z that is `scale` times as large. The means of x and relu(z) add, whether or not the two depend
        on each other.
    """
    ### BEGIN SOLUTION
    return start + blocks * scale / math.sqrt(2 * math.pi)
    ### END SOLUTION


class ResidualBlock(Layer):
    """Task 6.5 (***, 30 minutes): the basic block, relu2(bn2(conv2(relu1(bn1(conv1(x))))) + downsample(x))

    TODO: `__init__` makes the layers: conv1, bn1, relu1, conv2, bn2, relu2, and the shortcut `downsample`. Write
        `forward(x, training)`, which returns (y, cache), and `backward(grad_y, cache)`, which returns grad_x. Every
        layer has the same two methods: `h, its_cache = layer.forward(h, training)` and
        `g = layer.backward(g, its_cache)`. Add the branch and the shortcut with `+`.
    QUESTION: x is used twice. What does that mean for its gradient? And which gradient arrives at the addition?
    POINTER: Keep the caches of all seven layers in a tuple. `backward` calls the layers in the opposite order, each
        with its own cache. The gradient of the sum goes unchanged into the branch and into the shortcut, and the two
        gradients that arrive at x are added.
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
