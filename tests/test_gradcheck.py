"""The checker must catch every mistake that people make, and must not pass when it saw nothing."""

import itertools

import numpy as np
import pytest

from resnet_scratch.compute.backend import array_module, to_device
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


# beside those that the library can plant itself, which test_mistakes.py plants; each test makes a layer of its own,
# since it moves it to a device
MISTAKES = {
    "conv: sign of grad_x": lambda: (spoil(conv(), lambda l, g, *_: -g), images()),
    "conv, stride 2: grad_x shifted by a pixel": lambda: (spoil(conv(2), rolled(1)), images()),
    "conv, stride 2: a border lost": lambda: (spoil(conv(2), without_top_row), images()),
    "ReLU: the other half": lambda: (spoil(ReLU(), lambda l, g, grad_y, y: grad_y * (y <= 0)), images()),
    "max-pool: the last of the window wins": lambda: (spoil(MaxPool2d(2), last_of_window), images()),
    "linear: weight not transposed": lambda: (
        spoil(Linear(3, 3, rng=rng), lambda l, g, grad_y, x: grad_y @ l.weight.value), rng.standard_normal((4, 3))),
    "option A: channels shifted": lambda: (spoil(SubsamplePad(2, 5, 2), rolled(3)), images()),
    "block: branch forgotten": lambda: (block_without("branch"), images(4)),
    "grad_y changed in place": lambda: (spoil(Linear(3, 3, rng=rng), in_place), rng.standard_normal((4, 3))),
    "gradient of another shape": lambda: (spoil(ReLU(), lambda l, g, *_: g[:1]), images()),
    "no gradient at all": lambda: (spoil(ReLU(), lambda l, g, *_: None), images()),
    "a gradient that is not a number": lambda: (spoil(ReLU(), lambda l, g, *_: g * np.nan), images()),
    "zero gradient": lambda: (spoil(ReLU(), zero_everything), images()),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_planted_mistake_is_caught(device, name):
    layer, x = MISTAKES[name]()
    report = gradcheck(layer.astype(np.float64).to(device), to_device(x, device))
    assert not report and not report.passed and "FAILED" in str(report)


def test_forgotten_inputs_of_an_addition_are_named():
    report = gradcheck(spoil(Add(), forget("shortcut")), images(), images())
    assert [tensor.name for tensor in report.tensors if tensor.problem] == ["input 1"]


def test_the_gradients_of_several_inputs_may_come_as_a_list():
    assert gradcheck(spoil(Add(), lambda layer, gradients, *_: list(gradients)), images(), images())


@pytest.mark.parametrize("returned, problem", [(1, "got none"), (3, "returned too many gradients: 1 more than inputs")])
def test_every_input_must_have_one_gradient(returned, problem):
    layer = spoil(Add(), lambda layer, gradients, grad_y, cache: (grad_y,) * returned)
    report = gradcheck(layer, images(), images())
    assert not report and problem in " ".join(str(report).split())  # it may be broken into lines


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
    with pytest.raises(ValueError, match=r"float64, got input of int64; try x.astype\(np.float64\)"):
        gradcheck(ReLU(), np.array([-1, 2]))
    with pytest.raises(ValueError, match=r"float64, got weight of float32; try layer.astype\(np.float64\)"):
        gradcheck(Linear(3, 4, rng=rng), rng.standard_normal((5, 3)))


def test_a_layer_that_turns_float64_into_float32_is_told_so(put):
    class Single(Layer):
        def forward(self, x, training=False):
            return (2 * x).astype(np.float32), None

        def backward(self, grad_y, cache):
            return 2 * grad_y

    report = gradcheck(Single(), put(images()))
    assert [tensor.name for tensor in report.tensors] == ["input"]
    told = "float64 went in and float32 came out: make arrays as np.zeros(shape, x.dtype)"
    assert not report and report.tensors[0].problem == told


@pytest.mark.parametrize("value, told", [(-1.0, "nan"), (0.0, "infinity")])
def test_an_output_that_is_no_number_is_told(put, value, told):
    class Logarithm(Layer):
        def forward(self, x, training=False):
            with np.errstate(all="ignore"):
                return array_module(x).log(x), x

        def backward(self, grad_y, x):
            return grad_y / x

    with np.errstate(all="ignore"):
        report = gradcheck(Logarithm(), put([2.0, value]))
    assert [tensor.problem for tensor in report.tensors] == [f"forward gave {told} for this input"]
    assert gradcheck(Logarithm(), put([2.0, 3.0]))


def test_a_broken_promise_about_a_parameter_names_the_parameter():
    class FastPath(Linear):
        def backward_to_parameters(self, grad_y, cache):
            super().backward(grad_y, cache)
            self.bias.grad = 2 * self.bias.grad

    class Adds(Linear):
        def backward(self, grad_y, cache):
            before = self.bias.grad
            grad_x = super().backward(grad_y, cache)
            if before is not None:
                self.bias.grad = self.bias.grad + before
            return grad_x

    class Steps(Linear):
        def backward(self, grad_y, cache):
            grad_x = super().backward(grad_y, cache)
            self.bias.value -= 0.1 * self.bias.grad
            return grad_x

    for kind, problem in (
        (FastPath, "backward_to_parameters sets other gradients than backward"),
        (Adds, "backward must overwrite the gradients of its parameters"),
        (Steps, "backward changed the value of bias"),
    ):
        layer = kind(3, 4, rng=rng).astype(np.float64)
        before = layer.bias.value.copy()
        report = gradcheck(layer, rng.standard_normal((5, 3)))
        ((name, shape, told),) = [(t.name, t.shape, t.problem) for t in report.tensors if t.problem]
        assert (name, shape) == ("bias", (4,)) and told.startswith(problem)
        np.testing.assert_array_equal(layer.bias.value, before)


def test_an_input_drawn_with_the_same_seed_is_not_the_cotangent_as_well():
    x = np.random.default_rng(0).standard_normal((3, 2, 2, 1))
    assert gradcheck(BatchNorm2d(1).astype(np.float64), x)  # the gradient of sum(y * x) at x is zero, up to eps


def test_there_must_be_an_input():
    with pytest.raises(ValueError, match="^gradcheck needs at least one input$"):
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
    """In the checks of the protocol (4 forwards, and one of which errors do not count), in float32, for backward, or
    while the input, the weight or the bias is changed: 3 for each of 5 numbers, 22 in all."""
    layer, x = put(Linear(1, 2, rng=rng)), put([[1.5]])
    before, right, count = state(layer, x), layer.forward, itertools.count()

    def forward(x, training=False):
        if next(count) == 2 * calls + 1:
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


class Affine(Layer):
    """y = offset + scale * x. Keeps what forward and backward were given."""

    def __init__(self, offset=0.0, scale=1.0):
        self.offset, self.scale, self.inputs, self.trained = offset, scale, [], []

    def forward(self, x, training=False):
        self.inputs.append(x.copy())
        self.trained.append(training)
        return self.offset + self.scale * x, None

    def backward(self, grad_y, cache):
        self.cotangent = grad_y.copy()
        return self.scale * grad_y


def test_the_report_by_hand():
    right = TensorCheck("input", (2, 3), 2e-9, "(0, 1)", 6)
    wrong = TensorCheck("weight", (3,), 0.5, "(2,)", 2, skipped=1, problem="it is wrong")
    assert str(Report([right, wrong])).splitlines() == [
        "gradient w.r.t.  shape    error  at      checked",
        "input            2x3    2.0e-09  (0, 1)        6  ok",
        "weight           3      5.0e-01  (2,)          2  FAILED",
        "FAILED: weight: it is wrong",
    ]
    assert Report([right]).passed and not Report([right, wrong]).passed and not Report([wrong, right])
    assert Report([right, wrong, right]).error == 0.5
    assert not Report().passed and Report().error == np.inf  # nothing was shown


@pytest.mark.parametrize("settings, training", [({}, True), ({"training": True}, True), ({"training": False}, False)])
def test_every_forward_is_told_whether_it_trains(settings, training):
    layer = Affine()
    gradcheck(layer, np.ones((2, 1)), **settings)
    assert layer.trained == [training] * 12  # protocol, float32, y; the middle, and for each of 2 numbers 2 around it


def test_the_seed_decides_the_cotangent():
    def cotangent(**seed):
        layer = Affine()
        gradcheck(layer, np.ones((2, 1)), **seed)
        return layer.cotangent.tolist()

    assert cotangent() == cotangent(seed=0) != cotangent(seed=1)


def test_every_tensor_is_named_with_its_shape(put):
    report = gradcheck(put(Conv2d(2, 3, (3, 1), rng=rng)), put(images()))
    named = [("input", (2, 6, 6, 2)), ("weight", (3, 1, 2, 3)), ("bias", (3,))]
    assert report and [(tensor.name, tensor.shape) for tensor in report.tensors] == named
    assert [tensor.name for tensor in gradcheck(Add(), images(), images()).tensors] == ["input 0", "input 1"]


@pytest.mark.parametrize("change, problem", [
    (lambda l, g, *_: g[:1], "the gradient must have shape (2, 3), got shape (1, 3)"),
    (lambda l, g, *_: None, "the gradient must have shape (2, 3), got none"),
    (
        lambda l, g, *_: (g, g, g),
        "backward returned too many gradients: 2 more than inputs; those of parameters belong in their grad; "
        "a list of rows counts as several: np.array(rows)",
    ),
    (lambda l, g, *_: [g.tolist()], "the gradient must have shape (2, 3), got list"),
    (lambda l, g, *_: 0.5, "the gradient must have shape (2, 3), got float"),
    (lambda l, g, *_: -g, "backward and forward disagree by more than 1e-06"),
])  # fmt: skip
def test_what_is_wrong_is_said(change, problem):
    report = gradcheck(spoil(Affine(), change), np.ones((2, 3)))
    assert [tensor.problem for tensor in report.tensors] == [problem]


@pytest.mark.parametrize("size", [257, 256, 10])
def test_large_tensors_are_checked_along_random_directions_of_length_one(size):
    """From 257 numbers on, 16 of them; smaller ones number by number. Each step is of 1e-5 along its direction."""
    layer, x = Affine(), rng.standard_normal((size, 1))
    report = gradcheck(layer, x)
    assert report and report.tensors[0].compared == (16 if size == 257 else size)
    steps = np.array([made - x for made in layer.inputs[6:]])  # without those of the protocol, and in float32
    lengths = np.linalg.norm(steps, axis=(1, 2))
    assert np.isclose(lengths, 1e-5).sum() == 2 * report.tensors[0].compared
    assert np.isclose(lengths, 1e-5)[lengths > 0].all()
    assert np.linalg.matrix_rank(steps[..., 0], tol=1e-8) == report.tensors[0].compared  # no direction comes twice


@pytest.mark.parametrize("size", [300, 6])
@pytest.mark.parametrize("factor", [2, 0.5])
def test_the_error_is_relative_to_the_larger_of_both(size, factor):
    """Twice or half as much: the difference is half of the larger one."""
    report = gradcheck(spoil(Affine(), lambda l, g, *_: factor * g), rng.standard_normal((size, 1)))
    assert report.error == pytest.approx(0.5) and not report


def test_the_error_in_a_number_near_zero_is_relative_to_the_rms_of_the_gradient():
    def nudged(layer, grad_x, grad_y, cache):
        return grad_x + 1e-5 * rms * (np.abs(grad_x) == np.abs(grad_x).min())

    layer, x = Affine(), rng.standard_normal((50, 1))
    assert gradcheck(layer, x)
    rms, smallest = np.sqrt((layer.cotangent**2).mean()), np.abs(layer.cotangent).argmin()
    report = gradcheck(spoil(layer, nudged), x)
    assert report.error == pytest.approx(1e-5, rel=1e-3) and report.tensors[0].where == f"({smallest}, 0)"
    assert not report and gradcheck(layer, x, tolerance=1.1e-5)


def test_of_equal_errors_the_first_is_named():
    tensor = gradcheck(spoil(Affine(), zero_everything), np.ones((2, 3))).tensors[0]
    assert (tensor.error, tensor.where, tensor.compared) == (1, "(0, 0)", 6)


@pytest.mark.parametrize("offset", [0, 1000])
def test_a_slope_that_rounding_can_produce_counts_as_zero(offset):
    """That is eps times the sum of all |terms| of the loss, which is at least 1, over the smallest step of 1e-7."""
    layer, x = Affine(offset), np.ones((200, 1))
    gradcheck(layer, x)
    terms = max(1, offset * np.abs(layer.cotangent).sum())
    for times, problem in ((0.9, "zero everywhere, or lost in rounding, so nothing was compared"), (1.1, "")):
        layer.scale = times * np.finfo(float).eps * terms / 1e-7 / np.abs(layer.cotangent).max()
        assert gradcheck(layer, x, tolerance=0.1).tensors[0].problem == problem


@pytest.mark.parametrize(
    "offset, factor, problem",
    [(0, 1, ""), (1e6, 1, "rounding hides the slopes"), (1e6, 1.1, "disagree by more than"), (1e9, 1, "lost in round")],
)
def test_slopes_that_large_outputs_hide_are_told_from_wrong_ones(offset, factor, problem):
    """At 1e6 a step of 1e-5 changes the output by an amount that is right to about five digits."""

    class Far(Layer):
        def forward(self, x, training=False):
            return x + offset, None

        def backward(self, grad_y, cache):
            return grad_y * factor

    report = gradcheck(Far(), rng.standard_normal((3, 4)))
    assert report.passed == (not problem) and problem in report.tensors[0].problem


@pytest.mark.parametrize("ties, problem", [(10, ""), (11, "11 of 40 points lie on a kink")])
def test_a_quarter_may_lie_on_kinks(put, ties, problem):
    x = np.arange(40.0).reshape(8, 5) + 1
    x.flat[:ties] = 0
    report = gradcheck(ReLU(), put(x))
    assert report.tensors[0].problem == problem and report.tensors[0].skipped == ties
    assert report.passed == (problem == "")


def test_a_layer_that_uses_its_memory_again_is_checked_all_the_same():
    class Doubles(Layer):
        memory = np.zeros((2, 3))

        def forward(self, x, training=False):
            return np.multiply(x, 2, out=self.memory).copy(), None

        def backward(self, grad_y, cache):
            return np.multiply(grad_y, 2, out=self.memory)

    assert gradcheck(Doubles(), rng.standard_normal((2, 3)))


def test_a_kink_nearby_is_stepped_around(put):
    """A step of 1e-5 or 1e-6 would cross the kink, one of 1e-7 does not."""
    report = gradcheck(ReLU(), put([[5e-7, 1.0, -1.0]]))
    assert report and report.tensors[0].compared == 3


def test_a_wrong_gradient_near_no_kink_is_not_excused(put):
    """The second derivative of x^3 bends it too, but by far less than a kink."""

    class Cube(Layer):
        def forward(self, x, training=False):
            return x**3, x

        def backward(self, grad_y, x):
            return 3 * x**2 * grad_y

    x = put([[1.0, 2.0], [3.0, -1.0]])
    assert gradcheck(Cube(), x)
    report = gradcheck(spoil(Cube(), lambda l, g, *_: 1.001 * g), x)
    assert not report and report.tensors[0].skipped == 0 and report.error == pytest.approx(0.001, rel=1e-2)
