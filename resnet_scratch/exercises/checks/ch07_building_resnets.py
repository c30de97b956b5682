"""Checks of the tasks of tutorial 07."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from ...layers import Conv2d, Linear
from ...measure.summary import summarise
from ...models import CONFIGS, ResNetConfig, build
from ...models.blocks import BasicBlock


def task_7_1(answer: Callable) -> None:
    """`depth`: the names of the paper's networks tell it; an uneven network is counted by hand."""
    narrow = replace(CONFIGS["resnet50"], name="uneven", blocks=(1, 3, 2), widths=(4, 6, 8))
    wanted = {"resnet20": 20, "resnet110": 110, "preact56": 56, "plain8": 8, "resnet34": 34, "resnet152": 152}
    early = replace(CONFIGS["resnet20"], name="relu_before_add20", block="relu_before_add")
    for config, layers in [(CONFIGS[name], n) for name, n in wanted.items()] + [(narrow, 20), (early, 20)]:
        got, blocks = answer(config), sum(config.blocks)
        each = 3 if config.block == "bottleneck" else 2
        _right(
            got,
            layers,
            f"for {config.name}, with {config.blocks} blocks of type {config.block!r},",
            [
                (each * blocks, "the first convolution and the linear layer count too"),
                (each * blocks + 1, "two layers are outside the blocks: the first convolution and the linear layer"),
                (2 * blocks + 2, "a bottleneck has three convolutions"),
                (3 * blocks + 2, "only a bottleneck has three convolutions"),
                (blocks + 2, "that is one layer for each block; a block has more than one convolution"),
                (each * config.blocks[0] * len(config.blocks) + 2, "the stages have different numbers of blocks"),
                (layers + len(config.blocks) - 1, "the convolutions on shortcuts do not count"),
            ],
        )


def task_7_2(answer: Callable) -> None:
    """`block_parameters`: against a block that is built and counted."""
    cases = ((16, 16, 1, "B"), (16, 16, 1, "A"), (16, 32, 2, "A"), (16, 32, 2, "B"), (8, 8, 2, "B"), (6, 10, 1, "B"))
    for case in cases:
        C, O, stride, shortcut = case
        block = BasicBlock(*case, np.random.default_rng(0))
        wanted = sum(p.value.size for p in block.parameters())
        convolution, norm = C * O, 2 * O
        changes = stride != 1 or C != O
        mistakes = [
            (wanted - 2 * norm, "the batch norms are missing: a scale and a shift for each channel, twice"),
            (wanted + 2 * O, "the convolutions have no bias: the batch norm after each has a shift"),
            (wanted + 2 * norm, "a batch norm learns two numbers per channel; its running averages are not learned"),
            (9 * C * O * 2 + 2 * norm, "the second convolution goes from width to width, not from in_channels"),
        ]
        if changes and shortcut == "B":
            mistakes += [
                (wanted - convolution - norm, "the shape changes: option B has a 1x1 convolution and a norm"),
                (wanted - norm, "the shortcut of option B has a batch norm after its 1x1 convolution"),
                (wanted + 8 * convolution, "the convolution on the shortcut is 1x1, not 3x3"),
            ]
        else:
            mistakes += [
                (
                    wanted + convolution + norm,
                    "option A has no parameters"
                    if changes
                    else "where the shape does not change, the shortcut is the identity",
                ),
            ]
        _right(answer(*case), wanted, f"for (in_channels, width, stride, shortcut) = {case}", mistakes)


