"""What the protocol promises, of every layer and block: dtypes, arguments left alone, caches of its own, threads."""

import inspect
import math
import re

import numpy as np
import pytest
from reference import assert_same

from resnet_scratch import layers
from resnet_scratch.compute import batch
from resnet_scratch.gradcheck import gradcheck
from resnet_scratch.layers import (
    Add,
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    SubsamplePad,
)  # fmt: skip
from resnet_scratch.layers.layer import Layer, Parameter
from resnet_scratch.layers.protocol import BrokenPromise, check_fast_paths, check_promises, turned_into_float64
from resnet_scratch.models.blocks import BasicBlock, Bottleneck, PlainBlock
from resnet_scratch.models.variants import PreActBlock, ReluBeforeAddBlock

OPERATIONS = set(layers.__all__) - {"Layer", "Parameter"}
IMAGES, ROWS = (5, 6, 7, 4), (5, 4)
LAYERS = {
    "Conv2d": (lambda rng: Conv2d(4, 3, 3, padding=1, rng=rng), IMAGES),
    "Conv2d, stride 2": (lambda rng: Conv2d(4, 3, 3, 2, 1, rng=rng), IMAGES),
    "Conv2d, 1x1": (lambda rng: Conv2d(4, 3, 1, rng=rng), IMAGES),
    "BatchNorm2d": (lambda rng: BatchNorm2d(4), IMAGES),
    "ReLU": (lambda rng: ReLU(), IMAGES),
    "MaxPool2d": (lambda rng: MaxPool2d(3, 2, 1), IMAGES),
    "AvgPool2d": (lambda rng: AvgPool2d(3, 2, 1), IMAGES),
    "GlobalAvgPool2d": (lambda rng: GlobalAvgPool2d(), IMAGES),
    "Flatten": (lambda rng: Flatten(), IMAGES),
    "Linear": (lambda rng: Linear(4, 3, rng=rng), ROWS),
    "SubsamplePad": (lambda rng: SubsamplePad(4, 7, 2), IMAGES),
    "Sequential": (lambda rng: Sequential(Linear(4, 3, rng=rng), ReLU()), ROWS),
    "BasicBlock": (lambda rng: BasicBlock(4, 8, 2, "B", rng), IMAGES),
    "ReluBeforeAddBlock": (lambda rng: ReluBeforeAddBlock(4, 8, 2, "A", rng), IMAGES),
    "Bottleneck": (lambda rng: Bottleneck(4, 2, 2, "B", rng), IMAGES),
    "PreActBlock": (lambda rng: PreActBlock(4, 8, 2, "B", rng), IMAGES),
    "Conv2d first": (lambda rng: Sequential(Conv2d(4, 3, 3, padding=1, rng=rng), ReLU()), IMAGES),
    "Conv2d first, stride 2": (lambda rng: Sequential(Conv2d(4, 3, 3, 2, rng=rng), BatchNorm2d(3)), IMAGES),
    "PlainBlock": (lambda rng: PlainBlock(4, 8, 2, "", rng), IMAGES),
}  # Add, with its two inputs, has a test of its own below
every_layer = pytest.mark.parametrize("name", LAYERS)


def make(name, put, rng, dtype=np.float64):
    """(the layer, an input), in `dtype`."""
    layer, shape = LAYERS[name][0](rng), LAYERS[name][1]
    return put(layer, dtype), put(rng.standard_normal(shape), dtype)


def arrays_in(cache):
    """All arrays of floats in a cache, however deep."""
    if isinstance(cache, (tuple, list)):
        return [array for part in cache for array in arrays_in(part)]
    return [cache] if getattr(cache, "dtype", np.dtype(int)).kind == "f" else []


def gradients(layer):
    return [parameter.grad.copy() for parameter in layer.parameters()]


def test_every_layer_is_in_the_table():
    assert {name.partition(",")[0] for name in LAYERS} >= OPERATIONS - {"Add"}


@every_layer
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_follows_the_input_everywhere(put, rng, name, training, dtype):
    layer, x = make(name, put, rng, dtype)
    y, cache = layer.forward(x, training)
    grad_x = layer.backward(put(rng.standard_normal(y.shape), dtype), cache)
    assert grad_x.shape == x.shape
    found = [y, grad_x, *arrays_in(cache), *(b.value for _, b in layer.named_buffers())]
    assert {array.dtype for array in found} == {np.dtype(dtype)}
    for parameter in layer.parameters():
        assert parameter.grad.dtype == dtype and parameter.grad.shape == parameter.value.shape


