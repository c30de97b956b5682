"""Exercises: the tasks of each tutorial with their solutions, and checks that tell a student what is wrong.

`chNN_*.py` contains the tasks of tutorial NN: functions or classes whose docstring begins with "Task N.K" and says what
to do (`tasks.find_tasks` describes the form). The solution is between `### BEGIN SOLUTION` and `### END SOLUTION`. It
is cut out of the file or the notebook cell that a student completes. `checks/chNN_*.py` contains a function
`task_N_K(answer)` for each task, which raises AssertionError with a helpful message if the answer is wrong.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from importlib.util import find_spec
from inspect import isfunction, signature
from traceback import walk_tb
from typing import Any

import numpy as np

from ..checks import brief
from ..errors import UserError
from ..layers.layer import MissingMethod
from .checks.compare import ArgumentChanged
from .kept import keep, my_answers
from .tasks import CHAPTERS, find_task, tasks_of

__all__ = ["CHAPTERS", "check", "grade", "my_answers", "progress", "solutions", "task"]

_right: set[str] = set()  # the tasks whose answers were checked in this session, and are right


def grade(number: str, answer: Any) -> None:
    """Check an `answer`, a function or class, to a task such as "1.2".

    Raises AssertionError with a message that says what is wrong, also if the check fails on what the answer returned,
    NotImplementedError if there is no answer yet, UserError if there is no such task, or no check of it, and whatever
    the answer itself raises.
    """
    checker, returned = _checker(number), deque[Any](maxlen=1)
    try:
        checker(_as_function(answer, returned.append))
    except MissingMethod as error:
        raise AssertionError(str(error)) from error
    except (AssertionError, NotImplementedError):
        raise
    except Exception as error:
        if _is_theirs(error):
            raise
        what = f"the check cannot use your {getattr(answer, '__name__', 'answer')}"
        if returned:
            what = f"your answer returned {brief(returned[0], 100)}, which the check cannot use"
        raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error


def _is_theirs(error: Exception) -> bool:
    """Whether an error comes from calling a student's function, or from code outside of the library and NumPy."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    modules = {frame.f_globals.get("__name__", "").partition(".")[0] for frame in frames}
    ours = {"resnet_scratch", "numpy", "contextlib"}
    return not modules <= ours or any(frame.f_code.co_name == "called" for frame in frames)


def _as_function(answer: Any, tell: Callable[[Any], None]) -> Any:
    """A function, wrapped so that it is wrong to return nothing, or to change an array, and that tells what it returns;
    a class as it is."""
    if not isfunction(answer):
        return answer

    @wraps(answer)
    def called(*arguments: Any, **named: Any) -> Any:
        given = {**dict(zip(signature(answer).parameters, arguments)), **named}
        before = {name: value.copy() for name, value in given.items() if isinstance(value, np.ndarray)}
        result = answer(*arguments, **named)
        tell(result)
        assert result is not None, "your function returned nothing: is its `return` missing?"
        for name, array in before.items():
            if not np.array_equal(given[name], array, equal_nan=array.dtype.kind == "f"):
                raise ArgumentChanged(f"{name} was changed in place, but others may still need it; make a new array")
        return result

    return called


def check(number: str, answer: Any) -> bool:
    """Check an `answer`, a function or class, to a task such as "1.2": prints whether it is right, and if not, why.

    In a notebook, the cell of a right answer is kept for the milestones of later chapters: in the folder that the
    environment variable RESNET_SCRATCH_ANSWERS names, or in `my-answers`. Raises UserError if there is no such task, or
    no check of it, or the folder cannot be made, and whatever the answer itself raises.
    """
    try:
        grade(number, answer)
    except NotImplementedError:
        print(f"task {number}: still to do")
    except AssertionError as error:
        print(f"task {number}: not right yet\n{error}")
    else:
        print(f"task {number}: right")
        _right.add(number)
        keep(number, answer, grade)
        return True
    return False


def task(number: str) -> None:
    """Print a task and check the library's answer to it. (In notebooks, cells for your own answer take its place.)"""
    _checker(number)
    module, found = find_task(number)
    print(f"Task {number} {found.stars * '*'} (about {found.minutes} minutes): {found.title}\n\n{found.todo}\n")
    grade(number, getattr(import_module(f".{module}", __name__), found.name))
    print(f"The library's answer is {found.name} in resnet_scratch/exercises/{module}.py.")


def progress(chapter: int) -> None:
    """Print which of a chapter's tasks were answered right in this session, and which are still to do.

    Raises UserError if the chapter has no tasks.
    """
    numbers = [found.number for found in tasks_of(chapter)]
    right = [number for number in numbers if number in _right]
    left = [number for number in numbers if number not in _right]
    print(f"right: {', '.join(right) or 'none yet'}\nstill to do: {', '.join(left) or 'nothing, well done'}")


def solutions() -> dict[str, Callable]:
    """The library's own answers to all tasks, by number."""
    return {
        found.number: getattr(import_module(f".{stem}", __name__), found.name)
        for chapter, stem in CHAPTERS.items()
        for found in tasks_of(chapter)
    }


def _checker(number: str) -> Callable[[Any], None]:
    """The function that checks answers to this task."""
    try:
        module, _ = find_task(number)
    except KeyError:
        chapters = ", ".join(map(str, CHAPTERS))
        wanted = f"a task is a string, such as '1.2'; the chapters with tasks are {chapters}"
        raise UserError(f"there is no task {number!r}; {wanted}") from None
    file, function = f"{__name__}.checks.{module}", f"task_{number.replace('.', '_')}"
    checker = getattr(import_module(file), function, None) if find_spec(file) else None
    if checker is None:
        raise UserError(f"task {number} has no check: {file.replace('.', '/')}.py needs a function {function}(answer)")
    return checker
