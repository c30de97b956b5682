from dataclasses import replace

import numpy as np
import pytest

from resnet_scratch.layers import BatchNorm2d, Conv2d, GlobalAvgPool2d, Sequential
from resnet_scratch.layers.layer import Layer
from resnet_scratch.measure.summary import format_summary, summarise, training_memory
from resnet_scratch.models import build


@pytest.fixture(scope="module")
def rows():
    return summarise(build("resnet20", rng=np.random.default_rng(0)), 32)


def test_on_any_device_the_rows_are_the_same(rows, device):
    model = build("resnet20", rng=np.random.default_rng(0)).to(device)
    assert summarise(model, np.int64(32)) == rows
    assert summarise(Sequential(GlobalAvgPool2d()), (4, 5))[0].output_shape == (3,)  # it has no array that is anywhere


def test_totals_of_resnet20(rows):
    """Multiply-adds counted by hand: the stem, then 6, 1 + 5 and 1 + 5 convolutions of 3x3, and the classifier."""
    stem, full, half = 32 * 32 * 9 * 3 * 16, 32 * 32 * 9 * 16 * 16, 16 * 16 * 9 * 16 * 32
    assert sum(row.multiply_adds for row in rows) == stem + 6 * full + 2 * half + 10 * full + 64 * 10
    assert sum(row.parameters for row in rows) == 269_722
    assert format_summary(rows).splitlines()[-1].split()[:3] == ["total", "269,722", "40.55"]


@pytest.mark.parametrize("name", ["resnet20", "preact110", "article", "resnet50", "resnet152"])
def test_the_table_fits_a_terminal(name):
    model = build(name, 1000, rng=np.random.default_rng(0))
    lines = format_summary(summarise(model, model.config.image_size)).splitlines()
    assert max(map(len, lines)) <= 80 and len({len(line) for line in lines}) == 1


class Scale(Layer):
    """A student's new layer: y = 2 x."""

    def forward(self, x, training=False):
        return 2 * x, None

    def backward(self, grad_y, cache):
        return 2 * grad_y

    def multiply_adds(self, output_shape):
        return int(np.prod(output_shape))


def test_a_new_layer_is_counted_by_what_it_says():
    rows = summarise(Sequential(scale=Scale(), avgpool=GlobalAvgPool2d()), (4, 5))
    assert [(row.name, row.multiply_adds) for row in rows] == [("scale", 4 * 5 * 3), ("avgpool", 0)]


def test_one_convolution(rows):
    row = next(row for row in rows if row.name == "layer2.0.conv1")
    assert (row.kind, row.output_shape, row.parameters) == ("Conv2d", (16, 16, 32), 9 * 16 * 32)
    assert row.multiply_adds == 16 * 16 * 9 * 16 * 32


@pytest.mark.parametrize("group", [1, 3, 8])
def test_groups_of_batch_norm_change_no_shape_and_no_cost(group):
    """They have statistics of their own, some 100 bytes for each image."""
    model = build("resnet8", rng=np.random.default_rng(0))
    expected = summarise(model, 16)
    for _, layer in model.named_layers():
        if isinstance(layer, BatchNorm2d):
            layer.group = group
    for row, whole in zip(summarise(model, 16), expected, strict=True):
        assert replace(row, memory=0) == replace(whole, memory=0)
        assert row.memory == pytest.approx(whole.memory, abs=1000)


def test_memory_counts_each_kept_array_once(rows):
    """A batch norm keeps its input, a ReLU its output; the next convolution keeps that same array."""
    memory = {row.name: row.memory for row in rows}
    image = 32 * 32 * 16 * 4
    assert memory["layer1.0.relu1"] == image and memory["layer1.0.conv2"] == memory["layer1.0.add"] == 0
    assert image <= memory["layer1.0.bn1"] < image + 1000  # and its few statistics


def test_the_memory_of_a_step_by_hand(rows):
    """One convolution, 3x3, 16 to 32 channels, onto 16x16: 4,608 weights, columns of 144 and 32 outputs a pixel."""
    conv = [row for row in rows if row.name == "layer2.0.conv1"]
    assert conv[0].memory == 0  # its input is kept by the ReLU before it
    step = training_memory(conv, 10)
    assert step.kept == 3 * 4 * 4_608
    assert step.gpu_peak == step.kept + 10 * 4 * 16 * 16 * (144 + 6 * 32)
    assert training_memory(conv, 1).gpu_peak == step.kept + max(3 * 4 * 4_608, 4 * 16 * 16 * (144 + 6 * 32))


def test_bigger_networks_match_published_multiply_adds():
    """torchvision gives 1.81 and 4.09 G for 224x224 images."""
    for name, expected in [("resnet18", 1.81e9), ("resnet50", 4.09e9)]:
        rows = summarise(build(name, 1000, rng=np.random.default_rng(0)), 224)
        assert sum(row.multiply_adds for row in rows) == pytest.approx(expected, rel=0.005)


def test_the_network_is_left_as_it_was():
    model = build("resnet8", rng=np.random.default_rng(0))
    before = [buffer.value.copy() for _, buffer in model.named_buffers()]
    summarise(model, (16, 24))
    assert all(np.array_equal(a, b.value) for a, (_, b) in zip(before, model.named_buffers()))
    assert model.conv1.forward.__func__ is Conv2d.forward


def test_an_image_that_is_too_small_is_refused():
    with pytest.raises(ValueError, match="x must be non-empty, got"):
        summarise(build("article", rng=np.random.default_rng(0)), 0)
