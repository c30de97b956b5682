"""Exercises: the tasks of each tutorial, solved, and the checks that tell a student what is right and what is wrong.

`chNN_*.py` holds the tasks of tutorial NN as functions (or classes) whose docstring begins with "Task N.K:" and says
what to do; the solution stands between `### BEGIN SOLUTION` and `### END SOLUTION`. `checks/chNN_*.py` holds a function
`task_N_K(answer)` for each, which raises AssertionError with a message that helps.
"""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Callable

FOLDER = Path(__file__).parent
CHAPTERS = {int(path.name[2:4]): path.stem for path in sorted(FOLDER.glob("ch[0-9][0-9]_*.py"))}


def check(task: str, answer: Any) -> None:
    """Check `answer`, a student's function or class, for a task such as "1.2"; prints that it is right.

    Raises AssertionError, saying what is wrong, when it is not; NotImplementedError while there is no answer yet; and
    ValueError for a task that does not exist.
    """
    _checker(task)(answer)
    print(f"task {task}: right")


def show(task: Callable) -> None:
    """Print what a task asks for, without its solution: `show(ch01_convolution.output_size)`."""
    solution = r"### BEGIN SOLUTION.*?### END SOLUTION"
    print(re.sub(solution, "...  # your turn", inspect.getsource(task), flags=re.DOTALL).rstrip())


def _checker(task: str) -> Callable[[Any], None]:
    number = re.fullmatch(r"(\d+)\.(\d+)", task)
    chapter = int(number[1]) if number else -1
    module: ModuleType | None = None
    if chapter in CHAPTERS:
        module = import_module(f".checks.{CHAPTERS[chapter]}", __name__)
    checker = getattr(module, f"task_{number[1]}_{number[2]}", None) if number and module else None
    if checker is None:
        raise ValueError(f"there is no task {task!r}; chapters with tasks are {', '.join(map(str, CHAPTERS))}")
    return checker
