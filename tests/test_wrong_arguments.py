"""Right, or a clear error: wrong calls, each with what its error must say: the argument, what it wants, what it got.

A call is written as an expression, so that the table reads as what a user types. Names in it are those of `NAMES`.
"""

import re

import numpy as np
import pytest

from resnet_scratch import evaluate, gradcheck, train
from resnet_scratch.data import Dataset, load, normalise, random_crop, random_flip, test_batches, training_batches
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
from resnet_scratch.layers.initializers import kaiming_normal, kaiming_uniform
from resnet_scratch.layers.layer import Layer, Parameter
from resnet_scratch.layers.windows import col2im, im2col
from resnet_scratch.losses import log_softmax, softmax, softmax_cross_entropy
from resnet_scratch.models import ResNetConfig, build
from resnet_scratch.models.blocks import BasicBlock
from resnet_scratch.optim import SGD, Adam
from resnet_scratch.schedules import constant, cosine, multi_step, one_cycle, warmup

rng = np.random.default_rng(0)
X = rng.standard_normal((2, 4, 4, 3), np.float32)  # images for a layer
ROWS = rng.standard_normal((2, 3), np.float32)
X64, ROWS64 = X.astype(np.float64), ROWS.astype(np.float64)
LABELS = np.array([0, 1])
IMAGES = rng.integers(0, 256, (6, 8, 8, 3), np.uint8)
SIX = np.arange(6) % 2
MEAN = STD = np.full(3, 0.5, np.float32)


def data(**changes):
    """A data set of six images in two classes, but for `changes`."""
    arguments = dict(
        name="six", classes=("a", "b"), train_images=IMAGES, train_labels=SIX, test_images=IMAGES, test_labels=SIX,
        mirror=True,
    )  # fmt: skip
    return Dataset(**{**arguments, **changes})


def config(**changes):
    """A small network's configuration, but for `changes`."""
    arguments = dict(
        name="small", block="basic", blocks=(1, 1), widths=(2, 4), stem="cifar", shortcut="A", image_size=8
    )  # fmt: skip
    return ResNetConfig(**{**arguments, **changes})


def network():
    return Sequential(Flatten(), Linear(48, 2, rng=rng))


def training(**changes):
    """The first step of a training, but for `changes` of its arguments."""
    model = network()
    arguments = dict(
        model=model, optimizer=SGD(model.parameters()), batches=[(X, LABELS)], learning_rates=constant(0.1),
        total_steps=1,
    )  # fmt: skip
    return next(train(**{**arguments, **changes}))


class Holding(Layer):
    """A layer of a user's own, with whatever is given as its attribute `layers`."""

    def __init__(self, layers):
        self.layers = layers


def parameter(grad):
    """A parameter of shape (2,), with a gradient."""
    made = Parameter(np.ones(2, np.float32))
    made.grad = grad
    return made


LAYERS = {
    "Conv2d(3, 2, 3, padding=1, rng=rng)": "X", "BatchNorm2d(3)": "X", "ReLU()": "X", "MaxPool2d(2)": "X",
    "AvgPool2d(2)": "X", "GlobalAvgPool2d()": "X", "Flatten()": "X", "SubsamplePad(3, 4, 2)": "X",
    "BasicBlock(3, 4, 2, 'B', rng)": "X", "build('resnet8', rng=rng)": "X", "Linear(3, 2, rng=rng)": "ROWS",
}  # fmt: skip
NO_FLOATS = {  # what may be made of an array, and what is then wrong
    "{}.tolist()": "a NumPy or CuPy array, got list",
    "None": "a NumPy or CuPy array, got NoneType",
    "np.ma.masked_array({})": "a NumPy or CuPy array, got MaskedArray",
    "np.float32(1)": "a NumPy or CuPy array, got float32",
    "{}.astype(int)": "float32 or float64, got int64",
    "{}.astype(np.uint8)": "float32 or float64, got uint8",
    "{} > 0": "float32 or float64, got bool",
    "{}.astype(np.float16)": "float32 or float64, got float16",
    "{}.astype(complex)": "float32 or float64, got complex128",
    "{}.astype(object)": "float32 or float64, got object",
    "{}.astype(str)": "float32 or float64, got <U",
}
WRONG_INPUTS = NO_FLOATS | {"{}[:0]": r"non-empty, got \(0, ", "np.array(1.0, np.float32)": r"\(N, .* got \(\)"}
EVERYTHING_IS_IMAGES = ("ReLU()", "Flatten()")  # layers that take any shape


