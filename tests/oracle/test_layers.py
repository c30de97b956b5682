"""Each layer against PyTorch's, float32 on the CPU, same weights."""

import numpy as np
import pytest
import torch
from compare import assert_layers_agree
from torch import nn
from torch.nn.functional import batch_norm

from resnet_scratch.layers import AvgPool2d, BatchNorm2d, Conv2d, GlobalAvgPool2d, Linear, MaxPool2d, ReLU

GEOMETRIES = [
    ((8, 8), 3, 1, 1), ((9, 7), 3, 2, 1), ((8, 8), 1, 1, 0), ((8, 6), 1, 2, 0), ((7, 7), 5, 1, 2), ((6, 6), 3, 1, 0),
    ((10, 6), (3, 2), (2, 1), (1, 0)), ((7, 9), 7, 2, 3), ((8, 8), 2, 3, 0), ((6, 7), 3, 1, 2), ((6, 7), 3, 1, 4),
    ((5, 9), (1, 5), 1, (0, 2)), ((12, 12), 3, 3, 1), ((4, 4), 4, 4, 0), ((32, 32), 3, 1, 1), ((9, 9), 2, 1, 1),
]  # fmt: skip


def images(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("channels", [(3, 5), (16, 16)])
@pytest.mark.parametrize("size, kernel, stride, padding", GEOMETRIES)
def test_convolution(size, kernel, stride, padding, channels, bias):
    ours = Conv2d(*channels, kernel, stride, padding, bias, rng=np.random.default_rng(2))
    theirs = nn.Conv2d(*channels, kernel, stride, padding, bias=bias)
    assert_layers_agree(ours, theirs, images(4, *size, channels[0]))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "shape, offset", [((8, 5, 6, 3), 0), ((7, 1, 1, 4), 0), ((16, 8, 8, 7), 5), ((8, 9, 9, 4), -40)]
)
def test_batch_norm(shape, offset, training):
    rng, channels = np.random.default_rng(3), shape[3]
    ours, theirs = BatchNorm2d(channels), nn.BatchNorm2d(channels)
    ours.weight.value, ours.bias.value = (rng.standard_normal(channels).astype(np.float32) for _ in range(2))
    ours.running_mean.value = rng.standard_normal(channels).astype(np.float32)
    ours.running_var.value = rng.uniform(0.5, 2, channels).astype(np.float32)
    x = images(*shape) + np.float32(offset)
    assert_layers_agree(ours, theirs, x, training)


class GhostBatchNorm(nn.BatchNorm2d):
    """PyTorch's own for each group in turn, from the same running statistics; then their means over the groups."""

    group = 4

    def forward(self, x):
        results, after = [], []
        for part in x.split(self.group):
            mean, var = self.running_mean.clone(), self.running_var.clone()
            results.append(batch_norm(part, mean, var, self.weight, self.bias, True, self.momentum, self.eps))
            after.append([mean, var])
        self.running_mean, self.running_var = (torch.stack(values).mean(0) for values in zip(*after))
        return torch.cat(results)


@pytest.mark.parametrize("shape, offset", [((8, 5, 6, 3), 0), ((12, 1, 1, 4), 0), ((16, 8, 8, 7), 5)])
def test_batch_norm_over_groups(shape, offset):
    rng, channels = np.random.default_rng(3), shape[3]
    ours, theirs = BatchNorm2d(channels, group=4), GhostBatchNorm(channels)
    ours.weight.value, ours.bias.value = (rng.standard_normal(channels).astype(np.float32) for _ in range(2))
    ours.running_mean.value = rng.standard_normal(channels).astype(np.float32)
    ours.running_var.value = rng.uniform(0.5, 2, channels).astype(np.float32)
    x = images(*shape) + np.float32(offset) * np.arange(shape[0], dtype=np.float32)[:, None, None, None]
    assert_layers_agree(ours, theirs, x)


POOLS = [(3, 2, 1), (2, None, 0), ((3, 2), (1, 2), (1, 1)), (3, 1, 1), (2, 3, 0), (5, 2, 2)]


@pytest.mark.parametrize("kernel, stride, padding", POOLS)
def test_max_pool_with_many_ties(kernel, stride, padding):
    x = np.round(images(4, 9, 8, 3))  # integers, most windows have several equal largest ones
    assert_layers_agree(MaxPool2d(kernel, stride, padding), nn.MaxPool2d(kernel, stride, padding), x)


@pytest.mark.parametrize("kernel, stride, padding", POOLS)
def test_average_pool(kernel, stride, padding):
    assert_layers_agree(AvgPool2d(kernel, stride, padding), nn.AvgPool2d(kernel, stride, padding), images(4, 9, 8, 3))


def test_global_average_pool():
    theirs = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert_layers_agree(GlobalAvgPool2d(), theirs, images(4, 5, 7, 3))


def test_relu_at_exact_zeros():
    assert_layers_agree(ReLU(), nn.ReLU(), np.round(images(4, 5, 7, 3)))


@pytest.mark.parametrize("bias", [True, False])
def test_linear(bias):
    assert_layers_agree(Linear(7, 5, bias, rng=np.random.default_rng(2)), nn.Linear(7, 5, bias), images(6, 7))
