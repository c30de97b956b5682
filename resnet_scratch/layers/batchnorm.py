"""Batch normalisation: each channel to mean 0 and variance 1, then scaled and shifted by what is learned."""

from __future__ import annotations

import numpy as np

from ..compute.backend import Array, array_module
from ..compute.batch import for_each_chunk, image_bytes
from .layer import Buffer, Layer, Parameter, check_images


class BatchNorm2d(Layer):
    """y = weight * (x - mean) / sqrt(var + eps) + bias, per channel, for x (N, H, W, channels).

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
        """y (N, H, W, C); the cache is (x, mean, 1 / sqrt(var + eps), training).

        Raises ValueError when C is not `channels`, and in training when there is one value per channel only: it would
        be its own mean.
        """
        check_images(x, self.channels)
        xp = array_module(x)
        if training:
            mean, var = self._batch_statistics(x)
        else:
            mean, var = self.running_mean.value, self.running_var.value
        inverse_std = 1 / xp.sqrt(var + self.eps)
        scale = inverse_std * self.weight.value
        y = _affine(x, scale, self.bias.value - mean * scale)
        return y, (x, mean, inverse_std, training)

    def _batch_statistics(self, x: Array) -> tuple[Array, Array]:
        """Mean and biased variance of each channel; the running averages take their share of them."""
        values = x.size // self.channels
        if values < 2:
            raise ValueError(f"batch normalisation in training needs more than one value per channel, got x {x.shape}")
        # var = E[d^2] - E[d]^2 with d = x - anything; d near 0 keeps the squares small, so that nothing cancels
        origin = x[0].mean((0, 1))
        flat = x.reshape(len(x), -1)
        tiled_origin = _tile(origin, flat)

        def body(chunk: slice) -> tuple[Array, Array]:
            d = flat[chunk] - tiled_origin
            return _channel_sums(d, None, self.channels), _channel_sums(d, d, self.channels)

        total, total_of_squares = for_each_chunk(x, body, image_bytes(x))
        offset = total / values
        var = total_of_squares / values - offset**2
        for running, batch in ((self.running_mean, origin + offset), (self.running_var, var * (values / (values - 1)))):
            running.value += self.momentum * (batch.astype(running.value.dtype) - running.value)
        return (origin + offset).astype(x.dtype), var.astype(x.dtype)

    def backward(self, grad_y: Array, cache: tuple) -> Array:
        """grad_x; sets the gradients of weight and bias.

        With xhat = (x - mean) / std:  grad_weight = sum(grad_y * xhat),  grad_bias = sum(grad_y),  and
        grad_x = weight / std * (grad_y - mean(grad_y) - xhat * mean(grad_y * xhat)). The two means are there because
        the batch's mean and variance depend on x; in evaluation they do not, and grad_x = weight / std * grad_y.
        """
        x, mean, inverse_std, training = cache
        flat_x, flat_grad = x.reshape(len(x), -1), grad_y.reshape(len(x), -1)

        def body(chunk: slice) -> tuple[Array, Array]:
            return (
                _channel_sums(flat_grad[chunk], None, self.channels),
                _channel_sums(flat_grad[chunk], flat_x[chunk], self.channels),
            )

        sum_grad, sum_grad_x = for_each_chunk(x, body, 2 * image_bytes(x))
        sum_grad_xhat = (sum_grad_x - mean * sum_grad) * inverse_std
        self.weight.grad, self.bias.grad = sum_grad_xhat.astype(x.dtype), sum_grad.astype(x.dtype)

        scale = self.weight.value * inverse_std
        if not training:
            return _affine(grad_y, scale, None)
        values = x.size // self.channels
        # the formula above, multiplied out: grad_x = scale * grad_y + slope * x + offset, per channel
        slope = -scale * inverse_std * sum_grad_xhat / values
        offset = -scale * sum_grad / values - slope * mean
        return _affine(grad_y, scale, offset.astype(x.dtype), x, slope.astype(x.dtype))


def _tile(channel_values: Array, flat: Array) -> Array:
    """(C,) repeated to the (H*W*C,) of one image: operations on long rows are fast, on rows of C numbers slow."""
    return array_module(flat).tile(channel_values, flat.shape[1] // len(channel_values))


def _channel_sums(a: Array, b: Array | None, channels: int) -> Array:
    """sum(a) or sum(a * b) per channel, for a and b (n, H*W*C) -> (C,) float64: first over images, in place in the
    cache, then in float64 over pixels."""
    xp = array_module(a)
    pixels = a.sum(0) if b is None else xp.einsum("nk,nk->k", a, b)  # (H*W*C,)
    return pixels.reshape(-1, channels).sum(0, dtype=xp.float64)


def _affine(a: Array, scale: Array, offset: Array | None, b: Array | None = None, slope: Array | None = None) -> Array:
    """scale * a + slope * b + offset, where scale, slope and offset (C,) belong to the channels of a and b."""
    xp = array_module(a)
    y = xp.empty(a.shape, a.dtype)
    flat_a, flat_y = a.reshape(len(a), -1), y.reshape(len(a), -1)
    flat_b = None if b is None else b.reshape(len(a), -1)
    scale, offset, slope = (None if v is None else _tile(v, flat_a) for v in (scale, offset, slope))

    def body(chunk: slice) -> None:
        rows = flat_y[chunk]
        xp.multiply(flat_a[chunk], scale, out=rows)
        if flat_b is not None:
            rows += flat_b[chunk] * slope
        if offset is not None:
            rows += offset

    for_each_chunk(a, body, (2 if b is None else 4) * image_bytes(a))
    return y
