"""Any geometry: sizes, kernels, strides and paddings that differ in height and width, one to five images, cut into any
number of chunks, biases that are not zero. What is expected comes from the loops of `verify.definitions`."""

from collections import defaultdict
from unittest import mock

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import assert_same

from resnet_scratch.compute import batch
from resnet_scratch.layers import AvgPool2d, Conv2d, GlobalAvgPool2d, MaxPool2d, SubsamplePad
from resnet_scratch.layers.windows import col2im, im2col
from resnet_scratch.verify import definitions

# the same examples every time, and nothing kept between runs
examples = settings(max_examples=100, derandomize=True, database=None, deadline=None)


class Geometry:
    """A drawn example: images (N, H, W, C) of random numbers, a geometry that fits them, and random numbers."""

    def __init__(self, draw, most_padding):
        axes = [self._axis(draw, most_padding) for _ in range(2)]
        self.size, self.kernel_size, self.stride, self.padding = zip(*axes)
        self.window = self.kernel_size, self.stride, self.padding
        self.images, self.channels = draw(st.integers(1, 5)), draw(st.integers(1, 3))
        self.chunk_bytes = draw(st.sampled_from([1, 1000, 10**6]))
        self.rng = np.random.default_rng(draw(st.integers(0, 99)))
        self.x = self.numbers(self.images, *self.size, self.channels)

    @staticmethod
    def _axis(draw, most_padding):
        kernel, stride = draw(st.integers(1, 4)), draw(st.integers(1, 3))
        padding = draw(st.integers(0, most_padding(kernel)))
        smallest = max(1, kernel - 2 * padding)
        return draw(st.integers(smallest, smallest + 4)), kernel, stride, padding

    def __repr__(self):
        return f"x {self.x.shape}, window {self.window}, chunks of {self.chunk_bytes} bytes"

    def numbers(self, *shape):
        return self.rng.standard_normal(shape)

    def contributions(self):
        return definitions.contributions(self.size, *self.window)

    def chunks(self):
        """Within it a batch is cut into chunks of this example's size."""
        return mock.patch.object(batch, "CHUNK_BYTES", self.chunk_bytes)


@st.composite
def convolutions(draw):
    return Geometry(draw, lambda kernel: kernel + 1)  # also windows that lie wholly beyond the border


