"""Grading of hand-ins: every answer is checked in a process of its own, so that none can stop the grading of others."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from ..errors import UserError, printable
from ..table import format_table, short_names
from . import grade
from .tasks import CHAPTERS, find_task, tasks_of

VERDICTS = {"right": "+", "wrong": "-", "to do": ".", "error": "!", "missing": "?"}  # and their marks in a terminal
LEGEND = "Chapter by chapter, a sign for each task:\n+ right, - wrong, . to do, ! an error or too slow, ? not handed in"
CHAPTERS_IN_A_TABLE, LONGEST_NAME = 6, 24  # in a terminal


@dataclass(frozen=True)
class Mark:
    """What one answer gets."""

    verdict: str  # one of VERDICTS
    message: str = ""  # what is wrong with it


@dataclass(frozen=True)
class Student:
    """One hand-in. The student's name is that of the folder."""

    name: str
    marks: dict[str, Mark]  # by the number of the task

    @property
    def right(self) -> int:
        """How many answers are right."""
        return sum(mark.verdict == "right" for mark in self.marks.values())


def grade_hand_ins(folders: Sequence[Path], chapters: Iterable[int] = (), seconds: float = 60) -> list[Student]:
    """Grade folders, one for each student, which hold files of `resnet-scratch exercises`, or notebooks' `my-answers`.

    Grades all tasks of `chapters`, or of the chapters that anybody handed in. Each answer gets `seconds` seconds,
    including the start of its process. Answers are checked in parallel, one per processor core.
    Raises UserError if a chapter has no tasks, or if there is nothing to grade.
    """
    from tqdm import tqdm

    files = {folder: _find_files(folder) for folder in folders}
    stems = {stem for found in files.values() for stem in found}
    handed_in = [k for k in CHAPTERS if any(s == CHAPTERS[k] or s.startswith(f"task_{k}_") for s in stems)]
    numbers = [task.number for k in sorted(set(chapters)) or handed_in for task in tasks_of(k)]
    if not numbers:
        wanted = f"{next(iter(CHAPTERS.values()))}.py, or task_1_2.py in a folder my-answers"
        raise UserError(f"no answers in {', '.join(map(str, folders))}: expected files such as {wanted}")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        pairs = [(folder, number) for folder in folders for number in numbers]
        jobs = {(folder, number): pool.submit(_grade_one, number, files[folder], seconds) for folder, number in pairs}
        try:
            for job in tqdm(jobs.values(), unit=" answers", leave=False, disable=None):
                job.result()
        finally:
            pool.shutdown(cancel_futures=True)  # Ctrl-C cancels what has not started
    marks = [{number: jobs[folder, number].result() for number in numbers} for folder in folders]
    students = list(map(Student, short_names(folders), marks))
    for folder, student in zip(folders, students):
        student.marks.update(_renamed(student.marks, files[folder]))
        if not any(_answers(number, files[folder]) or student.marks[number].message for number in numbers):
            there = ", ".join([path.name for path in sorted(folder.rglob("*")) if path.is_file()][:9])
            held = f"the hand-in contains no answer to these tasks, only: {there}" if there else "the hand-in is empty"
            student.marks[numbers[0]] = Mark("missing", held)
    return students


def _renamed(marks: dict[str, Mark], found: dict[str, list[Path]]) -> dict[str, Mark]:
    """The mark of the first answer that is missing in each chapter, if files such as `ch00_start (1).py` were not
    graded: it names them."""
    others = sorted({*found} - {*CHAPTERS.values()} - {stem for stem in found if re.fullmatch(r"task_\d+_\d+", stem)})
    named = {}
    for chapter, stem in CHAPTERS.items():
        unused = [f"{other}.py" for other in others if re.match(rf"ch{chapter:02}(?!\d)|task_{chapter}_", other)]
        missing = [k for k, mark in marks.items() if mark == Mark("missing") and k.startswith(f"{chapter}.")]
        if unused and missing:
            wanted = f"a file must be called {stem}.py, or task_{chapter}_K.py"
            named[missing[0]] = Mark("missing", f"not graded: {', '.join(unused)}; {wanted}")
    return named


