"""Checks of the exercises of tutorial 12. They need no GPU: a strict array type stands in for CuPy's."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np


class _DeviceArray:
    """An array that cannot be taken for NumPy's, as CuPy's cannot; it counts how often the host had to wait for it."""

    __module__ = "elsewhere"  # where array_module looks for its functions
    __array_ufunc__ = None
    waits = 0

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)

    dtype = property(lambda self: self.values.dtype)
    shape = property(lambda self: self.values.shape)

    def __array__(self, *arguments: Any, **keywords: Any) -> Any:
        raise TypeError("an array of the GPU is not converted to a NumPy array by itself")

    def __array_function__(self, *arguments: Any) -> Any:
        raise TypeError("a NumPy function cannot take an array of the GPU")

    def __float__(self) -> float:
        _DeviceArray.waits += 1
        return float(self.values)

    item = __float__
    get = lambda self: np.float64(float(self)) if not self.shape else self.values  # noqa: E731


def _operator(name: str) -> Callable:
    def operator(a: _DeviceArray, b: Any) -> _DeviceArray:
        if isinstance(b, np.ndarray):
            raise TypeError("an array of the GPU and one of NumPy do not mix")
        return _DeviceArray(getattr(a.values, name)(b.values if isinstance(b, _DeviceArray) else b))

    return operator


for _name in ("add", "radd", "sub", "mul", "rmul", "truediv", "gt", "ge", "lt", "le"):
    setattr(_DeviceArray, f"__{_name}__", _operator(f"__{_name}__"))


def _elsewhere() -> ModuleType:
    """A library in the manner of CuPy, with a few functions."""

    def values(a: Any) -> Any:
        if isinstance(a, np.ndarray):
            raise TypeError("an array of NumPy was handed to the GPU's library")
        return a.values if isinstance(a, _DeviceArray) else a

    def on_device(function: Callable) -> Callable:
        return lambda *a: _DeviceArray(function(*map(values, a)))

    module: Any = ModuleType("elsewhere")
    module.ndarray = _DeviceArray
    for name in ("where", "maximum", "minimum", "zeros_like", "multiply"):
        setattr(module, name, on_device(getattr(np, name)))
    return module


def task_12_1(answer: Callable) -> None:
    """`leaky_relu`, on numbers worked out by hand, in both libraries."""
    x = np.array([[-2.0, 0.0, 3.0], [-0.5, 4.0, -1.0]], np.float32)
    expected = np.array([[-0.5, 0, 3], [-0.125, 4, -0.25]])
    y = answer(x, 0.25)
    assert isinstance(y, np.ndarray), f"a NumPy array went in and {type(y).__name__} came out"
    assert np.array_equal(y, expected), f"for\n{x}\nand the slope 0.25 it is\n{expected}\ngot\n{y}"
    assert y.dtype == np.float32, f"float32 went in and {y.dtype} came out: where did a float64 array slip in?"
    sys.modules["elsewhere"] = _elsewhere()
    try:
        y = answer(_DeviceArray(x), 0.25)
    except TypeError as error:
        raise AssertionError(
            f"it works on NumPy's arrays, but with another library's: {error}. Call the functions of array_module(x)"
        ) from error
    finally:
        del sys.modules["elsewhere"]
    assert isinstance(y, _DeviceArray), "an array of the GPU went in and none came out: it was copied to the host"
    assert np.array_equal(y.values, expected) and y.dtype == np.float32, "on the other library the numbers are wrong"


def task_12_2(answer: Callable) -> None:
    """`mean_loss`: the number of waits is counted."""
    _DeviceArray.waits = 0
    got = answer(_DeviceArray(np.float32(loss)) for loss in (1.0, 2.0, 6.0, 7.0))
    assert isinstance(got, float), f"a Python float is wanted, got {type(got).__name__}"
    assert abs(got - 4) < 1e-6, f"the mean of 1, 2, 6 and 7 is 4, got {got}"
    assert _DeviceArray.waits == 1, (
        f"the host waited {_DeviceArray.waits} times for 4 losses; add them up as arrays, and bring over the sum only"
    )


def task_12_3(answer: Callable) -> None:
    """`training_bytes`, counted by hand."""
    got = answer(0, 1000, 10)
    assert got == 40_000, f"1000 numbers for each of 10 images are 40,000 bytes in float32, got {got}"
    got = answer(1000, 0, 8)
    assert got != 4_000 and got != 8_000, f"value, gradient and velocity of each of 1000 parameters: 12,000, got {got}"
    assert got != 96_000, "the parameters are there once, not once for each image"
    assert got == 12_000, f"1000 parameters take 12,000 bytes in float32, whatever the batch; got {got}"
    assert answer(270_000, 500_000, 128) == 259_240_000, "270,000 parameters, 500,000 activations, batch 128: 259.24 MB"


def task_12_4(answer: Callable) -> None:
    """`roofline_seconds`, on round numbers."""
    for operations, moved, expected, bound in ((6e12, 1e9, 6.0, "arithmetic"), (1e12, 8e12, 4.0, "memory")):
        got = answer(operations, moved, 1e12, 2e12)
        total = operations / 1e12 + moved / 2e12
        assert abs(got - total) > 1e-9, "the sum: but arithmetic and memory work at the same time"
        assert abs(got - expected) < 1e-9, f"bound by {bound}, it takes {expected} s, got {got}"
