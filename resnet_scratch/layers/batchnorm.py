"""Batch normalisation: each channel to mean 0 and variance 1, then scaled and shifted by learned numbers."""

from __future__ import annotations

import numpy as np

from ..checks import check_number, check_whole
from ..compute.backend import Array
from ..compute.batch import Sum, of_first_image, over_batch
from ..compute.channels import channel_sum, per_channel
from ..errors import UserError
from .groups import backward_groups, forward_groups
from .layer import Buffer, Layer, Parameter, check_gradient, check_images


class BatchNorm2d(Layer):
    """y = weight * xhat + bias with xhat = (x - mean) / sqrt(var + eps), per channel, for x (N, H, W, channels).

    In training, mean and (biased) variance are those of the batch, over N, H and W, and running averages of them are
    kept: running = (1 - momentum) * running + momentum * batch, with the unbiased variance, as PyTorch has it. In
    evaluation the running averages are used.

    With `group`, training normalises every `group` successive images by their own statistics: "ghost batch norm".
    A group must lie within one process. The running averages then move towards the mean of the groups' means, and of
    their variances, once per batch; the source moves them towards one group after another.

    Source: Ioffe and Szegedy 2015, "Batch Normalization", algorithm 1; its section 3 has the backward pass. Groups:
    Hoffer, Hubara and Soudry 2017, "Train longer, generalize better", section 4, algorithm 1.
    """

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1, group: int | None = None) -> None:
        check_whole("channels", channels)
        check_number("eps", eps, at_least=0)
        check_number("momentum", momentum, at_least=0, at_most=1)
        if group is not None:
            check_whole("group", group)
        self.channels, self.eps, self.momentum = int(channels), float(eps), float(momentum)  # no NumPy float64
        self.group = group
        self.weight = Parameter(np.ones(channels, np.float32))  # the paper's gamma
        self.bias = Parameter(np.zeros(channels, np.float32))  # the paper's beta
        self.running_mean = Buffer(np.zeros(channels, np.float32))
        self.running_var = Buffer(np.ones(channels, np.float32))

    def forward(self, x: Array, training: bool = False) -> tuple[Array, tuple | list[tuple]]:
        """x (N, H, W, C) -> y (N, H, W, C). The cache is (x, mean, 1 / sqrt(var + eps), training); in training with
        groups, a list of such caches, one for each group.

        A channel that never varies becomes its bias, or nan where eps is 0. Raises ValueError when C is not `channels`.
        Raises UserError in training when there is one value per channel only, which would be its own mean, and when N
        is not a multiple of `group`.
        """
        check_images(x, self.channels)
        if training and self.group is not None:
            return forward_groups(self, x, self.group)
        # A copy, because a later batch moves the running mean in place, and the cache must stay as it is.
        mean, var = self._batch_statistics(x) if training else (self.running_mean.value.copy(), self.running_var.value)
        inverse_std = (var + self.eps) ** -0.5
        cache = x, mean, inverse_std, training
        scale = self.weight.value * inverse_std
        mean, scale, bias = (per_channel(values, x.shape) for values in (mean, scale, self.bias.value))
        return over_batch(lambda x: (x - mean) * scale + bias, x), cache

    def _batch_statistics(self, x: Array) -> tuple[Array, Array]:
        """Mean and biased variance of each channel, (C,) each; the running averages move towards them."""
        # Var[x] = E[d^2] - E[d]^2 with d = x - a, for any a. If a is near the mean, d is small and nothing cancels.
        a = of_first_image(_mean_of_pixels, x)
        a_per_pixel = per_channel(a, x.shape)

        def sums(x: Array) -> tuple[Sum, Sum, Sum]:
            d = x - a_per_pixel
            return Sum(channel_sum(d)), Sum(channel_sum(d * d)), Sum(x.size // self.channels)

        sum_d, sum_d2, count = over_batch(sums, x)
        if count < 2:
            message = f"batch normalisation in training needs more than one value per channel, got x {x.shape}"
            raise UserError(f"{message}: take more images at a time, or larger ones")
        mean_d = sum_d / count
        mean, var = a + mean_d, sum_d2 / count - mean_d**2
        for running, batch in ((self.running_mean, mean), (self.running_var, var * (count / (count - 1)))):
            running.value += self.momentum * (batch - running.value)
        return mean, var

    def backward(self, grad_y: Array, cache: tuple | list[tuple]) -> Array:
        """grad_y (N, H, W, C) -> grad_x (N, H, W, C); sets the gradients of weight and bias.

        With xhat = (x - mean) / std:  grad_weight = sum(grad_y * xhat),  grad_bias = sum(grad_y),  and

            grad_x = weight / std * (grad_y - mean(grad_y) - (x - mean) * mean(grad_y * xhat) / std)

        where the two means come from the batch's mean and variance, which depend on x. In evaluation these are
        constants, and grad_x = weight / std * grad_y.
        """
        if isinstance(cache, list):
            return backward_groups(self, grad_y, cache)
        x, mean, inverse_std, training = cache
        check_gradient(grad_y, x.shape)
        mean, scale = (per_channel(values, x.shape) for values in (mean, self.weight.value * inverse_std))

        def sums(grad_y: Array, x: Array) -> tuple[Sum, Sum, Sum]:
            return Sum(channel_sum(grad_y)), Sum(channel_sum(grad_y * (x - mean))), Sum(x.size // self.channels)

        sum_grad, sum_grad_centred, count = over_batch(sums, grad_y, x)
        self.bias.grad, self.weight.grad = sum_grad, sum_grad_centred * inverse_std
        if not training:
            return over_batch(lambda grad_y: scale * grad_y, grad_y)
        mean_grad = per_channel(self.bias.grad / count, x.shape)
        slope = per_channel(self.weight.grad / count * inverse_std, x.shape)  # mean(grad_y * xhat) / std

        def gradient(grad_y: Array, x: Array) -> Array:
            return scale * (grad_y - mean_grad - (x - mean) * slope)

        return over_batch(gradient, grad_y, x)


def _mean_of_pixels(image: Array) -> Array:
    """The mean of each channel of an image (H, W, C), computed relative to one pixel, so that it is exact where a
    channel never varies."""
    pixel = image[0, 0]
    return pixel + (image - pixel).mean((0, 1))
