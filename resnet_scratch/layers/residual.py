"""The residual connection: the addition, and the shortcut that needs no parameters."""

from __future__ import annotations

from ..checks import check_floats, check_whole
from ..compute.backend import Array, array_module
from ..compute.batch import over_batch
from .layer import Layer, check_gradient, check_images


class Add(Layer):
    """y = branch + shortcut, the residual connection y = F(x) + x.

    Source: He, Zhang, Ren and Sun 2015, "Deep Residual Learning for Image Recognition", equation 1.
    """

    def forward(  # type: ignore[override]  # two inputs
        self, branch: Array, shortcut: Array, training: bool = False
    ) -> tuple[Array, tuple]:
        """branch (N, ...), shortcut (N, ...) -> y (N, ...). The cache is the shape.

        Raises ValueError when the two shapes differ.
        """
        check_floats("branch", branch)
        check_floats("shortcut", shortcut)
        if branch.shape != shortcut.shape:
            raise ValueError(f"branch and shortcut must have the same shape, got {branch.shape} and {shortcut.shape}")
        return over_batch(lambda branch, shortcut: branch + shortcut, branch, shortcut), branch.shape

    def backward(self, grad_y: Array, shape: tuple) -> tuple[Array, Array]:
        """grad_y (N, ...) -> (grad_branch, grad_shortcut), both of them grad_y, unchanged: the whole trick."""
        check_gradient(grad_y, shape)
        return grad_y, grad_y


def add_gradients(grad_branch: Array, grad_shortcut: Array) -> Array:
    """The gradient with respect to a value that was used twice: the sum of what comes back from both uses.

    A fork x -> (x, x) is a linear map, and this is its transpose.
    """
    return over_batch(lambda grad_branch, grad_shortcut: grad_branch + grad_shortcut, grad_branch, grad_shortcut)


class SubsamplePad(Layer):
    """Shortcut "option A": every stride-th pixel, and zeros for the channels that x does not have.

    x (N, H, W, in_channels) -> y (N, ceil(H / stride), ceil(W / stride), out_channels), half of the new channels before
    the old ones and half after them, as in the common CIFAR implementations. It has no parameters.
    Raises ValueError unless out_channels is at least in_channels.

    Source: He et al. 2015, "Deep Residual Learning", section 3.3 (A) and section 4.2.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        check_whole("in_channels", in_channels)
        check_whole("out_channels", out_channels)
        check_whole("stride", stride)
        if out_channels < in_channels:
            raise ValueError(f"out_channels must be at least in_channels {in_channels}, got {out_channels}")
        self.in_channels, self.out_channels, self.stride = int(in_channels), int(out_channels), int(stride)
        before = (out_channels - in_channels) // 2
        self.old_channels = slice(before, before + in_channels)

    def forward(self, x: Array, training: bool = False) -> tuple[Array, tuple]:
        """x (N, H, W, in_channels) -> y (N, OH, OW, out_channels). The cache is the shapes of x and y."""
        check_images(x, self.in_channels)
        xp = array_module(x)

        def shortcut(x: Array) -> Array:
            pixels = x[:, :: self.stride, :: self.stride]
            y = xp.zeros((*pixels.shape[:3], self.out_channels), x.dtype)
            y[..., self.old_channels] = pixels
            return y

        y = over_batch(shortcut, x)
        return y, (x.shape, y.shape)

    def backward(self, grad_y: Array, shapes: tuple) -> Array:
        """grad_y (N, OH, OW, out_channels) -> grad_x (N, H, W, in_channels): each pixel that was taken gets its
        gradient back, the others get 0."""
        x_shape, y_shape = shapes
        check_gradient(grad_y, y_shape)
        xp = array_module(grad_y)

        def gradient(grad_y: Array) -> Array:
            grad_x = xp.zeros((len(grad_y), *x_shape[1:]), grad_y.dtype)
            grad_x[:, :: self.stride, :: self.stride] = grad_y[..., self.old_channels]
            return grad_x

        return over_batch(gradient, grad_y)
