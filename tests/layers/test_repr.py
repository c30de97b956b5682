"""A layer shows itself as the call that makes it, a network as its layers by name, as in PyTorch."""

import numpy as np

from resnet_scratch.layers import BatchNorm2d, Conv2d, Linear, MaxPool2d, ReLU, Sequential, SubsamplePad
from resnet_scratch.layers.layer import Buffer, Layer, Parameter
from resnet_scratch.models import build

rng = np.random.default_rng(0)


def test_a_layer_shows_the_arguments_that_are_not_the_defaults():
    for layer, expected in [
        (Conv2d(3, 16, 3, rng=rng), "Conv2d(3, 16, kernel_size=(3, 3))"),
        (Conv2d(3, 16, (1, 5), 2, 1, bias=False, rng=rng),
         "Conv2d(3, 16, kernel_size=(1, 5), stride=(2, 2), padding=(1, 1), bias=False)"),
        (Linear(4, 2, rng=rng), "Linear(4, 2)"),
        (BatchNorm2d(4, momentum=0.5), "BatchNorm2d(4, momentum=0.5)"),
        (BatchNorm2d(4, group=32), "BatchNorm2d(4, group=32)"),
        (MaxPool2d(3, 2, 1), "MaxPool2d(kernel_size=(3, 3), stride=(2, 2), padding=(1, 1))"),
        (SubsamplePad(2, 4, 2), "SubsamplePad(2, 4, 2)"),
        (ReLU(), "ReLU()"),
        (Sequential(), "Sequential()"),
    ]:  # fmt: skip
        assert repr(layer) == expected


def test_a_network_shows_its_layers_and_equal_ones_in_a_row_once():
    inner = Sequential(BatchNorm2d(2), ReLU())
    assert repr(Sequential(ReLU(), ReLU(), ReLU(), conv=Conv2d(2, 2, 1, rng=rng), last=inner)) == """\
Sequential(
  (0-2): 3 x ReLU()
  (conv): Conv2d(2, 2, kernel_size=(1, 1))
  (last): Sequential(
    (0): BatchNorm2d(2)
    (1): ReLU()
  )
)"""  # fmt: skip


def test_a_long_network_stays_readable():
    lines = repr(build("resnet110", rng=rng)).splitlines()
    assert lines[:3] == [
        "ResNet(",
        "  classes=10",
        "  (conv1): Conv2d(3, 16, kernel_size=(3, 3), padding=(1, 1), bias=False)",
    ]
    assert "    (0-17): 18 x BasicBlock(" in lines and "    (1-17): 17 x BasicBlock(" in lines and len(lines) < 70


def test_an_array_shows_its_shape_and_dtype_only():
    assert repr(Parameter(np.ones((3, 3, 3, 16), np.float32))) == "Parameter((3, 3, 3, 16), float32)"
    assert repr(Buffer(np.zeros(2))) == "Buffer((2,), float64)"


def test_a_layer_of_your_own_needs_no_repr():
    class Scale(Layer):
        def __init__(self, factor, hidden, *others, flag=False, name="none"):
            self.factor, self.name = factor, name

    assert repr(Scale(2.5, 3)) == "Scale(2.5)" and repr(Scale(2, 3, name="two")) == "Scale(2, name='two')"
