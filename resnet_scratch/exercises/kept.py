"""Right answers from notebooks, kept in files, so that the milestones of later chapters can use them."""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import UserError
from .tasks import find_task

VARIABLE = "RESNET_SCRATCH_ANSWERS"  # in the environment: the folder for the answers
NAME = "my_answers"  # of the module that a kept answer runs as
ONLY_IN_NOTEBOOKS = ("get_ipython", "display")  # IPython puts them among the builtin functions
SHOWS = re.compile(rf"(\w+\.)*({'|'.join(ONLY_IN_NOTEBOOKS)}|check|task|progress)\(")


def folder() -> Path:
    """The folder for the answers: the one that the environment names, or `my-answers` where the notebook runs.

    Raises UserError if the environment names a file, or a folder whose parent does not exist, such as one on a drive
    that is not mounted yet.
    """
    named = Path(os.environ.get(VARIABLE) or "my-answers").expanduser()
    if named.exists() and not named.is_dir():
        raise UserError(f"{VARIABLE} must name a folder, got the file {named}")
    if not named.absolute().parent.is_dir():
        raise UserError(f"{VARIABLE} must name a folder whose parent exists, got {named}; there is no {named.parent}")
    return named


def keep(number: str, answer: Any, grade: Callable[[str, Any], None]) -> None:
    """Save the notebook cell that defines `answer` as `task_N_K.py` in `folder()`; does nothing outside of a notebook.

    Magics and what only shows something, such as `display` and `check`, are left out. The rest of the cell has to be
    complete: it is run by itself and graded once more. If it cannot be kept, prints why. Raises UserError as `folder`
    does.
    """
    if not _in_notebook() or getattr(answer, "__module__", "") == NAME:
        return
    try:
        source = _without_shows(_cell(answer))
        grade(number, _run(source, find_task(number)[1].name, f"<task {number}>"))
    except Exception as error:
        print(
            f"not kept for the milestones: {error}. Let one cell define it, by def or class; copy into it what it uses "
            "from other cells; and check again"
        )
    else:
        folder().mkdir(exist_ok=True)
        _path(number).write_text(source, encoding="utf-8")


def my_answers() -> dict[str, Any]:
    """The answers that were right when they were checked in a notebook, by number. Copies of their files, which have
    other names, do not count, nor do answers to tasks that do not exist.

    Raises UserError as `folder` does, and for a file that does not run, or does not define the answer.
    """
    answers = {}
    for path in sorted(folder().glob("task_*_*.py")):
        number = path.stem.removeprefix("task_").replace("_", ".")
        try:
            name = find_task(number)[1].name
        except KeyError:
            continue
        answers[number] = _load(path, name)
    return answers


def _path(number: str) -> Path:
    return folder() / f"task_{number.replace('.', '_')}.py"


def _load(path: Path, name: str) -> Any:
    """The answer that is kept in a file."""
    try:
        return _run(path.read_text(encoding="utf-8"), name, str(path))
    except Exception as error:
        why = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        wanted = "correct it, or remove it and check the answer again in its notebook"
        raise UserError(f"{path} cannot be used: {why}; {wanted}") from error


def _run(source: str, name: str, file: str) -> Any:
    """What `name` is after running the source, outside of notebooks. Raises UserError if it is not defined."""
    everywhere = {key: value for key, value in vars(builtins).items() if key not in ONLY_IN_NOTEBOOKS}
    names: dict[str, Any] = {"__name__": NAME, "__builtins__": everywhere}
    exec(compile(source, file, "exec"), names)
    if name not in names:
        raise UserError(f"it does not define {name}")
    return names[name]


def _cell(answer: Any) -> str:
    """The source of the whole cell that defines a function or class. Raises UserError if there is none."""
    answer = answer if inspect.isfunction(answer) else inspect.unwrap(answer)  # of functools.cache
    if not (inspect.isfunction(answer) or inspect.isclass(answer)):
        raise UserError(f"it is a {type(answer).__name__}, not a function or class")
    if answer.__module__ != "__main__":
        raise UserError(f"it is from {answer.__module__}, not from this notebook")
    for function in [answer, *vars(answer).values()]:
        if inspect.isfunction(function) and (lines := linecache.getlines(function.__code__.co_filename)):
            return "".join(lines)
    raise UserError("its cell is not found: a class needs a method of its own, and a cell must not begin with %%time")


def _without_shows(source: str) -> str:
    """The source without the statements that only show something, and magics, which IPython has made calls of."""
    shows: dict[bool, set[int]] = {True: set(), False: set()}  # the numbers of their lines, and of the others
    for node in ast.parse(source).body:
        shown = isinstance(node, ast.Expr) and SHOWS.match(ast.unparse(node)) is not None
        shows[shown].update(range(node.lineno, node.end_lineno + 1))
    lines = source.split("\n")
    return "\n".join(line for k, line in enumerate(lines, 1) if k not in shows[True] - shows[False])


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None