@every_layer
def test_its_numbers_begin_in_float32(rng, name):
    """In which networks train. One array of float64 would make all that is computed from it float64."""
    assert {buffer.value.dtype for _, buffer in LAYERS[name][0](rng).named_buffers()} <= {np.dtype(np.float32)}


@pytest.mark.parametrize("kind", [Layer, *(getattr(layers, name) for name in sorted(OPERATIONS))])
def test_a_forward_pass_is_evaluation_unless_told(kind):
    assert inspect.signature(kind.forward).parameters["training"].default is False


@every_layer
@pytest.mark.parametrize("training", [True, False])
def test_chunks_change_nothing_but_rounding(rng, monkeypatch, name, training):
    layer, shape = LAYERS[name][0](rng).astype(np.float64), LAYERS[name][1]
    for parameter in layer.parameters():  # no bias is zero, and no scale one
        parameter.value = parameter.value + rng.standard_normal(parameter.value.shape)
    x = rng.standard_normal(shape)
    grad_y = rng.standard_normal(layer(x).shape)

    def results():
        y, cache = layer.forward(x, training)
        return [y, layer.backward(grad_y, cache), *gradients(layer)]

    whole = results()
    monkeypatch.setattr(batch, "CHUNK_BYTES", 1)
    for ours, expected in zip(results(), whole, strict=True):
        assert_same(ours, expected)


@every_layer
@pytest.mark.parametrize("training", [True, False])
def test_neither_input_is_changed(put, rng, name, training):
    layer, x = make(name, put, rng)
    x_before = x.copy()
    y, cache = layer.forward(x, training)
    grad_y = put(rng.standard_normal(y.shape))
    grad_y_before = grad_y.copy()
    layer.backward(grad_y, cache)
    assert_same(x, x_before, 0)
    assert_same(grad_y, grad_y_before, 0)


@every_layer
def test_used_twice_each_backward_goes_with_its_own_cache(put, rng, name):
    layer, first = make(name, put, rng)
    second = put(rng.standard_normal(first.shape))
    y, first_cache = layer.forward(first, training=True)
    grad_y = put(rng.standard_normal(y.shape))
    expected = layer.backward(grad_y, first_cache), gradients(layer)

    _, first_cache = layer.forward(first, training=True)
    _, second_cache = layer.forward(second, training=True)
    layer.backward(grad_y, second_cache)
    assert_same(layer.backward(grad_y, first_cache), expected[0], 0)
    for grad, expected_grad in zip(gradients(layer), expected[1]):  # overwritten, not added to
        assert_same(grad, expected_grad, 0)


@every_layer
def test_memory_order_does_not_matter(put, rng, name):
    """Arrays that lie transposed in memory, such as channels-first images seen as channels-last ones."""
    layer, x = make(name, put, rng)
    y, cache = layer.forward(x)
    grad_y = put(rng.standard_normal(y.shape))
    grad_x, grads = layer.backward(grad_y, cache), gradients(layer)
    x, grad_y = (array.swapaxes(1, -1).swapaxes(0, 1).copy().swapaxes(0, 1).swapaxes(1, -1) for array in (x, grad_y))
    assert not x.flags.c_contiguous and not grad_y.flags.c_contiguous
    turned_y, cache = layer.forward(x)
    assert_same(turned_y, y)
    assert_same(layer.backward(grad_y, cache), grad_x)
    for grad, expected in zip(gradients(layer), grads):
        assert_same(grad, expected)


@every_layer
@pytest.mark.parametrize("threads", [2, 3, 5])
def test_results_do_not_depend_on_the_number_of_threads(put, rng, set_threads, small_chunks, name, threads):
    layer, x = make(name, put, rng, np.float32)
    grad_y = put(rng.standard_normal(layer(x).shape), np.float32)

    def results():
        y, cache = layer.forward(x, training=True)
        return [y, layer.backward(grad_y, cache), *gradients(layer)]

    set_threads(1)
    expected = results()
    set_threads(threads)
    for ours, alone in zip(results(), expected):
        assert_same(ours, alone, 0)


def wrong_shapes(shape):
    """Shapes that are not `shape`, among them those that NumPy would broadcast to it, or take as it lies in memory."""
    ones = tuple(1 for _ in shape)
    wrong = [(), shape[1:], (1, *shape[1:]), (shape[0], *ones[1:]), (shape[0], *ones[2:], shape[-1]), ones, (*shape, 1)]
    wrong += [shape[::-1], (*shape[:-1], shape[-1] + 1), (shape[0] + 1, *shape[1:]), (1, *shape), (math.prod(shape),)]
    return [other for other in wrong if other != shape]


