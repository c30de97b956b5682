"""What an answer did while it ran: what it called, and how many Python instructions it ran."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def calls(function: Callable, *arguments: Any) -> list[Any]:
    """Run a function; the code objects of all Python functions, and all built-in functions, that were called in it."""
    called: list[Any] = []

    def record(frame: FrameType, event: str, built_in: Any) -> None:
        if event == "call":
            called.append(frame.f_code)
        elif event == "c_call":
            called.append(built_in)

    before = sys.getprofile()
    sys.setprofile(record)
    try:
        function(*arguments)
    finally:
        sys.setprofile(before)
    return called


def python_steps(function: Callable, *arguments: Any) -> int:
    """Run a function; how many instructions of the interpreter it took. What NumPy does in C does not count."""
    steps = 0

    def count(frame: FrameType, event: str, _: Any) -> Callable:
        nonlocal steps
        frame.f_trace_opcodes = True
        steps += event == "opcode"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        function(*arguments)
    finally:
        sys.settrace(before)
    return steps