def layers_and_losses():
    for layer, x in LAYERS.items():
        for wrong, message in WRONG_INPUTS.items():
            yield f"{layer}.forward({wrong.format(x)})", f"x must be {message}"
        if layer not in EVERYTHING_IS_IMAGES:
            yield f"{layer}.forward({x}[0])", rf"x must be \(N, .* got \({'3,' if x == 'ROWS' else '4, 4, 3'}\)"
            yield f"{layer}.forward({x}[None])", r"x must be \(N, .* got \(1, 2, "
        for wrong, message in NO_FLOATS.items():
            if wrong != "np.float32(1)":
                call = f"(lambda layer, x: layer.backward({wrong}, layer.forward(x)[1]))({layer}, {x})"
                yield call.format("layer(x)"), f"grad_y must be {message}"
    for layer in (
        "Conv2d(4, 2, 3, rng=rng)",
        "BatchNorm2d(4)",
        "SubsamplePad(4, 4, 2)",
        "BasicBlock(4, 4, 1, 'B', rng)",
    ):
        yield f"{layer}.forward(X)", r"x must be \(N, H, W, 4\), got \(2, 4, 4, 3\)"
    yield "Linear(4, 2, rng=rng).forward(ROWS)", r"x must be \(N, 4\), got \(2, 3\)"
    yield "Linear(48, 2, rng=rng).forward(X)", r"x must be \(N, 48\), got \(2, 4, 4, 3\)"
    for wrong, message in WRONG_INPUTS.items():
        yield f"Add().forward({wrong.format('X')}, X)", f"branch must be {message}"
        yield f"Add().forward(X, {wrong.format('X')})", f"shortcut must be {message}"
        yield f"softmax_cross_entropy({wrong.format('ROWS')}, LABELS)", f"logits must be {message}"
    yield "Add().forward(X, X[:1])", r"branch and shortcut must have the same shape, got \(2.* and \(1"
    yield "softmax([1.0, 2.0])", "logits must be a NumPy or CuPy array, got list"
    yield "log_softmax(LABELS)", "logits must be float32 or float64, got int64"
    for shape in ("(2,)", "(2, 3, 1)"):
        size = re.escape(shape)
        yield f"softmax_cross_entropy(np.ones({shape}), LABELS)", rf"logits must be \(N, classes\), got {size}"
    for labels, message in {
        "[0, 1]": "a NumPy or CuPy array, got list",
        "np.ma.masked_array(LABELS)": "a NumPy or CuPy array, got MaskedArray",
        "LABELS[:1]": r"\(2,\), got \(1,\)",
        "LABELS[:0]": r"\(2,\), got \(0,\)",
        "np.arange(3)": r"\(2,\), got \(3,\)",
        "LABELS[:, None]": r"\(2,\), got \(2, 1\)",
        "np.eye(3, dtype=int)[:2]": r"\(2,\), got \(2, 3\)",
        "LABELS.astype(float)": "integers, got float64",
        "LABELS > 0": "integers, got bool",
        "LABELS.astype(object)": "integers, got object",
        "LABELS.astype(complex)": "integers, got complex128",
        "LABELS + 2": "0 to 2, got 2 to 3",
        "LABELS - 1": "0 to 2, got -1 to 0",
    }.items():
        yield f"softmax_cross_entropy(ROWS, {labels})", f"labels must be {message}"
    for wrong in ("-0.1", "1.1", "np.nan", "'0.1'", "None", "True"):
        got = re.escape(str(eval(wrong)) if wrong[0] != "'" else wrong)
        yield f"softmax_cross_entropy(ROWS, LABELS, {wrong})", f"label_smoothing must be at least 0 .* 1, got {got}"


NO_COUNTS = {"0": "0", "-1": "-1", "2.0": "2.0", "True": "True", "'3'": "'3'", "None": "None", "np.nan": "nan"}


def counts(call, name, allowed=()):
    """The call with `{}` in it, with all that is no whole number of at least 1 there."""
    return ((call.format(w), f"{name} must be .*, got {got}") for w, got in NO_COUNTS.items() if w not in allowed)


