"""The students' copy of the exercises: without solutions, and with a test file that has a pytest mark per task."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from . import CHAPTERS, FOLDER

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"

README = """# Exercises

`chNN_*.py` belongs to the tutorial with the same number. Every task says what to do, suggests an approach and gives a
hint. Replace `raise NotImplementedError("your turn ...")` by your own code.

    pytest                 all tasks
    pytest -m task1_1      one task: the first of chapter 1
    pytest test_ch01*      one chapter

If an answer is wrong, the message says what is wrong with it. You can run `resnet-scratch exercises` on this folder
again at any time: it adds missing files and changes no existing one. To start a file afresh, delete or rename it first.
"""
PYTEST_INI = "[pytest]\npythonpath = .\naddopts = -q --tb=short --strict-markers\nmarkers =\n"


@dataclass(frozen=True)
class Task:
    """One task of a chapter."""

    number: str  # such as "1.2"
    name: str  # of the function or class to complete
    title: str  # the first line of its docstring, after the number
    hint: str
    first_line: int
    last_line: int

    @property
    def mark(self) -> str:
        """The pytest mark of its test, such as "task1_2"."""
        return "task" + self.number.replace(".", "_")


def find_tasks(source: str) -> list[Task]:
    """The tasks in a chapter's source, in order: top-level functions and classes with a docstring "Task N.K: ..."."""
    found = []
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            text = ast.get_docstring(node) or ""
            head = re.match(r"Task (\d+\.\d+): (.*)", text)
            if head:
                hint = " ".join(text.partition("HINT:")[2].split())
                found.append(Task(head[1], node.name, head[2], hint, node.lineno, node.end_lineno or node.lineno))
    return found


def remove_solutions(source: str) -> str:
    """A chapter's source with each solution replaced by an error that shows the hint, and with absolute imports.

    Raises ValueError if a solution has no end, or is not inside a task.
    """
    tasks = find_tasks(source)
    lines: list[str] = []
    solution_start = 0  # the number of the line where the current solution begins; 0 outside solutions
    for number, line in enumerate(source.splitlines(), start=1):
        if line.strip() == BEGIN:
            task = next((t for t in tasks if t.first_line <= number <= t.last_line), None)
            if task is None or solution_start:
                raise ValueError(f"line {number}: {BEGIN} is outside a task or inside another solution")
            solution_start = number
            message = f"your turn: task {task.number}, {task.name}. Hint: {task.hint}"
            lines.append(line.replace(BEGIN, f"raise NotImplementedError({message!r})"))
        elif line.strip() == END:
            if not solution_start:
                raise ValueError(f"line {number}: {END} without {BEGIN}")
            solution_start = 0
        elif not solution_start:
            line = re.sub(r"^from \.\. import", "from resnet_scratch import", line)
            lines.append(re.sub(r"^from \.\.(?=\w)", "from resnet_scratch.", line))
    if solution_start:
        raise ValueError(f"line {solution_start}: {BEGIN} without {END}")
    return "\n".join(lines) + "\n"


def write_exercises(folder: Path, chapters: Iterable[int] = CHAPTERS) -> tuple[list[Path], list[Path]]:
    """Write the students' copy of `chapters` into `folder`. Returns (files written, files that existed and were kept).

    Raises UserError for a chapter without exercises, and OSError if the folder cannot be written to.
    """
    files = {"README.md": README}
    for chapter in chapters:
        if chapter not in CHAPTERS:
            raise UserError(f"chapter must be one of {', '.join(map(str, CHAPTERS))}, got {chapter}")
        stem = CHAPTERS[chapter]
        source = (FOLDER / f"{stem}.py").read_text(encoding="utf-8")
        files[f"{stem}.py"] = remove_solutions(source)
        files[f"test_{stem}.py"] = _test_file(stem, find_tasks(source))
    sources = [(FOLDER / f"{stem}.py").read_text(encoding="utf-8") for stem in CHAPTERS.values()]
    all_tasks = [task for source in sources for task in find_tasks(source)]
    files["pytest.ini"] = PYTEST_INI + "".join(f"    {task.mark}: {task.title}\n" for task in all_tasks)
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
    """The source of a chapter's test file, with a test for each task."""
    lines = [
        f'"""Tests of your answers in {stem}.py. Each task has a mark: `pytest -m {tasks[0].mark}`."""\n',
        f"import {stem} as answers",
        "import pytest\n",
        "from resnet_scratch.exercises import check",
    ]
    for task in tasks:
        test = f"def test_{task.mark}_{task.name}():\n    check({task.number!r}, answers.{task.name})"
        lines.append(f"\n\n@pytest.mark.{task.mark}\n{test}")
    return "\n".join(lines) + "\n"
