"""What each block computes, from its layers' outputs alone; the backward passes are checked in verify/test_cases.py."""

import numpy as np
import pytest
from reference import assert_same

from resnet_scratch.layers import BatchNorm2d, Conv2d, SubsamplePad
from resnet_scratch.models.blocks import BasicBlock, Bottleneck, PlainBlock, make_shortcut
from resnet_scratch.models.resnet import BLOCKS
from resnet_scratch.models.variants import PreActBlock, ReluBeforeAddBlock

RELU = lambda x: x * (x > 0)  # noqa: E731

FORMULAS = {
    BasicBlock: lambda b, x: RELU(b.bn2(b.conv2(RELU(b.bn1(b.conv1(x))))) + b.downsample(x)),
    ReluBeforeAddBlock: lambda b, x: RELU(b.bn2(b.conv2(RELU(b.bn1(b.conv1(x)))))) + b.downsample(x),
    Bottleneck: lambda b, x: RELU(b.bn3(b.conv3(RELU(b.bn2(b.conv2(RELU(b.bn1(b.conv1(x)))))))) + b.downsample(x)),
    PreActBlock: lambda b, x: b.conv2(RELU(b.bn2(b.conv1(RELU(b.bn1(x)))))) + b.downsample(x),
    PlainBlock: lambda b, x: RELU(b.bn2(b.conv2(RELU(b.bn1(b.conv1(x)))))),
}


@pytest.mark.parametrize("shortcut", ["A", "B"])
@pytest.mark.parametrize("stride, width", [(1, 4), (2, 8)])
@pytest.mark.parametrize("block", FORMULAS, ids=lambda block: block.__name__)
def test_forward_is_the_papers_formula(rng, put, block, stride, width, shortcut):
    layer = put(block(4, width, stride, shortcut, rng))
    for _, norm in layer.named_layers():
        if isinstance(norm, BatchNorm2d):
            for buffer in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
                buffer.value = put(rng.uniform(0.5, 1.5, norm.channels))
    x = put(rng.standard_normal((2, 6, 5, 4)))
    y = layer(x)
    assert y.shape == (2, -(-6 // stride), -(-5 // stride), width * block.expansion)
    assert_same(y, FORMULAS[block](layer, x))


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
def test_with_its_last_scale_at_zero_a_block_is_its_shortcut(rng, put, block):
    layer = put(block(8, 8 // block.expansion, 1, "A", rng))
    last = layer.bn3 if block is Bottleneck else layer.bn2
    last.weight.value[:] = 0
    x = rng.standard_normal((2, 4, 4, 8))
    assert_same(layer.forward(put(x), training=True)[0], RELU(x))


@pytest.mark.parametrize("option", ["A", "B"])
def test_where_shapes_fit_the_shortcut_is_the_identity(rng, option):
    x = rng.standard_normal((1, 3, 3, 4))
    assert make_shortcut(option, 4, 4, 1, rng)(x) is x


@pytest.mark.parametrize("shape", [(4, 8, 1), (4, 4, 2), (4, 8, 2)])
def test_elsewhere_it_is_the_option(rng, shape):
    assert isinstance(make_shortcut("A", *shape, rng), SubsamplePad)
    conv, norm = make_shortcut("B", *shape, rng)
    assert isinstance(conv, Conv2d) and conv.kernel_size == (1, 1) and conv.stride[0] == shape[2] and conv.bias is None
    assert isinstance(norm, BatchNorm2d)


def test_a_shortcut_that_does_not_exist_is_refused(rng):
    with pytest.raises(ValueError, match="shortcut must be 'A' or 'B', got 'C'"):
        make_shortcut("C", 4, 8, 2, rng)


def test_the_bottleneck_has_its_stride_in_the_3x3(rng):
    block = Bottleneck(16, 4, 2, "B", rng)
    assert [c.stride[0] for c in (block.conv1, block.conv2, block.conv3)] == [1, 2, 1]


@pytest.mark.parametrize("block", BLOCKS.values(), ids=lambda block: block.__name__)
@pytest.mark.parametrize("stride", [1, 2])
def test_the_formula_of_inference_is_the_forward_pass_in_evaluation_mode(block, stride, rng):
    layer = block(4, 8 // block.expansion, stride, "B", rng)
    for _, norm in layer.named_layers():
        if isinstance(norm, BatchNorm2d):
            norm.running_mean.value[:], norm.running_var.value[:] = rng.standard_normal(norm.channels), 2
    x = rng.standard_normal((3, 5, 6, 4)).astype(np.float32)
    assert np.array_equal(layer(x), layer.forward(x)[0])
