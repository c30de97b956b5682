"""Tasks of tutorial 07: what a network is made of, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

from ..models import ResNetConfig


def depth(config: ResNetConfig) -> int:
    """Task 7.1 (*, 5 minutes): the depth of a network

    TODO: Return the number of convolutions and linear layers on the path through all blocks. Convolutions on shortcuts
        do not count. `config.blocks` is the number of blocks in each stage. `config.block` is "bottleneck", with three
        convolutions per block, or "basic", "relu_before_add", "preact" or "plain", with two.
    QUESTION: How many blocks are there in all stages together, and which layers are not in any block?
    POINTER: One convolution comes before the first stage and one linear layer after the last. For
        `CONFIGS["resnet50"]`, with blocks (3, 4, 6, 3), the answer is 50.
    """
    ### BEGIN SOLUTION
    convolutions = 3 if config.block == "bottleneck" else 2
    return 1 + convolutions * sum(config.blocks) + 1
    ### END SOLUTION


def block_parameters(in_channels: int, width: int, stride: int, shortcut: str) -> int:
    """Task 7.2 (**, 15 minutes): the parameters of a basic block

    TODO: Return how many parameters a basic block has. Its first 3x3 convolution, with `stride`, goes from
        `in_channels` to `width` channels, its second from `width` to `width`. A batch norm follows each. No convolution
        has a bias. `shortcut` is "A" or "B", and matters only where the shape changes, because of the stride or because
        of the channels; otherwise the shortcut is the identity.
    QUESTION: Which layers of the block learn something? What does option A add, and what does option B?
    POINTER: Option B is a 1x1 convolution with a batch norm of its own; option A learns nothing. For (16, 16, 1, "B")
        the answer is 4672.
    """
    ### BEGIN SOLUTION
    parameters = 9 * in_channels * width + 9 * width * width + 2 * 2 * width
    if shortcut == "B" and (stride != 1 or in_channels != width):
        parameters += in_channels * width + 2 * width
    return parameters
    ### END SOLUTION


def multiply_adds(H: int, W: int, C: int, O: int, kernel: int, stride: int, padding: int) -> int:
    """Task 7.3 (*, 10 minutes): the multiply-adds of a convolution

    TODO: Return how many products a convolution adds up for one image (H, W, C). It has O output channels and windows
        of `kernel` x `kernel`, with the same stride and padding along both axes. Products with the zeros of the padding
        count too.
    QUESTION: How many numbers does the output have, and how many products are in each?
    POINTER: Tutorial 01 has the formula for the height and width of the output. A 3x3 convolution with padding 1 from
        16 to 16 channels needs 2,359,296 multiply-adds for an image of 32x32.
    """
    ### BEGIN SOLUTION
    OH, OW = ((size + 2 * padding - kernel) // stride + 1 for size in (H, W))
    return OH * OW * O * kernel * kernel * C
    ### END SOLUTION


def receptive_field(layers: Sequence[tuple[int, int]]) -> int:
    """Task 7.4 (**, 20 minutes): the receptive field

    TODO: `layers` contains (kernel, stride) for each convolution or pooling layer, from the first to the last. Return
        the size in pixels, along one axis, of the receptive field of one output of the last layer.
    QUESTION: A window of `kernel` elements spans how many gaps between neighbours, and how many pixels wide is each
        gap?
    POINTER: Keep two numbers, the size of the field and the distance between neighbouring outputs. A layer's stride
        changes the distance only for the layers after it. [(3, 1), (3, 1)] gives 5, and [(3, 2), (3, 1)] gives 7.
    """
    ### BEGIN SOLUTION
    size, jump = 1, 1
    for kernel, stride in layers:
        size += (kernel - 1) * jump
        jump *= stride
    return size
    ### END SOLUTION


def small_network() -> ResNetConfig:
    """Task 7.5 (**, 20 minutes): design a network to a budget

    TODO: Return a `ResNetConfig` for 32x32 images and ten classes. It must have shortcuts, at least 20 layers, at most
        100,000 parameters and at most 15 million multiply-adds, and its last stage must see the whole image (32 pixels
        or more).
    QUESTION: `CONFIGS["resnet20"]` is over both budgets. By which factors? Which of its numbers would you change?
    POINTER: Halving all widths divides parameters and multiply-adds by about four. `dataclasses.replace` changes a
        field of a configuration. `CONFIGS` and `build` are in `resnet_scratch.models`, `summarise` is in
        `resnet_scratch.measure.summary`: `summarise(build(config, rng=np.random.default_rng(0)), 32)` returns a row for
        each layer, with its `parameters` and `multiply_adds`.
    """
    ### BEGIN SOLUTION
    return ResNetConfig("small", "basic", (3, 3, 3), (8, 16, 32), "cifar", "A", 32)
    ### END SOLUTION
