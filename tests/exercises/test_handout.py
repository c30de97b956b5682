"""The students' copy contains no solution, every task says "your turn", and no student's work is overwritten."""

import ast
import os
import subprocess
import sys

import pytest

from resnet_scratch.errors import UserError
from resnet_scratch.exercises import CHAPTERS, FOLDER, check, show
from resnet_scratch.exercises.handout import BEGIN, END, find_tasks, remove_solutions, write_exercises

CHAPTER = '''"""A chapter."""

from ..layers import ReLU
from .. import optim


def double(x: int) -> int:
    """Task 1.1: twice as much.

    TODO: return twice x.
    HINT: a number is
        added to itself.
    """
    start = x
    ### BEGIN SOLUTION
    return start + start
    ### END SOLUTION


class Half:
    """Task 1.2: half as much.

    HINT: divide.
    """

    def of(self, x):
        ### BEGIN SOLUTION
        return x / 2
        ### END SOLUTION

    def twice(self, x):
        ### BEGIN SOLUTION
        return x
        ### END SOLUTION


def helper():
    return 1
'''

HANDOUT = '''"""A chapter."""

from resnet_scratch.layers import ReLU
from resnet_scratch import optim


def double(x: int) -> int:
    """Task 1.1: twice as much.

    TODO: return twice x.
    HINT: a number is
        added to itself.
    """
    start = x
    raise NotImplementedError('your turn: task 1.1, double. Hint: a number is added to itself.')


class Half:
    """Task 1.2: half as much.

    HINT: divide.
    """

    def of(self, x):
        raise NotImplementedError('your turn: task 1.2, Half. Hint: divide.')

    def twice(self, x):
        raise NotImplementedError('your turn: task 1.2, Half. Hint: divide.')


def helper():
    return 1
'''


def test_solutions_are_removed():
    assert remove_solutions(CHAPTER) == HANDOUT
    assert [(t.number, t.name, t.title, t.mark) for t in find_tasks(CHAPTER)] == [
        ("1.1", "double", "twice as much.", "task1_1"),
        ("1.2", "Half", "half as much.", "task1_2"),
    ]


@pytest.mark.parametrize(
    "wrong, message",
    [
        (CHAPTER.replace(f"    return start + start\n    {END}", "    return start"), "inside another solution"),
        (CHAPTER.replace(f"        return x\n        {END}\n", "        return x\n"), "without ### END"),
        (CHAPTER.replace(f"    {BEGIN}\n    return start", "    return start"), "without ### BEGIN"),
        (CHAPTER.replace("    return 1", f"    {BEGIN}\n    return 1\n    {END}"), "outside a task"),
    ],
)
def test_misplaced_marks_are_an_error(wrong, message):
    with pytest.raises(ValueError, match=message):
        remove_solutions(wrong)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_chapter_has_complete_tasks(chapter):
    source = (FOLDER / f"{CHAPTERS[chapter]}.py").read_text()
    tasks, handout = find_tasks(source), remove_solutions(source)
    assert 2 <= len(tasks) <= 5
    assert [t.number for t in tasks] == [f"{chapter}.{k}" for k in range(1, len(tasks) + 1)]
    assert all("TODO:" in handout and t.hint for t in tasks)
    ast.parse(handout)
    assert BEGIN not in handout and END not in handout and "from ." not in handout
    for task in tasks:
        assert handout.count(f"your turn: task {task.number}, {task.name}.") >= 1


@pytest.fixture(scope="module")
def handed_out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("student") / "mine"
    written, kept = write_exercises(folder)
    assert not kept and len(written) == 2 * len(CHAPTERS) + 2
    return folder


def run(folder, *arguments):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(FOLDER.parent.parent)}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)


def test_every_task_fails_with_your_turn(handed_out):
    result = run(handed_out)
    count = sum(len(find_tasks((FOLDER / f"{stem}.py").read_text())) for stem in CHAPTERS.values())
    assert result.returncode == 1 and f"{count} failed" in result.stdout and "passed" not in result.stdout
    reasons = [line for line in result.stdout.splitlines() if line.startswith("E   NotImplementedError: your turn")]
    assert len(reasons) == count and all("Hint: " in reason for reason in reasons)


def test_the_solutions_pass(tmp_path):
    chapter = min(CHAPTERS)
    write_exercises(tmp_path, [chapter])
    stem = CHAPTERS[chapter]
    solved = (FOLDER / f"{stem}.py").read_text().replace("from ..", "from resnet_scratch.")
    (tmp_path / f"{stem}.py").write_text(solved)
    one = run(tmp_path, "-m", f"task{chapter}_1")
    assert one.returncode == 0 and "1 passed" in one.stdout and "deselected" in one.stdout
    assert run(tmp_path).returncode == 0


def test_existing_files_are_not_changed(tmp_path):
    chapters = list(CHAPTERS)[:2]
    write_exercises(tmp_path, chapters[:1])
    mine = tmp_path / f"{CHAPTERS[chapters[0]]}.py"
    mine.write_text("# hours of work\n")
    written, kept = write_exercises(tmp_path, chapters)
    assert mine.read_text() == "# hours of work\n" and mine in kept
    assert tmp_path / f"{CHAPTERS[chapters[1]]}.py" in written


def test_unknown_chapters_and_tasks_are_errors(tmp_path):
    with pytest.raises(UserError, match="chapter must be one of .*, got 77"):
        write_exercises(tmp_path, [77])
    assert not any(tmp_path.iterdir())
    for task in ("77.1", f"{min(CHAPTERS)}.9", "one"):
        with pytest.raises(UserError, match=f"there is no task {task!r}"):
            check(task, print)


def test_show_omits_the_solution(capsys):
    stem = CHAPTERS[min(CHAPTERS)]
    module = __import__(f"resnet_scratch.exercises.{stem}", fromlist=["_"])
    for task in find_tasks((FOLDER / f"{stem}.py").read_text()):
        show(getattr(module, task.name))
        shown = capsys.readouterr().out
        assert f"Task {task.number}: {task.title}" in shown and "SOLUTION" not in shown and task.name in shown
        assert "your turn" in shown
