"""The checker must catch every mistake that people make, and must not pass when it saw nothing."""

import itertools

import numpy as np
import pytest

from resnet_scratch.compute.backend import to_device
from resnet_scratch.gradcheck import Report, TensorCheck, gradcheck
from resnet_scratch.layers import Add, BatchNorm2d, Conv2d, Linear, MaxPool2d, ReLU, SubsamplePad
from resnet_scratch.layers.layer import Layer
from resnet_scratch.models.blocks import BasicBlock

rng = np.random.default_rng(0)


def images(channels=2, size=6):
    return rng.standard_normal((2, size, size, channels))


def conv(stride=1):
    return Conv2d(2, 3, 3, stride, 1, rng=rng)


def spoil(layer, change):
    """`layer` with `change(layer, grad_x, grad_y, cache)` done to what its backward returns."""
    right = layer.backward
    layer.backward = lambda grad_y, cache: change(layer, right(grad_y, cache), grad_y, cache)
    return layer


def last_of_window(layer, grad_x, grad_y, cache):
    wrong = grad_x * 0
    wrong[:, 1::2, 1::2] = grad_y
    return wrong


def rolled(axis):
    def change(layer, grad_x, grad_y, cache):
        wrong = grad_x.copy()
        there, here = wrong.swapaxes(0, axis), grad_x.swapaxes(0, axis)
        there[1:], there[:1] = here[:-1], here[-1:]
        return wrong

    return change


def without_top_row(layer, grad_x, grad_y, cache):
    wrong = grad_x.copy()
    wrong[:, :1] = 0
    return wrong


def forget(path):
    def change(layer, grad_x, grad_y, cache):
        both = dict(branch=0, shortcut=1)
        return tuple(g * (k != both[path]) for k, g in enumerate(grad_x))

    return change


def block_without(path):
    block = BasicBlock(4, 4, 1, "A", rng)
    spoil(block.add, forget(path))
    return block


def in_place(layer, grad_x, grad_y, cache):
    grad_y *= 2
    return grad_x


def zero_everything(layer, grad_x, grad_y, cache):
    return grad_x * 0


