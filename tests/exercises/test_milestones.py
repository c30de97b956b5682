"""The milestones: networks made of answers, which learn as the library's do, and which say whose fault it is if not."""

import re

import numpy as np
import pytest

from resnet_scratch.exercises import milestones, solutions
from resnet_scratch.exercises.milestones import MILESTONES, milestone


@pytest.fixture
def short(monkeypatch):
    for name, value in {"BATCH_SIZE": 4, "TRAIN_IMAGES": 30, "TEST_IMAGES": 30}.items():
        monkeypatch.setattr(milestones, name, value)


@pytest.fixture
def ungraded(short, monkeypatch):
    """The tasks are not checked one by one, so that what comes after is."""
    monkeypatch.setattr(milestones, "grade", lambda number, answer: None)


@pytest.mark.parametrize("chapter", MILESTONES)
def test_the_solutions_learn_as_the_library_does(chapter, capsys, short):
    milestone(chapter, solutions(), steps=5)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(MILESTONES[chapter].title) and lines[-1].startswith("test accuracy")
    errors = [float(error) for error in re.findall("relative error (.*)", "\n".join(lines))]
    assert errors and max(errors) < 1e-6
    losses = [line.split() for line in lines[-7:-2]]
    assert [int(step) for step, *_ in losses] == [1, 2, 3, 4, 5]
    assert all(float(own) == pytest.approx(float(library), rel=1e-3) for _, own, library in losses)


def test_missing_answers_are_named_and_where_they_would_be(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("RESNET_SCRATCH_ANSWERS", str(tmp_path))
    milestone(2, {"1.4": None})
    shown = capsys.readouterr().out
    assert "first answer the tasks 2.2, 2.3, then run" in shown and f"are kept in {tmp_path}; " in shown


@pytest.mark.parametrize("number", MILESTONES[8].needs)
def test_every_answer_is_used(number, ungraded):
    def broken(*arguments, **named):
        raise ZeroDivisionError(number)

    answer = type("Broken", (solutions()[number],), {"backward": broken}) if number == "6.5" else broken
    with pytest.raises(ZeroDivisionError):
        milestone(8, {**solutions(), number: answer}, steps=10)


def test_a_wrong_answer_is_told_which_task_it_belongs_to(short):
    def forgets_the_label(probabilities, labels):
        return probabilities / len(labels)

    with pytest.raises(AssertionError, match=r"your loss is not right yet, because of task 5.4: .*label"):
        milestone(8, {**solutions(), "5.4": forgets_the_label})


def test_a_layer_with_a_wrong_gradient_is_told_which_one(ungraded):
    def doubled(*arguments):
        return 2 * solutions()["2.2"](*arguments)

    with pytest.raises(
        AssertionError, match=r"1.4, 2.2, 2.3 pass their own checks, but not together as a convolution(.|\n)*weight"
    ):
        milestone(2, {**solutions(), "2.2": doubled})


def test_a_network_that_learns_otherwise_is_told(ungraded):
    def no_gradient(probabilities, labels):
        return np.zeros_like(probabilities)

    with pytest.raises(AssertionError, match="step 2: your loss is .* and the library's is"):
        milestone(8, {**solutions(), "5.4": no_gradient}, steps=10)
