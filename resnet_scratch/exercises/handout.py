"""The students' copy of the exercises: without solutions, and with a test file that has a pytest mark per task."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .milestones import MILESTONES
from .tasks import BEGIN, CHAPTERS, END, Task, absolute_imports, find_task, find_tasks, naming, read_chapter, tasks_of

README = """# Exercises

`chNN_*.py` belongs to the tutorial with the same number. Every task says how hard it is (one to three stars), about how
long it takes and what to do, and gives two hints: a question and a pointer. Replace `raise NotImplementedError("your
turn ...")` with your own code. Then run one of these in this folder, with a Python that has resnet_scratch and pytest:

    python -m pytest                             all tasks and the three milestones, which train for minutes
    python -m pytest -m task1_1                  one task: the first of chapter 1
    python -m pytest test_ch01_convolution.py    one chapter
    python -m pytest -m milestone2               the milestone of chapter 2, which trains a network with your answers

If an answer is wrong, the message says what is wrong with it. You can run `resnet-scratch exercises` on this folder
again at any time: it adds missing files, rewrites the tests and pytest.ini, and changes no other file. To start a file
of tasks afresh, delete or rename it first.
"""
PYTEST_INI = "[pytest]\npythonpath = .\naddopts = -q --tb=short --strict-markers\nmarkers =\n"


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
            message = f"your turn: task {task.number}, {task.name}. {' '.join(task.question.split())}"
            lines.append(line.replace(BEGIN, f"raise NotImplementedError({message!r})"))
        elif line.strip() == END:
            if not solution_start:
                raise ValueError(f"line {number}: {END} without {BEGIN}")
            solution_start = 0
        elif not solution_start:
            lines.append(absolute_imports(line))
    if solution_start:
        raise ValueError(f"line {solution_start}: {BEGIN} without {END}")
    return "\n".join(lines) + "\n"


def write_exercises(folder: Path, chapters: Iterable[int] = CHAPTERS) -> tuple[list[Path], list[Path]]:
    """Write the students' copy of `chapters` into `folder`. Returns (files written, files that existed and were kept).

    The tests are always written: they have to agree with the library's tasks. Files that students edit are kept.
    Raises UserError for a chapter without exercises, or with a malformed one, and OSError if the folder cannot be
    written to.
    """
    files = {"README.md": README}
    for chapter in chapters:
        source = read_chapter(chapter)
        stem = CHAPTERS[chapter]
        with naming(stem):
            files[f"{stem}.py"] = remove_solutions(source)
            files[f"test_{stem}.py"] = _test_file(stem, find_tasks(source))
    all_tasks = [task for chapter in CHAPTERS for task in tasks_of(chapter)]
    marks = [(task.mark, task.title) for task in all_tasks]
    marks += [(f"milestone{chapter}", goal.title) for chapter, goal in MILESTONES.items()]
    files["pytest.ini"] = PYTEST_INI + "".join(f"    {mark}: {title}\n" for mark, title in marks)
    files["test_milestones.py"] = _milestone_file()
    folder.mkdir(parents=True, exist_ok=True)
    written, kept = [], []
    for name, text in files.items():
        path = folder / name
        if path.exists() and not name.startswith(("test_", "pytest.")):
            kept.append(path)
        else:
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written, kept


def _test_file(stem: str, tasks: list[Task]) -> str:
    """The source of a chapter's test file, with a test for each task."""
    lines = [
        f'"""Tests of your answers in {stem}.py. Each task has a mark: `python -m pytest -m {tasks[0].mark}`."""\n',
        f"import {stem} as answers",
        "import pytest\n",
        "from resnet_scratch.exercises import grade",
    ]
    for task in tasks:
        test = f"def test_{task.mark}_{task.name}():\n    grade({task.number!r}, answers.{task.name})"
        lines.append(f"\n\n@pytest.mark.{task.mark}\n{test}")
    return "\n".join(lines) + "\n"


def _milestone_file() -> str:
    """The source of the test file of the milestones, which take their answers from the files of several chapters."""
    lines = [
        '"""Networks from your answers. Each has a mark: `python -m pytest -sm milestone2` shows how it learns."""\n',
        "import pytest\n",
        "from resnet_scratch.exercises.milestones import milestone\n\n",
        "def answer(module, name):",
        "    return getattr(pytest.importorskip(module), name)",
    ]
    for chapter, goal in MILESTONES.items():
        lines += [f"\n\n@pytest.mark.milestone{chapter}", f"def test_milestone{chapter}():", "    answers = {"]
        for number in goal.needs:
            module, task = find_task(number)
            lines.append(f"        {number!r}: answer({module!r}, {task.name!r}),")
        lines += ["    }", f"    milestone({chapter}, answers)"]
    return "\n".join(lines) + "\n"
