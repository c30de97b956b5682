"""Every task's solution is right, and wrong answers that people give are told what is wrong with them."""

from importlib import import_module

import pytest

from resnet_scratch.exercises import CHAPTERS, FOLDER, check
from resnet_scratch.exercises.handout import find_tasks

SOLUTIONS = {
    task.number: getattr(import_module(f"resnet_scratch.exercises.{stem}"), task.name)
    for stem in CHAPTERS.values()
    for task in find_tasks((FOLDER / f"{stem}.py").read_text())
}
WRONG = [case for stem in CHAPTERS.values() for case in import_module(f"wrong_{stem[:4]}").WRONG]


@pytest.mark.parametrize("task", SOLUTIONS)
def test_the_solution_is_right(task, capsys):
    check(task, SOLUTIONS[task])
    assert capsys.readouterr().out == f"task {task}: right\n"


@pytest.mark.parametrize("task, answer, message", WRONG)
def test_a_wrong_answer_is_told_what_is_wrong(task, answer, message):
    with pytest.raises(AssertionError, match=message):
        check(task, answer)
