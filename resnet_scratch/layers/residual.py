"""The residual connection: the addition, and the shortcut that needs no parameters."""

from __future__ import annotations

from ..compute.backend import Array, array_module
from ..compute.batch import for_each_chunk, image_bytes
from .layer import Layer, check_images


class Add(Layer):
    """y = branch + shortcut, the residual connection y = F(x) + x.

    Source: He, Zhang, Ren and Sun 2015, "Deep Residual Learning for Image Recognition", equation 1.
    """

    def forward(self, branch: Array, shortcut: Array, training: bool = False) -> tuple[Array, None]:
        """The sum of two arrays of one shape; nothing to cache. Raises ValueError when the shapes differ."""
        if branch.shape != shortcut.shape:
            raise ValueError(f"branch and shortcut must have one shape, got {branch.shape} and {shortcut.shape}")
        xp = array_module(branch)
        y = xp.empty(branch.shape, branch.dtype)

        def body(chunk: slice) -> None:
            xp.add(branch[chunk], shortcut[chunk], out=y[chunk])

        for_each_chunk(branch, body, 3 * image_bytes(branch))
        return y, None

    def backward(self, grad_y: Array, cache: None) -> tuple[Array, Array]:
        """(grad_branch, grad_shortcut): an addition hands the gradient on unchanged, to both: the whole trick."""
        return grad_y, grad_y


class SubsamplePad(Layer):
    """Shortcut "option A": every stride-th pixel, and zeros for the channels that x does not have.

    x (N, H, W, in_channels) -> y (N, ceil(H / stride), ceil(W / stride), out_channels), half of the new channels before
    the old ones and half behind, as in the common CIFAR implementations. It has no parameters.

    Source: He et al. 2015, "Deep Residual Learning", section 3.3 (A) and section 4.2.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        if out_channels < in_channels:
            raise ValueError(f"out_channels must be at least in_channels {in_channels}, got {out_channels}")
        if stride < 1:
            raise ValueError(f"stride must be at least 1, got {stride}")
        self.in_channels, self.out_channels, self.stride = in_channels, out_channels, stride
        before = (out_channels - in_channels) // 2
        self.channels = slice(before, before + in_channels)

    def forward(self, x: Array, training: bool = False) -> tuple[Array, tuple]:
        """y; the cache is the shape of x."""
        check_images(x, self.in_channels)
        pixels = x[:, :: self.stride, :: self.stride]
        y = array_module(x).zeros((*pixels.shape[:3], self.out_channels), x.dtype)
        y[..., self.channels] = pixels
        return y, x.shape

    def backward(self, grad_y: Array, shape: tuple) -> Array:
        """The gradient goes back to the pixels that were taken; the others get zero."""
        grad_x = array_module(grad_y).zeros(shape, grad_y.dtype)
        grad_x[:, :: self.stride, :: self.stride] = grad_y[..., self.channels]
        return grad_x
