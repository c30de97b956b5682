"""The values in a pickle, without executing it.

A pickle is a program: `pickle.load` calls whatever functions it names. The files of CIFAR's python version need only
dicts, lists, numbers, strings and a uint8 array, so this interprets the dozen or so instructions that make these, calls
nothing, and refuses every other instruction. `python -m pickletools FILE` shows such a program.
"""

from __future__ import annotations

import pickletools
from typing import Any

import numpy as np


class UnpickleError(ValueError):
    """A pickle that is damaged, or holds something other than plain values and uint8 arrays."""


class _Call:
    """What the pickle would have called, with its arguments and state. It is never called."""

    def __init__(self, function: str, arguments: tuple) -> None:
        self.function, self.arguments, self.state = function, arguments, ()


_MARK = object()
_IGNORED = {"PROTO", "FRAME"}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_NUMBERS = {"BININT", "BININT1", "BININT2", "LONG1"}
_BYTES = {"BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES"}  # the first two are Python 2's str
_TEXTS = {"BINUNICODE", "SHORT_BINUNICODE"}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_GLOBALS = {f"{module} {name}" for module, name in (
    ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"), ("numpy", "ndarray"),
    ("numpy", "dtype"))}  # fmt: skip


def unpickle(content: bytes, most_steps: int) -> Any:
    """The value that the pickle `content` makes in at most `most_steps` instructions; its byte strings as bytes.

    Raises UnpickleError.
    """
    try:
        return _run(content, most_steps)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        raise UnpickleError(f"{type(error).__name__}: {error}"[:200]) from None


def _run(content: bytes, most_steps: int) -> Any:
    stack: list[Any] = []
    memo: dict[object, Any] = {}

    def pop_to_mark() -> list:
        values = []
        while (value := stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]

    for step, (opcode, argument, _) in enumerate(pickletools.genops(content)):
        name = opcode.name
        if step >= most_steps:
            raise ValueError(f"more than {most_steps} instructions")
        if name == "STOP":
            return stack.pop()
        if name in _IGNORED:
            continue
        if name == "MARK":
            stack.append(_MARK)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in _NUMBERS or name in _TEXTS:
            stack.append(argument)
        elif name in _BYTES:
            stack.append(argument.encode("latin-1") if isinstance(argument, str) else argument)
        elif name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            memo[len(memo) if argument is None else argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name in _TUPLES:
            values = stack[-_TUPLES[name] :]
            stack[-_TUPLES[name] :] = [tuple(values)]
        elif name == "TUPLE":
            stack.append(tuple(pop_to_mark()))
        elif name in ("APPEND", "APPENDS"):
            values = pop_to_mark() if name == "APPENDS" else [stack.pop()]
            _checked(stack[-1], list).extend(values)
        elif name in ("SETITEM", "SETITEMS"):
            values = pop_to_mark() if name == "SETITEMS" else [stack.pop(-2), stack.pop()]
            keys = [_checked(key, bytes, str) for key in values[::2]]
            _checked(stack[-1], dict).update(zip(keys, values[1::2]))
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            names = [argument] if name == "GLOBAL" else [stack.pop(-2), stack.pop()]
            wanted = " ".join(_checked(name, str) for name in names)
            if wanted not in _GLOBALS:
                raise ValueError(f"it asks for {wanted}, which no CIFAR file needs")
            stack.append(_Call(wanted, ()))
        elif name == "REDUCE":
            arguments = _checked(stack.pop(), tuple)
            stack.append(_Call(_checked(stack.pop(), _Call).function, arguments))
        elif name == "BUILD":
            state = _checked(stack.pop(), tuple)
            _checked(stack[-1], _Call).state = state
        else:
            raise ValueError(f"it has the instruction {name}, which no CIFAR file needs")
    raise ValueError("it does not end")


def _checked(value: Any, *kinds: type) -> Any:
    if type(value) not in kinds:
        raise TypeError(f"{kinds[0].__name__} expected, got {type(value).__name__}")
    return value


def as_bytes_array(value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The uint8 array of this shape that an unpickled `value` stands for. Raises UnpickleError."""
    try:
        _, its_shape, dtype, fortran, content = _checked(value, _Call).state
        kind = _checked(dtype, _Call).arguments[0]
    except (TypeError, ValueError, IndexError) as error:
        raise UnpickleError(f"an array expected ({error})") from None
    if kind not in (b"u1", "u1", b"|u1", "|u1") or its_shape != shape or type(content) is not bytes:
        raise UnpickleError(f"a uint8 array of the shape {shape} expected, got an array of something else")
    if len(content) != np.prod(shape):
        raise UnpickleError(f"an array {shape} of bytes has {np.prod(shape):,} of them, got {len(content):,}")
    return np.frombuffer(content, np.uint8).reshape(shape, order="F" if fortran is True else "C")