# beside those that the library can plant itself, which test_mistakes.py plants
MISTAKES = {
    "conv: sign of grad_x": (spoil(conv(), lambda l, g, *_: -g), images()),
    "conv, stride 2: grad_x shifted by a pixel": (spoil(conv(2), rolled(1)), images()),
    "conv, stride 2: a border lost": (spoil(conv(2), without_top_row), images()),
    "ReLU: the other half": (spoil(ReLU(), lambda l, g, grad_y, y: grad_y * (y <= 0)), images()),
    "max-pool: the last of the window wins": (spoil(MaxPool2d(2), last_of_window), images()),
    "linear: weight not transposed": (
        spoil(Linear(3, 3, rng=rng), lambda l, g, grad_y, x: grad_y @ l.weight.value), rng.standard_normal((4, 3))),
    "option A: channels shifted": (spoil(SubsamplePad(2, 5, 2), rolled(3)), images()),
    "block: branch forgotten": (block_without("branch"), images(4)),
    "grad_y changed in place": (spoil(Linear(3, 3, rng=rng), in_place), rng.standard_normal((4, 3))),
    "gradient of another shape": (spoil(ReLU(), lambda l, g, *_: g[:1]), images()),
    "no gradient at all": (spoil(ReLU(), lambda l, g, *_: None), images()),
    "a gradient that is not a number": (spoil(ReLU(), lambda l, g, *_: g * np.nan), images()),
    "zero gradient": (spoil(ReLU(), zero_everything), images()),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_planted_mistake_is_caught(device, name):
    layer, x = MISTAKES[name]
    report = gradcheck(layer.astype(np.float64).to(device), to_device(x, device))
    assert not report and not report.passed and "FAILED" in str(report)


def test_forgotten_inputs_of_an_addition_are_named():
    report = gradcheck(spoil(Add(), forget("shortcut")), images(), images())
    assert [tensor.name for tensor in report.tensors if tensor.problem] == ["input 1"]


@pytest.mark.parametrize("returned, problem", [(1, "got none"), (3, "1 gradients more than there are inputs")])
def test_every_input_must_have_one_gradient(returned, problem):
    layer = spoil(Add(), lambda layer, gradients, grad_y, cache: (grad_y,) * returned)
    report = gradcheck(layer, images(), images())
    assert not report and problem in str(report)


def test_the_report_says_which_tensor_where_and_by_how_much(put):
    def one_wrong_number(layer, grad_x, grad_y, x):
        layer.weight.grad = layer.weight.grad.copy()
        layer.weight.grad[2, 1] += 10
        return grad_x

    layer = spoil(put(Linear(3, 4, rng=rng)), one_wrong_number)
    report = gradcheck(layer, put(rng.standard_normal((5, 3))))
    wrong = [tensor for tensor in report.tensors if tensor.problem]
    assert [(tensor.name, tensor.where) for tensor in wrong] == [("weight", "(2, 1)")]
    assert wrong[0].error > 0.5 and "(2, 1)" in str(report)


class Blind(Layer):
    """Its output does not depend on its input: right, but nothing to check."""

    def forward(self, x, training=False):
        return x * 0, None

    def backward(self, grad_y, cache):
        return grad_y * 0


def test_a_gradient_that_is_zero_everywhere_does_not_pass(put):
    report = gradcheck(Blind(), put(images()))
    assert not report and "zero everywhere" in str(report)


def test_ties_are_left_out_and_counted(put):
    x = images()
    x[0, 0, :3, 0] = 0  # three numbers exactly on ReLU's kink
    report = gradcheck(ReLU(), put(x))
    assert report and report.tensors[0].skipped == 3 and report.tensors[0].compared == x.size - 3


def test_nothing_but_ties_does_not_pass(put):
    report = gradcheck(ReLU(), put(np.zeros((2, 3, 3, 1))))
    assert not report and "kink" in str(report)


class Dropout(Layer):
    """Half of the numbers, drawn anew in every call unless there is a `seed`."""

    def __init__(self, seed=None):
        self.seed = seed

    def forward(self, x, training=False):
        keep = np.random.default_rng(self.seed).random(x.shape) < 0.5
        return x * keep * 2, keep

    def backward(self, grad_y, keep):
        return grad_y * keep * 2


def test_a_layer_that_draws_random_numbers_is_told_so_and_passes_with_fixed_ones():
    report = gradcheck(Dropout(), images())
    assert not report and "forward is not deterministic" in str(report) and "kink" not in str(report)
    assert gradcheck(Dropout(seed=3), images())


def test_float32_is_refused():
    with pytest.raises(ValueError, match="float64, got input of float32"):
        gradcheck(ReLU(), images().astype(np.float32))
    with pytest.raises(ValueError, match="float64, got weight of float32"):
        gradcheck(Linear(3, 4, rng=rng), rng.standard_normal((5, 3)))


def test_an_input_drawn_with_the_same_seed_is_not_the_cotangent_as_well():
    x = np.random.default_rng(0).standard_normal((3, 2, 2, 1))
    assert gradcheck(BatchNorm2d(1).astype(np.float64), x)  # the gradient of sum(y * x) at x is zero, up to eps


def test_there_must_be_an_input():
    with pytest.raises(ValueError, match="at least one input"):
        gradcheck(ReLU())


def state(layer, x):
    """Every array of the layer and the input: the objects, and copies of their values."""
    arrays = [b.value for _, b in layer.named_buffers()] + [p.grad for p in layer.parameters()] + [x]
    return arrays, [None if a is None else a.copy() for a in arrays]


def assert_as_before(before, layer, x):
    arrays, values = before
    now, _ = state(layer, x)
    assert all(a is b for a, b in zip(arrays, now, strict=True))
    assert all(value is None or (value == array).all() for array, value in zip(now, values, strict=True))


def test_the_layer_and_its_input_are_left_as_they_were(put):
    layer, x = put(BatchNorm2d(2)), put(images())
    layer.weight.grad = put([3, 4])  # of some training step; the bias has none yet
    before = state(layer, x)
    assert gradcheck(layer, x)
    assert_as_before(before, layer, x)


@pytest.mark.parametrize("calls", range(9))
def test_they_are_left_as_they_were_when_forward_raises_too(put, calls):
    """At its first call, or while the input, the weight or the bias is changed: 1 forward for backward, 1 more to see
    the same output again, then 3 for each of 5 numbers (1 input, 2 weights, 2 biases), 17 in all."""
    layer, x = put(Linear(1, 2, rng=rng)), put([[1.5]])
    before, right, count = state(layer, x), layer.forward, itertools.count()

    def forward(x, training=False):
        if next(count) == 2 * calls:
            raise KeyError
        return right(x, training)

    layer.forward = forward
    with pytest.raises(KeyError):
        gradcheck(layer, x)
    assert_as_before(before, layer, x)


def test_they_are_left_as_they_were_when_backward_raises_too(put):
    layer, x = put(BatchNorm2d(2)), put(images())
    before = state(layer, x)

    def backward(grad_y, cache):
        layer.weight.value[0] = 7
        layer.weight.grad = grad_y
        raise KeyError

    layer.backward = backward
    with pytest.raises(KeyError):
        gradcheck(layer, x)
    assert_as_before(before, layer, x)


def test_the_report_fits_a_terminal():
    """The longest name and shape of the library's own cases; the command adds two spaces."""
    name, shape = "layer2.0.downsample.0.weight", (1, 1, 4, 8)
    line = TensorCheck(name, shape, 1.5e-11, "direction 12", 16, problem="wrong")
    text = str(Report([line]))
    assert max(map(len, text.splitlines())) <= 78
    assert text.splitlines()[1].split() == [name, "1x1x4x8", "1.5e-11", "direction", "12", "16", "FAILED"]
    assert text.splitlines()[2] == f"FAILED: {name}: wrong"