def marks_table(students: Sequence[Student]) -> str:
    """The marks of all students for a terminal: a column for each chapter, with one sign for each of its tasks."""
    chapters = list(dict.fromkeys(number.partition(".")[0] for number in students[0].marks))
    tables = []
    for first in range(0, len(chapters), CHAPTERS_IN_A_TABLE):
        shown = chapters[first : first + CHAPTERS_IN_A_TABLE]
        columns = {"student": "", "right": "d", **dict.fromkeys(shown, "")}
        rows = [
            (printable(student.name)[:LONGEST_NAME], student.right, *(_signs(student, chapter) for chapter in shown))
            for student in students
        ]
        tables.append(format_table(columns, rows))
    return "\n\n".join([*tables, LEGEND])


def messages(students: Sequence[Student]) -> str:
    """What is wrong with each answer, student by student."""
    found = [(student, k, mark) for student in students for k, mark in student.marks.items() if mark.message]
    return "".join(f"{student.name}, task {k}: {mark.verdict}\n{mark.message}\n\n" for student, k, mark in found)


def write_grades(path: Path, students: Sequence[Student]) -> Path:
    """Write the verdicts to a CSV file, a row for each student, and the messages beside it. Returns the messages' path.

    Raises OSError if they cannot be written.
    """
    numbers = list(students[0].marks)
    with path.open("w", newline="", encoding="utf-8-sig", errors="backslashreplace") as file:  # -sig is for Excel
        table = csv.writer(file)
        table.writerow(["student", "right", *(f"task {number}" for number in numbers)])
        for student in students:
            table.writerow([student.name, student.right, *(student.marks[number].verdict for number in numbers)])
    beside = path.with_name(f"{path.stem}-messages.txt")
    beside.write_text(messages(students), encoding="utf-8", errors="backslashreplace")  # a folder may have any name
    return beside


def _signs(student: Student, chapter: str) -> str:
    return "".join(VERDICTS[m.verdict] for number, m in student.marks.items() if number.startswith(f"{chapter}."))


def _find_files(folder: Path) -> dict[str, list[Path]]:
    """The Python files of a hand-in, in any subfolder, by name without .py. Copies of the library do not count."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*.py")):
        if "resnet_scratch" not in path.relative_to(folder).parts:
            found.setdefault(path.stem, []).append(path)
    return found


def _answers(number: str, found: dict[str, list[Path]]) -> list[Path]:
    """The files that may hold the answer to a task: its own, from a notebook, or else that of its chapter."""
    chapter, k = number.split(".")
    return found.get(f"task_{chapter}_{k}") or found.get(CHAPTERS[int(chapter)], [])


def _grade_one(number: str, found: dict[str, list[Path]], seconds: float) -> Mark:
    """Grade the answer to a task in a process of its own."""
    files = _answers(number, found)
    if len(files) != 1:
        several = f"there is more than one file for it: {', '.join(map(str, files))}"
        return Mark("error", several) if files else Mark("missing")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        result = Path(folder) / "result"
        try:
            status = subprocess.run(
                [sys.executable, "-m", __name__, number, str(files[0].resolve()), str(result)],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},  # the same library
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # no pipe: what an answer starts could keep it open for ever
                stderr=subprocess.DEVNULL,
                timeout=seconds,
            ).returncode
        except subprocess.TimeoutExpired:
            return Mark("error", f"stopped after {seconds:g} seconds: there may be an endless loop")
        if not result.exists():
            return Mark("error", f"the answer ended its process with status {status}")
        return Mark(*result.read_text(encoding="utf-8").split("\n", 1))


def _grade_here(number: str, file: str) -> Mark:
    """Grade the answer to a task that is in a file, in this process."""
    sys.path.insert(0, str(Path(file).parent))
    name = find_task(number)[1].name
    try:
        answer = getattr(import_module(Path(file).stem), name, None)
        if answer is None:
            return Mark("missing", f"{file} does not define {name}")
        grade(number, answer)
    except NotImplementedError:
        return Mark("to do")
    except AssertionError as error:
        return Mark("wrong", str(error) or "an assertion without a message failed")
    except BaseException as error:  # SystemExit too: it is the student's
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        where = f"{file}, line {lines[-1]}:\n" if lines else ""
        return Mark("error", where + "".join(traceback.format_exception_only(error)).rstrip())
    return Mark("right")


if __name__ == "__main__":  # as _grade_one starts it
    number, file, result = sys.argv[1:]
    mark = _grade_here(number, file)
    Path(result).write_text(f"{mark.verdict}\n{mark.message}", encoding="utf-8", errors="backslashreplace")
    os._exit(0)  # without waiting for threads that an answer has started