@every_layer
@pytest.mark.parametrize("training", [True, False])
def test_a_gradient_of_another_shape_is_refused(put, rng, small_chunks, name, training):
    layer, x = make(name, put, rng)
    y, cache = layer.forward(x, training)
    wrong = wrong_shapes(y.shape)
    assert len(wrong) >= 8
    for shape in wrong:
        for way in (layer.backward, layer.backward_to_parameters):
            with pytest.raises(ValueError, match="grad_y must have the shape of the output, .* got .*") as error:
                way(put(np.ones(shape)), cache)
            assert str(shape) in str(error.value) and str(y.shape) in str(error.value)


@every_layer
def test_the_way_back_to_the_parameters_sets_the_same_gradients(put, rng, name):
    layer, x = make(name, put, rng)
    y, cache = layer.forward(x, training=True)
    grad_y = put(rng.standard_normal(y.shape))
    before = grad_y.copy()
    layer.backward(grad_y, cache)
    expected = gradients(layer)
    for parameter in layer.parameters():
        parameter.grad = None
    assert layer.backward_to_parameters(grad_y, cache) is None
    for ours, grad in zip(gradients(layer), expected, strict=True):
        assert_same(ours, grad)
    assert_same(grad_y, before, 0)


def test_addition_keeps_to_it_too(put, rng):
    for dtype in (np.float32, np.float64):
        a, b = (put(rng.standard_normal(IMAGES), dtype) for _ in range(2))
        before = a.copy(), b.copy()
        y, cache = Add().forward(a, b)
        gradients = Add().backward(y, cache)
        assert y.dtype == gradients[0].dtype == gradients[1].dtype == dtype
        assert_same(a, before[0], 0)
        assert_same(b, before[1], 0)
        for shape in wrong_shapes(IMAGES):
            with pytest.raises(ValueError, match="grad_y must have the shape of the output"):
                Add().backward(put(np.ones(shape), dtype), cache)


class NoCache(ReLU):
    def forward(self, x, training=False):
        return np.maximum(x, 0)


class ChangesX(ReLU):
    def forward(self, x, training=False):
        return np.maximum(x, 0, out=x), x


class Random(ReLU):
    def forward(self, x, training=False):
        return x + np.random.default_rng().random(x.shape), x


class ChangesGradY(ReLU):
    def backward(self, grad_y, y):
        grad_y *= y > 0
        return grad_y


class KeepsX(Linear):
    def forward(self, x, training=False):
        self.x = x
        return super().forward(x, training)

    def backward(self, grad_y, x):
        return super().backward(grad_y, self.x)


class KeepsTheShape(Flatten):
    def forward(self, x, training=False):
        self.shape = x.shape
        return x.reshape(len(x), -1), x

    def backward(self, grad_y, x):
        return grad_y.reshape(self.shape)


class KeepsTheSpread(BatchNorm2d):
    """x and images that were only moved and put in another order have the same standard deviation."""

    def forward(self, x, training=False):
        y, cache = super().forward(x, training)
        self.inverse_std = cache[2]
        return y, cache

    def backward(self, grad_y, cache):
        return super().backward(grad_y, (*cache[:2], self.inverse_std, cache[3]))


class ChangesXInBackward(ReLU):
    def forward(self, x, training=False):
        return abs(x), x

    def backward(self, grad_y, x):
        return grad_y * np.sign(x, out=x)


class Accumulates(Linear):
    def backward(self, grad_y, cache):
        before = self.bias.grad
        grad_x = super().backward(grad_y, cache)
        self.bias.grad = self.bias.grad if before is None else before + self.bias.grad
        return grad_x


class SetsNothing(Linear):
    def backward_to_parameters(self, grad_y, cache):
        pass


class OtherCall(ReLU):
    def __call__(self, x):
        return abs(x)


class OtherFastPath(Linear):
    def backward_to_parameters(self, grad_y, cache):
        self.backward(2 * grad_y, cache)