def task_7_3(answer: Callable) -> None:
    """`multiply_adds`: against windows that are counted one by one."""
    for case in ((4, 4, 1, 1, 3, 1, 0), (32, 32, 16, 16, 3, 1, 1), (9, 6, 2, 5, 3, 2, 1), (7, 5, 3, 4, 1, 2, 0)):
        H, W, C, O, kernel, stride, padding = case
        rows = len(range(0, H + 2 * padding - kernel + 1, stride))  # where a window can begin
        columns = len(range(0, W + 2 * padding - kernel + 1, stride))
        wanted = sum(C * kernel**2 for _ in range(rows) for _ in range(columns) for _ in range(O))
        _right(
            answer(*case),
            wanted,
            f"for (H, W, C, O, kernel, stride, padding) = {case}",
            [
                (2 * wanted, "a multiplication and its addition count as one"),
                (H * W * O * kernel**2 * C, f"there are as many sums as output numbers: {rows}x{columns}, not {H}x{W}"),
                (rows * columns * kernel**2 * O, "each sum goes over the C input channels too"),
                (rows * columns * kernel**2 * C, "there is such a sum for each of the O output channels"),
                (rows * columns * kernel * C * O, "a window has kernel * kernel positions"),
                (rows**2 * kernel**2 * C * O, "the image need not be square: rows and columns may differ"),
            ],
        )


def task_7_4(answer: Callable) -> None:
    """`receptive_field`: by following, from the last layer back, which pixels one number depends on."""
    cases = [
        [(3, 1), (3, 1)],
        [(3, 2), (3, 1)],
        [(1, 1)],
        [(7, 2), (3, 2), (3, 1), (3, 1)],
        [(2, 2), (5, 1), (1, 2), (3, 1)],
    ]
    for layers in cases:
        positions = {0}
        for kernel, stride in reversed(layers):
            positions = {position * stride + offset for position in positions for offset in range(kernel)}
        wanted = max(positions) - min(positions) + 1
        after = before = 1
        jump = 1
        for kernel, stride in layers:
            jump *= stride
            after += (kernel - 1) * jump
            before += kernel * jump // stride
        _right(
            answer(layers),
            wanted,
            f"for layers {layers}",
            [
                (after, "a layer's own stride widens the jump for the layers after it, not for itself"),
                (
                    1 + sum(kernel - 1 for kernel, _ in layers),
                    "after a stride, neighbouring outputs are further apart; you do not use the strides",
                ),
                (before, "a window of `kernel` elements has kernel - 1 gaps, not kernel"),
                (sum(kernel for kernel, _ in layers), "windows overlap, so their sizes do not simply add up"),
                (
                    int(np.prod([stride for _, stride in layers])),
                    "that is the jump, the distance between neighbouring outputs",
                ),
            ],
        )


def task_7_5(answer: Callable) -> None:
    """`small_network`: build it, and count."""
    config = answer()
    assert isinstance(config, ResNetConfig), f"return a ResNetConfig, got {type(config).__name__}"
    assert config.block != "plain", "a plain network has no shortcuts"
    model = build(config, classes=10, rng=np.random.default_rng(0))
    main = [(name, layer) for name, layer in model.named_layers() if "downsample" not in name]
    layers = sum(isinstance(layer, (Conv2d, Linear)) for _, layer in main)
    assert layers >= 20, f"the network has {layers} layers, wanted at least 20"
    rows = summarise(model, 32)
    for what, most in (("parameters", 100_000), ("multiply_adds", 15_000_000)):
        got = sum(getattr(row, what) for row in rows)
        words = what.replace("_", "-")
        assert got <= most, (
            f"the network has {got:,} {words}, at most {most:,} are allowed: narrower stages help with both budgets"
        )
    positions = {0}
    windows = [(layer.kernel_size[0], layer.stride[0]) for _, layer in main if isinstance(layer, Conv2d)]
    windows.insert(1, (3, 2)) if config.stem == "imagenet" else None  # its max-pool
    for kernel, stride in reversed(windows):
        positions = {position * stride + offset for position in positions for offset in range(kernel)}
    assert len(positions) >= 32, (
        f"the last stage sees {len(positions)} pixels, wanted at least 32; strides and layers widen the receptive field"
    )


def _right(got: object, wanted: int, case: str, mistakes: Iterable[tuple[int, str]]) -> None:
    """Assert that `got` is `wanted`; if it is the result of a typical mistake, say which."""
    if got == wanted:
        return
    for value, message in mistakes:
        assert got != value, f"{case} the answer is {wanted}, you return {got}: {message}"
    raise AssertionError(f"{case} the answer is {wanted}, you return {got}")