def constructors():
    yield from counts("Conv2d({}, 4, 3, rng=rng)", "in_channels")
    yield from counts("Conv2d(3, {}, 3, rng=rng)", "out_channels")
    yield from counts("Conv2d(3, 4, {}, rng=rng)", "kernel_size")
    yield from counts("Conv2d(3, 4, 3, stride={}, rng=rng)", "stride")
    yield from counts("Conv2d(3, 4, 3, padding={}, rng=rng)", "padding", allowed=["0"])
    yield from counts("MaxPool2d({})", "kernel_size")
    yield from counts("AvgPool2d(2, {})", "stride", allowed=["None"])
    yield from counts("MaxPool2d(2, padding={})", "padding", allowed=["0"])
    yield from counts("Linear({}, 2, rng=rng)", "in_features")
    yield from counts("Linear(3, {}, rng=rng)", "out_features")
    yield from counts("BatchNorm2d({})", "channels")
    yield from counts("SubsamplePad({}, 4, 2)", "in_channels")
    yield from counts("SubsamplePad(3, 4, {})", "stride")
    yield from counts("im2col(X, {})", "kernel_size")
    for wrong, message in {"X[0]": r"\(N, H, W, C\), got \(4, 4, 3\)", "[[1]]": "a NumPy or CuPy array, got list",
                           "None": "a NumPy or CuPy array, got NoneType", "X[:0]": "non-empty"}.items():  # fmt: skip
        yield f"im2col({wrong}, 1)", f"x must be {message}"
    for shape in ("(4, 4)", "(1, 4, 4, 1, 1)", "4", "None"):
        yield f"col2im(np.zeros((4, 9)), {shape}, 3)", rf"shape must be \(N, H, W, C\), got {re.escape(shape)}"
    yield "col2im([[1.0]], (1, 1, 1, 1), 1)", "columns must be a NumPy or CuPy array, got list"
    for pair in ("(3,)", "(3, 3, 3)", "(3, 0)", "(3, 1.5)", "(3, True)", "'33'"):
        yield f"Conv2d(3, 4, {pair}, rng=rng)", rf"kernel_size must be .* pair .*, got {re.escape(pair)}"
        yield f"MaxPool2d(2, stride={pair})", rf"stride must be .* pair .*, got {re.escape(pair)}"
    yield "Conv2d(3, 4, 3, 1, 1, 2, rng=rng)", "bias must be True or False, got 2"  # PyTorch's dilation
    yield "Linear(3, 4, bias=None, rng=rng)", "bias must be True or False, got None"
    for make in ("Conv2d(3, 4, 3{})", "Linear(3, 4{})", "build('resnet8'{})"):
        yield make.format(""), "rng"
        for wrong, got in {
            "0": "int",
            "None": "NoneType",
            "np.random": "module",
            "np.random.RandomState(0)": "",
        }.items():
            yield make.format(f", rng={wrong}"), f"rng must be a Generator, got {got}"
    yield "kaiming_normal((3, 4), 0)", "rng must be a Generator, got int"
    yield "kaiming_uniform((3, 4), rng, gain='relu')", "gain must be above 0, got 'relu'"
    yield "kaiming_normal((3, 4), rng, 'fan')", "mode must be .* got 'fan'"
    yield "Conv2d(3, 4, 9, rng=rng).forward(X)", r"kernel_size \(9, 9\) does not fit .* \(4, 4\)"
    yield "MaxPool2d(5).forward(X)", r"kernel_size \(5, 5\) does not fit"
    yield "AvgPool2d(2, padding=2)", "padding must be at most half of kernel_size"
    yield "SubsamplePad(4, 3, 2)", "out_channels must be at least in_channels 4, got 3"
    for name, wrong in {
        "eps": ("-1e-5", "np.nan", "np.inf", "'1e-5'", "None"),
        "momentum": ("-0.1", "1.1", "None"),
    }.items():
        for value in wrong:
            yield f"BatchNorm2d(3, {name}={value})", f"{name} must be at least 0.*, got "
    for call in ("[ReLU()]", "(ReLU(), ReLU())", "ReLU", "None", "np.ones(3)", "print"):
        yield f"Sequential({call})", "layer '0' must be a Layer, got .*"
    yield "Sequential(ReLU(), np.tanh)", "layer '1' must be a Layer, got ufunc"
    yield "Sequential(ReLU)", "layer '0' must be a Layer, got the class ReLU"
    yield "Sequential(a=ReLU(), b=[ReLU()])", "layer 'b' must be a Layer, got list"
    yield "Sequential(forward=ReLU())", "name must have no dot and be unused in Sequential, got 'forward'"
    yield "Sequential(**{'a.b': ReLU()})", "name must have no dot .*, got 'a.b'"
    yield "Sequential(ReLU(), **{'0': ReLU()})", "name must .* be unused in Sequential, got '0'"
    yield (
        "(lambda a: Sequential(a, ReLU(), a))(Linear(3, 3, rng=rng))",
        "0.weight and 2.weight must be two arrays, got one",
    )
    yield "(lambda a: Sequential(a, Sequential(b=a)))(BatchNorm2d(3))", "0.weight and 1.b.weight must be two arrays"
    yield (
        "(lambda a: Holding(Sequential(a, x=Holding(a.weight))))(BatchNorm2d(3)).parameters()",
        "0.weight and x.layers",
    )
    for held, kind in {
        "[Linear(3, 3, rng=rng)]": "list", "(ReLU(),)": "tuple", "{'a': ReLU()}": "dict", "[[BatchNorm2d(3)]]": "list",
        "[Parameter(np.ones(3))]": "list",
    }.items():  # fmt: skip
        for use in (".parameters()", ".astype(float)", ".to('cpu')"):
            yield f"Holding({held}){use}", f"layers must be a layer, got a {kind} of layers; use Sequential"
    yield "Sequential(a=Holding([ReLU()]))", "a.layers must be a layer, got a list"
    for dtype in ("int", "'complex'", "np.float16", "'nonsense'", "None", "3", "bool", "object"):
        yield f"ReLU().astype({dtype})", "dtype must be float32, for training, or float64, for checking gradients, got "
    for device in ("'nonsense'", "'gpu'", "'cuda:x'", "None", "0", "np.float64"):
        yield f"ReLU().to({device})", "device must be 'cpu', 'cuda', 'cuda:<number>' or 'auto', got "
    yield "Parameter([1.0, 2.0])", "value must be a NumPy or CuPy array, got list"