@pytest.mark.parametrize("make, broken", [
    (NoCache, r"forward must return two things, \(y, cache\), got ndarray"),  # also for a batch of two images
    (ChangesX, "forward changed x in place"),
    (Random, "forward is not deterministic"),
    (ChangesGradY, "backward changed grad_y in place"),
    (lambda: KeepsX(4, 4, rng=np.random.default_rng(0)), "backward must use the cache that it is given"),
    (KeepsTheShape, "backward must use the cache that it is given"),
    (lambda: KeepsTheSpread(4), "backward must use the cache that it is given"),
    (ChangesXInBackward, "backward changed x in place"),
    (lambda: Accumulates(4, 4, rng=np.random.default_rng(0)), "backward must overwrite the gradients"),
    (lambda: SetsNothing(4, 4, rng=np.random.default_rng(0)), "backward_to_parameters sets other gradients"),
    (OtherCall, r"layer\(x\) is not what forward computes"),
    (lambda: OtherFastPath(4, 4, rng=np.random.default_rng(0)), "backward_to_parameters sets other gradients"),
])  # fmt: skip
def test_a_broken_promise_is_told_and_fails_the_gradient_check(rng, make, broken):
    layer = make().astype(np.float64)
    x = rng.standard_normal((2, 3, 3, 4) if isinstance(layer, BatchNorm2d) else (2, 4))
    with pytest.raises(BrokenPromise, match=broken):
        check_promises(layer, x.copy())
        check_fast_paths(layer, x)
    report = gradcheck(layer, x)
    assert not report and re.search(broken, " ".join(tensor.problem for tensor in report.tensors))


@every_layer
def test_the_library_keeps_its_promises(put, rng, name):
    layer, x = make(name, put, rng)
    check_promises(layer, x)
    check_promises(layer, x, training=False)
    check_fast_paths(layer, x)
    assert turned_into_float64(layer, x) == ""


class Domain(ReLU):
    """The inverse hyperbolic tangent, and a bias."""

    def __init__(self):
        self.bias = Parameter(np.zeros(1, np.float32))

    def forward(self, x, *, training=False):
        if (abs(x) >= 1).any():
            raise ValueError("x must be between -1 and 1")
        return np.arctanh(x) + self.bias.value, x

    def backward(self, grad_y, x):
        self.bias.grad = grad_y.sum().reshape(1)
        return grad_y / (1 - x**2)


def test_what_is_unusual_and_right_passes(rng):
    layer = Domain().astype(np.float64)
    assert gradcheck(layer, rng.uniform(-0.9, 0.9, (3, 4)))
    layer.bias.grad = np.float64(3)  # no array
    assert gradcheck(layer, rng.uniform(-0.9, 0.9, (3, 4))) and layer.bias.grad == 3


class Calls:
    def __call__(self, x):
        return "called"


class Mixed(Calls, ReLU):
    def forward(self, x, training=False):
        return x, None


def test_a_call_that_comes_from_elsewhere_stays():
    assert Mixed()(np.ones(1)) == "called"


class Doubled(Sequential):
    """Its forward and backward are others than those that it inherits, and so are the fast paths."""

    def forward(self, x, training=False):
        y, caches = super().forward(x, training)
        return 2 * y, caches

    def backward(self, grad_y, caches):
        return super().backward(2 * grad_y, caches)


def test_a_layer_does_not_inherit_the_fast_paths_of_what_it_overrides(rng):
    """Else evaluation would be by the parent's formula, and the first layer of a network trained with its gradients."""
    x, linear = rng.standard_normal((3, 4)), Linear(4, 2, rng=rng).astype(np.float64)
    doubled = Doubled(linear)
    np.testing.assert_allclose(doubled(x), 2 * linear(x))
    _, caches = doubled.forward(x, True)
    doubled.backward_to_parameters(np.ones((3, 2)), caches)
    np.testing.assert_allclose(linear.bias.grad, [6, 6])  # 2 for each of three images


class Float64(ReLU):
    def forward(self, x, training=False):
        return np.sqrt(2) * x, x

    def backward(self, grad_y, x):
        return np.sqrt(2) * grad_y


class Float64Backward(Linear):
    def backward(self, grad_y, cache):
        grad_x = super().backward(grad_y, cache)
        self.bias.grad = self.bias.grad * np.float64(1)
        return grad_x


@pytest.mark.parametrize("make, what", [
    (Float64, "the output"),
    (lambda: Float64Backward(4, 4, rng=np.random.default_rng(0)), "the gradient w.r.t. bias"),
])  # fmt: skip
def test_what_makes_float64_of_float32_is_noted(rng, make, what):
    layer = make().astype(np.float64)
    report = gradcheck(layer, rng.standard_normal((2, 4)))
    assert turned_into_float64(layer, rng.standard_normal((2, 4))) == what
    assert report and f"note: {what} is float64 for an input of float32" in " ".join(str(report).split())
    assert {buffer.value.dtype for _, buffer in layer.named_buffers()} <= {np.dtype(np.float64)}  # as before
