"""Checks of the tasks of tutorial 12. They need no GPU: a strict array type stands in for CuPy's."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np


class _DeviceArray:
    """An array that NumPy does not accept, as it does not accept CuPy's; it counts how often the host waited for it."""

    __module__ = "elsewhere"  # where array_module looks for its functions
    __array_ufunc__ = None
    waits = 0

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)

    dtype = property(lambda self: self.values.dtype)
    shape = property(lambda self: self.values.shape)
    ndim = property(lambda self: self.values.ndim)
    size = property(lambda self: self.values.size)

    def __array__(self, *arguments: Any, **keywords: Any) -> Any:
        raise TypeError("a GPU array is not converted to a NumPy array automatically")

    def __array_function__(self, *arguments: Any) -> Any:
        raise TypeError("a NumPy function cannot take a GPU array")

    def __float__(self) -> float:
        _DeviceArray.waits += 1
        return float(self.values)

    __bool__ = __float__
    item = __float__

    def get(self) -> Any:
        """The values on the host."""
        _DeviceArray.waits += 1
        return self.values[()]

    def __setitem__(self, index: Any, value: Any) -> None:
        self.values[_values(index)] = _values(value)


def _values(argument: Any) -> Any:
    """What is on the device, of an argument of one of its functions."""
    if isinstance(argument, np.ndarray):
        raise TypeError("a NumPy array was passed to a GPU function")
    if isinstance(argument, (list, tuple)):
        return type(argument)(map(_values, argument))
    return argument.values if isinstance(argument, _DeviceArray) else argument


def _on_device(function: Callable) -> Callable:
    """A function of arrays, or a method, for arrays on the device; its result is on the device as well."""
    return lambda *arguments, **named: _DeviceArray(
        function(*map(_values, arguments), **{name: _values(value) for name, value in named.items()})
    )


OPERATORS = "add radd sub rsub mul rmul truediv pow gt ge lt le eq ne neg abs invert and or getitem"
FUNCTIONS = (
    "where maximum minimum clip abs sign add subtract multiply divide negative greater greater_equal less less_equal "
    "logical_not logical_and zeros ones full empty zeros_like ones_like full_like empty_like copy asarray array stack "
    "concatenate sum mean copyto putmask select fmax fmin absolute heaviside equal not_equal logical_or true_divide "
    "square reshape ravel"
)
for _name in OPERATORS.split():
    setattr(_DeviceArray, f"__{_name}__", _on_device(getattr(np.ndarray, f"__{_name}__")))
for _name in ("astype", "copy", "sum", "mean", "clip", "reshape", "ravel"):
    setattr(_DeviceArray, _name, _on_device(getattr(np.ndarray, _name)))


@contextmanager
def _other_library() -> Iterator[None]:
    """While it is open, `array_module` finds a library of these arrays, in the manner of CuPy."""
    module: Any = ModuleType("elsewhere")
    module.ndarray, module.float32, module.float64 = _DeviceArray, np.float32, np.float64
    for name in FUNCTIONS.split():
        setattr(module, name, _on_device(getattr(np, name)))
    sys.modules["elsewhere"] = module
    try:
        yield
    finally:
        del sys.modules["elsewhere"]


def task_12_1(answer: Callable) -> None:
    """`leaky_relu`, on numbers computed by hand, in both libraries."""
    x = np.array([[-2.0, 0.0, 3.0], [-0.5, 4.0, -1.0]], np.float32)
    for slope, expected in ((0.25, [[-0.5, 0, 3], [-0.125, 4, -0.25]]), (2.0, [[-4, 0, 3], [-1, 4, -2]])):
        y = answer(x, slope)
        assert isinstance(y, np.ndarray), f"a NumPy array went in and {type(y).__name__} came out"
        larger = np.maximum(x, slope * x)
        assert np.array_equal(y, expected) or not np.array_equal(y, larger), (
            f"the larger of x and slope * x is right for slopes up to 1 only; slope {slope} and x = -2 give you -2"
        )
        assert np.array_equal(y, expected), f"for\n{x}\nand slope {slope}, y must be\n{np.array(expected)}\ngot\n{y}"
        assert y.dtype == np.float32, f"float32 went in and {y.dtype} came out: where did a float64 array slip in?"
        with _other_library():
            try:
                y = answer(_DeviceArray(x.copy()), slope)
            except (TypeError, AttributeError) as error:
                raise AssertionError(
                    f"it works for NumPy's arrays but not for another library's: {error}. Call only functions of "
                    "array_module(x)"
                ) from error
        assert isinstance(y, _DeviceArray), "a GPU array went in and none came out: it was copied to the host"
        assert np.array_equal(y.values, expected), f"on the other library, for\n{x}\nyou return\n{y.values}"
        assert y.dtype == np.float32, f"on the other library, float32 went in and {y.dtype} came out"


def task_12_2(answer: Callable) -> None:
    """`mean_loss`: the number of waits is counted."""
    _DeviceArray.waits = 0
    with _other_library():
        try:
            got = answer(_DeviceArray(np.float32(loss)) for loss in (1.0, 2.0, 6.0, 7.0))
        except (TypeError, AttributeError, ZeroDivisionError) as error:
            raise AssertionError(
                f"it fails for losses on a GPU: {error}. They come one at a time, and only once: add them up with +, "
                "and count them as they come"
            ) from error
    assert isinstance(got, float), f"a Python float is wanted, got {type(got).__name__}"
    assert abs(got - 4) < 1e-6, f"the mean of 1, 2, 6 and 7 is 4, got {got}"
    assert _DeviceArray.waits == 1, (
        f"the processor waited {_DeviceArray.waits} times for 4 losses; add them up as arrays, and convert only the sum"
    )


def task_12_3(answer: Callable) -> None:
    """`training_bytes`, counted by hand."""
    got = answer(0, 1000, 10)
    assert got == 40_000, f"1000 numbers for each of 10 images are 40,000 bytes in float32, got {got}"
    got = answer(1000, 0, 8)
    assert got != 4_000 and got != 8_000, (
        f"each of 1000 parameters has a value, a gradient and a velocity: 12,000 bytes, got {got}"
    )
    assert got != 96_000, "the parameters are stored once, not once for each image"
    assert got == 12_000, f"1000 parameters take 12,000 bytes in float32, whatever the batch size; got {got}"
    got = answer(270_000, 500_000, 128)
    assert got == 259_240_000, f"270,000 parameters, 500,000 activations, batch size 128: 259.24 MB, got {got / 1e6} MB"


def task_12_4(answer: Callable) -> None:
    """`roofline_seconds`, on round numbers; the last two have the larger number on the faster side."""
    for operations, moved, peak, bandwidth, expected, bound in (
        (6e12, 1e9, 1e12, 2e12, 6.0, "arithmetic"),
        (1e12, 8e12, 1e12, 2e12, 4.0, "memory"),
        (8e9, 4e9, 1e10, 1e9, 4.0, "memory"),
        (3e9, 9e9, 1e9, 9e9, 3.0, "arithmetic"),
    ):
        got = answer(operations, moved, peak, bandwidth)
        case = f"{operations:.0e} operations at {peak:.0e}/s and {moved:.0e} bytes at {bandwidth:.0e}/s"
        times = operations / peak, moved / bandwidth
        assert abs(got - sum(times)) > 1e-6, "that is the sum, but arithmetic and memory work at the same time"
        assert abs(got - min(times)) > 1e-6, (
            f"{case}: {got:g} s is the time of the faster of the two. Compare times, not operations and bytes"
        )
        assert abs(got - expected) < 1e-6, f"{case}: bound by {bound}, it takes {expected} s, got {got}"