def models():
    for name, wrong in {
        "name": ("None", "3"), "block": ("None", "3"),
        "stem": ("'cifr'", "None", "3"), "shortcut": ("'C'", "None", "'a'"),
        "blocks": ("()", "[1, 1]", "2", "(1, 0)", "(1, -1)", "(1, 1.0)", "(1, True)", "None"),
        "widths": ("()", "[1, 1]", "(2, 0)", "(2, 4.0)", "(2, '4')"),
        "image_size": ("0", "8.0", "None", "(8, 8)"), "zero_init": ("None", "1", "'yes'"),
    }.items():  # fmt: skip
        for value in wrong:
            yield f"config({name}={value})", rf"{name}(\[1\])? must be .*, got "
    yield "config(blocks=(1, 1, 1))", "blocks and widths must have a number for each stage, got 3 and 2"
    yield "build(config(block='basik'), rng=rng)", "block must be one of basic, .*, got 'basik'"
    yield "build(config(block='plain', zero_init=True), rng=rng)", "zero_init needs blocks .*, got 'plain'"
    for name in ("'resnet21'", "'ResNet-20'", "''"):
        yield f"build({name}, rng=rng)", f"there is no model {name}"
    for name, got in {"20": "int", "None": "NoneType", "config": "function", "['resnet8']": "list"}.items():
        yield f"build({name}, rng=rng)", f"config must be a ResNetConfig, got {got}"
    yield from counts("build('resnet8', {}, rng=rng)", "classes")
    for option in ("'C'", "None", "''"):
        yield f"BasicBlock(3, 3, 1, {option}, rng)", f"shortcut must be 'A' or 'B', got {option}"


NO_SIZES = ("-1", "np.nan", "np.inf", "'0.1'", "None", "True", "[0.1]")  # neither is a number of at least 0


