"""Exercises of tutorial 07: what a network is made of, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

from ..models import ResNetConfig


def depth(config: ResNetConfig) -> int:
    """Task 7.1: how many layers a configuration makes.

    TODO: return the number of convolutions and linear layers on the way through the blocks. Convolutions on shortcuts
        do not count. `config.block` is "basic", "relu_before_add", "preact", "plain" (two convolutions each) or
        "bottleneck" (three); `config.blocks` says how many blocks each stage has.
    APPROACH: 1. How many blocks are there in all stages together? 2. How many convolutions has each? 3. What comes
        before the first stage, and what behind the last?
    HINT: for `CONFIGS["resnet50"]`, with blocks (3, 4, 6, 3), the answer is 50.
    """
    ### BEGIN SOLUTION
    convolutions = 3 if config.block == "bottleneck" else 2
    return 1 + convolutions * sum(config.blocks) + 1
    ### END SOLUTION


def block_parameters(in_channels: int, width: int, stride: int, shortcut: str) -> int:
    """Task 7.2: the parameters of a basic block.

    TODO: return how many numbers a `BasicBlock(in_channels, width, stride, shortcut, rng)` learns. Its convolutions
        have no biases; each batch norm has a scale and a shift per channel. `shortcut` is "A" or "B"; it matters only
        where the shape changes, by a stride or by another number of channels. Otherwise the shortcut is the identity.
    APPROACH: 1. Two 3x3 convolutions: from in_channels to width, and from width to width. 2. Two batch norms. 3. Does
        the shape change? Then option B has a 1x1 convolution and a batch norm; what has option A?
    HINT: for (16, 16, 1, "B") the answer is 4672.
    """
    ### BEGIN SOLUTION
    parameters = 9 * in_channels * width + 9 * width * width + 2 * 2 * width
    if shortcut == "B" and (stride != 1 or in_channels != width):
        parameters += in_channels * width + 2 * width
    return parameters
    ### END SOLUTION


def multiply_adds(H: int, W: int, C: int, O: int, kernel: int, stride: int, padding: int) -> int:
    """Task 7.3: the work of a convolution.

    TODO: return how many products a convolution sums up for one image (H, W, C), with O output channels, windows of
        kernel x kernel, the same stride and padding along both axes. Products with the zeros of the padding count too.
    APPROACH: 1. How large is the output, OH x OW? (Tutorial 01.) 2. How many products are in one number of it?
        3. How many such numbers are there?
    HINT: a 3x3 convolution with padding 1 from 16 to 16 channels at 32x32 takes 2,359,296.
    """
    ### BEGIN SOLUTION
    OH, OW = ((size + 2 * padding - kernel) // stride + 1 for size in (H, W))
    return OH * OW * O * kernel * kernel * C
    ### END SOLUTION


def receptive_field(layers: Sequence[tuple[int, int]]) -> int:
    """Task 7.4: how many pixels along one axis the last layer sees.

    TODO: `layers` holds (kernel, stride) of each convolution or pooling layer, from the first to the last. Return the
        size of the receptive field of one output number of the last layer.
    APPROACH: 1. Begin with size 1 and jump 1. 2. A window of `kernel` reaches over kernel - 1 gaps, each `jump` pixels
        wide. 3. Then a stride makes the jump wider, for the layers that follow.
    HINT: two layers (3, 1), (3, 1) see 5 pixels; (3, 2), (3, 1) see 7.
    """
    ### BEGIN SOLUTION
    size, jump = 1, 1
    for kernel, stride in layers:
        size += (kernel - 1) * jump
        jump *= stride
    return size
    ### END SOLUTION


def small_network() -> ResNetConfig:
    """Task 7.5: design a network to a budget.

    TODO: return a `ResNetConfig` for 32x32 images and ten classes with at least 20 layers, shortcuts, at most 100,000
        parameters and at most 15 million multiply-adds, whose last stage sees the whole image (32 pixels or more).
    APPROACH: 1. Begin with `CONFIGS["resnet20"]`, and see by how much it is over. 2. What happens to parameters and
        work when all widths are halved? 3. `dataclasses.replace` changes a field; `summarise(build(config, rng=...),
        32)` counts.
    HINT: ResNet-20 has some 270,000 parameters; with half of each width it has about a quarter.
    """
    ### BEGIN SOLUTION
    return ResNetConfig("small", "basic", (3, 3, 3), (8, 16, 32), "cifar", "A", 32)
    ### END SOLUTION
