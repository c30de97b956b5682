"""Checks of arguments: each raises an error that names the argument, what it wants and what it got.

None looks at the numbers in an array, so that a check takes no longer for a large batch than for a small one.
"""

from __future__ import annotations

import math
from dataclasses import fields
from numbers import Integral, Real
from typing import Any

import numpy as np

from .compute.backend import array_module
from .errors import UserError

Shape = tuple["int | str", ...]  # ("N", "H", "W", 3): a word stands for any size of at least 1


def check_whole(name: str, value: Any, minimum: int = 1, maximum: float = math.inf) -> None:
    """Raises UserError unless `value` is a whole number (no bool, no float) from `minimum` to `maximum`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not minimum <= int(value) <= maximum:
        limits = f"of at least {minimum}" if maximum == math.inf else f"between {minimum} and {maximum}"
        raise UserError(f"{name} must be a whole number {limits}, got {brief(value)}")


def check_number(
    name: str,
    value: Any,
    *,
    at_least: float = -math.inf,
    above: float = -math.inf,
    at_most: float = math.inf,
    below: float = math.inf,
) -> None:
    """Raises UserError unless `value` is a finite number within these limits."""
    is_number = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not (is_number and at_least <= value <= at_most and above < value < below):
        limits = {"at least": at_least, "above": above, "at most": at_most, "below": below}
        wanted = " and ".join(f"{word} {limit}" for word, limit in limits.items() if math.isfinite(limit))
        raise UserError(f"{name} must be {wanted or 'a number'}, got {brief(value)}")


def check_flag(name: str, value: Any) -> None:
    """Raises UserError unless `value` is True or False: any other value would count as one of them."""
    if not isinstance(value, (bool, np.bool_)):
        raise UserError(f"{name} must be True or False, got {brief(value)}")


def check_instance(name: str, value: Any, kind: type, hint: str = "") -> None:
    """Raises TypeError unless `value` is a `kind`; `hint` says what to do instead."""
    if not isinstance(value, kind):
        got = f"the class {value.__name__}, not one of its objects" if isinstance(value, type) else type(value).__name__
        a = "an" if kind.__name__[0] in "AEIOU" else "a"
        raise TypeError(f"{name} must be {a} {kind.__name__}, got {got}{hint and '; '}{hint}")


def check_rng(rng: Any) -> None:
    """Raises TypeError unless `rng` is a generator: random numbers come from one that the caller knows."""
    check_instance("rng", rng, np.random.Generator, "np.random.default_rng(0) makes one")


def is_array(x: Any) -> bool:
    """Whether x is a NumPy or CuPy array, and not a masked array or a matrix, which compute in another way."""
    if type(x) is np.ndarray:
        return True
    if isinstance(x, np.ndarray):
        return not isinstance(x, (np.ma.MaskedArray, np.matrix))
    try:
        return array_module(x) is not np  # a NumPy scalar is no array
    except TypeError:
        return False


def check_array(name: str, x: Any, shape: Shape | None = None) -> None:
    """Raises TypeError unless x is a NumPy or CuPy array, and ValueError unless it is non-empty and has this shape, or,
    where none is given, at least one axis."""
    if not is_array(x):
        raise TypeError(f"{name} must be a NumPy or CuPy array, got {type(x).__name__}")
    if x.ndim == 0 or shape is not None and not _fits(x.shape, shape):
        raise ValueError(f"{name} must be {'(N, ...)' if shape is None else _written(shape)}, got {x.shape}")
    if 0 in x.shape:
        raise ValueError(f"{name} must be non-empty, got {x.shape}")


def check_floats(name: str, x: Any, shape: Shape | None = None) -> None:
    """As `check_array`; also raises ValueError unless x is float32, for training, or float64, for checking gradients.
    float16 overflows in sums over a batch."""
    check_array(name, x, shape)
    if x.dtype.char not in "fd":
        hint = "; data.normalise makes float32 of images" if x.dtype == np.uint8 else ""
        raise ValueError(f"{name} must be float32 or float64, got {x.dtype}{hint}")


def check_integers(name: str, x: Any, shape: Shape | None = None) -> None:
    """As `check_array`; raises ValueError also unless x holds integers."""
    check_array(name, x, shape)
    if x.dtype.kind not in "iu":
        raise ValueError(f"{name} must be integers, got {x.dtype}")


def check_float_dtype(name: str, dtype: Any) -> None:
    """Raises UserError unless `dtype` is a name of float32 or float64."""
    try:
        known = dtype is not None and np.dtype(dtype).char in "fd"
    except TypeError:
        known = False
    if not known:
        raise UserError(f"{name} must be float32, for training, or float64, for checking gradients, got {brief(dtype)}")


def without_numpy(record: Any) -> None:
    """Put Python's numbers in the place of NumPy's, which JSON cannot hold, in the fields of a dataclass."""
    for field in fields(record):
        object.__setattr__(record, field.name, _without_numpy(getattr(record, field.name)))  # it may be frozen


def _without_numpy(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_without_numpy, value))
    return value.item() if isinstance(value, np.generic) else value


def brief(value: Any, length: int = 60) -> str:
    """A value for an error message, on one line and of a bounded length."""
    text = " ".join(repr(value).split())
    return text if len(text) <= length else f"{text[:length]}..."


def _fits(shape: tuple[int, ...], wanted: Shape) -> bool:
    if len(shape) != len(wanted):
        return False
    for size, want in zip(shape, wanted):
        if want != size and not isinstance(want, str):
            return False
    return True


def _written(shape: Shape) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
