"""Right answers from notebooks, kept in files, so that the milestones of later chapters can use them."""

from __future__ import annotations

import inspect
import linecache
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import UserError
from .tasks import find_task

VARIABLE = "RESNET_SCRATCH_ANSWERS"  # in the environment: the folder for the answers


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

    The cell has to be complete: it is run by itself and graded once more, and not kept if that fails. Raises UserError
    as `folder` does.
    """
    if answer.__module__ != "__main__" or not _in_notebook():
        return
    source = _cell(answer)
    try:
        grade(number, _run(source, find_task(number)[1].name))
    except Exception as error:
        print(
            f"not kept for the milestones, because the cell does not run by itself: {error}. Copy into it what it uses "
            "from other cells, and check again"
        )
    else:
        folder().mkdir(exist_ok=True)
        _path(number).write_text(source, encoding="utf-8")


def my_answers() -> dict[str, Any]:
    """The answers that were right when they were checked in a notebook, by number. Copies of their files, which have
    other names, do not count, nor do answers to tasks that do not exist.

    Raises UserError as `folder` does.
    """
    answers = {}
    for path in sorted(folder().glob("task_*_*.py")):
        number = path.stem.removeprefix("task_").replace("_", ".")
        try:
            name = find_task(number)[1].name
        except KeyError:
            continue
        answers[number] = _run(path.read_text(encoding="utf-8"), name)
    return answers


def _path(number: str) -> Path:
    return folder() / f"task_{number.replace('.', '_')}.py"


def _run(source: str, name: str) -> Any:
    """What `name` is after running the source."""
    names: dict[str, Any] = {"__name__": "my_answers"}
    exec(compile(source, f"<{name}>", "exec"), names)
    return names[name]


def _cell(answer: Any) -> str:
    """The source of the whole cell that defines a function, or a class with at least one method."""
    function = answer if inspect.isfunction(answer) else next(filter(inspect.isfunction, vars(answer).values()))
    return "".join(linecache.getlines(function.__code__.co_filename))


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None