@st.composite
def poolings(draw):
    return Geometry(draw, lambda kernel: kernel // 2)


@examples
@given(convolutions())
def test_im2col_and_col2im(g):
    columns = im2col(g.x, *g.window)
    assert_same(columns, definitions.im2col(g.x, *g.window), 0)
    m = g.numbers(*columns.shape)
    assert_same(col2im(m, g.x.shape, *g.window), definitions.col2im(m, g.x.shape, *g.window))


@examples
@given(convolutions(), st.integers(1, 3), st.booleans())
def test_convolution(g, out_channels, bias):
    layer = Conv2d(g.channels, out_channels, *g.window, bias, rng=g.rng).astype(np.float64)
    if bias:
        layer.bias.value = g.numbers(out_channels)
    weight, value = layer.weight.value, layer.bias.value if bias else None
    with g.chunks():
        y, cache = layer.forward(g.x)
        assert_same(y, definitions.convolution(g.x, weight, value, g.stride, g.padding))
        grad_y = g.numbers(*y.shape)
        grad_x = layer.backward(grad_y, cache)
        assert_same(grad_x, definitions.convolution_grad_x(grad_y, weight, g.size, g.stride, g.padding))
        gradients = [parameter.grad for parameter in layer.parameters()]
        layer.weight.grad = None
        layer.backward_to_parameters(grad_y, cache)
    expected = [definitions.convolution_grad_weight(grad_y, g.x, *g.window), grad_y.sum((0, 1, 2))][: 1 + bias]
    for both_ways in (gradients, [parameter.grad for parameter in layer.parameters()]):
        for ours, theirs in zip(both_ways, expected, strict=True):
            assert_same(ours, theirs)


@examples
@given(poolings())
def test_max_pool(g):
    """Whole numbers from -3 to -1, so that there are ties, and a border of zeros would win."""
    x = g.rng.integers(-3, 0, g.x.shape).astype(np.float64)
    with g.chunks():
        y, cache = MaxPool2d(*g.window).forward(x)
        assert_same(y, definitions.pool(x, np.max, *g.window, -np.inf), 0)
        grad_y = g.numbers(*y.shape)
        grad_x = MaxPool2d(*g.window).backward(grad_y, cache)
    pixels, expected = defaultdict(list), np.zeros(x.shape)
    for oh, ow, _, _, h, w in g.contributions():
        pixels[oh, ow].append((h, w))  # in reading order
    for n, oh, ow, c in np.ndindex(y.shape):
        h, w = max(pixels[oh, ow], key=lambda pixel: x[n, pixel[0], pixel[1], c])  # the first of equals
        expected[n, h, w, c] += grad_y[n, oh, ow, c]
    assert_same(grad_x, expected)


@examples
@given(poolings())
def test_average_pool(g):
    with g.chunks():
        y, cache = AvgPool2d(*g.window).forward(g.x)
        assert_same(y, definitions.pool(g.x, np.mean, *g.window, 0))
        grad_y = g.numbers(*y.shape)
        grad_x = AvgPool2d(*g.window).backward(grad_y, cache)
    expected = np.zeros(g.x.shape)
    for oh, ow, _, _, h, w in g.contributions():
        expected[:, h, w] += grad_y[:, oh, ow] / (g.kernel_size[0] * g.kernel_size[1])
    assert_same(grad_x, expected)


@examples
@given(poolings())
def test_pools_step_by_their_kernel_unless_told_otherwise(g):
    x = np.pad(g.x, ((0, 0), (0, 4), (0, 4), (0, 0)))
    assert_same(MaxPool2d(g.kernel_size)(x), definitions.pool(x, np.max, g.kernel_size, g.kernel_size), 0)
    assert_same(AvgPool2d(g.kernel_size)(x), definitions.pool(x, np.mean, g.kernel_size, g.kernel_size))


@examples
@given(poolings())
def test_global_average_pool(g):
    with g.chunks():
        y, cache = GlobalAvgPool2d().forward(g.x)
        grad_y = g.numbers(*y.shape)
        grad_x = GlobalAvgPool2d().backward(grad_y, cache)
    (N, H, W, C), share = g.x.shape, np.zeros(g.x.shape)
    assert y.shape == (N, C)
    for n, h, w, c in np.ndindex(N, H, W, C):
        share[n, h, w, c] = grad_y[n, c] / (H * W)
    assert_same(grad_x, share)
    assert_same(y, np.array([[sum(g.x[n, :, :, c].ravel()) / (H * W) for c in range(C)] for n in range(N)]))


@examples
@given(poolings(), st.integers(0, 4), st.integers(1, 3))
def test_shortcut_of_option_a(g, new_channels, stride):
    layer, before = SubsamplePad(g.channels, g.channels + new_channels, stride), new_channels // 2
    with g.chunks():
        y, cache = layer.forward(g.x)
        grad_y = g.numbers(*y.shape)
        grad_x = layer.backward(grad_y, cache)
    N, H, W, C = g.x.shape
    taken = [(h, w) for h in range(H) for w in range(W) if h % stride == w % stride == 0]
    expected_y, expected_grad = np.zeros((N, -(-H // stride), -(-W // stride), C + new_channels)), np.zeros(g.x.shape)
    for h, w in taken:
        for c in range(C):
            expected_y[:, h // stride, w // stride, before + c] = g.x[:, h, w, c]
            expected_grad[:, h, w, c] = grad_y[:, h // stride, w // stride, before + c]
    assert_same(y, expected_y, 0)
    assert_same(grad_x, expected_grad, 0)