def optimizers_and_schedules():
    for kind in ("SGD", "Adam"):
        yield f"{kind}([])", "parameters is empty"
        yield f"{kind}(network())", "parameters must be a list, as from model.parameters.*, got Sequential"
        yield f"{kind}(None)", "parameters must be a list, .*, got None"
        yield f"{kind}([np.ones(3)])", r"parameters\[0\] must be a Parameter, got ndarray"
        yield f"{kind}(network().named_parameters())", r"parameters\[0\] must be a Parameter, got tuple"
        yield f"{kind}([network()])", r"parameters\[0\] must be a Parameter, got Sequential; model.parameters\(\)"
        yield f"{kind}([Parameter(np.arange(3))])", "value must be float32 or float64, got int64"
        yield f"{kind}([Parameter(ROWS)] * 2)", "parameters must hold each parameter once"
        yield f"{kind}([parameter(None)]).step(0.1)", "call backward before step"
        yield f"{kind}([parameter(np.ones(1, np.float32))]).step(0.1)", r"gradient must be \(2,\) .* got \(1,\)"
        for value in NO_SIZES:
            yield f"{kind}([Parameter(ROWS)], weight_decay={value})", "weight_decay must be at least 0, got "
            yield f"{kind}([parameter(MEAN[:2])]).step({value})", "learning_rate must be at least 0, got "
        yield (
            f"{kind}([Parameter(ROWS)], decay_biases_and_norms=0)",
            "decay_biases_and_norms must be True or False, got 0",
        )
    for value in (*NO_SIZES, "1", "1.5"):
        yield f"SGD([Parameter(ROWS)], momentum={value})", "momentum must be at least 0 and below 1, got "
        yield f"Adam([Parameter(ROWS)], beta1={value})", "beta1 must be at least 0 and below 1, got "
        yield f"Adam([Parameter(ROWS)], beta2={value})", "beta2 must be at least 0 and below 1, got "
    for value in (*NO_SIZES, "0"):
        yield f"Adam([Parameter(ROWS)], eps={value})", "eps must be above 0, got "
    yield "SGD([Parameter(ROWS)], nesterov=1)", "nesterov must be True or False, got 1"
    yield "SGD([Parameter(ROWS)], momentum=0, nesterov=True)", "nesterov needs a momentum above 0"
    yield "SGD([Parameter(ROWS)], lr=0.1)", "unexpected keyword argument 'lr'"
    yield "SGD([Parameter(ROWS)], 0.1)", "takes 2 positional arguments but 3 were given"
    yield "Adam([Parameter(ROWS)], 0.001)", "takes 2 positional arguments"  # PyTorch's second is the learning rate
    for value in NO_SIZES:
        yield f"constant({value})", "learning_rate must be at least 0, got "
        yield f"cosine({value}, 10)", "learning_rate must be at least 0, got "
        yield f"multi_step({value}, [1])", "learning_rate must be at least 0, got "
        yield f"one_cycle({value}, 10)", "peak must be at least 0, got "
    for milestones in ("3", "None", "'123'", "{1, 2}"):
        yield f"multi_step(0.1, {milestones})", "milestones must be a list of steps, got "
    for milestones in ("[0.5]", "[-1]", "['3']", "[True]"):
        yield f"multi_step(0.1, {milestones})", r"milestones\[0\] must be a whole number of at least 0, got "
    yield "multi_step(0.1, [5, 3])", r"milestones must increase, got \[5, 3\]"
    yield from counts("cosine(0.1, {})", "total_steps")
    yield from counts("one_cycle(0.1, {})", "total_steps")
    for value in ("0", "1", "-0.1", "np.nan", "'0.3'", "None"):
        yield f"one_cycle(0.1, 10, {value})", "warmup_fraction must be above 0 and below 1, got "
    yield "warmup(0.1, 5)", "schedule must be a function of the step, .* got 0.1"
    yield "warmup(None, 5)", "schedule must be a function of the step, .* got None"
    for value in ("-1", "0.5", "None", "'5'", "True"):
        yield f"warmup(constant(0.1), {value})", "steps must be a whole number of at least 0, got "
    for value in ("-1", "np.nan", "'0.1'"):
        yield f"warmup(constant(0.1), 5, {value})", "learning_rate must be at least 0, got "


