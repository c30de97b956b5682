"""Answers to the tasks of tutorial 07: right ones, and wrong ones with a word of what each must be told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from resnet_scratch.layers import Conv2d, Linear
from resnet_scratch.models import CONFIGS, ResNetConfig, build
from resnet_scratch.models.blocks import BasicBlock


def each(config):
    return 3 if config.block == "bottleneck" else 2


def no_norm_on_shortcut(C, O, stride, shortcut):
    return 9 * C * O + 9 * O * O + 4 * O + (C * O if shortcut == "B" and (stride != 1 or C != O) else 0)


def shortcut_always(C, O, stride, shortcut):
    return 9 * C * O + 9 * O * O + 4 * O + (C * O + 2 * O if shortcut == "B" else 0)


def shortcut_of_a(C, O, stride, shortcut):
    return 9 * C * O + 9 * O * O + 4 * O + (C * O + 2 * O if stride != 1 or C != O else 0)


def out(size, kernel, stride, padding):
    return (size + 2 * padding - kernel) // stride + 1


def own_stride(layers):
    size, jump = 1, 1
    for kernel, stride in layers:
        jump *= stride
        size += (kernel - 1) * jump
    return size


def whole_windows(layers):
    size, jump = 1, 1
    for kernel, stride in layers:
        size += kernel * jump
        jump *= stride
    return size


def counted(config):
    layers = build(config, rng=np.random.default_rng(0)).named_layers()
    return len([name for name, layer in layers if isinstance(layer, (Conv2d, Linear)) and "downsample" not in name])


def added_up(config):
    total = 2
    for blocks in config.blocks:
        total += 3 * blocks if config.block == "bottleneck" else 2 * blocks
    return total


def built(C, O, stride, shortcut):
    return sum(p.value.size for p in BasicBlock(C, O, stride, shortcut, np.random.default_rng(0)).parameters())


def convolution_by_convolution(C, O, stride, shortcut):
    layers = [(3, C), (3, O)]
    if (stride > 1 or C != O) and shortcut == "B":
        layers.append((1, C))
    return sum(k**2 * c * O + 2 * O for k, c in layers)


def by_positions(H, W, C, O, k, s, p):
    positions = len(range(0, H + 2 * p - k + 1, s)) * len(range(0, W + 2 * p - k + 1, s))
    return positions * np.prod([k, k, C, O])


def from_the_end(layers):
    size = 1
    for kernel, stride in reversed(layers):
        size = (size - 1) * stride + kernel
    return size


def as_a_sum(layers):
    strides = [stride for _, stride in layers]
    return 1 + sum((kernel - 1) * int(np.prod(strides[:k])) for k, (kernel, _) in enumerate(layers))


def by_sets(layers):
    seen = {0}
    for kernel, stride in layers[::-1]:
        seen = {stride * s + k for s in seen for k in range(kernel)}
    return max(seen) + 1


RIGHT = [
    ("7.1", counted),
    ("7.1", added_up),
    ("7.1", lambda config: 2 + sum(config.blocks) * (2 + (config.block == "bottleneck"))),
    ("7.2", built),
    ("7.2", convolution_by_convolution),
    ("7.2", lambda C, O, s, cut: O * (9 * C + 9 * O + 4 + (C + 2) * (cut == "B" and (s, C) != (1, O)))),
    ("7.3", by_positions),
    ("7.3", lambda H, W, C, O, k, s, p: C * O * k**2 * int((H + 2 * p - k) / s + 1) * int((W + 2 * p - k) / s + 1)),
    (
        "7.3",
        lambda H, W, C, O, k, s, p: Conv2d(C, O, k, rng=np.random.default_rng(0)).multiply_adds(
            (out(H, k, s, p), out(W, k, s, p), O)
        ),
    ),
    ("7.4", from_the_end),
    ("7.4", as_a_sum),
    ("7.4", by_sets),
    ("7.5", lambda: replace(CONFIGS["resnet32"], widths=(6, 12, 24))),
    ("7.5", lambda: ResNetConfig("mine", "bottleneck", (4, 4, 4), (4, 8, 16), "cifar", "B", 32)),
    ("7.5", lambda: replace(CONFIGS["preact20"], widths=(9, 18, 30))),
]

WRONG = [
    ("7.1", lambda config: each(config) * sum(config.blocks), "count too"),
    ("7.1", lambda config: 2 * sum(config.blocks) + 2, "three convolutions"),
    ("7.1", lambda config: each(config) * len(config.blocks) * config.blocks[0] + 2, "different numbers"),
    ("7.1", lambda config: each(config) * sum(config.blocks) + 1 + len(config.blocks), "on shortcuts"),
    (
        "7.1",
        lambda config: 2 + (2 if config.block in ("basic", "preact", "plain") else 3) * sum(config.blocks),
        "relu_before_add.*only a bottleneck",
    ),
    ("7.2", lambda C, O, stride, shortcut: 9 * C * O + 9 * O * O, "norms are missing"),
    ("7.2", lambda C, O, stride, shortcut: 9 * C * O + 9 * O * O + 4 * O, "the shape changes"),
    ("7.2", no_norm_on_shortcut, "after its 1x1"),
    ("7.2", shortcut_always, "is the identity"),
    ("7.2", shortcut_of_a, "identity|no parameters"),
    ("7.2", lambda C, O, stride, shortcut: 9 * C * O + 9 * O * O + 8 * O, "not learned"),
    ("7.3", lambda H, W, C, O, k, s, p: H * W * C * O * k * k, "output numbers"),
    ("7.3", lambda H, W, C, O, k, s, p: 2 * out(H, k, s, p) * out(W, k, s, p) * C * O * k * k, "count as one"),
    ("7.3", lambda H, W, C, O, k, s, p: out(H, k, s, p) * out(W, k, s, p) * O * k * k, "input channels"),
    ("7.3", lambda H, W, C, O, k, s, p: out(H, k, s, p) ** 2 * C * O * k * k, "square"),
    ("7.4", own_stride, "own stride"),
    ("7.4", whole_windows, "gaps"),
    ("7.4", lambda layers: 1 + sum(kernel - 1 for kernel, _ in layers), "do not use"),
    ("7.4", lambda layers: sum(kernel for kernel, _ in layers), "overlap"),
    ("7.5", lambda: CONFIGS["resnet20"], "parameters"),
    ("7.5", lambda: replace(CONFIGS["resnet8"], widths=(8, 16, 32)), "layers"),
    ("7.5", lambda: replace(CONFIGS["plain20"], widths=(8, 16, 32)), "no shortcuts"),
    ("7.5", lambda: replace(CONFIGS["resnet20"], widths=(16, 16, 16)), "multiply-adds"),
    ("7.5", lambda: replace(CONFIGS["resnet50"], blocks=(6,), widths=(4,), stem="cifar"), "sees"),
]
