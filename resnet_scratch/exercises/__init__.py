"""Exercises: the tasks of each tutorial with their solutions, and checks that tell a student what is wrong.

`chNN_*.py` contains the tasks of tutorial NN: functions or classes whose docstring begins with "Task N.K:" and says
what to do. The solution is between `### BEGIN SOLUTION` and `### END SOLUTION`. `checks/chNN_*.py` contains a function
`task_N_K(answer)` for each task, which raises AssertionError with a helpful message if the answer is wrong.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import UserError

FOLDER = Path(__file__).parent
CHAPTERS = {int(path.name[2:4]): path.stem for path in sorted(FOLDER.glob("ch[0-9][0-9]_*.py"))}


def check(task: str, answer: Any) -> None:
    """Check a student's `answer`, a function or class, to a task such as "1.2", and print that it is right.

    Raises AssertionError with a message that says what is wrong, NotImplementedError if there is no answer yet, and
    UserError if there is no such task.
    """
    _checker(task)(answer)
    print(f"task {task}: right")


def show(task: Callable) -> None:
    """Print the source of a task without its solution, as in `show(ch01_convolution.output_size)`."""
    solution = r"### BEGIN SOLUTION.*?### END SOLUTION"
    print(re.sub(solution, "...  # your turn", inspect.getsource(task), flags=re.DOTALL).rstrip())


def _checker(task: str) -> Callable[[Any], None]:
    """The function that checks answers to this task."""
    number = re.fullmatch(r"(\d+)\.(\d+)", task)
    chapter = int(number[1]) if number else -1
    module: ModuleType | None = None
    if chapter in CHAPTERS:
        module = import_module(f".checks.{CHAPTERS[chapter]}", __name__)
    checker = getattr(module, f"task_{number[1]}_{number[2]}", None) if number and module else None
    if checker is None:
        raise UserError(f"there is no task {task!r}; chapters with tasks are {', '.join(map(str, CHAPTERS))}")
    return checker