def data_sets():
    for part in ("train", "test"):
        for images, message in {
            "IMAGES.tolist()": "a NumPy or CuPy array, got list", "None": "a NumPy or CuPy array, got NoneType",
            "np.ma.masked_array(IMAGES)": "a NumPy or CuPy array, got MaskedArray", "IMAGES / 255": ".* got .* float64",
            "IMAGES.astype(int)": ".* got .* int64", "IMAGES.astype(object)": ".* got .* object",
            "IMAGES[..., 0]": r".* got \(6, 8, 8\)", "IMAGES[..., :1]": r".* got \(6, 8, 8, 1\)",
            "IMAGES[:0]": r".* got \(0, 8, 8, 3\)", "IMAGES[0]": r".* got \(8, 8, 3\)",
            "IMAGES.transpose(0, 3, 1, 2)": r".* got \(6, 3, 8, 8\)", "IMAGES > 9": ".* bool",
            "np.zeros((6, 0, 8, 3), np.uint8)": r".* got \(6, 0, 8, 3\)",
        }.items():  # fmt: skip
            yield f"data({part}_images={images})", f"{part}_images must be {message}"
        for labels, message in {
            "[0, 1] * 3": "a NumPy or CuPy array, got list", "SIX[:5]": r".* the 6 images; got \(5,\)",
            "np.zeros(7, int)": r".* got \(7,\)", "SIX[:, None]": r".* got \(6, 1\)", "SIX.astype(float)": ".* float64",
            "SIX > 0": ".* bool", "SIX.astype(object)": ".* object", "SIX + 1": "0 to 1, .* got 1 to 2",
            "SIX - 1": "0 to 1, .* got -1 to 0", "np.ma.masked_array(SIX)": "a NumPy or CuPy array, got MaskedArray",
        }.items():  # fmt: skip
            yield f"data({part}_labels={labels})", f"{part}_labels must be {message}"
    for classes in ("()", "['a', 'b']", "('a', 1)", "None", "'ab'", "2"):
        yield f"data(classes={classes})", "classes must be a tuple of names .*, got "
    yield "data(name=3)", "name must be a str, got int"
    yield "data(mirror='yes')", "mirror must be True or False, got 'yes'"
    yield "data(train_images=IMAGES * np.uint8([1, 1, 0])).std", "train_images must vary .* the same blue everywhere"
    yield "data(train_images=IMAGES // 128).mean", "train_images must have .* 0 to 255, got 0 and 1 only"
    for value in ("0", "6", "-1", "2.0", "None", "True", "'2'"):
        yield f"data().split({value})", f"validation must be a whole number between 1 and 5, got {value}"
    yield "data().split(2, seed=-1)", "seed must be a whole number of at least 0, got -1"
    yield "data().to('gpu')", "device must be .*, got 'gpu'"
    made = "Dataset.from_arrays({}, {}, {})"
    yield made.format("IMAGES", "SIX", "'ab'"), "classes must be a list of names, got 'ab'"
    yield made.format("IMAGES / 255", "SIX", "['a', 'b']"), "train_images must be .* uint8, .* got .* float64"
    yield made.format("IMAGES", "SIX[:5]", "['a', 'b']"), r"train_labels must be .* got \(5,\)"
    yield made.format("np.ma.masked_array(IMAGES)", "SIX", "['a', 'b']"), "train_images must be .* got MaskedArray"
    yield made.format("IMAGES", "SIX", "['a', 'b'], test=IMAGES"), "test must be a pair, images and labels, got "
    yield made.format("IMAGES", "SIX", "['a', 'b'], test=(IMAGES,)"), "test must be a pair, images and labels, got "
    yield made.format("IMAGES", "None", "['a', 'b']"), r"train_labels must be .* got \(\) object"
    yield made.format("None", "SIX", "['a', 'b']"), r"train_images must be .* got \(\) object"
    yield made.format("IMAGES", "SIX", "None"), "classes must be a list of names, got None"
    yield made.format("IMAGES[:1]", "SIX[:1]", "['a', 'b']"), "images must be at least 2 of a class, .* got 1 of each"
    for wrong, got in {"None": "NoneType", "(IMAGES, SIX)": "tuple", "IMAGES": "ndarray", "'shapes'": "str"}.items():
        yield f"next(training_batches({wrong}, 2, 0))", f"dataset must be a Dataset, got {got}"
    for wrong in (*NO_COUNTS, "7"):
        yield f"next(training_batches(data(), {wrong}, 0))", "batch_size must be a whole number between 1 and 6, got "
        yield f"training_batches(data(), {wrong}, 0)", "batch_size must be"  # at once, not when the first is asked for
    for name in ("seed", "start_step"):
        for wrong in ("-1", "0.5", "None", "'1'", "True"):
            call = {"seed": "0", "start_step": "0", name: wrong}
            yield (
                f"next(training_batches(data(), 2, seed={call['seed']}, start_step={call['start_step']}))",
                f"{name} must be a whole number of at least 0, got {wrong}",
            )
    yield "training_batches(data(), 2, 0, crop_padding=-1)", "crop_padding must be a whole number of at least 0, got -1"
    yield "next(training_batches(data(), 2, 0, augment='no'))", "augment must be True or False, got 'no'"
    no_bytes = {"IMAGES.tolist()": "a NumPy or CuPy array, got list", "IMAGES[:0]": "non-empty, got",
                "IMAGES[0]": r"\(N, H, W, C\), got \(8, 8, 3\)", "None": "a NumPy or CuPy array, got NoneType",
                "np.ma.masked_array(IMAGES)": "a NumPy or CuPy array, got MaskedArray"}  # fmt: skip
    for images, message in no_bytes.items():
        yield f"random_crop({images}, 2, rng)", f"images must be {message}"
        yield f"random_flip({images}, rng)", f"images must be {message}"
        yield f"normalise({images}, MEAN, STD)", f"images must be {message}"
        yield f"list(test_batches({images}, SIX, 2, MEAN, STD))", f"images must be {message}"
    for images in ("IMAGES / 255", "IMAGES.astype(int)", "IMAGES > 9", "IMAGES.astype(object)"):
        yield f"normalise({images}, MEAN, STD)", "images must be uint8, values 0 to 255, got "
        yield f"evaluate(network(), {images}, SIX, MEAN, STD)", "images must be uint8, values 0 to 255, got "
    for images, message in (no_bytes | {"IMAGES[..., :1]": r"\(N, H, W, 3\), got \(6, 8, 8, 1\)"}).items():
        message = message.replace("W, C", "W, 3")
        yield f"evaluate(network(), {images}, SIX, MEAN, STD)", f"images must be {message}"
    for name in ("mean", "std"):
        for wrong, message in {"[0.5] * 3": "a NumPy or CuPy array, got list",
                               "0.5": "a NumPy or CuPy array, got float",
                               "MEAN[:1]": r"\(3,\), got \(1,\)", "LABELS": r"\(3,\), got \(2,\)",
                               "np.arange(3)": "float32 or float64, got int64"}.items():  # fmt: skip
            call = {"mean": "MEAN", "std": "STD", name: wrong}
            yield f"normalise(IMAGES, {call['mean']}, {call['std']})", f"{name} must be {message}"
    for wrong in ("0 * STD", "-STD", "STD * np.float32([1, 0, 1])", "STD * np.float32(np.nan)"):
        yield f"normalise(IMAGES, MEAN, {wrong})", "std must be above 0 in every channel, got "
    for wrong in ("-1", "1.5", "None", "True"):
        yield f"random_crop(IMAGES, {wrong}, rng)", "padding must be a whole number of at least 0, got "
    yield "random_crop(IMAGES, 2, 0)", "rng must be a Generator, got int"
    yield "random_flip(IMAGES, np.random)", "rng must be a Generator, got module"
    for wrong, message in {"SIX[:5]": r"\(6,\), got \(5,\)", "np.zeros(7, int)": r"\(6,\), got \(7,\)",
                           "SIX.tolist()": "a NumPy or CuPy array, got list", "SIX[:, None]": r"\(6,\), got \(6, 1\)",
                           "SIX.astype(float)": "integers, got float64",
                           "SIX > 0": "integers, got bool"}.items():  # fmt: skip
        yield f"list(test_batches(IMAGES, {wrong}, 2, MEAN, STD))", f"labels must be {message}"
        yield f"evaluate(network(), IMAGES, {wrong}, MEAN, STD)", f"labels must be {message}"
    yield from counts("list(test_batches(IMAGES, SIX, {}, MEAN, STD))", "batch_size")
    yield (
        "evaluate(Sequential(Flatten(), Linear(192, 2, rng=rng)), IMAGES, SIX + 1, MEAN, STD)",
        "labels must be 0 to 1",
    )
    for model, got in {"None": "NoneType", "'resnet8'": "str", "Linear": "the class Linear"}.items():
        yield f"evaluate({model}, IMAGES, SIX, MEAN, STD)", f"model must be a Layer, got {got}"
    for name in ("None", "3", "'mnist'"):
        yield f"load({name})", "there is no data set .*; choose from" if name[0] == "'" else "name must be a str, got"


