"""Batch normalisation: each channel to mean 0 and variance 1, then scaled and shifted by learned numbers."""

from __future__ import annotations

import numpy as np

from ..compute.backend import Array, array_module
from ..compute.batch import Sum, over_batch
from ..compute.channels import channel_sum, per_channel
from .layer import Buffer, Layer, Parameter, check_gradient, check_images


class BatchNorm2d(Layer):
    """y = weight * xhat + bias with xhat = (x - mean) / sqrt(var + eps), per channel, for x (N, H, W, channels).

    In training, mean and (biased) variance are those of the batch, over N, H and W, and running averages of them are
    kept: running = (1 - momentum) * running + momentum * batch, with the unbiased variance, as PyTorch has it. In
    evaluation the running averages are used.

    Source: Ioffe and Szegedy 2015, "Batch Normalization", algorithm 1; its section 3 has the backward pass.
    """

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        if channels < 1:
            raise ValueError(f"channels must be at least 1, got {channels}")
        self.channels, self.eps, self.momentum = channels, eps, momentum
        self.weight = Parameter(np.ones(channels, np.float32))  # the paper's gamma
        self.bias = Parameter(np.zeros(channels, np.float32))  # the paper's beta
        self.running_mean = Buffer(np.zeros(channels, np.float32))
        self.running_var = Buffer(np.ones(channels, np.float32))

    def forward(self, x: Array, training: bool = False) -> tuple[Array, tuple]:
        """x (N, H, W, C) -> y (N, H, W, C). The cache is (x, mean, 1 / sqrt(var + eps), training).

        Raises ValueError when C is not `channels`, and in training when there is one value per channel only: it would
        be its own mean.
        """
        check_images(x, self.channels)
        if training:
            mean, var = self._batch_statistics(x)
        else:
            mean, var = self.running_mean.value, self.running_var.value
        inverse_std = 1 / array_module(x).sqrt(var + self.eps)
        centre, scale, shift = (
            per_channel(v, x.shape) for v in (mean, self.weight.value * inverse_std, self.bias.value)
        )
        y = over_batch(lambda x: (x - centre) * scale + shift, x)
        return y, (x, mean, inverse_std, training)

    def _batch_statistics(self, x: Array) -> tuple[Array, Array]:
        """Mean and biased variance of each channel (C,); the running averages move towards them."""
        values = x.size // self.channels
        if values < 2:
            raise ValueError(f"batch normalisation in training needs more than one value per channel, got x {x.shape}")
        # Var[x] = E[d^2] - E[d]^2 with d = x - a, for any a; an a near the mean keeps d^2 small, so nothing cancels
        a = channel_sum(x[:1]) / (values // len(x))
        wide_a = per_channel(a, x.shape)

        def sums(x: Array) -> tuple[Sum, Sum]:
            d = x - wide_a
            return Sum(channel_sum(d)), Sum(channel_sum(d * d))

        mean_d, mean_d2 = (total / values for total in over_batch(sums, x))
        mean, var = a + mean_d, mean_d2 - mean_d**2
        for running, batch in ((self.running_mean, mean), (self.running_var, var * (values / (values - 1)))):
            running.value += self.momentum * (batch - running.value)
        return mean, var

    def backward(self, grad_y: Array, cache: tuple) -> Array:
        """grad_y (N, H, W, C) -> grad_x (N, H, W, C); sets the gradients of weight and bias.

        grad_weight = sum(grad_y * xhat) and grad_bias = sum(grad_y), and, with means over the batch,

            grad_x = weight / std * (grad_y - mean(grad_y) - xhat * mean(grad_y * xhat))

        The two means are there because the batch's mean and variance depend on x. In evaluation they do not, and
        grad_x = weight / std * grad_y.
        """
        x, mean, inverse_std, training = cache
        check_gradient(grad_y, x.shape)
        values = x.size // self.channels
        centre, inverse, scale = (
            per_channel(v, x.shape) for v in (mean, inverse_std, self.weight.value * inverse_std)
        )

        def sums(grad_y: Array, x: Array) -> tuple[Sum, Sum]:
            return Sum(channel_sum(grad_y)), Sum(channel_sum(grad_y * (x - centre)))

        sum_grad, sum_grad_xhat = over_batch(sums, grad_y, x)
        sum_grad_xhat = inverse_std * sum_grad_xhat
        self.bias.grad, self.weight.grad = sum_grad, sum_grad_xhat
        if not training:
            return over_batch(lambda grad_y: scale * grad_y, grad_y)
        mean_grad, slope = (per_channel(v / values, x.shape) for v in (sum_grad, sum_grad_xhat * inverse_std))

        def kernel(grad_y: Array, x: Array) -> Array:
            return scale * (grad_y - mean_grad - (x - centre) * slope)

        return over_batch(kernel, grad_y, x)
