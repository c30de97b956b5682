"""Wrong answers that people give to the tasks of tutorial 07, and a word of what each must be told."""

from __future__ import annotations

from dataclasses import replace

from resnet_scratch.models import CONFIGS


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


RIGHT: list = []

WRONG = [
    ("7.1", lambda config: each(config) * sum(config.blocks), "count too"),
    ("7.1", lambda config: 2 * sum(config.blocks) + 2, "three convolutions"),
    ("7.1", lambda config: each(config) * len(config.blocks) * config.blocks[0] + 2, "different numbers"),
    ("7.1", lambda config: each(config) * sum(config.blocks) + 1 + len(config.blocks), "on shortcuts"),
    ("7.2", lambda C, O, stride, shortcut: 9 * C * O + 9 * O * O, "norms are missing"),
    ("7.2", lambda C, O, stride, shortcut: 9 * C * O + 9 * O * O + 4 * O, "the shape changes"),
    ("7.2", no_norm_on_shortcut, "behind its 1x1"),
    ("7.2", shortcut_always, "is the identity"),
    ("7.2", shortcut_of_a, "identity|no parameters"),
    ("7.2", lambda C, O, stride, shortcut: 9 * C * O + 9 * O * O + 8 * O, "not learned"),
    ("7.3", lambda H, W, C, O, k, s, p: H * W * C * O * k * k, "output numbers"),
    ("7.3", lambda H, W, C, O, k, s, p: 2 * out(H, k, s, p) * out(W, k, s, p) * C * O * k * k, "count as one"),
    ("7.3", lambda H, W, C, O, k, s, p: out(H, k, s, p) * out(W, k, s, p) * O * k * k, "input channels"),
    ("7.3", lambda H, W, C, O, k, s, p: out(H, k, s, p) ** 2 * C * O * k * k, "square"),
    ("7.4", own_stride, "own stride"),
    ("7.4", whole_windows, "gaps"),
    ("7.4", lambda layers: 1 + sum(kernel - 1 for kernel, _ in layers), "not used"),
    ("7.4", lambda layers: sum(kernel for kernel, _ in layers), "overlap"),
    ("7.5", lambda: CONFIGS["resnet20"], "parameters"),
    ("7.5", lambda: replace(CONFIGS["resnet8"], widths=(8, 16, 32)), "layers"),
    ("7.5", lambda: replace(CONFIGS["plain20"], widths=(8, 16, 32)), "no shortcuts"),
    ("7.5", lambda: replace(CONFIGS["resnet20"], widths=(16, 16, 16)), "multiply-adds"),
    ("7.5", lambda: replace(CONFIGS["resnet50"], blocks=(6,), widths=(4,), stem="cifar"), "sees"),
]