def training_and_checking():
    for name, kind, wrong in (
        ("model", "Layer", ("None", "'resnet8'", "Linear", "print")),
        ("optimizer", "Optimizer", ("None", "SGD", "0.1")),
    ):  # fmt: skip
        for value in wrong:
            yield f"training({name}={value})", f"{name} must be an? {kind}, got "
    yield (
        "training(optimizer=SGD(network().parameters()))",
        "optimizer must hold parameters of model, got one with others",
    )
    for value in ("None", "3", "data()", "print"):
        yield f"training(batches={value})", "batches must be pairs, as from training_batches, got "
    for value in ("[X]", "[(X,)]", "[(X, LABELS, 1)]", "[None]", "X"):
        yield f"training(batches={value})", r"a batch must be a pair \(images, labels\), got "
    yield "training(batches=[(X.tolist(), LABELS)])", "x must be a NumPy or CuPy array, got list"
    yield "training(batches=[(X, LABELS.tolist())])", "labels must be a NumPy or CuPy array, got list"
    yield "training(batches=[(IMAGES[:, :4, :4], SIX)])", "x must be float32 or float64, got uint8; data.normalise"
    yield "training(batches=[(X, LABELS[:1])])", r"labels must be \(2,\), got \(1,\)"
    yield "training(batches=[(X, LABELS + 1)])", "labels must be 0 to 1, got 1 to 2"
    for value in ("0.1", "None", "[0.1]"):
        yield f"training(learning_rates={value})", "learning_rates must be a function of the step, .* got "
    yield "training(learning_rates=lambda step: None)", "learning_rate must be at least 0, got None"
    yield "training(learning_rates=lambda step: float('nan'))", "learning_rate must be at least 0, got nan"
    for name in ("total_steps", "start_step"):
        for value in ("-1", "1.0", "None", "'1'", "True"):
            yield f"training({name}={value})", f"{name} must be a whole number of at least 0, got {value}"
    for value in ("-0.1", "2", "None"):
        yield f"training(label_smoothing={value})", f"label_smoothing must be at least 0 and at most 1, got {value}"
    for layer in ("None", "ReLU().forward", "ReLU", "print"):
        yield f"gradcheck({layer}, X64)", "layer must be a Layer, got "
    for x, message in {"X": "needs float64, got input of float32", "X.astype(int)": "needs float64, got input of int64",
                       "[1.0]": "input must be a NumPy or CuPy array, got list", "None": "input must be a NumPy",
                       "X64[:0]": "input must be non-empty", "np.ma.masked_array(X64)": "input must be .* got Masked",
                       "np.float64(1)": "input must be a NumPy or CuPy array, got float64"}.items():  # fmt: skip
        yield f"gradcheck(ReLU(), {x})", message
    yield "gradcheck(ReLU())", "needs at least one input"
    yield "gradcheck(Linear(3, 2, rng=rng), ROWS64)", "needs float64, got weight of float32"
    for value in ("0", "-1", "np.nan", "'1e-6'", "None"):
        yield f"gradcheck(ReLU(), X64, tolerance={value})", "tolerance must be above 0, got "
    yield "gradcheck(ReLU(), X64, training='yes')", "training must be True or False, got 'yes'"
    yield "gradcheck(ReLU(), X64, seed=-1)", "seed must be a whole number of at least 0, got -1"


