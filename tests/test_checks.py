"""What errors say beyond the argument's name: the value they got, in brief, and what to do."""

import numpy as np
import pytest

from resnet_scratch.checks import (
    brief,
    check_float_dtype,
    check_floats,
    check_instance,
    check_number,
    check_rng,
    check_whole,
)  # fmt: skip
from resnet_scratch.layers import ReLU, Sequential, SubsamplePad
from resnet_scratch.layers.layer import Layer, Parameter
from resnet_scratch.optim import SGD


def test_a_value_is_shown_on_one_line_and_up_to_60_characters():
    assert brief(np.eye(2)) == "array([[1., 0.], [0., 1.]])"
    assert brief("x" * 58) == repr("x" * 58)  # 60 with the quotes
    assert brief("x" * 59) == "'" + "x" * 59 + "..."


def test_messages_to_their_ends():
    dtypes = "float32, for training, or float64, for checking gradients"
    with pytest.raises(ValueError, match=f"^dtype must be {dtypes}, got 'int8'$"):
        check_float_dtype("dtype", "int8")
    with pytest.raises(TypeError, match=r"got list; a list of layers is given as Sequential\(\*layers\)$"):
        Sequential([ReLU()])
    with pytest.raises(
        ValueError, match="^parameters must hold each parameter once, or its step would be taken twice$"
    ):
        SGD([Parameter(np.ones(1))] * 2)


def test_a_flag_that_is_kept_is_shown_where_it_is_not_the_default():
    class Flags(Layer):
        def __init__(self, on=True, off=False):
            self.on, self.off = on, off

    assert repr(Flags(False, True)) == "Flags(on=False, off=True)" and repr(Flags()) == "Flags()"


def test_limits_are_within():
    check_whole("n", 3, 3, 5)
    check_whole("n", 5, 3, 5)
    for wrong in (2, 6):
        with pytest.raises(ValueError, match=f"^n must be a whole number between 3 and 5, got {wrong}$"):
            check_whole("n", wrong, 3, 5)


class Integer:
    """A kind with a vowel at the beginning."""


class Rational:
    """One with a vowel as its second letter only."""


@pytest.mark.parametrize("call, message", [
    (lambda: check_number("n", "3"), "n must be a number, got '3'"),
    (lambda: check_number("n", 3, above=3, at_most=4), "n must be above 3 and at most 4, got 3"),
    (lambda: check_instance("n", 3, str), "n must be a str, got int"),
    (lambda: check_instance("n", 3, Integer), "n must be an Integer, got int"),
    (lambda: check_instance("n", 3, Rational), "n must be a Rational, got int"),
    (lambda: SubsamplePad(2, 0, 1), "out_channels must be a whole number of at least 1, got 0"),
    (lambda: check_rng(0), "rng must be a Generator, got int; np.random.default_rng(0) makes one"),
    (lambda: check_floats("x", np.ones(1, np.float16)), "x must be float32 or float64, got float16"),
    (lambda: check_floats("x", np.ones(1, np.uint8)),
     "x must be float32 or float64, got uint8; data.normalise makes float32 of images"),
])  # fmt: skip
def test_whole_messages(call, message):
    with pytest.raises((ValueError, TypeError)) as error:
        call()
    assert str(error.value) == message
