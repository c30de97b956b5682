"""A student's copy of the exercises: the solutions cut out, a pytest mark for each task."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable

from . import CHAPTERS, FOLDER

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"

README = """# Exercises

Each `chNN_*.py` belongs to the tutorial of that number. Every task says what to do, how one may go about it, and gives
a hint; where it says `raise NotImplementedError("your turn ...")` your own code goes.

    pytest                 all tasks
    pytest -m task1_1      one task: the first of chapter 1
    pytest test_ch01*      one chapter

A task that is wrong is told what is wrong. Come back with `resnet-scratch exercises` into this folder at any time: it
adds what is missing and changes nothing that is there; delete (or rename) a file to start it afresh.
"""
PYTEST_INI = "[pytest]\npythonpath = .\naddopts = -q --tb=short --strict-markers\nmarkers =\n"


@dataclass(frozen=True)
class Task:
    """One task of a chapter."""

    number: str  # such as "1.2"
    name: str  # of the function or class
    title: str  # the first line of its docstring, behind the number
    hint: str
    first_line: int
    last_line: int

    @property
    def mark(self) -> str:
        """Its pytest mark."""
        return "task" + self.number.replace(".", "_")


def tasks_in(source: str) -> list[Task]:
    """The tasks of a chapter's source, in order: top-level functions and classes whose docstring begins "Task N.K:"."""
    found = []
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            text = ast.get_docstring(node) or ""
            head = re.match(r"Task (\d+\.\d+): (.*)", text)
            if head:
                hint = " ".join(text.partition("HINT:")[2].split())
                found.append(Task(head[1], node.name, head[2], hint, node.lineno, node.end_lineno or node.lineno))
    return found


def cut_solutions(source: str) -> str:
    """A chapter's source with "your turn" and the hint in place of each solution, and with absolute imports.

    Raises ValueError for a solution that does not end, or that stands in no task.
    """
    tasks = tasks_in(source)
    kept: list[str] = []
    begun = 0  # the line where the solution that we are in began; 0 outside of solutions
    for number, line in enumerate(source.splitlines(), start=1):
        if line.strip() == BEGIN:
            task = next((t for t in tasks if t.first_line <= number <= t.last_line), None)
            if task is None or begun:
                raise ValueError(f"line {number}: {BEGIN} stands outside of a task, or in another solution")
            begun = number
            message = f"your turn: task {task.number}, {task.name}. Hint: {task.hint}"
            kept.append(line.replace(BEGIN, f"raise NotImplementedError({message!r})"))
        elif line.strip() == END:
            if not begun:
                raise ValueError(f"line {number}: {END} without {BEGIN}")
            begun = 0
        elif not begun:
            line = re.sub(r"^from \.\. import", "from resnet_scratch import", line)
            kept.append(re.sub(r"^from \.\.(?=\w)", "from resnet_scratch.", line))
    if begun:
        raise ValueError(f"line {begun}: {BEGIN} without {END}")
    return "\n".join(kept) + "\n"


def write_exercises(folder: Path, chapters: Iterable[int] = CHAPTERS) -> tuple[list[Path], list[Path]]:
    """Write the students' copies of `chapters` into `folder`: (files written, files kept because they were there).

    Raises ValueError for a chapter without exercises, and OSError where the folder cannot be written to.
    """
    files = {"README.md": README}
    for chapter in chapters:
        if chapter not in CHAPTERS:
            raise ValueError(f"chapter must be one of {', '.join(map(str, CHAPTERS))}, got {chapter}")
        stem = CHAPTERS[chapter]
        source = (FOLDER / f"{stem}.py").read_text(encoding="utf-8")
        files[f"{stem}.py"] = cut_solutions(source)
        files[f"test_{stem}.py"] = _test_file(stem, tasks_in(source))
    every = [t for stem in CHAPTERS.values() for t in tasks_in((FOLDER / f"{stem}.py").read_text(encoding="utf-8"))]
    files["pytest.ini"] = PYTEST_INI + "".join(f"    {task.mark}: {task.title}\n" for task in every)
    folder.mkdir(parents=True, exist_ok=True)
    written, kept = [], []
    for name, text in files.items():
        path = folder / name
        if path.exists():
            kept.append(path)
        else:
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written, kept


def _test_file(stem: str, tasks: list[Task]) -> str:
    lines = [
        f'"""Checks your answers in {stem}.py, a mark for each task: `pytest -m {tasks[0].mark}`."""\n',
        f"import {stem} as answers",
        "import pytest\n",
        "from resnet_scratch.exercises import check",
    ]
    for task in tasks:
        test = f"def test_{task.mark}_{task.name}():\n    check({task.number!r}, answers.{task.name})"
        lines.append(f"\n\n@pytest.mark.{task.mark}\n{test}")
    return "\n".join(lines) + "\n"