NAMES = dict(globals())
PARTS = (layers_and_losses, constructors, models, optimizers_and_schedules, data_sets, training_and_checking)


def outcome(call):
    """What a wrong call says."""
    try:
        return f"accepted: {eval(call, NAMES)!r}"
    except (ValueError, TypeError) as error:
        return str(error)
    except Exception as error:  # of another kind, from somewhere inside
        return f"{type(error).__name__}, not an error of its own"


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_a_wrong_call_says_what_is_wrong(part):
    """Of all calls of a part, so that hundreds of them take a second."""
    said = {call: (outcome(call), message) for call, message in part()}
    assert said and not {call: pair for call, pair in said.items() if not re.search(pair[1], pair[0])}


def test_a_layer_without_arrays_may_be_used_twice():
    relu = ReLU()
    layer = Sequential(relu, Linear(3, 3, rng=rng), relu).astype(np.float64)
    assert len(layer.parameters()) == 2 and gradcheck(layer, ROWS64)


def test_an_optimizer_takes_any_parameters_that_can_be_listed():
    layer = network()
    assert SGD(p for p in layer.parameters()).parameters == SGD(tuple(layer.parameters())).parameters


def test_numpy_numbers_are_taken_as_they_are_and_make_nothing_float64():
    three = np.int64(3)
    layer = Sequential(
        Conv2d(three, three, three, np.int8(1), np.int8(1), rng=rng),
        BatchNorm2d(three, np.float64(1e-5), np.float64(0.1)),
        Flatten(),
        Linear(np.int64(48), np.int16(2), bias=np.True_, rng=rng),
    )
    (step,) = train(
        layer, SGD(layer.parameters(), momentum=np.float64(0.9)), [(X, LABELS)], constant(np.float64(0.1)), np.int64(1)
    )
    dtypes = {buffer.value.dtype for _, buffer in layer.named_buffers()} | {p.grad.dtype for p in layer.parameters()}
    assert dtypes == {np.dtype(np.float32)} and layer(X).dtype == step.loss.dtype == np.float32
    assert "np." not in repr(layer)
